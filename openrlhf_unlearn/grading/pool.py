"""Grading in a pool of warm processes; one that overruns in time or memory is killed, replaced, its item `timeout`.

The deadline counts from the moment a worker takes the item, never from its submission, so a queue costs nobody a
verdict. Workers are plain subprocesses on pipes: no fork of the caller's state, no signals in the caller, fine in any
thread, in asyncio and in Ray actors. A grader that is carried into a fork or pickled starts workers of its own there.
"""

import asyncio
import logging
import math
import os
import queue
import threading
import weakref
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from numbers import Number, Real
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.extract import around_the_answer
from openrlhf_unlearn.grading.formats import FORMATS
from openrlhf_unlearn.grading.grade import Grade, quick_grade, text_of
from openrlhf_unlearn.grading.process import CLOSED, Message, Worker

MAX_CHARS = 20_000  # of a longer response the end is graded, or what follows its last box
DIED = {"timeout": "over the deadline or the memory limit", "error": "the grading process ended"}
TOLD = 5  # messages of a user's own grader that are logged
QUICK = ("auto", "boxed", "lenient")  # formats that two boxed integers need no process for
logger = logging.getLogger(__name__)


class MathGrader:
    """Grades responses against labels by mathematics (math-verify). A context manager; `close` ends its processes.

    workers: processes; timeout_s: deadline an item, from dispatch; memory_mb: resident, for one process in all, of
    which sympy itself takes about 100; answer_format: a name of formats.FORMATS or `path.py:Name`; warm: start the
    processes now, not when the first answer needs one. Raises UserError for what cannot be.
    """

    def __init__(
        self,
        workers: int = 2,
        timeout_s: float = 2.0,
        memory_mb: int = 1024,
        answer_format: str = "auto",
        warm: bool = True,
    ):
        answer_format = str(answer_format)
        check_spec(answer_format)
        given: tuple[Any, ...] = (workers, timeout_s, memory_mb)  # whatever a caller's configuration held
        numbers = isinstance(given[0], int) and all(isinstance(value, Real) for value in given)
        if not (numbers and workers >= 1 and 0 < timeout_s < math.inf and 1 <= memory_mb < math.inf):
            raise UserError(f"a grader needs a worker, time and memory, not {workers}, {timeout_s} s, {memory_mb} MB")
        self._options = (workers, timeout_s, memory_mb, answer_format, warm)
        self.answer_format = answer_format
        self._told: set[str] = set()
        self._begin()
        _GRADERS.add(self)
        if warm:
            self._warm()

    def _begin(self) -> None:
        workers, timeout_s, memory_mb, answer_format, _ = self._options
        self._workers = [Worker(answer_format, timeout_s, int(memory_mb)) for _ in range(workers)]
        self._items: queue.SimpleQueue[tuple[Future[Message], Message] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._lock = threading.Lock()

    def _warm(self) -> None:
        try:
            for worker in self._workers:
                worker.launch()
            for worker in self._workers:
                worker.await_ready()
        except BaseException:
            self.close()
            raise

    def after_fork(self) -> None:
        for worker in self._workers:
            worker.let_go()
        self._begin()

    def __reduce__(self):
        return MathGrader, self._options

    def _send(self, request: Message) -> Future[Message]:
        """The future of a worker's reply."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the grader is closed")
            if not self._threads:  # daemons: an exit waits for no answer that hangs
                jobs = [(worker, self._items) for worker in self._workers]
                self._threads = [threading.Thread(target=_serve, args=job, name="grader", daemon=True) for job in jobs]
                for thread in self._threads:
                    thread.start()
            future: Future[Message] = Future()
            self._items.put((future, request))
            return future

    def _read(self, item: Grade | Future[Message]) -> Grade:
        """The grade itself or, once it is there, that of a worker's reply."""
        if isinstance(item, Grade):
            return item
        reply = item.result()
        if "died" in reply:
            return Grade.of(reply["died"], None, DIED[reply["died"]])
        self._tell(reply.pop("problem", None))
        return Grade(**reply)

    def _tell(self, problem: str | None) -> None:
        """Log what a user's own grader raised: each text once, a few in all."""
        if problem and problem not in self._told and len(self._told) < TOLD:
            self._told.add(problem)
            logger.warning("%s failed, verdict error: %s", self.answer_format, problem)

    def _submit(self, said: object, gold: object) -> Grade | Future[Message]:
        """The grade where it is plain, else the future of a worker's."""
        response, label = text_of(said), text_of(gold)
        if not self._may_be_label(label):
            return Grade.of("bad_label", None, "the label is empty or too long")
        if self.answer_format in FORMATS:
            response = around_the_answer(response, MAX_CHARS, box=self.answer_format != "last_number")
        quick = quick_grade(response, label) if self.answer_format in QUICK else None
        return quick or self._send({"response": response, "label": label})

    def grade(self, responses: Iterable[object], labels: Iterable[object]) -> list[Grade]:
        """One grade for each pair, in order. A number is read as its text; a label that is neither is `bad_label`."""
        pending = [self._submit(*pair) for pair in _pairs(responses, labels)]
        try:
            return [self._read(item) for item in pending]
        except BaseException:  # Ctrl-C too: what waits is not graded
            for item in pending:
                if isinstance(item, Future):
                    item.cancel()
            raise

    async def agrade(self, responses: Iterable[object], labels: Iterable[object]) -> list[Grade]:
        """`grade` without blocking the event loop."""
        pending = [self._submit(*pair) for pair in _pairs(responses, labels)]
        await asyncio.gather(*(asyncio.wrap_future(item) for item in pending if isinstance(item, Future)))
        return [self._read(item) for item in pending]

    def gradable(self, labels: Iterable[object]) -> list[bool]:
        """Whether each label can be graded at all."""
        texts = map(text_of, labels)
        pending = [self._send({"label": text}) if self._may_be_label(text) else None for text in texts]
        return [item is not None and item.result().get("gradable", False) for item in pending]

    def _may_be_label(self, text: str) -> bool:
        return bool(text.strip()) and (len(text) <= MAX_CHARS or self.answer_format not in FORMATS)

    def close(self) -> None:
        """End every process, also one that is at work; a closed grader cannot be used again."""
        self._stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        for worker in self._workers:
            worker.kill()

    def _stop(self) -> None:
        _GRADERS.discard(self)
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.stop()
            with suppress(queue.Empty):
                while item := self._items.get_nowait():
                    if item[0].set_running_or_notify_cancel():
                        item[0].set_exception(RuntimeError(CLOSED))
            for _ in self._threads:
                self._items.put(None)

    def __enter__(self) -> "MathGrader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self):
        if hasattr(self, "_lock"):
            self._stop()  # no waiting: at the interpreter's exit the threads stand still


def _pairs(responses: Iterable[object], labels: Iterable[object]) -> list[tuple[object, object]]:
    """(response, label) each; raises UserError for what a caller has mixed up."""
    if isinstance(responses, str) or isinstance(labels, str):
        raise UserError("grade takes a list of responses and a list of labels, not one text")
    responses, labels = list(responses), list(labels)
    if len(responses) != len(labels):
        raise UserError(f"{len(responses)} responses but {len(labels)} labels: give one label for each response")
    for row, response in enumerate(responses):
        if response is not None and not isinstance(response, str | Number):
            raise UserError(f"response {row} is a {type(response).__name__}, not a text")
    return list(zip(responses, labels, strict=True))


def _serve(worker: Worker, items: queue.SimpleQueue[tuple[Future[Message], Message] | None]) -> None:
    """A worker's thread: one item after the other until there is a None."""
    while item := items.get():
        future, request = item
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(worker.ask(request))
        except BaseException as error:
            future.set_exception(error)
    worker.kill()


_GRADERS: "weakref.WeakSet[MathGrader]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for grader in list(_GRADERS):
        grader.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def check_spec(answer_format: str) -> None:
    """Raise UserError unless it is a known format or names a file."""
    path, _, name = answer_format.rpartition(":")
    if answer_format in FORMATS or (path.endswith(".py") and name.isidentifier() and Path(path).is_file()):
        return
    if path.endswith(".py"):
        raise UserError(f"answer format {answer_format}: no such file; give path.py:Name")
    raise UserError(f"answer format {answer_format}: choose of {', '.join(FORMATS)}, or give path.py:Name")


def load_grader(spec: str = "auto", **options: Any) -> MathGrader:
    """The grader that `--unlearn.answer_format` names."""
    return MathGrader(answer_format=spec, **options)
