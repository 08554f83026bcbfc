"""One writer at a time: a lock on a table or on a folder, which the kernel frees when its process ends in any way.

The lock of a folder is the file `.lock` in it, that of a file is `.NAME.lock` beside it; it says who holds it, and is
removed when the work is done. Where the file system has no locks (some NFS) one line says so and the work goes on.
"""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked

FILES = (".parquet", ".json", ".jsonl", ".csv", ".safetensors")  # paths that end so are files, all others folders
SHORT_S = 20.0  # what a read-modify-write of one small file waits for another
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_held: dict[Path, int] = {}  # lock file → its descriptor, of this process


@contextmanager
def hold(path: Path, owner: str, wait_s: float = 0.0) -> Generator[None]:
    """Hold the lock of `path`, a table or a folder (made if it is not there), as `owner`, a word or two for others.

    A process that holds it already goes on. Another one waits `wait_s` seconds, then raises UserError, which names
    who holds it.
    """
    lock = lock_file(Path(path))
    if lock in _held:
        yield
        return
    made = [folder for folder in (lock.parent, *lock.parent.parents) if not folder.exists()]
    descriptor = None
    try:
        descriptor = _acquire(lock, path, owner, wait_s)
        if descriptor is not None:
            _held[lock] = descriptor
        yield
    finally:
        mine = _held.pop(lock, None)  # None: there are no locks here, or this is a forked child
        with contextlib.suppress(OSError):
            if mine is not None:
                lock.unlink()
            for folder in made:  # unless something was put there
                folder.rmdir()
        if mine is not None:
            os.close(mine)


def lock_file(path: Path) -> Path:
    path = path.absolute()
    return path.parent / f".{path.name}.lock" if path.suffix in FILES else path / ".lock"


def _acquire(lock: Path, path: Path, owner: str, wait_s: float) -> int | None:
    """The descriptor of the locked file, None where there are no locks."""
    until, vanished = time.monotonic() + wait_s, 0
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)  # it is written to
        except OSError as error:
            vanished += 1
            if error.errno in (errno.ENOENT, errno.EEXIST) and vanished < 5:
                continue  # another process just removed the folder that it had made and put nothing into
            if error.errno == errno.ELOOP:
                raise UserError(f"{lock} is a link, which no lock of ours is; remove it") from None
            raise UserError(f"cannot write {path}: {error.strerror}; choose a folder that you may write to") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            if time.monotonic() >= until:
                raise UserError(f"{path} is in use by {holder}; wait until it ends, or stop it") from None
            time.sleep(0.05)
            continue
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise UserError(f"cannot lock {path}: {error.strerror}") from None
            print(f"note: no locks on this file system: run one command at a time on {path}", file=sys.stderr)
            return None
        if _same(descriptor, lock):
            with contextlib.suppress(OSError):  # a full disk holds a lock without its owner's name
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(_about(owner)).encode())
            return descriptor
        os.close(descriptor)  # whoever held it removed it between our open and our lock


def _same(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _about(owner: str) -> dict[str, Any]:
    since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    command = shlex.join(masked([Path(sys.argv[0]).name, *sys.argv[1:]]))
    return {"owner": owner, "pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": command}


def _holder(descriptor: int) -> str:
    try:
        about = json.loads(os.pread(descriptor, 1 << 16, 0))
        return f"{about['owner']} (process {about['pid']} on {about['host']}, since {about['since']})"
    except (ValueError, KeyError):  # it was locked a moment ago and says nothing yet
        return "another process"


def _close_in_child() -> None:
    """A forked child (a grading process, say) that outlives its parent must not keep the parent's locks."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
