"""The frameworks whose rollouts can be read, one a module, and which of them some files are of."""

import re
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.files import find_files, plain_name, rows_of
from openrlhf_unlearn.exchange.formats.areal import AREAL
from openrlhf_unlearn.exchange.formats.base import Format as Format
from openrlhf_unlearn.exchange.formats.base import ImportedRollout as ImportedRollout
from openrlhf_unlearn.exchange.formats.inspect_ai import INSPECT
from openrlhf_unlearn.exchange.formats.lm_eval import LM_EVAL
from openrlhf_unlearn.exchange.formats.nemo_rl import NEMO_RL
from openrlhf_unlearn.exchange.formats.open_instruct import OPEN_INSTRUCT
from openrlhf_unlearn.exchange.formats.plain import JSONL, PAPER
from openrlhf_unlearn.exchange.formats.prime_rl import PRIME_RL
from openrlhf_unlearn.exchange.formats.roll import ROLL
from openrlhf_unlearn.exchange.formats.skyrl import SKYRL
from openrlhf_unlearn.exchange.formats.slime import SLIME
from openrlhf_unlearn.exchange.formats.tinker import TINKER
from openrlhf_unlearn.exchange.formats.trl import TRL
from openrlhf_unlearn.exchange.formats.verl import VERL

_ALL = (VERL, TRL, PRIME_RL, NEMO_RL, ROLL, AREAL, SLIME, OPEN_INSTRUCT, TINKER, SKYRL, LM_EVAL, INSPECT, PAPER, JSONL)
FORMATS = {form.name: form for form in _ALL}
_NAMES = {"slime": r"\.pt$", "inspect": r"\.eval$", "trl": r"^completions_\d+\.parquet$"}
# What a first row holds, in the order in which it is asked, after the file's name.
_KEYS = {
    "verl": ("input", "output", "score"),
    "prime-rl": ("nodes", "rewards"),
    "nemo-rl": ("content", "rewards"),
    "roll": ("responses", "scores", "global_step"),
    "areal": ("task_id", "sample_idx", "completion"),
    "open-instruct": ("prompt_tokens", "response_tokens"),
    "tinker": ("total_reward", "traj_idx"),
    "skyrl": ("input_prompt", "output_response"),
    "lm-eval": ("doc", "resps"),
    "inspect": ("eval", "samples"),
    "trl": ("prompt", "completion", "advantage"),
    "paper": ("question_id", "verification"),
}


def guess(source: str) -> str:
    """The name of the format that the files at `source` are of, by their first row. Raises UserError if of none."""
    path = Path(source)
    everything = tuple(f"**/*.{end}" for end in ("jsonl", "parquet", "pt", "eval", "json"))
    files = [path] if path.is_file() else find_files(source, everything)
    first = None
    for file in files[:50]:  # metrics and indexes may stand beside the rollouts
        by_name = next((name for name, form in _NAMES.items() if re.search(form, plain_name(file))), None)
        row = None if by_name else next((row for _, row in rows_of(file)), None)
        if found := by_name or _of_row(row):
            return found
        first = row if first is None else first
    keys = f"; its first row has {', '.join(map(str, first))}" if isinstance(first, dict) else ""
    raise UserError(f"{files[0]} is of no format that is known{keys}; name the columns: import jsonl … --columns")


def _of_row(row: object) -> str | None:
    if not isinstance(row, dict):
        return None
    if isinstance(row.get("traces"), list) or ("example_id" in row and "completion" in row):
        return "prime-rl"
    if found := next((name for name, keys in _KEYS.items() if all(key in row for key in keys)), None):
        return found
    return "jsonl" if "prompt" in row and "reward" in row else None
