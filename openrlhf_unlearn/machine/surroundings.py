"""What a command needs of its surroundings, where they have less to give: a locale, a home for caches."""

import atexit
import csv
import io
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TextIO

from openrlhf_unlearn.errors import UserError, plain


def settle() -> None:
    """Once, before a command starts. Raises UserError where it cannot start at all."""
    _print_any_text()
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError("the current folder was removed or moved; cd into one that is there") from None
    if not sys.stderr.isatty():  # in a log, bars of loading a file of a few rows are noise
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # each try without a network is a line; what came of it we say
    warnings.filterwarnings("ignore", "The pynvml package is deprecated", FutureWarning)  # to torch, not to the user
    csv.field_size_limit(2**31 - 1)  # the module's limit of 131,072 characters is less than a long response
    _settle_caches()


def _print_any_text() -> None:
    """A locale without UTF-8, or a file name that is none, is no reason to fail in a print."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Plain:
    """A stream on which no text of the data can steer the terminal: control characters are shown as escapes."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(plain(text))

    def flush(self) -> None:
        self.stream.flush()

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def _settle_caches() -> None:
    """Matplotlib, Hugging Face and vLLM keep caches at home; without one that can be written, in a folder of our own
    for as long as this process lives."""
    if os.environ.get("XDG_CACHE_HOME"):
        return
    cache = Path("~/.cache")
    try:
        cache = cache.expanduser()
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except (OSError, RuntimeError):  # RuntimeError: a user whom this machine does not know, as in a container
        writable = False
    if writable:
        return
    folder = tempfile.mkdtemp(prefix="openrlhf-unlearn-cache-")
    os.environ.update(XDG_CACHE_HOME=folder, XDG_CONFIG_HOME=folder, MPLCONFIGDIR=folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    print(f"note: {cache} cannot be written: caches are in {folder} and not kept; set XDG_CACHE_HOME", file=sys.stderr)
