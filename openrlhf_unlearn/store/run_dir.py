"""The names by which the run directory is known elsewhere; each stands in a module of its own beside this one."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store import parquet
from openrlhf_unlearn.store.config import SCHEMA_VERSION as SCHEMA_VERSION
from openrlhf_unlearn.store.evaluations import Evaluations, Judgements
from openrlhf_unlearn.store.files import as_json as as_json
from openrlhf_unlearn.store.files import atomic_path as atomic_path
from openrlhf_unlearn.store.files import holds_files as holds_files
from openrlhf_unlearn.store.files import read_json as read_json
from openrlhf_unlearn.store.files import read_object as read_object
from openrlhf_unlearn.store.files import write_json as write_json
from openrlhf_unlearn.store.files import write_jsonl as write_jsonl
from openrlhf_unlearn.store.names import STEP_TABLES as STEP_TABLES
from openrlhf_unlearn.store.names import RunDir as RunDir
from openrlhf_unlearn.store.names import check_name as check_name
from openrlhf_unlearn.store.names import prompt_id as prompt_id
from openrlhf_unlearn.store.parquet import write_table as write_table
from openrlhf_unlearn.store.probes import Interference, Similarity, Transfer, Variants
from openrlhf_unlearn.store.prompts import CAUSES as CAUSES
from openrlhf_unlearn.store.prompts import GROUPS as GROUPS
from openrlhf_unlearn.store.prompts import Causes, Learnability, Prompts
from openrlhf_unlearn.store.summary import read_summary as read_summary
from openrlhf_unlearn.store.summary import update_summary as update_summary
from openrlhf_unlearn.store.training import Clipping, Likelihood, Rewards, TrainingRollouts
from openrlhf_unlearn.store.verdicts import POSITIVE_THRESHOLD as POSITIVE_THRESHOLD
from openrlhf_unlearn.store.verdicts import VERDICTS as VERDICTS

_CLASSES = {
    "prompts": Prompts, "rewards": Rewards, "clipping": Clipping, "likelihood": Likelihood,
    "rollouts": TrainingRollouts, "evaluations": Evaluations, "learnability": Learnability, "causes": Causes,
    "similarity": Similarity, "judgements": Judgements, "interference": Interference, "transfer": Transfer,
    "variants": Variants,
}  # fmt: skip
SCHEMAS = {name: kind.schema for name, kind in _CLASSES.items()}


def read_table(path, columns=None):
    table = parquet.read_table(path, columns)
    kind = _CLASSES.get(path.stem) or _CLASSES.get(path.parent.name)
    if kind and columns != [] and any((folder / "run.json").exists() for folder in path.absolute().parents[:3]):
        kind._check(path, table, columns if columns is not None else [])
    return table


def positive_rollouts(table: pa.Table) -> np.ndarray:
    return TrainingRollouts(table).hits()


def read_samples(path: Path, columns, threshold=None):
    table = Evaluations.open(path, *(Evaluations.columns[name] for name in columns), Evaluations.positive)
    return table.arrow, table.hits(threshold)


def _write_step(self, table: str, step: int, rows: list[dict]) -> None:
    kind = _CLASSES[table]
    kind.of_rows([kind.Row(**row) for row in rows]).write(self, step)


def _read_steps(self, table: str, columns=None) -> pa.Table:
    kind = _CLASSES[table]
    return kind.read(self, *(kind.columns[name] for name in columns or ())).arrow


RunDir.write_step, RunDir.read_steps = _write_step, _read_steps
