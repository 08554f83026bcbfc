"""What the kernel knows of a grader's processes, read from /proc."""

import time
from pathlib import Path


def groups(grader) -> list[int]:
    """The sessions of the workers that run; the processes that they forked are in it."""
    return [worker._process.pid for worker in grader._workers if worker._process]


def alive(group: int) -> list[int]:
    """The processes of a session that are not yet gone."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended between the listing and the reading
            continue
        if int(fields[3]) == group and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def ended(group: int, seconds: float = 10.0) -> bool:
    """Whether no process of the group is left; the kernel may need a moment for what was killed."""
    deadline = time.monotonic() + seconds
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(group)


def peak_mb(pid: int) -> float:
    """The most resident memory that a process ever had."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)
