"""Where everything is in a run directory: `RunDir` names its files, and says what is there and what a resume drops.

The rows of a training step are one file named by the step, so a resume from step s deletes the files of later steps and
repeats nothing.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.store.config import SCHEMA_VERSION, RunConfig
from openrlhf_unlearn.store.kinds import check_version

_STEP_FILE = re.compile(r"step-(\d{6,})\.parquet")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")


def prompt_id(prompt: str, label: str | None, images: tuple[bytes, ...] = ()) -> str:
    """16 hex digits that name a prompt with its label, the same over shuffles, resumes, runs and machines.

    `images`: digests of its images' content, in order. A prompt without images has the id of its text and label.
    """
    content = f"{prompt}\x1f{label}".encode() + b"".join(b"\x1f" + digest for digest in images)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def check_name(name: str, flag: str) -> str:
    """`name`, which names files in the run directory. Raises UsageError that names `flag` for any that should not."""
    if not _NAME.fullmatch(name) or name.endswith(".parts"):
        raise UsageError(
            f"{flag} {name!r}: letters, digits, '.', '-' and '_' only, first a letter or digit, at most 100; it names "
            "files"
        )
    return name


class RunDir:
    """One run's directory. `RunDir(path)` names files and touches nothing; `open` asks that the run be there.

    Itself a path, so that what takes a run takes this.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "RunDir":
        """The run directory at `path`. Raises UserError if it is none, or of a newer schema than this package's."""
        run = cls(path)
        if not run.path.is_dir():
            raise UserError(f"{path} is not a folder; give the run directory that training wrote (--unlearn.run_dir)")
        if not run.run_json.exists():
            raise UserError(f"{path} is not a run directory: it has no run.json; is it a parent of one?")
        check_version(run.run_json, run.config().schema_version, SCHEMA_VERSION)
        return run

    @classmethod
    def holding(cls, path: Path) -> "RunDir":
        """The run that the file of an evaluation or a step is in."""
        return cls(path.parent.parent)

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    # Names ---------------------------------------------------------------------------------------------------------

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def prompts(self) -> Path:
        return self.path / "prompts.parquet"

    @property
    def learnability(self) -> Path:
        return self.path / "learnability.parquet"

    @property
    def forecast(self) -> Path:
        return self.path / "forecast.parquet"

    @property
    def causes(self) -> Path:
        return self.path / "causes.parquet"

    @property
    def causes_json(self) -> Path:
        return self.path / "causes.json"

    @property
    def cause_lists(self) -> Path:
        return self.path / "causes"

    def cause_list(self, cause: str) -> Path:
        return self.cause_lists / f"{_inside(cause)}.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report" / "report.html"

    def log(self, name: str) -> Path:
        """What the host says while a command works, which the terminal does not show."""
        return self.path / "logs" / f"{_inside(name)}.log"

    def step_file(self, table: str, step: int) -> Path:
        return self.path / table / f"step-{step:06d}.parquet"

    @property
    def evaluations(self) -> Path:
        return self.path / "evaluations"

    def evaluation(self, tag: str) -> Path:
        return self.evaluations / f"{_inside(tag)}.parquet"

    def evaluation_json(self, tag: str) -> Path:
        return self.evaluations / f"{_inside(tag)}.json"

    def evaluation_parts(self, tag: str) -> Path:
        return self.evaluations / f"{_inside(tag)}.parts"

    def judgements(self, tag: str) -> Path:
        return self.path / "judgements" / f"{_inside(tag)}.parquet"

    def judgements_json(self, tag: str) -> Path:
        return self.path / "judgements" / f"{_inside(tag)}.json"

    def judgement_answers(self) -> Path:
        return self.path / "judgements" / "answers.jsonl"

    @property
    def probes(self) -> Path:
        return self.path / "probes"

    def probe(self, tag: str) -> Path:
        return self.probes / _inside(tag)

    def probe_json(self, tag: str) -> Path:
        return self.probe(tag) / "probe.json"

    def gradients(self, tag: str) -> Path:
        return self.probe(tag) / "gradients.safetensors"

    def probe_table(self, table: str, tag: str) -> Path:
        return self.probe(tag) / f"{table}.parquet"

    def probe_parts(self, tag: str) -> Path:
        return self.probes / f"{_inside(tag)}.parts"

    def transfer_table(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.parquet"

    def transfer_json(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.json"

    def transfer_parts(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.parts"

    # What is there -------------------------------------------------------------------------------------------------

    def config(self, required: bool = True) -> RunConfig:
        """run.json; not required: an empty one where there is none."""
        return RunConfig.read(self.run_json) if required or self.run_json.exists() else RunConfig()

    def evaluation_tags(self) -> list[str]:
        return sorted(path.stem for path in self.evaluations.glob("*.parquet"))

    def probe_tags(self) -> list[str]:
        return sorted(path.parent.name for path in self.probes.glob("*/probe.json"))

    def steps(self, table: str = "rewards") -> list[int]:
        names = (_STEP_FILE.fullmatch(path.name) for path in (self.path / table).glob("step-*.parquet"))
        return sorted(int(match[1]) for match in names if match)

    def remove_parts(self, tag: str) -> None:
        shutil.rmtree(self.evaluation_parts(tag), ignore_errors=True)


def _inside(name: str) -> str:
    """`name`, which names a file or folder of the run. Raises UserError if it would lead elsewhere."""
    if name != Path(name).name or name.startswith(".") or "\0" in name:
        raise UserError(f"{name!r} names no evaluation or probe of a run; it is a path")
    return name
