"""Writes the built-in world: the warmed-up model, its prompts and their planted truth, all at once or not at all."""

import dataclasses
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store import run_dir
from openrlhf_unlearn.worlds import model as models
from openrlhf_unlearn.worlds.task import CAUSE_OF, CAUSES, GROUPS, SETTINGS, Problem, draw_prompts
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer
from openrlhf_unlearn.worlds.truth import Truth

MEASURE_SAMPLES = 32
DATASOURCE = "microworld"


def write_world(target: Path, setting_name: str = "standard", seed: int = 0, warm_up_steps: int = models.STEPS) -> dict:
    """Make the world in `target` and return what world.json says of it; a finished one of the same kind is kept.

    Raises UserError if `target` holds anything else: a world is never mixed with other files.
    """
    settings = {
        "seed": seed,
        "setting": setting_name,
        **dataclasses.asdict(SETTINGS[setting_name]),
        "warm_up_steps": warm_up_steps,
        "letters": CAUSE_OF,
    }
    found = _existing(target, settings)
    if found:
        return found
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            aside = Path(scratch) / "world"
            aside.mkdir()
            world = _fill(aside, settings)
            os.replace(aside, target)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write {target}: {reason}; free space or choose another folder") from error
    return world


def _existing(target: Path, settings: dict) -> dict | None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    advice = "choose another folder or delete it"
    if not (target / "world.json").exists():
        raise UserError(f"{target} is there already and holds no world: {advice}")
    world = run_dir.read_object(target / "world.json")
    different = [key for key in settings if world.get(key) != settings[key]]
    if different:
        values = ", ".join(f"{key} {world.get(key)} instead of {settings[key]}" for key in different)
        raise UserError(f"{target} holds another world ({values}): {advice}")
    return world


def _fill(folder: Path, settings: dict) -> dict:
    setting, seed = SETTINGS[settings["setting"]], settings["seed"]
    train, heldout = draw_prompts(setting, seed)
    torch.set_num_threads(1)  # as fast for tensors this small, the same on every machine, and quick on a busy one
    tokenizer = build_tokenizer()
    model = models.build_model(tokenizer, seed)
    held_back = {problem.prompt for problem in (*train, *heldout)}
    losses = models.warm_up(model, tokenizer, setting, seed, held_back, settings["warm_up_steps"])
    rates = models.pass_rates(model, tokenizer, train, MEASURE_SAMPLES, seed)

    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    _write_jsonl(folder / "train.jsonl", train)
    _write_jsonl(folder / "heldout.jsonl", heldout)
    _truth(train).save(folder / "truth.parquet")
    _truth(heldout).save(folder / "heldout_truth.parquet")
    world = {
        **settings,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "last_loss": losses[-1],
        "measured_samples": MEASURE_SAMPLES,
        "initial_pass_rate": {group: _mean(train, rates, "group", group) for group in GROUPS},
        "initial_pass_rate_by_cause": {cause: _mean(train, rates, "cause", cause) for cause in CAUSES},
    }
    run_dir.write_json(folder / "world.json", world)
    return world


def _truth(problems: list[Problem]) -> Truth:
    return Truth.of_rows([Truth.Row(run_dir.prompt_id(p.prompt, p.label), p.group, p.cause) for p in problems])


def _write_jsonl(path: Path, problems: list[Problem]) -> None:
    rows = ({"prompt": p.prompt, "label": p.label, "datasource": DATASOURCE} for p in problems)
    run_dir.write_jsonl(path, rows)


def _mean(problems: list[Problem], rates: list[float], kind: str, name: str) -> float:
    chosen = [rate for problem, rate in zip(problems, rates, strict=True) if getattr(problem, kind) == name]
    return sum(chosen) / len(chosen)
