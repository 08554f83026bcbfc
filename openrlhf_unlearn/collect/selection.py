"""`--unlearn.only_prompts` and `--unlearn.skip_prompts`: which of the data set's prompts train."""

from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn.collect.prompts import Prompt
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.prompts import GROUPS, Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json


def read_ids(spec: str) -> set[str]:
    """Prompt ids from a JSON list, or from `…/learnability.parquet:GROUP`. Raises UserError if it is neither."""
    path, _, group = spec.rpartition(":")
    if path.endswith(".parquet"):
        if group not in GROUPS:
            raise UserError(f"{spec}: {group!r} is no group; choose of {', '.join(GROUPS)}")
        return {name for name, of in Learnability.groups_in(Path(path)).items() if of == group}
    if spec.endswith(".parquet"):
        raise UserError(f"{spec}: name the group too, as {spec}:unlearnable")
    ids = read_json(Path(spec))
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise UserError(f"{spec} must be a JSON list of prompt ids (openrlhf-unlearn export writes one)")
    return set(ids)


def select_prompts(prompts: list[Prompt], own: SimpleNamespace) -> list[Prompt]:
    """The rows that train, in order. Raises UserError if none is left."""
    ungradable = set(own.ungradable_labels)
    chosen = [prompt for prompt in prompts if str(prompt.label) not in ungradable]
    if own.only_prompts:
        ids = read_ids(own.only_prompts)
        chosen = [prompt for prompt in chosen if prompt.id in ids]
    if own.skip_prompts:
        ids = read_ids(own.skip_prompts)
        chosen = [prompt for prompt in chosen if prompt.id not in ids]
    if not chosen:
        raise UserError(
            "--unlearn.only_prompts and --unlearn.skip_prompts leave no prompt of the data set; are the ids of other "
            "data, or of another chat template?"
        )
    return chosen


def write_prompts(run: RunDir, prompts: list[Prompt]) -> None:
    Prompts.of(
        prompt_id=[prompt.id for prompt in prompts],
        prompt=[prompt.text for prompt in prompts],
        label=[None if prompt.label is None else str(prompt.label) for prompt in prompts],
        datasource=[prompt.datasource for prompt in prompts],
    ).write(run)
