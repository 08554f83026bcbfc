"""Which model folder `--model` means."""

from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.run_dir import RunDir


def resolve_model(model: str, run: RunDir) -> str:
    folder = Path(model)
    if not folder.exists() and (model.startswith((".", "/", "~")) or model.count("/") > 1):
        raise UserError(f"--model {model}: no such folder")
    if folder.is_dir() and not (folder / "config.json").exists():
        raise UserError(f"--model {model} has no config.json; it is no Hugging Face model folder")
    return model
