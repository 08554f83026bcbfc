"""The prompts of a data set as OpenRLHF's PromptDataset prepares them: same template, same text, so the same ids."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openrlhf_unlearn.collect.images import image_digests
from openrlhf_unlearn.collect.prompts import Prompt
from openrlhf_unlearn.errors import UserError, command, counted
from openrlhf_unlearn.machine.host_functions import host_function
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.nested import get, has
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id
from openrlhf_unlearn.store.trust import check_data, remote_code, why_not_loaded


@dataclass(frozen=True)
class DataConfig:
    """Where prompts come from; the names are those of OpenRLHF's `--data.*` flags."""

    data: str | None
    input_key: str = "input"
    label_key: str | None = None
    input_template: str | None = None
    apply_chat_template: bool = False
    prompt_split: str = "train"
    image_key: str = "images"


def load_tokenizer(model: str):
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model, trust_remote_code=remote_code())
    except (OSError, ValueError) as error:
        reason = why_not_loaded(error)
        raise UserError(f"--model {model}: no tokenizer can be loaded ({reason}); save one there") from None


def load_prompts(config: DataConfig, tokenizer: Any) -> list[Prompt]:
    """The data set's distinct prompts in its order. Raises UserError for a file, key or label that is not there."""
    preprocess_data = host_function("preprocess_data")
    template = tokenizer.apply_chat_template if config.apply_chat_template else None
    found: dict[str, Prompt] = {}
    for row in _rows(config):
        flat = _flat(row, config)
        text, label = preprocess_data(flat, config.input_template, config.input_key, config.label_key, template)
        images = row.get(config.image_key)
        name = prompt_id(text, label, image_digests(images))
        found.setdefault(name, Prompt(name, text, label, row.get("datasource", "default"), images))
    if not found:
        raise UserError(f"--data {config.data} has no rows")
    return list(found.values())


def own_prompts(run: RunDir, config: DataConfig, tokenizer: Any) -> list[Prompt]:
    """Those of a run that names no data, an imported one: as prompts.parquet has them, in a template if one is given.

    Raises UserError where none has both text and label, and where they are chats and no template is given.
    """
    rows = Prompts.read(run).rows()
    known = [row for row in rows if row.prompt and row.label]
    if not known:
        bring = command("import", "jsonl", "FILE", "--run", run, "--tag", "TAG")
        raise UserError(
            f"{run.run_json} names no data, and no prompt of {run.prompts} has text and label; sample them elsewhere "
            f"and bring the answers in: {bring}"
        )
    left_out = f", {counted(len(rows) - len(known), 'prompt')} without text or label left out" * (
        len(known) < len(rows)
    )
    print(f"note: {run.run_json} names no data; the prompts are those of {run.prompts}{left_out}")
    template = tokenizer.apply_chat_template if config.apply_chat_template else None
    return [
        Prompt(row.prompt_id, _in_template(row.prompt, config, template), row.label, row.datasource) for row in known
    ]


def _in_template(prompt: str, config: DataConfig, template: Any) -> str:
    chat = _chat(prompt)
    if chat and not template:
        raise UserError("prompts of the run are chats of several messages; give --apply-chat-template")
    if not template and not config.input_template:
        return prompt
    row = {"prompt": chat or prompt}
    return host_function("preprocess_data")(row, config.input_template, "prompt", None, template)[0]


def _chat(prompt: str) -> list[dict] | None:
    """The messages, where an import kept several of them as JSON."""
    try:
        found = json.loads(prompt) if prompt.startswith("[{") else None
    except ValueError:
        return None
    return found if found and all(isinstance(one, dict) and "role" in one for one in found) else None


def check_no_images(prompts: list[Prompt], image_key: str) -> None:
    """Raise UserError where prompts have images: the engines are given text alone, and would answer something else."""
    if shown := sum(bool(image_digests(prompt.images)) for prompt in prompts):
        raise UserError(
            f"{shown} of {len(prompts)} prompts have images (column {image_key!r}), which evaluate cannot show to the "
            "model; sample them elsewhere and bring the answers in: openrlhf-unlearn import jsonl FILE --run RUN "
            "--tag TAG --columns id=prompt_id"
        )


