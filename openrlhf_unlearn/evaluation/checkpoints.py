"""Which model folder `--model` means: a hub id, a Hugging Face folder, or OpenRLHF's DeepSpeed checkpoint, converted.

A checkpoint is `CKPT_PATH/_actor` (its newest step, by the file `latest`), one of its `global_stepN` folders, or
CKPT_PATH itself. Configuration and tokenizer are those of the run's own model; the converted folder is `hf`
beside the checkpoint's files and is made once.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.trust import remote_code


def resolve_model(model: str, run: RunDir) -> str:
    """The hub id or the Hugging Face folder to load. Raises UserError if `model` is neither of the three."""
    folder = Path(model)
    if not folder.exists():
        if model.startswith((".", "/", "~")) or model.count("/") > 1:
            raise UserError(f"--model {model}: no such folder")
        return model
    if (folder / "config.json").exists():
        return str(folder)
    step = _step_folder(folder)
    if step is None:
        raise UserError(f"--model {model} is no Hugging Face folder (no config.json) and no DeepSpeed checkpoint")
    base = run.config(required=False).flag("actor.model_name_or_path")
    if not base:
        raise UserError(
            f"--model {model} is a DeepSpeed checkpoint, and {run} does not say of which model; give the run that made "
            "it, or a Hugging Face folder (--ckpt.save_hf)"
        )
    return str(convert(step, base))


def _step_folder(folder: Path) -> Path | None:
    """The `global_stepN` folder that is meant, None if there is none."""
    for place in (folder, folder / "_actor"):
        if list(place.glob("*model_states.pt")):
            return place
        latest = place / "latest"
        if latest.exists() and list((place / latest.read_text(encoding="utf-8").strip()).glob("*model_states.pt")):
            return place / latest.read_text(encoding="utf-8").strip()
    return None


def convert(step: Path, base: str) -> Path:
    """`step`/hf: the checkpoint's weights as a Hugging Face folder with the configuration of `base`."""
    target = step / "hf"
    with hold(step, "converting this checkpoint", wait_s=600):
        if not (target / "config.json").exists():
            _convert(step, base, target)
    return target


def _convert(step: Path, base: str, target: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    print(f"converting {step} to {target}")
    with torch.device("cpu"):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(base, trust_remote_code=remote_code()), trust_remote_code=remote_code()
        )
    missing = model.load_state_dict(_weights(step), strict=False).missing_keys
    tied = set(getattr(model, "_tied_weights_keys", None) or ())
    if set(missing) - tied:
        raise UserError(f"{step} lacks weights of {base}: {', '.join(sorted(set(missing) - tied)[:3])}; another model?")
    aside = step / f".hf.{os.getpid()}"
    try:
        with contextlib.suppress(OSError):  # the base model has none
            model.generation_config = GenerationConfig.from_pretrained(base)
        model.to(torch.bfloat16).save_pretrained(aside)
        AutoTokenizer.from_pretrained(base, trust_remote_code=remote_code()).save_pretrained(aside)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _weights(step: Path) -> dict:
    """The checkpoint's weights: whole in one file up to ZeRO 2, else gathered from its shards by DeepSpeed."""
    import torch

    whole = step / "mp_rank_00_model_states.pt"
    if whole.exists():
        return torch.load(whole, map_location="cpu", weights_only=False)["module"]
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    return get_fp32_state_dict_from_zero_checkpoint(str(step.parent), step.name) or {}


def second_moments(checkpoint: Path) -> dict[str, Any]:
    """Adam's running mean of squared gradients by name of the weight: (outputs, inputs) arrays.

    DeepSpeed keeps weights, and what belongs to them, flattened into a few groups without their names: each weight is
    told by its values. Raises UserError for a checkpoint without them: of ZeRO 3, or of weights alone.
    """
    import torch

    step = _step_folder(checkpoint)
    if not step or not (whole := step / "mp_rank_00_model_states.pt").exists():
        raise UserError(
            f"{checkpoint} is no DeepSpeed checkpoint up to ZeRO 2; give CKPT_PATH/_actor/global_stepN of one"
        )
    held = torch.load(whole, map_location="cpu", weights_only=False)
    groups = _adam_groups(step, held)
    found, at = {}, [0] * len(groups)
    for name, weight in held["module"].items():
        for i, (values, squares) in enumerate(groups):
            there = slice(at[i], at[i] + weight.numel())
            if torch.equal(values[there].to(weight.dtype), weight.flatten()):
                if weight.ndim == 2:
                    found[name] = squares[there].view(weight.shape).numpy()
                at[i] = there.stop
                break
    if not found:
        raise UserError(f"{checkpoint} has no state of Adam beside its weights (--ckpt.save_steps keeps it)")
    return found


def _adam_groups(step: Path, held: dict) -> list[tuple[Any, Any]]:
    """(weights, running mean of their squared gradients) of each of DeepSpeed's groups, flat, in float32."""
    import torch

    ranks = []  # of each: (weights by group, Adam's state), its own piece of every group
    if held.get("optimizer"):  # without ZeRO: one, of the whole groups
        ranks.append((held["optimizer"].get("fp32_groups_flat"), held["optimizer"].get("optimizer_state_dict")))
    for path in sorted(step.glob("*zero_pp_rank_*optim_states.pt"), key=_rank):
        own = torch.load(path, map_location="cpu", weights_only=False)["optimizer_state_dict"]
        ranks.append((own.get("single_partition_of_fp32_groups"), own.get("base_optimizer_state")))
    if not ranks or any(not weights or "exp_avg_sq" not in adam["state"].get(0, {}) for weights, adam in ranks):
        return []
    return [
        (
            torch.cat([weights[i].flatten().float() for weights, _ in ranks]),
            torch.cat([adam["state"][i]["exp_avg_sq"].flatten().float() for _, adam in ranks]),
        )
        for i in range(len(ranks[0][0]))
    ]


def _rank(path: Path) -> int:
    return int(path.name.partition("zero_pp_rank_")[2].partition("_")[0])
