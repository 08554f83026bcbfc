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
from openrlhf_unlearn.cli.help_text import Formatter
from openrlhf_unlearn.cli.verbs import VERBS
from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.machine.surroundings import settle
from openrlhf_unlearn.masking import mask_text


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
