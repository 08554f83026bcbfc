"""A launch's words: changed flag by flag, and checked against the host's own parser without starting anything.

The host keeps its parser under `if __name__ == "__main__"`; its statements up to `parse_args` are run alone, so no GPU
package is imported and a check takes a second. The launcher's own `--dry_run` takes longer and also runs what the host
checks after parsing. `python -m openrlhf_unlearn.cli.check` is the same for scripts.
"""

import argparse
import ast
import runpy
import shlex
import sys
from typing import Any

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.host.hooks import host_folder

MODULES = {"train_ppo": "train_ppo_ray", "train_sft": "train_sft"}


class StrictParser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UsageError(message)


def host_parser(launcher: str) -> argparse.ArgumentParser:
    """The parser of `launcher`, a name of MODULES, as the installed host writes it. UserError if it has moved."""
    path = host_folder() / "cli" / f"{MODULES[launcher]}.py"
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        main = next(node for node in body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
        end = next(i for i, statement in enumerate(main.body) if ".parse_args(" in ast.unparse(statement))
    except (FileNotFoundError, StopIteration):
        raise UserError(f"{path} makes no parser where it is run; `openrlhf-unlearn doctor` says what fits") from None
    names: dict[str, Any] = {}
    exec(compile(ast.Module([*filter(_is_light, body), *main.body[:end]], []), str(path), "exec"), names)
    parser = names["parser"]
    parser.__class__, parser.allow_abbrev, parser.prog = StrictParser, False, launcher
    return parser


def _is_light(node: ast.stmt) -> bool:
    """Whether it imports from the standard library."""
    if isinstance(node, ast.Import):
        return all(name.name.partition(".")[0] in sys.stdlib_module_names for name in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in sys.stdlib_module_names


def check_launch(launcher: str, words: list[str]) -> argparse.Namespace:
    """The nested configuration that `words` mean to the launcher. Raises UsageError at a flag or value that is wrong.

    `--plugin unlearn` in front adds the plugin's flags and its checks of contradictions.
    """
    from openrlhf_unlearn.host.launcher import split_arguments

    own, words = split_arguments(words)
    parser = host_parser(launcher)
    if "unlearn" in own.plugin:
        from openrlhf_unlearn.host.plugin import add_unlearn_flags

        add_unlearn_flags(parser)
    flat = parser.parse_args(words)
    args = runpy.run_path(str(host_folder() / "utils" / "config.py"))["hierarchize"](flat)
    if "unlearn" in own.plugin:
        from openrlhf_unlearn.host.plugin import check_flags_and_loss

        if args.actor.eps_clip_low_high is None:
            args.actor.eps_clip_low_high = (args.actor.eps_clip, args.actor.eps_clip)
        check_flags_and_loss(args, words)
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
