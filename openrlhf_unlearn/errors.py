"""The one exception that bad input raises: its text is the whole message that a user sees; and that message's form."""

import os
import shlex
import sys

from openrlhf_unlearn.masking import mask_text

# Escape sequences move the cursor, recolour or hide text; direction marks reorder it. JSON reads these escapes, too.
_CONTROLS = (
    *range(0x09),
    *range(0x0B, 0x20),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_STEERING = {code: f"\\u{code:04x}" for code in _CONTROLS}


class UserError(Exception):
    """The work could not be done. One line: what is wrong, where, and how to fix it (exit code 1)."""


class UsageError(UserError):
    """The command line contradicts itself or names something unknown (exit code 2)."""


def plain(text: str) -> str:
    """`text` that cannot steer a terminal: its control and direction characters are shown as escapes."""
    return text.translate(_STEERING)


def command(verb: str, *words: str | os.PathLike[str] | float) -> str:
    """`openrlhf-unlearn VERB …`, to be pasted into a shell as it stands, whatever the names of files hold."""
    return shlex.join(["openrlhf-unlearn", verb, *map(str, words)])


def no_name(error: UnicodeEncodeError) -> str:
    """Why a file's name, which the locale reads as halves of characters, is one that no library takes."""
    if sys.getfilesystemencoding() == "utf-8":
        return f"{error.object} is a name that is not UTF-8; rename it"
    return f"{error.object} cannot be named in a locale without UTF-8; set PYTHONUTF8=1 and call again"


def counted(n: int, one: str) -> str:
    """`1 prompt`, `2 prompts`."""
    return f"{n} {one}{'' if n == 1 else 's'}"


def one_line(error: BaseException) -> str:
    """What a user is told of any error: one line without secrets, and what to do."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        text = f"this needs {package}, which is not installed; `openrlhf-unlearn doctor` says how to install what lacks"
    elif isinstance(error, UnicodeEncodeError) and sys.getfilesystemencoding() != "utf-8":
        text = no_name(error)
    elif isinstance(error, MemoryError):
        text = "out of memory; free some, or use a larger machine"
    elif isinstance(error, UserError):
        text = str(error)
    elif isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}; free space, or choose a place that you may read and write"
    elif isinstance(error, OSError):
        text = f"{error}; is a disk full, or a file open elsewhere?"
    else:
        text = f"unexpected {type(error).__name__}: {error}; OPENRLHF_UNLEARN_TRACE=1 shows where, please report it"
    return plain(mask_text(" ".join(text.split("\n"))))
