"""Code that a run names is run only where the run is this user's own, or the user says so (SECURITY.md).

A run directory may come from anybody, and its run.json names code: a reward file, an answer format of a file's, the
launch that `curriculum` repeats. A command of ours that writes a run.json notes its digest in the user's state folder,
outside of the run; a run without that note is a received one.
"""

import hashlib
import os
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.options import option

_REMOTE_CODE = "OPENRLHF_UNLEARN_TRUST_REMOTE_CODE"

TRUST_RUN = option(
    "run the code that a received run names (its reward file, say); from then on it counts as yours", False
)
TRUST_REMOTE_CODE = option(
    "run the Python code that a model folder or hub repository brings; off, as such code can do anything", False
)


def own(run_json: Path) -> None:
    """Note that the run is this user's; where the state folder cannot be written it stays a received one."""
    try:
        note = _note(run_json)
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.touch()
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        return


def is_own(run_json: Path) -> bool:
    try:
        return _note(run_json).exists()
    except (OSError, RuntimeError):
        return False


def check_run(run_json: Path, code: str, trusted: bool, instead: str = "") -> None:
    """Raise UserError where `code`, what the run would have us run, is not known to be the user's own.

    trusted: --trust-run was given, so the run counts as the user's from now on. instead: another way out.
    """
    if trusted:
        own(run_json)
    elif not is_own(run_json):
        raise UserError(
            f"{run_json} was not written by you on this machine, and names code: {code}; read that, then give "
            f"{instead}--trust-run"
        )


def check_data(run_json: Path, sources: str, trusted: bool, instead: str = "--data FILE or ") -> None:
    """Likewise where the data that the run names is a script, which OpenRLHF lets an older `datasets` run."""
    for source in map(str.strip, str(sources).split(",")):
        path = Path(source.partition("@")[0].strip())
        if path.suffix == ".py" or (path / f"{path.name}.py").exists():
            check_run(run_json, source, trusted, instead)


def _note(run_json: Path) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    digest = hashlib.blake2b(run_json.read_bytes(), digest_size=16).hexdigest()
    return Path(state) / "openrlhf-unlearn" / "own-runs" / digest


def allow_remote_code(allowed: bool) -> None:
    """Once allowed it stays so in this process and those that it starts: in the environment, which workers inherit."""
    if allowed:
        os.environ[_REMOTE_CODE] = "1"


def remote_code() -> bool:
    """Whether a model's own Python code may run: --trust-remote-code."""
    return os.environ.get(_REMOTE_CODE) == "1"


def why_not_loaded(error: Exception) -> str:
    """In a line, why Transformers did not load a model's folder or repository."""
    text = str(error).strip().split("\n")[0]
    if "trust_remote_code" in str(error):
        return "it brings Python code of its own; read that, then give --trust-remote-code"
    return text
