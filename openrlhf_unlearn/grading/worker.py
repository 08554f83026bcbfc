"""A grading process: one JSON line in, one out. It may hang or die on any answer.

    python -m openrlhf_unlearn.grading.worker FORMAT TIMEOUT_S MEMORY_MB OWNER_PID

It imports math-verify once and then forks the process that grades. That one sets the kernel's alarm before each item,
whose default action ends it even within one huge multiplication of C code, whoever is left to watch. Its parent then
reports the death and forks the next one: replacing costs milliseconds, not an import of sympy.
"""

import contextlib
import gc
import json
import math
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from openrlhf_unlearn.grading.formats import FORMATS, Format, load_format
from openrlhf_unlearn.grading.grade import VERDICTS, Grade

RECYCLE, OUT_OF_MEMORY, OWNER_GONE = 17, 18, 19  # exit codes of the grading process
MIN_MEMORY_MB = 64  # that a grading process may use above what it starts with
ITEMS = 20_000  # of one grading process; sympy's caches start afresh then
MAX_REPLY = 1_000  # characters of an answer that are reported
# The parser learns its grammar as it goes; what it has learnt before the fork, every process that grades knows.
ORDINARY = r"""
\frac{1}{2} & x^2+3x-\sqrt{5} & (0,1) & [-1,\infty)\cup(2,3] & 0<x<1 & x=\frac{3\pm\sqrt{17}}{2} & 2^{4}\cdot 3^{3}
& \text{no} & \{1,2\} & y=2x+1 & 30^\circ & \frac{\pi}{4}+2\pi k & n! & \sin(2x) & \log_2 8 & 3:4 & (x-1)^2+(y+2)^2=9
& \left(\frac{1}{3},-2\right) & a_{n}=2^{n-1} & x\ge 3 & 2+3i & 1\frac{1}{2} & \binom{5}{2} & \sqrt[3]{2} & 1,234.5
"""
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "os.putenv", "subprocess.",
             "socket.", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
             "os.mkdir", "os.rmdir", "shutil.", "ctypes.", "urllib.", "http.", "webbrowser.")  # fmt: skip
Message: TypeAlias = dict[str, Any]  # a line of JSON
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def answer_to(request: Message, answers: Format) -> Message:
    """The reply to {'response', 'label'} or, without 'response', to the question whether the label is gradable."""
    label_only = "response" not in request
    try:
        if label_only:
            gradable = getattr(answers, "gradable", str.strip)  # a user's own need not have it
            return {"gradable": bool(gradable(request["label"]))}
        grade = answers.grade([request["response"]], [request["label"]])[0]
        if grade.verdict not in VERDICTS or not math.isfinite(grade.reward):
            raise ValueError(f"verdict {grade.verdict!r} and reward {grade.reward!r}, not one of {', '.join(VERDICTS)}")
        answer = None if grade.answer is None else str(grade.answer)[:MAX_REPLY]
        reason = str(getattr(grade, "reason", ""))[:MAX_REPLY]
        return {"verdict": grade.verdict, "reward": float(grade.reward), "answer": answer, "reason": reason}
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException as error:  # what breaks the parser, or a user's sys.exit(): the answer gets the verdict
        return {"gradable": False} if label_only else _failed(error, answers)


def _failed(error: BaseException, answers: Format) -> Message:
    problem = _problem(error, answers)
    return {
        **vars(Grade.of("error", None, problem or f"the parser failed: {type(error).__name__}")),
        "problem": problem,
    }


def _problem(error: BaseException, answers: Format) -> str | None:
    """What a user's own grader raised, and on which of its lines; None for ours."""
    if type(answers) in FORMATS.values():
        return None
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in reversed(frames) if frame.filename != __file__), None)
    place = f" ({Path(own.filename).name}, line {own.lineno})" if own else ""
    return f"{type(error).__name__}: {error}{place}"[:MAX_REPLY]