def _rows(config: DataConfig):
    """The host's own loader (files, folders, hub ids, several joined by commas), after a check of local files."""
    from datasets.exceptions import DatasetsError

    from openrlhf_unlearn.grading.data_check import LOCAL_FILES, check_data_file, host_rows

    assert config.data
    for source in map(str.strip, config.data.split(",")):
        if Path(source).suffix in LOCAL_FILES:
            if not Path(source).exists():
                raise UserError(f"--data {source}: no such file")
            check_data_file(Path(source), config.input_key, config.label_key, config.image_key, nested=True)
    try:
        rows = host_rows(config.data, config.prompt_split)
    except (DatasetsError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--data {config.data} cannot be loaded ({reason}); give a local file or a hub id") from None
    for key in filter(None, (config.input_key, config.label_key)):
        if key not in rows.column_names and not (len(rows) and has(rows[0], key)):
            raise UserError(f"--data {config.data} has no column {key!r}; it has {', '.join(rows.column_names)}")
    return rows


def _flat(row: dict, config: DataConfig) -> dict:
    """The row with its nested keys (`reward_model.ground_truth`) as columns, where the host looks for them."""
    nested = [key for key in (config.input_key, config.label_key) if key and key not in row]
    return {**row, **{key: get(row, key) for key in nested}} if nested else row


def settle_prompts(run: RunDir, prompts: list[Prompt]) -> list[Prompt]:
    """Those of `prompts` that are the run's; writes prompts.parquet where there is none yet."""
    with hold(run.prompts, "evaluate", wait_s=SHORT_S):
        if not run.prompts.exists():
            rows = [Prompts.Row(p.id, p.text, str(p.label), p.datasource) for p in prompts]
            Prompts.of_rows(rows).write(run)
            return prompts
    known = set(Prompts.ids(run).to_pylist())
    shared = [prompt for prompt in prompts if prompt.id in known]
    if not shared:
        raise UserError(
            f"none of the {len(prompts)} prompts of --data is in {run.prompts}: other data, keys or template; "
            "give those of the run, or another --run folder for other data"
        )
    if len(shared) < len(prompts):
        print(f"note: {len(prompts) - len(shared)} of {len(prompts)} prompts are not the run's and are left out")
    return shared


def own_rows(run: RunDir) -> list[tuple[str, dict]]:
    """(prompt id, row) of prompts.parquet, which stands for the data where an imported run names none."""
    return [(row.prompt_id, row._asdict()) for row in Prompts.read(run).rows()]


def named_data(run: RunDir) -> str:
    """The data that the run names, "" where it names none; a file is looked for from here, in the run, and beside it.

    Raises UserError for a file that is at none of these.
    """
    from openrlhf_unlearn.grading.data_check import LOCAL_FILES

    folder, found = run.path.absolute(), []
    for source in map(str.strip, str(run.config().flag("data.prompt_dataset") or "").split(",")):
        places = [place / source for place in (Path(), folder, folder.parent)]
        if Path(source).suffix in LOCAL_FILES:
            there = next(filter(Path.exists, places), None)
            if there is None:
                raise UserError(f"{source}, the data set of {run}, is not there; give its new place with --data")
            source = str(there)
        found.append(source)
    return ",".join(found)


def identified_rows(run: RunDir, data: str | None, otherwise: str) -> list[tuple[str, dict]]:
    """(prompt id, row) for every row of the data set that the run's configuration, or `data`, names, in its order.

    Raises UserError where the run does not say how its prompts were made (imported ones do not); `otherwise`: what its
    user can do then.
    """
    preprocess_data = host_function("preprocess_data")
    known = run.config()
    own = known.flag("data", {})
    if not (data or own.get("prompt_dataset")) or "input_key" not in own:
        raise UserError(f"{run.run_json} does not say how its prompts were made; {otherwise}")
    source = data or named_data(run)
    if not data:
        check_data(run.run_json, source, trusted=False, instead="--data FILE, or once to `evaluate` ")
    config = DataConfig(
        source,
        own["input_key"],
        own.get("label_key"),
        own.get("input_template"),
        bool(own.get("apply_chat_template")),
        own.get("prompt_split") or "train",
        own.get("image_key") or "images",
    )
    template = None
    if config.apply_chat_template:
        if not known.initial_model:
            raise UserError(f"{run.run_json} names no model, whose chat template made its prompts")
        template = load_tokenizer(known.initial_model).apply_chat_template
    rows = []
    for row in _rows(config):
        flat = _flat(row, config)
        text, label = preprocess_data(flat, config.input_template, config.input_key, config.label_key, template)
        rows.append((prompt_id(text, label, image_digests(row.get(config.image_key))), row))
    return rows
