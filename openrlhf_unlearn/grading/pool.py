"""Grading in a pool of warm processes; one that overruns in time or memory is killed, replaced, its item `timeout`.

The deadline counts from the moment a worker takes the item, never from its submission, so a queue costs nobody a
verdict. Workers are plain subprocesses on pipes: no fork of the caller's state, no signals in the caller, fine in any
thread, in asyncio and in Ray actors. A grader that is carried into a fork or pickled starts workers of its own there.
"""

import asyncio
import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.formats import FORMATS
from openrlhf_unlearn.grading.grade import Grade, quick_grade

START_S = 120.0  # a worker imports sympy before it is ready, on a busy machine too
GRACE_S = 0.4  # after the deadline, by which the worker's own alarm has ended it
MAX_CHARS = 20_000  # the end of a longer response is graded: the answer stands there


class Worker:
    """One grading process with its pipes, started when first needed (see worker.py)."""

    def __init__(self, answer_format: str, timeout_s: float, memory_mb: int):
        self.timeout_s = timeout_s
        self._arguments = [answer_format, str(timeout_s), str(memory_mb), str(os.getpid())]
        self._process: subprocess.Popen | None = None

    def _start(self) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "openrlhf_unlearn.grading.worker", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            start_new_session=True,  # one signal ends it with the process it forked; a terminal's Ctrl-C spares it
        )
        self._buffer = b""
        greeting = self._read(START_S)
        if greeting is None or "ready" not in greeting:
            self.kill()
            reason = (greeting or {}).get("failed", "it did not answer; is math-verify installed?")
            raise UserError(f"the grading process for {self._arguments[0]} did not start: {reason}")

    def _read(self, seconds: float) -> dict | None:
        """The next message, None if it does not come in time or the process is gone."""
        deadline = time.monotonic() + seconds
        pipe = self._process.stdout.fileno()
        poll = select.poll()  # unlike select, it takes file numbers above 1023
        poll.register(pipe, select.POLLIN)
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            chunk = os.read(pipe, 65536)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def ask(self, request: dict) -> dict:
        """The worker's reply, or {'died': verdict} if the item was the end of it."""
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._start()
        reply = None
        with suppress(OSError):
            data = memoryview(json.dumps(request).encode() + b"\n")
            while data:
                data = data[self._process.stdin.write(data) :]
            reply = self._read(self.timeout_s + GRACE_S)
        if reply is None:
            self.kill()
            return {"died": "timeout"}
        return reply

    def kill(self) -> None:
        if self._process is None:
            return
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.let_go()

    def interrupt(self) -> None:
        """End the process; the thread that waits for its reply then cleans up."""
        process = self._process
        if process is not None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)

    def let_go(self) -> None:
        """Close our ends of the pipes; in a fork this is all, for the process belongs to the parent."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.returncode = self._process.returncode or 0
            self._process = None


class MathGrader:
    """Grades responses against labels by mathematics (math-verify). A context manager; `close` ends its processes.

    workers: processes; timeout_s: deadline an item, from dispatch; memory_mb: what a worker may use above its start;
    answer_format: a name of formats.FORMATS or `path.py:Name`. Raises UserError for what cannot be.
    """

    def __init__(self, workers: int = 2, timeout_s: float = 2.0, memory_mb: int = 1024, answer_format: str = "auto"):
        check_spec(answer_format)
        if workers < 1 or timeout_s <= 0 or memory_mb < 1:
            raise UserError(f"a grader needs a worker, time and memory, not {workers}, {timeout_s} s, {memory_mb} MB")
        self._options = (workers, timeout_s, memory_mb, answer_format)
        self.answer_format = answer_format
        self._quick = answer_format in ("auto", "boxed", "lenient")
        self._begin()
        _GRADERS.add(self)

    def _begin(self) -> None:
        workers, timeout_s, memory_mb, answer_format = self._options
        self._closed = False
        self._workers = [Worker(answer_format, timeout_s, memory_mb) for _ in range(workers)]
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grader")

    def _after_fork(self) -> None:
        for worker in self._workers:
            worker.let_go()
        self._begin()

    def __reduce__(self):
        return MathGrader, self._options

    def _ask(self, request: dict) -> dict:
        worker = self._idle.get()
        try:
            reply = worker.ask(request)
        finally:
            self._idle.put(worker)
        if self._closed:
            raise RuntimeError("the grader was closed before it had graded everything")
        return reply

    def _grade(self, response: str, label: str) -> Grade:
        reply = self._ask({"response": response, "label": label})
        return Grade.of(reply["died"]) if "died" in reply else Grade(**reply)

    def _submit(self, response: str, label) -> Grade | Future:
        """The grade where it is plain, else the future of a worker's."""
        response, label = str(response)[-MAX_CHARS:], "" if label is None else str(label)
        if len(label) > MAX_CHARS or not label.strip():
            return Grade.of("bad_label")
        quick = quick_grade(response, label) if self._quick else None
        return quick or self._threads.submit(self._grade, response, label)

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        """One grade for each pair, in order."""
        pending = [self._submit(*pair) for pair in zip(responses, labels, strict=True)]
        return [item if isinstance(item, Grade) else item.result() for item in pending]

    async def agrade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        """`grade` without blocking the event loop."""
        pending = [self._submit(*pair) for pair in zip(responses, labels, strict=True)]
        futures = [asyncio.wrap_future(item) for item in pending if isinstance(item, Future)]
        graded = iter(await asyncio.gather(*futures))
        return [item if isinstance(item, Grade) else next(graded) for item in pending]

    def gradable(self, labels: list[str]) -> list[bool]:
        """Whether each label can be graded at all."""
        return list(self._threads.map(lambda label: self._ask({"label": label}).get("gradable", False), labels))

    def close(self) -> None:
        """End every process, also one that is at work; a closed grader cannot be used again."""
        _GRADERS.discard(self)
        self._closed = True
        for worker in self._workers:
            worker.interrupt()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.kill()

    def __enter__(self) -> "MathGrader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __del__(self):
        for worker in getattr(self, "_workers", []):
            worker.kill()


_GRADERS: "weakref.WeakSet[MathGrader]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for grader in list(_GRADERS):
        grader._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def check_spec(answer_format: str) -> None:
    """Raise UserError unless it is a known format or names a file."""
    path, _, name = answer_format.rpartition(":")
    if answer_format in FORMATS or (path.endswith(".py") and name.isidentifier() and Path(path).is_file()):
        return
    if path.endswith(".py"):
        raise UserError(f"answer format {answer_format}: no such file; give path.py:Name")
    raise UserError(f"answer format {answer_format}: choose of {', '.join(FORMATS)}, or give path.py:Name")


def load_grader(spec: str = "auto", **options) -> MathGrader:
    """The grader that `--unlearn.answer_format` names."""
    return MathGrader(answer_format=spec, **options)
