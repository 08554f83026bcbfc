"""A launch's words: changed flag by flag, and checked against the host's own parser without starting anything.

    python -m openrlhf_unlearn.interventions.host_flags train_ppo --plugin unlearn FLAGS …
    python -m openrlhf_unlearn.interventions.host_flags train_sft FLAGS …
    python -m openrlhf_unlearn.interventions.host_flags openrlhf-unlearn VERB FLAGS …

prints the command, and ends with 2 and a line that names the first flag that is wrong. The host keeps its parser under
`if __name__ == "__main__"`; its statements up to `parse_args` are run alone, so no GPU package is imported and a check
takes a second. The launcher's own `--dry_run` takes longer and also runs what the host checks after parsing.
"""

import argparse
import ast
import importlib
import importlib.util
import runpy
import shlex
import sys
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.masking import masked

MODULES = {"train_ppo": "train_ppo_ray", "train_sft": "train_sft"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UsageError(message)


def host_folder() -> Path:
    spec = importlib.util.find_spec("openrlhf")
    if spec is None:
        raise UserError("OpenRLHF is not installed; `openrlhf-unlearn doctor` says how to mend that")
    return Path(spec.submodule_search_locations[0])


def host_parser(launcher: str) -> argparse.ArgumentParser:
    """The parser of `launcher`, a name of MODULES, as the installed host writes it."""
    path = host_folder() / "cli" / f"{MODULES[launcher]}.py"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    main = next(node for node in body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
    end = next(i for i, statement in enumerate(main.body) if ".parse_args(" in ast.unparse(statement))
    names = {}
    exec(compile(ast.Module([*filter(_is_light, body), *main.body[:end]], []), str(path), "exec"), names)
    parser = names["parser"]
    parser.__class__, parser.allow_abbrev, parser.prog = _Parser, False, launcher
    return parser


def _is_light(node: ast.stmt) -> bool:
    """Whether it imports from the standard library."""
    if isinstance(node, ast.Import):
        return all(name.name.partition(".")[0] in sys.stdlib_module_names for name in node.names)
    return isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in sys.stdlib_module_names


def check_launch(launcher: str, words: list[str]) -> argparse.Namespace:
    """The nested configuration that `words` mean to the launcher. Raises UsageError at a flag or value that is wrong.

    `--plugin unlearn` in front adds the plugin's flags and its checks of contradictions.
    """
    from openrlhf_unlearn.launcher import split_arguments

    own, words = split_arguments(words)
    parser = host_parser(launcher)
    if "unlearn" in own.plugin:
        from openrlhf_unlearn.plugin import add_unlearn_flags

        add_unlearn_flags(parser)
    flat = parser.parse_args(words)
    args = runpy.run_path(str(host_folder() / "utils" / "config.py"))["hierarchize"](flat)
    if "unlearn" in own.plugin:
        from openrlhf_unlearn.plugin import check_flags
        from openrlhf_unlearn.training.losses import apply_loss

        if args.actor.eps_clip_low_high is None:
            args.actor.eps_clip_low_high = (args.actor.eps_clip, args.actor.eps_clip)
        check_flags(args)
        apply_loss(args, words)
    return args


def split_flags(words: list[str]) -> dict[str, list[str]]:
    """Flag → its values, in order; `--flag=value` too. A flag given twice keeps its last values, as in argparse."""
    flags: dict[str, list[str]] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            flags[name] = [value] if equals else []
        elif name is None:
            raise UsageError(f"{word!r} stands before the first flag")
        else:
            flags[name].append(word)
    return flags


def join_flags(flags: dict[str, list[str]]) -> list[str]:
    return [word for name, values in flags.items() for word in (name, *values)]


def shown(command: list[str]) -> str:
    """A command over several lines, a flag a line, to print and to paste."""
    lines = []
    for word in command:
        if lines and word.startswith("--"):
            lines.append(shlex.quote(word))
        elif lines:
            lines[-1] += f" {shlex.quote(word)}"
        else:
            lines = [shlex.quote(word)]
    return " \\\n    ".join(lines)


def check_verb(words: list[str]) -> argparse.Namespace:
    """The same for a verb of our own command line and its flags."""
    from openrlhf_unlearn.cli import VERBS

    if not words or words[0] not in VERBS:
        raise UsageError(f"{' '.join(words[:1])!r} is no verb; choose of {', '.join(VERBS)}")
    parser = _Parser(allow_abbrev=False)
    importlib.import_module(VERBS[words[0]][0]).add_arguments(parser)
    return parser.parse_args(words[1:])


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
