"""What the kernel knows of a grader's processes, read from /proc."""

import os
import time
from pathlib import Path


def groups(grader) -> list[int]:
    """The sessions of the workers that run; the processes that they forked are in it."""
    return [worker._process.pid for worker in grader._workers if worker._process]


def _members(session: int) -> dict[int, list[str]]:
    """What /proc/PID/stat says of a session's processes, from the state on."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended between the listing and the reading
            continue
        if int(fields[3]) == session:
            found[int(stat.parent.name)] = fields
    return found


def alive(session: int) -> list[int]:
    """The processes of a session that are not yet gone."""
    return [pid for pid, fields in _members(session).items() if fields[0] not in "ZX"]


def processor_s(session: int) -> float:
    """Processor time that a session's processes, and the children whose end they saw, have used."""
    ticks = sum(sum(map(int, fields[11:15])) for fields in _members(session).values())
    return ticks / os.sysconf("SC_CLK_TCK")


def ended(session: int, seconds: float = 10.0) -> bool:
    """Whether no process of the session is left; the kernel may need a moment for what was killed."""
    deadline = time.monotonic() + seconds
    while alive(session) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(session)


def peak_mb(pid: int) -> float:
    """The most resident memory that a process ever had."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
