"""A command's words, checked without starting anything; scripts use it to show what they would run.

    python -m openrlhf_unlearn.cli.check train_ppo --plugin unlearn FLAGS …
    python -m openrlhf_unlearn.cli.check train_sft FLAGS …
    python -m openrlhf_unlearn.cli.check openrlhf-unlearn VERB FLAGS …

prints the command, and ends with 2 and a line that names the first flag that is wrong.
"""

import importlib
import sys
from typing import Any

from openrlhf_unlearn.cli.verbs import VERBS
from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.host.flags import MODULES, StrictParser, check_launch, shown
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.options import add_options, read_options


def check_verb(words: list[str]) -> Any:
    """The options that a verb's words mean. Raises UsageError at the first that is wrong."""
    if not words or words[0] not in VERBS:
        raise UsageError(f"{' '.join(words[:1])!r} is no verb; choose of {', '.join(VERBS)}")
    parser = StrictParser(allow_abbrev=False)
    options = importlib.import_module(VERBS[words[0]][0]).OPTIONS
    add_options(parser, options)
    return read_options(options, parser.parse_args(words[1:]))


def main(argv: list[str]) -> int:
    known = (*MODULES, "openrlhf-unlearn")
    if not argv or argv[0] not in known:
        print(f"give one of {', '.join(known)} and its flags", file=sys.stderr)
        return 2
    program = ["python", "-m", f"openrlhf.cli.{argv[0]}"]
    try:
        if argv[0] == "openrlhf-unlearn":
            program = [argv[0]]
            check_verb(argv[1:])
        else:
            check_launch(argv[0], argv[1:])
    except UserError as error:
        print(f"{argv[0]}: {one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    print(shown([*program, *masked(argv[1:])]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
