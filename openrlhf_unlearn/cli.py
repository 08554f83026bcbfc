"""One verb a subcommand; each module adds its own flags and does its own work.

See which prompts a run of reinforcement learning on verifiable rewards could not learn, why, and what to do about it.
`openrlhf-unlearn VERB --help` explains a verb. Exit codes: 0 done, 1 could not be done (one line says why), 2 bad use.

A verb's module has `add_arguments(parser)` and `run(args)`; it is imported only when its verb is called, so that
`--help` is quick and a missing GPU package troubles nobody who does not need it.
"""

import argparse
import importlib
import os
import sys

from openrlhf_unlearn import __version__
from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.help_text import Formatter
from openrlhf_unlearn.masking import mask_text
from openrlhf_unlearn.surroundings import settle

VERBS = {
    "demo": ("openrlhf_unlearn.demo", "a run that is in the package, classified and reported: what you would get"),
    "examples": ("openrlhf_unlearn.scripts", "copy the scripts of every experiment out of the package"),
    "doctor": ("openrlhf_unlearn.doctor", "check versions, hooks, device and patches, and say how to mend them"),
    "patch": ("openrlhf_unlearn.patching", "apply, revert or show our changes to the installed OpenRLHF"),
    "microworld": ("openrlhf_unlearn.microworld", "write the built-in model and data set with planted truth"),
    "tasks": ("openrlhf_unlearn.worlds.tasks", "verifiable prompts of reasoning-gym as a data set, with its scorers"),
    "train": ("openrlhf_unlearn.launcher", "train with OpenRLHF and the plugin, without patching the launcher in"),
    "evaluate": ("openrlhf_unlearn.learnability.evaluate", "sample N rollouts a prompt and grade them: pass@1"),
    "classify": ("openrlhf_unlearn.learnability.classify", "easy, learnable, unlearnable: label every prompt"),
    "import": ("openrlhf_unlearn.exchange.importing", "other frameworks' rollouts become a run directory"),
    "export": ("openrlhf_unlearn.learnability.exporting", "labels for others: id lists, data sets, the paper's files"),
    "forecast": ("openrlhf_unlearn.learnability.forecast", "risk of being unlearnable, from before training"),
    "augment": ("openrlhf_unlearn.interventions.augment", "new problems for prompts that were not learned"),
    "probe": ("openrlhf_unlearn.probe.command", "gradients by prompt: who is an outlier, without the noise"),
    "transfer": ("openrlhf_unlearn.transfer.command", "what training on some prompts does to others, and is it so"),
    "judge": ("openrlhf_unlearn.interventions.judge", "how good the reasoning of correct rollouts is, from 0 to 5"),
    "sft-set": ("openrlhf_unlearn.interventions.sft_set", "a stronger model's right responses, to fine-tune on"),
    "curriculum": ("openrlhf_unlearn.interventions.curriculum", "two stages: without the unlearnable, then with them"),
    "models": ("openrlhf_unlearn.interventions.models", "base models side by side: pass@1 and gradients by group"),
    "grade": ("openrlhf_unlearn.grading.command", "grade a file of responses: each verdict with its reason"),
    "regrade": ("openrlhf_unlearn.grading.regrade", "grade saved responses again: what another verdict changes"),
    "analyze": ("openrlhf_unlearn.report.analyze", "everything that is missing, then the report"),
}


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command line in one line, without the secrets in it."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {mask_text(message)}; --help explains every flag\n")


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    settle()
    verb = next((word for word in argv if not word.startswith("-")), None)
    try:
        args = _parse(argv, verb)
        return importlib.import_module(VERBS[args.verb][0]).run(args) or 0
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"openrlhf-unlearn {verb}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except Exception as error:
        if os.environ.get("OPENRLHF_UNLEARN_TRACE") and not isinstance(error, UserError):
            raise
        print(f"openrlhf-unlearn {verb}: {one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _parse(argv: list[str], chosen: str | None) -> argparse.Namespace:
    parser = Parser(prog="openrlhf-unlearn", description=__doc__.split("\n\n")[1])
    parser.add_argument("--version", action="version", version=f"openrlhf-unlearn {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (module, summary) in VERBS.items():
        sub = verbs.add_parser(
            verb,
            help=summary,
            formatter_class=Formatter,
            add_help=verb != "train",  # its flags, --help too, belong to the host's launcher
            prefix_chars="\0" if verb == "train" else "-",
        )
        if verb == chosen:
            described = importlib.import_module(module)
            sub.description = described.__doc__
            described.add_arguments(sub)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