class Grading:
    """The forked process: reads requests from standard input until it is told to end, or ends itself."""

    def __init__(self, answers: Format, timeout_s: float, memory_mb: int, replies: int, trusted: bool):
        self.answers, self.timeout_s, self.replies = answers, timeout_s, replies
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.start_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        virtual, resident = _memory_in_use()
        room = max(memory_mb * 2**20 - resident, MIN_MEMORY_MB * 2**20)
        self.recycle_kb = room // 2048  # half of it
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (virtual + room, virtual + room))
        if not trusted:
            sys.addaudithook(_refuse)

    def serve(self) -> int:
        """The exit code: OWNER_GONE, or RECYCLE when a fresh process should go on."""
        for _ in range(ITEMS):
            line = self._next_line()
            if line is None:
                return OWNER_GONE
            signal.setitimer(signal.ITIMER_REAL, self.timeout_s)
            reply = answer_to(json.loads(line), self.answers)
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(self.replies, reply)
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.start_kb > self.recycle_kb:
                break
        return RECYCLE

    def _next_line(self) -> bytes | None:
        """One request; only one is ever under way, so nothing is read beyond it."""
        buffer = bytearray()
        while not buffer.endswith(b"\n"):
            chunk = os.read(0, 1 << 16)
            if not chunk:
                return None
            buffer += chunk
        return bytes(buffer)


def _memory_in_use() -> tuple[int, int]:
    """Bytes, virtual and resident."""
    try:
        virtual, resident = map(int, Path("/proc/self/statm").read_text(encoding="ascii").split()[:2])
    except OSError:  # no Linux: only the limit is then a little wide
        return 2**28, 2**27
    return virtual * resource.getpagesize(), resident * resource.getpagesize()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: mathematics opens no file to write, starts no process and speaks to nobody."""
    if event == "open":
        _, mode, flags = arguments
        refused = set(mode or "") & set("wax+") or (flags or 0) & WRITES
    else:
        refused = event.startswith(FORBIDDEN)
    if refused:
        raise PermissionError(f"grading may not {event}")


def send(replies: int, message: Message) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(replies, data) :]


def _warm_up(answers: Format, trusted: bool) -> None:
    if not trusted:
        for formula in ORDINARY.split("&"):
            answers.grade([f"\\boxed{{{formula}}}"], ["0.5"])
    gc.collect()
    gc.freeze()


class Children:
    """Forks grading processes and waits for them; kills the one at work as soon as the owner is gone or says so."""

    def __init__(self, owner: int, replies: int):
        self.owner, self.replies = owner, replies
        _adopt_orphans()
        self.spared = set(_children())  # of a user's file, since it was loaded
        signal.signal(signal.SIGTERM, _leave)
        self.wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, _wake)
        signal.set_wakeup_fd(waker)
        self.poll = select.poll()
        self.poll.register(self.wake, select.POLLIN)
        self.poll.register(0, 0)  # only whether the owner has hung up

    def run(self, serve: Callable[[], int]) -> int:
        """The exit code of a process that returned it from `serve`, negative if a signal ended it.

        Whatever it started ends with it.
        """
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setpgid(0, 0)
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                send(self.replies, {"grading": os.getpid()})
                code = serve()
            finally:
                os._exit(code)
        try:
            owned = self._owned_until_end(child)
        finally:
            code = self._end(child)
        return code if owned else OWNER_GONE

    def _owned_until_end(self, child: int) -> bool:
        """Wait for the child's end; False if the owner's comes first."""
        while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            events = dict(self.poll.poll(5_000))
            if self.wake in events:
                os.read(self.wake, 512)
            if events.get(0) or os.getppid() != self.owner:
                return False
        return True

    def _end(self, child: int) -> int:
        """Kill the child's group, then what it put into sessions of its own: orphans of it are ours."""
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)  # it may not have made its group yet
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.end_orphans()
        return code

    def end_orphans(self) -> None:
        while orphans := set(_children()) - self.spared:
            for orphan in orphans:
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def _wake(*_: object) -> None:
    """A child has ended: the wake-up file tells the poll."""


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _adopt_orphans() -> None:
    """Linux's PR_SET_CHILD_SUBREAPER: what a grading process leaves behind becomes a child of this one."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _children() -> list[int]:
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()))
    return []


def main() -> None:
    spec, timeout_s, memory_mb, owner = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not look like a reply
    sys.setrecursionlimit(3000)
    trusted = spec not in FORMATS
    try:
        answers = load_format(spec)
        _warm_up(answers, trusted)
    except BaseException as error:
        send(replies, {"failed": f"{type(error).__name__}: {error}"})
        return
    children = Children(owner, replies)

    def serve() -> int:  # within the fork: the limits are those of its process
        return Grading(answers, timeout_s, memory_mb, replies, trusted).serve()

    try:
        while (code := children.run(serve)) != OWNER_GONE:
            if code != RECYCLE:
                overrun = code in (-signal.SIGALRM, -signal.SIGKILL, OUT_OF_MEMORY)
                send(replies, {"died": "timeout" if overrun else "error"})
    finally:
        children.end_orphans()  # we may have been told to leave just after a fork


if __name__ == "__main__":
    main()
