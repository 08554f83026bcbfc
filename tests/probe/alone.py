"""Pytest plugin and module: what only sampling and training need cannot be imported, as on a machine that lacks it."""

import sys
from importlib.machinery import PathFinder

# Of the host and what it brings; of graders and endpoints. The probe needs PyTorch, transformers, PEFT and tables.
NOT_THERE = [
    "datasets",
    "deepspeed",
    "flash_attn",
    "math_verify",
    "openai",
    "openrlhf",
    "pydantic",
    "pylatexenc",
    "ray",
    "sentry_sdk",
    "torchdata",
    "uvicorn",
    "vllm",
    "wandb",
]


class WithoutThem(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in NOT_THERE else super().find_spec(name, path, target)


sys.meta_path[:] = [WithoutThem if finder is PathFinder else finder for finder in sys.meta_path]
