"""Every verb of the command line: its module and a line of what it is for; how a module gives and reads its flags."""

import argparse
from types import ModuleType
from typing import Any

from openrlhf_unlearn.options import add_options, read_options

VERBS = {
    "demo": ("openrlhf_unlearn.demo", "a run that is in the package, classified and reported: what you would get"),
    "examples": ("openrlhf_unlearn.pipeline.scripts", "copy the scripts of every experiment out of the package"),
    "doctor": ("openrlhf_unlearn.host.doctor", "check versions, hooks, device and patches, and say how to mend them"),
    "patch": ("openrlhf_unlearn.host.patching", "apply, revert or show our changes to the installed OpenRLHF"),
    "microworld": ("openrlhf_unlearn.worlds", "write the built-in model and data set with planted truth"),
    "tasks": ("openrlhf_unlearn.worlds.tasks", "verifiable prompts of reasoning-gym as a data set, with its scorers"),
    "train": ("openrlhf_unlearn.host.launcher", "train with OpenRLHF and the plugin, without patching the launcher in"),
    "evaluate": ("openrlhf_unlearn.evaluation.evaluate", "sample N rollouts a prompt and grade them: pass@1"),
    "classify": ("openrlhf_unlearn.labels.classify", "easy, learnable, unlearnable: label every prompt"),
    "import": ("openrlhf_unlearn.exchange.importing", "other frameworks' rollouts become a run directory"),
    "export": ("openrlhf_unlearn.exchange.exporting", "labels for others: id lists, data sets, the paper's files"),
    "forecast": ("openrlhf_unlearn.labels.forecast", "risk of being unlearnable, from before training"),
    "augment": ("openrlhf_unlearn.interventions.augment", "new problems for prompts that were not learned"),
    "diagnose": (
        "openrlhf_unlearn.pipeline.diagnose",
        "why each hard prompt was not learned, and the remedy that fits",
    ),
    "hints": ("openrlhf_unlearn.interventions.hints", "prompts with a part of their solution, in annealed stages"),
    "probe": ("openrlhf_unlearn.probe.command", "gradients by prompt: who is an outlier, without the noise"),
    "transfer": ("openrlhf_unlearn.transfer.command", "what training on some prompts does to others, and is it so"),
    "judge": ("openrlhf_unlearn.interventions.judge", "how good the reasoning of correct rollouts is, from 0 to 5"),
    "sft-set": ("openrlhf_unlearn.interventions.sft_set", "a stronger model's right responses, to fine-tune on"),
    "curriculum": ("openrlhf_unlearn.pipeline.curriculum", "two stages: without the unlearnable, then with them"),
    "models": ("openrlhf_unlearn.pipeline.models", "base models side by side: pass@1 and gradients by group"),
    "compare": ("openrlhf_unlearn.pipeline.compare", "what a remedy did to the prompts that a run had not learned"),
    "grade": ("openrlhf_unlearn.grading.command", "grade a file of responses: each verdict with its reason"),
    "regrade": ("openrlhf_unlearn.pipeline.regrade", "grade saved responses again: what another verdict changes"),
    "analyze": ("openrlhf_unlearn.pipeline.analyze", "everything that is missing, then the report"),
    "publish": ("openrlhf_unlearn.pipeline.publish", "a report to share: a folder, a static Space, or Markdown"),
}


def add_flags(module: ModuleType, parser: argparse.ArgumentParser) -> None:
    """The verb's flags: made from its OPTIONS, or its own where they are another's."""
    if hasattr(module, "OPTIONS"):
        add_options(parser, module.OPTIONS)
    else:
        module.add_arguments(parser)


def given(module: ModuleType, args: argparse.Namespace) -> Any:
    """What the verb's `run` takes. Raises UsageError where its OPTIONS refuse a value."""
    return read_options(module.OPTIONS, args) if hasattr(module, "OPTIONS") else args
