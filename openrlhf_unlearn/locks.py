"""One writer at a time: a lock on a folder or file, which the kernel frees when its process ends in any way."""

import datetime
import fcntl
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openrlhf_unlearn.errors import UserError

FILES = (".parquet", ".json", ".jsonl", ".csv", ".safetensors")  # paths that end so are files, all others folders


@contextmanager
def hold(path: Path, owner: str) -> Iterator[None]:
    """Hold the lock of `path` as `owner`, a word or two for others.

    Raises UserError, which names the holder, if another process has it.
    """
    path = Path(path).absolute()
    lock = path.parent / f".{path.name}.lock" if path.suffix in FILES else path / ".lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"owner": owner, **_about()}).encode())
        yield
        os.ftruncate(descriptor, 0)
    except BlockingIOError:
        raise UserError(f"{path} is in use by {_holder(descriptor)}; wait until it ends, or stop it") from None
    finally:
        os.close(descriptor)


def _about() -> dict:
    since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": shlex.join(sys.argv), "since": since}


def _holder(descriptor: int) -> str:
    try:
        about = json.loads(os.pread(descriptor, 1 << 16, 0))
        return f"{about['owner']} (process {about['pid']} on {about['host']}, since {about['since']})"
    except (ValueError, KeyError):  # it was locked a moment ago and says nothing yet
        return "another process"
