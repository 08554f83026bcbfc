"""One grading process as its owner sees it: started, asked, and killed when it overruns (worker.py is its inside)."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from openrlhf_unlearn.errors import UserError

START_S = 120.0  # a worker imports sympy before it is ready, on a busy machine too
GRACE_S = 0.3  # after the deadline, by which the worker's own alarm should have ended it
END_S = 1.0  # that a process has to end itself, and what its grading has started
Message: TypeAlias = dict[str, Any]  # a line of JSON
CLOSED = "the grader was closed before it had graded everything"


class Worker:
    """A worker with its pipes: a process that is started anew whenever it is not there, and the fork of it that grades.

    `_grading` is that fork's process group, None while there is none.
    """

    def __init__(self, answer_format: str, timeout_s: float, memory_mb: int):
        self.timeout_s = timeout_s
        self._arguments = [answer_format, str(timeout_s), str(memory_mb), str(os.getpid())]
        self._process: subprocess.Popen[bytes] | None = None
        self._grading: int | None = None
        self._stopped = False

    def launch(self) -> None:
        """Start the process, without waiting for it."""
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *filter(None, sys.path)])
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "openrlhf_unlearn.grading.worker", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            start_new_session=True,  # a terminal's Ctrl-C spares it
        )
        assert process.stdin and process.stdout
        self._requests, self._replies = process.stdin, process.stdout
        self._buffer = b""
        self._greeted = False

    def await_ready(self) -> None:
        """Wait until the process can grade, starting it where there is none. Raises UserError if it cannot."""
        if self._process is None or self._process.poll() is not None:
            self._restart()
        while self._grading is None or self._arrives():
            if self._hear(START_S) is not None:
                continue
            if self._stopped:
                return
            if not self._greeted:
                self.kill()
                raise self._failure("it did not answer; is math-verify installed?")
            self._restart()

    def _restart(self) -> None:
        self.kill()
        self.launch()

    def _failure(self, reason: str) -> UserError:
        return UserError(f"the grading process for {self._arguments[0]} did not start: {reason}")

    def _hear(self, seconds: float) -> Message | None:
        """The next message, None if it does not come in time or the process is gone; keeps track of who grades."""
        message = self._read(seconds)
        if message is None:
            return None
        if "failed" in message:
            self.kill()
            raise self._failure(message["failed"])
        if "died" in message:
            self._grading = None
        if "grading" in message:
            self._grading, self._greeted = message["grading"], True
        return message

    def _read(self, seconds: float) -> Message | None:
        """The next message, None if it does not come in time or the process is gone."""
        deadline = time.monotonic() + seconds
        pipe = self._replies.fileno()
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

    def _arrives(self) -> bool:
        """Whether there is a message that nobody asked for: somebody ended the idle grading process."""
        poll = select.poll()
        poll.register(self._replies.fileno(), select.POLLIN)
        return b"\n" in self._buffer or bool(poll.poll(0))

    def ask(self, request: Message) -> Message:
        """The worker's reply, or {'died': verdict} if the item was the end of it.

        A process that somebody else ended, before the deadline, gets its item once more.
        """
        for _ in range(2):
            reply = None if self._stopped else self._ask(request)
            if self._stopped:
                raise RuntimeError(CLOSED)
            if reply:
                return reply
        return {"died": "error"}

    def _ask(self, request: Message) -> Message | None:
        self.await_ready()
        deadline = time.monotonic() + self.timeout_s + GRACE_S
        reply: Message | None = {"grading": self._grading}
        with suppress(OSError):
            data = memoryview(json.dumps(request).encode() + b"\n")
            while data:
                data = data[self._requests.write(data) :]
            while reply and "grading" in reply:  # a fresh process took over just before
                reply = self._hear(deadline - time.monotonic())
        if reply and "grading" not in reply:
            return reply
        if time.monotonic() < deadline:
            self.kill()
            return None
        self._end_grading()
        return {"died": "timeout"}

    def _end_grading(self) -> None:
        """Kill the fork that grades; its parent makes another."""
        if self._grading is None:
            self.kill()
            return
        with suppress(OSError):
            os.killpg(self._grading, signal.SIGKILL)
        self._grading = None

    def kill(self) -> None:
        """End the process, by force if it takes long, and wait for its end."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        if self._process.returncode != 0:
            for group in filter(None, (self._grading, self._process.pid)):
                with suppress(OSError):
                    os.killpg(group, signal.SIGKILL)
        self._process.wait()
        self.let_go()

    def stop(self) -> None:
        """End the process for good; the thread that waits for its reply then cleans up."""
        self._stopped = True
        if self._process is not None:
            self._process.terminate()

    def let_go(self) -> None:
        """Close our ends of the pipes; in a fork this is all, for the process belongs to the parent."""
        if self._process is not None:
            self._requests.close()
            self._replies.close()
            self._process.returncode = self._process.returncode or 0
            self._process = self._grading = None
