"""The ledger of what was asked of endpoints: every raw answer, what it cost, and a budget that is never passed.

An append-only JSONL file. Before a request goes out, a line reserves the most that it can cost; when its fate is known,
a second line settles what it did cost and holds the raw answer. So a job that was killed goes on from here: no answer
is paid twice, and what was in flight when it died counts in full, for nobody knows whether it was billed.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked


@dataclass
class Spent:
    """Requests that were or may have been billed, and their tokens, prompt and answer together."""

    calls: int = 0
    tokens: int = 0


class Journal:
    """The open journal at `path`. `calls` and `tokens` are the budget, earlier commands' spending included.

    Raises UserError where another command is writing to it, or a line in its midst is broken.
    """

    def __init__(self, path: Path, calls: int, tokens: int):
        self.path, self.calls, self.tokens = path, calls, tokens
        self.answers: dict[str, dict] = {}
        self.failures: dict[str, int] = {}
        self.open: dict[int, int] = {}  # reservation → its tokens
        self.settled = Spent()
        self.changed = asyncio.Condition()  # something settled
        self.stopped: UserError | None = None  # why no further request may go out
        self._number = 0
        if path.is_symlink():  # of a received run: it may lead to any file, and is written to
            raise UserError(f"{path} is a link, which no journal of ours is; remove it")
        self._made_folder = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UserError(f"{path} is in use by another command; wait for it or choose another --output") from None
        self._load()
        self.lost = len(self.open)
        self.settled.calls += self.lost
        self.settled.tokens += sum(self.open.values())
        self.open.clear()

    def _load(self) -> None:
        self._file.seek(0)
        good = 0
        for number, line in enumerate(self._file, 1):
            try:
                entry = json.loads(line)
            except ValueError:
                if line.endswith(b"\n"):
                    raise UserError(f"{self.path}: line {number} is not JSON; fix or remove it") from None
                break  # the last line, cut off by a kill
            good += len(line)
            try:
                self._take(entry)
            except (AttributeError, KeyError, TypeError):
                raise UserError(f"{self.path}: line {number} is no entry of a journal; fix or remove it") from None
        self._file.truncate(good)

    def _take(self, entry: dict) -> None:
        self._number = max(self._number, entry["number"])
        if "reserved" in entry:
            self.open[entry["number"]] = entry["reserved"]
            return
        self.open.pop(entry["number"])
        self.settled.calls += entry["calls"]
        self.settled.tokens += entry["tokens"]
        if "answer" in entry:
            self.answers[entry["key"]] = entry["answer"]
        else:
            self.failures[entry["failure"]] = self.failures.get(entry["failure"], 0) + 1

    def _append(self, entry: dict) -> None:
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self.stopped = UserError(
                f"cannot write {self.path}: {error.strerror}; what was answered before is kept: free space, and the "
                "same command goes on"
            )
            raise self.stopped from error
        self._take(entry)

    @property
    def spent(self) -> Spent:
        """Settled and reserved."""
        return Spent(self.settled.calls + len(self.open), self.settled.tokens + sum(self.open.values()))

    def fits(self, tokens: int) -> bool:
        """Whether one more request of at most `tokens` tokens stays within the budget."""
        spent = self.spent
        return spent.calls < self.calls and spent.tokens + tokens <= self.tokens

    def reserve(self, key: str, tokens: int, request: dict) -> int:
        """Write down that `request` goes out; returns the reservation's number. Only after `fits`."""
        number = self._number + 1
        self._append({"number": number, "key": key, "reserved": tokens, "request": masked(request)})
        return number

    def settle(self, number: int, key: str, answer: dict, tokens: int | None) -> None:
        """An answer came; `tokens` is what the server counted, None (it does not say) charges the reservation."""
        tokens = self.open[number] if tokens is None else tokens
        self._append({"number": number, "key": key, "calls": 1, "tokens": tokens, "answer": answer})

    def fail(self, number: int, key: str, failure: str, billed: bool) -> None:
        """No answer came. `billed`: it may have been worked on, so the whole reservation is charged."""
        tokens = self.open[number] if billed else 0
        self._append({"number": number, "key": key, "calls": int(billed), "tokens": tokens, "failure": failure})

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk: what could not be written was told
            self._file.close()
        if not self._number:  # nothing was asked
            self.path.unlink(missing_ok=True)
            if self._made_folder:
                with contextlib.suppress(OSError):  # something else was put there
                    self.path.parent.rmdir()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def content_key(content: dict) -> str:
    """The name of a request by its content, the same in every process."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
