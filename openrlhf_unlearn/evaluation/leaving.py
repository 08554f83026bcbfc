"""Nothing that a command has started outlives it: not after Ctrl-C, not after SIGTERM, not after an error."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

GRACE_S = 5
AGAIN_S = 0.05


class Terminated(SystemExit):
    """SIGTERM, as an exception, so that what is open is closed on the way out."""


_heard: list[Terminated] = []  # one a SIGTERM


@contextmanager
def nothing_outlives() -> Iterator[None]:
    """End all processes that this one started in the block, theirs too, if they are left when it ends, however it ends.

    What was there before stays, with whatever it starts: a Ray of the caller's, for example. Raises Terminated after
    SIGTERM, also where a library made something else of it: a wait in Ray's own code makes it `SystemExit(1)`. A Ctrl-C
    or SIGTERM that comes while Python collects garbage, where nothing can be raised, comes again a moment later.
    """
    me = psutil.Process()
    before = set(me.children())
    handler, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    hear_sigterm()
    heard = len(_heard)
    sys.unraisablehook = lambda lost: _again(lost) or hook(lost)
    try:
        yield
    except BaseException:
        if len(_heard) > heard:
            raise _heard[-1] from None
        raise
    finally:
        sys.unraisablehook = hook
        end([child for child in me.children() if child not in before and not _is_tracker(child)])
        if _in_main_thread() and handler is not None:  # None: not Python's
            signal.signal(signal.SIGTERM, handler)


def hear_sigterm() -> None:
    """Raise Terminated at SIGTERM. After `ray.init`, again: its own handler aborts what has not ended in 3 seconds."""
    if _in_main_thread():
        signal.signal(signal.SIGTERM, _terminate)


def _again(lost: "sys.UnraisableHookArgs") -> bool:
    """Whether what Python could not raise is a Ctrl-C or SIGTERM, which is then sent once more."""
    for kind, number in ((KeyboardInterrupt, signal.SIGINT), (Terminated, signal.SIGTERM)):
        if issubclass(lost.exc_type, kind):
            timer = threading.Timer(AGAIN_S, signal.pthread_kill, (threading.main_thread().ident, number))
            timer.daemon = True
            timer.start()
            return True
    return False


def _in_main_thread() -> bool:
    """Elsewhere Python allows no handler."""
    return threading.current_thread() is threading.main_thread()


def _terminate(number: int, frame: object) -> None:
    _heard.append(Terminated(128 + number))
    raise _heard[-1]


def _is_tracker(process: psutil.Process) -> bool:
    """Python's own resource tracker, which ends with us and is wanted until then."""
    try:
        return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return True


def end(children: list[psutil.Process]) -> None:
    """SIGTERM to them and to all that they have started, and SIGKILL to those that are still there after GRACE_S."""
    processes = list(children)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            processes += child.children(recursive=True)
    for process in processes:
        _signal(process, signal.SIGTERM)
    for process in psutil.wait_procs(processes, timeout=GRACE_S)[1]:
        _signal(process, signal.SIGKILL)


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
