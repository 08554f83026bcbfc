"""Grading in a pool of warm processes; one that overruns in time or memory is killed, replaced, its item `timeout`.

The deadline counts from the moment a worker takes the item, never from its submission, so a queue costs nobody a
verdict. Workers are plain subprocesses on pipes: no fork of the caller's state, no signals, fine in any thread.
"""

import asyncio
import json
import os
import queue
import select
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.formats import FORMATS
from openrlhf_unlearn.grading.grade import Grade, quick_grade

START_S = 60.0  # a worker imports sympy before it is ready
MAX_CHARS = 20_000  # the end of a longer response is graded: the answer stands there


class Worker:
    """One grading process, started when first needed."""

    def __init__(self, answer_format: str, timeout_s: float, memory_mb: int):
        self._command = [sys.executable, "-m", "openrlhf_unlearn.grading.worker", answer_format, str(memory_mb)]
        self.timeout_s = timeout_s
        self._process: subprocess.Popen | None = None

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._buffer = b""
        if self._read_line(START_S) != b"ready":
            self.kill()
            raise UserError(
                "a grading process did not start; try `python -m openrlhf_unlearn.grading.worker auto 1024`"
            )

    def _read_line(self, seconds: float) -> bytes | None:
        """The next line, None if it does not come in time or the process is gone."""
        deadline = time.monotonic() + seconds
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return None
            chunk = os.read(pipe, 65536)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def ask(self, request: dict) -> dict | None:
        """The worker's reply, or None if it had to be killed."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            reply = self._read_line(self.timeout_s)
        except (BrokenPipeError, OSError):
            reply = None
        if reply is None:
            self.kill()
            return None
        return json.loads(reply)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


class MathGrader:
    """Grades responses against labels by mathematics (math-verify). A context manager; `close` ends its processes.

    workers: processes; timeout_s: deadline an item, from dispatch; memory_mb: what a worker may use above its start;
    answer_format: one of formats.FORMATS.
    """

    def __init__(self, workers: int = 2, timeout_s: float = 2.0, memory_mb: int = 1024, answer_format: str = "auto"):
        if answer_format not in FORMATS:
            raise UserError(f"answer format {answer_format}: choose of {', '.join(FORMATS)}, or give path.py:Name")
        self.answer_format = answer_format
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        self._workers = [Worker(answer_format, timeout_s, memory_mb) for _ in range(workers)]
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grader")

    def _ask(self, request: dict) -> dict | None:
        worker = self._idle.get()
        try:
            return worker.ask(request)
        finally:
            self._idle.put(worker)

    def _grade(self, response: str, label: str) -> Grade:
        quick = quick_grade(response, label) if self.answer_format in ("auto", "boxed") else None
        if quick:
            return quick
        reply = self._ask({"response": response[-MAX_CHARS:], "label": label})
        return Grade(**reply) if reply else Grade.of("timeout")

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        """One grade for each pair, in order."""
        return list(self._threads.map(self._grade, responses, map(str, labels)))

    async def agrade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        """`grade` without blocking the event loop."""
        futures = [
            self._threads.submit(self._grade, response, str(label))
            for response, label in zip(responses, labels, strict=True)
        ]
        return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))

    def gradable(self, labels: list[str]) -> list[bool]:
        """Whether each label can be graded at all."""
        replies = self._threads.map(lambda label: self._ask({"label": str(label)}), labels)
        return [bool(reply and reply["gradable"]) for reply in replies]

    def close(self) -> None:
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


def load_grader(spec: str = "auto", **options) -> MathGrader:
    """The grader that `--unlearn.answer_format` names."""
    return MathGrader(answer_format=spec, **options)


def check_labels(labels: list[str], answer_format: str = "auto", workers: int = 2) -> list[int]:
    """The rows whose label cannot be graded."""
    plain = [str(label) for label in labels]
    hard = [i for i, label in enumerate(plain) if not label.strip().lstrip("+-").isdigit()]
    if not hard:
        return []
    with MathGrader(workers, timeout_s=10.0, answer_format=answer_format) as grader:
        gradable = grader.gradable([plain[i] for i in hard])
    return [i for i, good in zip(hard, gradable, strict=True) if not good]
