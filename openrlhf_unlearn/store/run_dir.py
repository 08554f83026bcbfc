"""The run directory: every file name, every schema, atomic writes, and what a resume drops.

No other module knows a file name or a column. Tables are Parquet, the rest is JSON. A file appears whole or not
at all: it is written aside in the same folder, then renamed. The rows of a training step are one file named by the
step, so a resume from step s deletes the files of later steps and repeats nothing.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.table_size import check_size
from openrlhf_unlearn.store.verdicts import VERDICTS as VERDICTS

SCHEMA_VERSION = 1
GROUPS = ("easy", "learnable", "unlearnable", "no_reward", "mixed", "ungradable")
CAUSES = (  # why a hard prompt was not learned; openrlhf_unlearn/causes says what each means
    "verifier",
    "wrong_label",
    "guessable",
    "never_rewarded",
    "rising",
    "forgotten",
    "beyond",
    "random_label",
)
STEP_TABLES = ("rewards", "clipping", "likelihood", "rollouts")
POSITIVE_THRESHOLD = 0.5  # a rollout is positive if its score, or else its reward, before any shaping, is above this

SCHEMAS = {
    "prompts": pa.schema(
        [("prompt_id", pa.string()), ("prompt", pa.string()), ("label", pa.string()), ("datasource", pa.string())]
    ),
    "rewards": pa.schema(
        [
            ("step", pa.int32()),
            ("prompt_id", pa.string()),
            ("processed", pa.bool_()),  # False: as sampled; True: what trained
            ("n", pa.int32()),
            ("n_positive", pa.int32()),
            ("pass_rate", pa.float64()),  # share of positives; of an adaptive visit, of its first wave: unbiased
            ("mean_reward", pa.float64()),
            ("std_reward", pa.float64()),
            ("n_replayed", pa.int32()),
            ("n_no_answer", pa.int32()),
            ("n_timeout", pa.int32()),
            ("n_error", pa.int32()),
            ("accepted", pa.bool_()),
            ("reason", pa.string()),
            ("wrong_answers", pa.list_(pa.string())),  # keys (grading/answer_key.py) of its commonest wrong answers
            ("wrong_counts", pa.list_(pa.int32())),  # and how often each was given
            ("n_hinted", pa.int32()),  # rollouts with a hint, besides n; null: of a version without hints
            ("n_hinted_positive", pa.int32()),
        ]
    ),
    "clipping": pa.schema(
        [
            ("step", pa.int32()),
            ("prompt_id", pa.string()),
            ("positive_clip_fraction", pa.float64()),  # of response tokens; null without a positive rollout
            ("negative_clip_fraction", pa.float64()),
            ("n_positive", pa.int32()),
            ("n_negative", pa.int32()),
        ]
    ),
    "likelihood": pa.schema(
        [
            ("step", pa.int32()),
            ("prompt_id", pa.string()),
            ("n_positive", pa.int32()),
            ("reference_log_likelihood", pa.float64()),  # of positive rollouts, a token, in nats; null without any
            ("policy_log_likelihood", pa.float64()),  # the same under the policy that is about to train
            ("train_inference_gap", pa.float64()),  # mean |trainer's - engine's log-prob| a token; null if unknown
            ("replay_gap", pa.float64()),  # the same of replayed rollouts, whose engine had an older policy
        ]
    ),
    "rollouts": pa.schema(
        [
            ("step", pa.int32()),
            ("prompt_id", pa.string()),
            ("sample", pa.int32()),
            ("response", pa.string()),
            ("reward", pa.float64()),
            ("verdict", pa.string()),
            ("positive", pa.bool_()),  # by the run's rule; of runs without this column: reward > POSITIVE_THRESHOLD
        ]
    ),
    "evaluations": pa.schema(
        [
            ("prompt_id", pa.string()),
            ("sample", pa.int32()),
            ("response", pa.string()),
            ("reward", pa.float64()),
            ("verdict", pa.string()),
            ("n_tokens", pa.int32()),
        ]
    ),
    "learnability": pa.schema(
        [
            ("prompt_id", pa.string()),
            ("group", pa.string()),
            ("initial_pass_rate", pa.float64()),  # unbiased, after adaptive sampling too
            ("final_pass_rate", pa.float64()),  # the same, over all runs
            ("ever_positive", pa.bool_()),  # in training, in every run that visited it; null: none did
            ("p_below_tau", pa.float64()),  # posterior P(final pass rate < tau)
        ]
    ),
    "causes": pa.schema(
        [
            ("prompt_id", pa.string()),  # of the hard prompts that were not learned
            ("group", pa.string()),
            ("cause", pa.string()),  # of CAUSES, or "undecided"
            ("probability", pa.float64()),  # of the likeliest cause
            *((f"p_{cause}", pa.float64()) for cause in CAUSES),  # posterior; they add up to 1
            ("evidence", pa.list_(pa.string())),  # sentences, the most telling first
            ("settle", pa.string()),  # what would settle or confirm it
            ("command", pa.string()),
            ("proposed", pa.string()),  # the answer that samples agree on, where the label may be wrong
            ("proposed_share", pa.float64()),  # of the samples after training
        ]
    ),
    "similarity": pa.schema(
        [
            ("prompt_id", pa.string()),
            ("group", pa.string()),  # "" where nothing is classified
            ("n_correct", pa.int32()),  # rollouts behind the gradient
            ("mean_cosine", pa.float64()),  # to all others; per group: mean_cosine_GROUP
            ("mean_cosine_corrected", pa.float64()),  # without the noise of few rollouts; null: too few to say
            ("low", pa.float64()),  # its 95 % interval
            ("high", pa.float64()),
            ("word", pa.string()),  # ok, identical rollouts, or too few rollouts
            ("outlier_p", pa.float64()),  # of the test for a gradient outlier; null: not hard, or too few rollouts
            ("outlier", pa.bool_()),  # called one, at a false discovery rate of 5 %; null where not tested
            ("nearest", pa.list_(pa.string())),  # prompts by gradient, and their cosines
            ("nearest_cosine", pa.list_(pa.float32())),
            ("farthest", pa.list_(pa.string())),
            ("farthest_cosine", pa.list_(pa.float32())),
        ]
    ),
    "judgements": pa.schema(
        [
            ("prompt_id", pa.string()),
            ("sample", pa.int32()),  # of the evaluation with the same tag
            ("rater", pa.string()),  # the judge's model, or human:NAME
            ("judgement", pa.int32()),  # several by one rater are numbered from 0
            ("score", pa.int32()),  # reasoning quality, 0 to 5
            ("reason", pa.string()),
        ]
    ),
    "interference": pa.schema(
        [
            ("prompt_id", pa.string()),
            ("group", pa.string()),
            ("n_correct", pa.int32()),
            ("n_incorrect", pa.int32()),
            ("within", pa.float64()),  # cosine of the correct rollouts' gradient with the incorrect ones'
            ("within_corrected", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("correct_batch", pa.float64()),  # cosine with the GRPO gradient of all other prompts
            ("incorrect_batch", pa.float64()),
            ("word", pa.string()),
        ]
    ),
    "transfer": pa.schema(
        [
            ("trained", pa.string()),  # cluster of prompts
            ("changed", pa.string()),
            ("prompts_trained", pa.int32()),
            ("prompts_changed", pa.int32()),
            ("value", pa.float64()),  # predicted change of log-likelihood, nats a token, per unit of training
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("p", pa.float64()),  # against 0; null where the spread is not known
            ("told", pa.bool_()),  # from 0, at a false discovery rate of 5 % over the table
            ("pass_rate", pa.float64()),  # predicted change of the pass rate per unit of training
            ("pass_rate_low", pa.float64()),
            ("pass_rate_high", pa.float64()),
            ("predicted", pa.float64()),  # of the halves that were verified: train on one, change of the other
            ("measured", pa.float64()),  # change of log-likelihood, nats a token, after the short training
            ("measured_low", pa.float64()),
            ("measured_high", pa.float64()),
        ]
    ),
    "variants": pa.schema(
        [
            ("prompt_id", pa.string()),  # the original
            ("variant_id", pa.string()),
            ("group", pa.string()),  # of the original
            ("cosine", pa.float64()),  # of their correct rollouts' gradients
            ("cosine_corrected", pa.float64()),  # null: too few rollouts
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("mean_cosine", pa.float64()),  # of the original to all other prompts, for comparison
        ]
    ),
}

# What no table of ours is without: by its file, or by the folder that it is in. Other columns came with later versions.
_CORE = {
    "prompts.parquet": ("prompt_id", "prompt", "label"),
    "learnability.parquet": ("prompt_id", "group"),
    "similarity.parquet": ("prompt_id", "group", "n_correct", "mean_cosine"),
    "rewards": ("step", "prompt_id", "processed", "n", "n_positive", "mean_reward"),
    "clipping": tuple(SCHEMAS["clipping"].names),
    "likelihood": ("step", "prompt_id", "n_positive", "reference_log_likelihood"),
    "rollouts": ("step", "prompt_id", "sample", "response", "reward", "verdict"),
    "evaluations": ("prompt_id", "sample", "response", "reward", "verdict"),
    "judgements": tuple(SCHEMAS["judgements"].names),
}
_TEXT, _OBJECT = (str, "text"), (dict, "JSON object")
_CONFIG = {"args": _OBJECT, "versions": _OBJECT} | dict.fromkeys(("command", "created", "model", "recorded"), _TEXT)
_STEP_FILE = re.compile(r"step-(\d{6,})\.parquet")


def prompt_id(prompt: str, label: str | None, images: tuple[bytes, ...] = ()) -> str:
    """16 hex digits that name a prompt with its label, the same over shuffles, resumes, runs and machines.

    `images`: digests of its images' content, in order. A prompt without images has the id of its text and label.
    """
    content = f"{prompt}\x1f{label}".encode() + b"".join(b"\x1f" + digest for digest in images)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it becomes `path` if the block succeeds and is removed if not."""
    aside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        if _is_device(path) or (path.exists() and not path.is_file()):  # it would be replaced, and not written to
            raise UserError(f"cannot write {path}: it is no file; give the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL, 0o666))  # readable to whom the user's umask lets read it
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _is_device(path: Path) -> bool:
    """/dev/stdout is one too, though it may lead to a file."""
    return path.absolute().parts[1:2] in (("dev",), ("proc",)) and path.absolute().parts[2:3] != ("shm",)


def write_json(path: Path, value) -> None:
    """Write `value` without the secrets that it may hold."""
    with atomic_path(path) as aside:
        aside.write_text(as_json(masked(value)) + "\n", encoding="utf-8", errors="backslashreplace")


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    with atomic_path(path) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_json(value, margin: str = "\n") -> str:
    """JSON that people can read: indented, but a list without dicts in it is one line, so that columns stay short."""
    inner = f"{margin}  "
    if isinstance(value, dict) and value:
        items = [f"{json.dumps(str(name), ensure_ascii=False)}: {as_json(item, inner)}" for name, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"[{inner}{f',{inner}'.join(as_json(item, inner) for item in value)}{margin}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_json(path: Path):
    """The file's value, without secrets that an older version may have written into it."""
    try:
        return masked(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); it was cut off or edited: write it again") from None


def read_object(path: Path) -> dict:
    """The JSON object in a file."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object but {type(value).__name__}; it is of another kind")
    return value


def write_table(path: Path, table: pa.Table) -> None:
    with atomic_path(path) as aside:
        pq.write_table(table, aside, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file, of any of the tables. Raises UserError that names the file if it is missing or cut off, or
    would not fit into memory: a small file can unpack to gigabytes."""
    try:
        check_size(path, columns)
        with pa.OSFile(str(path)) as file:  # opened once: another command may replace it meanwhile
            table = pq.read_table(file, columns=columns, partitioning=None)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} cannot be read ({reason}); it was cut off or is of another kind") from None
    core = (_CORE.get(path.name) or _CORE.get(path.parent.name, ())) if _of_a_run(path) else ()
    lacking = [name for name in core if name not in table.column_names and (columns is None or name in columns)]
    if lacking:
        raise UserError(f"{path} has no column {lacking[0]!r}; it is of another kind, or was edited")
    for field in table.schema if core else ():
        if _KINDS.get(field.name, _kind(field.type)) != _kind(field.type) != "null":
            raise UserError(
                f"{path}: its column {field.name!r} holds {field.type}, not {_KINDS[field.name]}; it is of another "
                "kind, or was edited"
            )
    return table


def _of_a_run(path: Path) -> bool:
    """Data sets of the user's are read here, too, whose `prompt` may be a list of messages."""
    return any((folder / "run.json").exists() for folder in path.absolute().parents[:3])


def _kind(type: pa.DataType) -> str:
    if pa.types.is_dictionary(type):
        type = type.value_type
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return "text"
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        return "numbers"
    return str(type).partition("<")[0]


# A column of one name holds the same kind of values in all tables.
_KINDS = {field.name: _kind(field.type) for schema in SCHEMAS.values() for field in schema}


def holds_files(folder: Path) -> bool:
    """Whether anything is in there that a user would see; locks and unfinished files of ours are hidden."""
    return folder.is_dir() and any(path.is_file() and path.name[0] != "." for path in folder.rglob("*"))


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")


def check_name(name: str, flag: str) -> str:
    """`name`, which names files in the run directory. Raises UsageError that names `flag` for any that should not."""
    if not _NAME.fullmatch(name) or name.endswith(".parts"):
        raise UsageError(
            f"{flag} {name!r}: letters, digits, '.', '-' and '_' only, first a letter or digit, at most 100; it names "
            "files"
        )
    return name


class RunDir:
    """One run's directory. `RunDir(path)` names files and touches nothing; `open` asks that the run be there."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @classmethod
    def open(cls, path: str | Path) -> "RunDir":
        """The run directory at `path`. Raises UserError if it is none, or of a newer schema than this package's."""
        run = cls(path)
        if not run.path.is_dir():
            raise UserError(f"{path} is not a folder; give the run directory that training wrote (--unlearn.run_dir)")
        if not run.run_json.exists():
            raise UserError(f"{path} is not a run directory: it has no run.json; is it a parent of one?")
        version = run.config().get("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(f"{run.run_json} has schema version {version}, this package reads {SCHEMA_VERSION}")
        return run

    def __str__(self) -> str:
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
    def causes(self) -> Path:
        return self.path / "causes.parquet"

    @property
    def causes_json(self) -> Path:
        return self.path / "causes.json"

    def cause_list(self, cause: str) -> Path:
        return self.path / "causes" / f"{_inside(cause)}.json"

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

    def evaluation(self, tag: str) -> Path:
        return self.path / "evaluations" / f"{_inside(tag)}.parquet"

    def evaluation_json(self, tag: str) -> Path:
        return self.path / "evaluations" / f"{_inside(tag)}.json"

    def evaluation_parts(self, tag: str) -> Path:
        return self.path / "evaluations" / f"{_inside(tag)}.parts"

    def judgements(self, tag: str) -> Path:
        return self.path / "judgements" / f"{_inside(tag)}.parquet"

    def judgements_json(self, tag: str) -> Path:
        return self.path / "judgements" / f"{_inside(tag)}.json"

    def judgement_answers(self) -> Path:
        return self.path / "judgements" / "answers.jsonl"

    def probe(self, tag: str) -> Path:
        return self.path / "probes" / _inside(tag)

    def probe_json(self, tag: str) -> Path:
        return self.probe(tag) / "probe.json"

    def gradients(self, tag: str) -> Path:
        return self.probe(tag) / "gradients.safetensors"

    def probe_table(self, table: str, tag: str) -> Path:
        return self.probe(tag) / f"{table}.parquet"

    def probe_parts(self, tag: str) -> Path:
        return self.path / "probes" / f"{_inside(tag)}.parts"

    def transfer_table(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.parquet"

    def transfer_json(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.json"

    def transfer_parts(self, probe: str) -> Path:
        return self.path / "transfer" / f"{_inside(probe)}.parts"

    # What is there -------------------------------------------------------------------------------------------------

    def config(self) -> dict:
        config = read_object(self.run_json)
        for name, (kind, words) in _CONFIG.items():
            if not isinstance(config.get(name) or kind(), kind):
                raise UserError(f"{self.run_json}: its {name} is no {words}; it is of another kind, or was edited")
        return config

    def evaluation_tags(self) -> list[str]:
        return sorted(path.stem for path in (self.path / "evaluations").glob("*.parquet"))

    def probe_tags(self) -> list[str]:
        return sorted(path.parent.name for path in (self.path / "probes").glob("*/probe.json"))

    def steps(self, table: str = "rewards") -> list[int]:
        names = (_STEP_FILE.fullmatch(path.name) for path in (self.path / table).glob("step-*.parquet"))
        return sorted(int(match[1]) for match in names if match)

    # Reading and writing -------------------------------------------------------------------------------------------

    def write_step(self, table: str, step: int, rows: list[dict]) -> None:
        """Write the rows (without their `step`) of one training step; a second write of the step replaces the first."""
        rows = [{"step": step, **row} for row in rows]
        write_table(self.step_file(table, step), pa.Table.from_pylist(rows, schema=SCHEMAS[table]))

    def read_steps(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """All steps of one of STEP_TABLES in order; an empty table where nothing was written."""
        tables = [read_table(self.step_file(table, step), columns) for step in self.steps(table)]
        if tables:
            return pa.concat_tables(tables, promote_options="default")
        empty = SCHEMAS[table].empty_table()
        return empty.select(columns) if columns else empty

    def drop_after(self, step: int) -> int:
        """Delete the rows of all steps later than `step`, as a resume from it must; returns how many files went."""
        late = [self.step_file(table, s) for table in STEP_TABLES for s in self.steps(table) if s > step]
        for path in late:
            path.unlink()
        return len(late)

    def remove_parts(self, tag: str) -> None:
        shutil.rmtree(self.evaluation_parts(tag), ignore_errors=True)


def positive_rollouts(table: pa.Table) -> np.ndarray:
    """Which rows of a table of rollouts or of graded samples are positive, (rows,): as the run that wrote it says."""
    by_reward = table.column("reward").fill_null(float("nan")).to_numpy() > POSITIVE_THRESHOLD
    if "positive" not in table.column_names:
        return by_reward
    said = table.column("positive").cast(pa.bool_())  # of no type where nothing is said
    return np.where(said.is_null().to_numpy(), by_reward, said.fill_null(False).to_numpy())


def read_samples(path: Path, columns: Sequence[str], threshold: float | None = None) -> tuple[pa.Table, np.ndarray]:
    """Columns of an evaluation, `reward` among them, and which samples are positive, (rows,): above `threshold`, else
    as it says."""
    read_table(path, [])  # says in one line what is wrong with the file
    said = ["positive"] if "positive" in pq.read_schema(path).names else []
    table = read_table(path, [*columns, *said])
    if threshold is None:
        return table, positive_rollouts(table)
    return table, table.column("reward").fill_null(float("nan")).to_numpy() > threshold


def _inside(name: str) -> str:
    """`name`, which names a file or folder of the run. Raises UserError if it would lead elsewhere."""
    if name != Path(name).name or name.startswith(".") or "\0" in name:
        raise UserError(f"{name!r} names no evaluation or probe of a run; it is a path")
    return name


def read_summary(run: RunDir) -> dict:
    return read_object(run.summary) if run.summary.exists() else {}


def update_summary(run: RunDir, key: str, value) -> None:
    """Set one key of summary.json; what other commands write there, at the same time too, stays."""
    with hold(run.summary, key, wait_s=SHORT_S):
        write_json(run.summary, {**read_summary(run), key: value})
