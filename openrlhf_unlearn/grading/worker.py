"""A grading process: one JSON line in, one out. It may hang or die on any answer.

    python -m openrlhf_unlearn.grading.worker FORMAT TIMEOUT_S MEMORY_MB OWNER_PID

It imports math-verify once and then forks the process that grades. That one sets the kernel's alarm before each item,
whose default action ends it even within one huge multiplication of C code, whoever is left to watch. Its parent then
reports the death and forks the next one: replacing costs milliseconds, not an import of sympy.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
from pathlib import Path

from openrlhf_unlearn.grading.formats import FORMATS, Format, load_format
from openrlhf_unlearn.grading.grade import Grade

RECYCLE, OUT_OF_MEMORY = 17, 18  # exit codes of the grading process
ITEMS = 20_000  # of one grading process; sympy's caches start afresh then
MAX_REPLY = 1_000  # characters of an answer that are reported
# The parser learns its grammar as it goes; what it has learnt before the fork, every process that grades knows.
ORDINARY = r"""
\frac{1}{2} & x^2+3x-\sqrt{5} & (0,1) & [-1,\infty)\cup(2,3] & 0<x<1 & x=\frac{3\pm\sqrt{17}}{2} & 2^{4}\cdot 3^{3}
& \text{no} & \{1,2\} & y=2x+1 & 30^\circ & \frac{\pi}{4}+2\pi k & n! & \sin(2x) & \log_2 8 & 3:4 & (x-1)^2+(y+2)^2=9
& \left(\frac{1}{3},-2\right) & a_{n}=2^{n-1} & x\ge 3 & 2+3i & 1\frac{1}{2} & \binom{5}{2} & \sqrt[3]{2} & 1,234.5
"""
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.", "socket.", "os.remove",
             "os.rename", "os.mkdir", "os.rmdir", "shutil.", "ctypes.", "urllib.", "http.")  # fmt: skip


def answer_to(request: dict, answers: Format) -> dict:
    """The reply to {'response', 'label'} or, without 'response', to the question whether the label is gradable."""
    label_only = "response" not in request
    try:
        if label_only:
            gradable = getattr(answers, "gradable", lambda label: bool(label.strip()))
            return {"gradable": bool(gradable(request["label"]))}
        grade = answers.grade([request["response"]], [request["label"]])[0]
        answer = None if grade.answer is None else str(grade.answer)[:MAX_REPLY]
        return {"verdict": str(grade.verdict), "reward": float(grade.reward), "answer": answer}
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception:  # an answer that breaks the parser is the answer's fault, and one verdict says so
        return {"gradable": False} if label_only else vars(Grade.of("error"))


class Grading:
    """The forked process: reads requests from standard input until it is told to end, or ends itself."""

    def __init__(self, answers: Format, timeout_s: float, memory_mb: int, owner: int, replies: int, trusted: bool):
        self.answers, self.timeout_s, self.owner, self.replies = answers, timeout_s, owner, replies
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.start_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.memory_kb = memory_mb * 1024
        with contextlib.suppress(ValueError, OSError):
            in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            limit = in_use + memory_mb * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if not trusted:
            sys.addaudithook(_refuse)

    def serve(self) -> int:
        """The exit code: 0 when the owner is gone, RECYCLE when a fresh process should go on."""
        for _ in range(ITEMS):
            line = self._next_line()
            if line is None:
                return 0
            signal.setitimer(signal.ITIMER_REAL, self.timeout_s)
            reply = answer_to(json.loads(line), self.answers)
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(self.replies, reply)
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.start_kb > self.memory_kb // 2:
                break
        return RECYCLE

    def _next_line(self) -> bytes | None:
        """One request; only one is ever under way, so nothing is read beyond it."""
        buffer = bytearray()
        while not buffer.endswith(b"\n"):
            if not select.select([0], [], [], 5.0)[0]:
                try:
                    os.kill(self.owner, 0)
                except OSError:
                    return None
                continue
            chunk = os.read(0, 1 << 16)
            if not chunk:
                return None
            buffer += chunk
        return bytes(buffer)


def _refuse(event: str, arguments: tuple) -> None:
    """An audit hook: mathematics opens no file to write, starts no process and speaks to nobody."""
    if event.startswith(FORBIDDEN) or (
        event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    ):
        raise PermissionError(f"grading may not {event}")


def send(replies: int, message: dict) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(replies, data) :]


def _warm_up(answers: Format, trusted: bool) -> None:
    if not trusted:
        for formula in ORDINARY.split("&"):
            answers.grade([f"\\boxed{{{formula}}}"], ["0.5"])
    gc.collect()
    gc.freeze()


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
        return send(replies, {"failed": f"{type(error).__name__}: {error}"})
    send(replies, {"ready": True})
    while True:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = Grading(answers, timeout_s, memory_mb, owner, replies, trusted).serve()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return None
        if code != RECYCLE:
            overrun = code in (-signal.SIGALRM, -signal.SIGKILL, OUT_OF_MEMORY)
            send(replies, {"died": "timeout" if overrun else "error"})


if __name__ == "__main__":
    main()
