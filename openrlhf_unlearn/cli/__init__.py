"""One verb a subcommand; each module adds its own flags and does its own work.

See which prompts a run of reinforcement learning on verifiable rewards could not learn, why, and what to do about it.
`openrlhf-unlearn VERB --help` explains a verb. Exit codes: 0 done, 1 could not be done (one line says why), 2 bad use.

A verb's module has OPTIONS, a dataclass that its flags are made from (options.py), and `run(options)`, which calls the
verb's function and prints. It is imported only when its verb is called, so that `--help` is quick and a missing GPU
package troubles nobody.
"""

import argparse
import contextlib
import importlib
import os
import sys

from openrlhf_unlearn import __version__
from openrlhf_unlearn.cli.help_text import Formatter
from openrlhf_unlearn.cli.verbs import VERBS
from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.evaluation.leaving import Terminated, nothing_outlives
from openrlhf_unlearn.machine.surroundings import Plain, settle
from openrlhf_unlearn.masking import mask_text
from openrlhf_unlearn.options import add_options, check_number, read_options

MAY_BE_EMPTY = ("--input-template", "--columns")


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command line in one line, without the secrets in it."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {mask_text(message)}; --help explains every flag\n")


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    verb = next((word for word in argv if not word.startswith("-")), None)
    try:
        settle()
        return _run(argv, verb)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, Terminated) as stopped:
        by, code = (" by SIGTERM", 143) if isinstance(stopped, Terminated) else ("", 130)
        print(f"openrlhf-unlearn {verb}: stopped{by}; the same command goes on from here", file=sys.stderr)
        return code
    except Exception as error:
        if os.environ.get("OPENRLHF_UNLEARN_TRACE") and not isinstance(error, UserError):
            raise
        print(f"openrlhf-unlearn {verb}: {one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _run(argv: list[str], verb: str | None) -> int:
    args = _parse(argv, verb)
    module = importlib.import_module(VERBS[args.verb][0])
    options = read_options(module.OPTIONS, args)
    if verb == "train" or sys.stdout is None:  # the host's own log, in its own colours; or nobody reads
        return module.run(options) or 0
    # What the demo starts is the user's browser; a launch sees to its own processes.
    alone = contextlib.nullcontext() if verb == "demo" else nothing_outlives()
    with alone, contextlib.redirect_stdout(Plain(sys.stdout)) as stdout:
        code = module.run(options) or 0
        stdout.flush()  # here, where a pipe or a disk that takes no more is told in a line
        return code


def _parse(argv: list[str], chosen: str | None) -> argparse.Namespace:
    parser = Parser(prog="openrlhf-unlearn", description=__doc__ and __doc__.split("\n\n")[1])
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
            add_options(sub, described.OPTIONS)
    args = parser.parse_args(argv)
    if chosen != "train":
        _check_words(argv)
        _check_numbers(args)
    return args


def _check_words(argv: list[str]) -> None:
    """Raise UsageError at an empty argument: `--run "$RUN"` without RUN would mean the current folder."""
    for before, word in zip(["", *argv], argv, strict=False):
        if not word and before not in MAY_BE_EMPTY:
            raise UsageError(f"an empty argument after {before}; is a variable of the shell not set?")


def _check_numbers(args: argparse.Namespace) -> None:
    """Raise UsageError at a number that means nothing, by the flag's whole name; the classes check all else."""
    for name, value in vars(args).items():
        check_number(f"--{name.replace('_', '-')}" if len(name) > 1 else f"-{name}", value)
