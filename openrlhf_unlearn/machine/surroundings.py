"""What a command needs of its surroundings, where they have less to give: a locale, a home for caches."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def settle() -> None:
    """Once, before a command starts."""
    _print_any_text()
    if not sys.stderr.isatty():  # in a log, bars of loading a file of a few rows are noise
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    _settle_caches()


def _print_any_text() -> None:
    """A locale without UTF-8, or a file name that is none, is no reason to fail in a print."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _settle_caches() -> None:
    """Matplotlib, Hugging Face and vLLM keep caches at home; without one that can be written, in a folder of our own
    for as long as this process lives."""
    if os.environ.get("XDG_CACHE_HOME"):
        return
    cache = Path.home() / ".cache"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK)
    except OSError:
        writable = False
    if writable:
        return
    folder = tempfile.mkdtemp(prefix="openrlhf-unlearn-cache-")
    os.environ.update(XDG_CACHE_HOME=folder, XDG_CONFIG_HOME=folder, MPLCONFIGDIR=folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    print(f"note: {cache} cannot be written: caches are in {folder} and not kept; set XDG_CACHE_HOME", file=sys.stderr)
