"""`--plugin NAME`: load plugins, let each add flags and replace parts, then run OpenRLHF's own launcher.

    python -m openrlhf.cli.train_ppo --plugin unlearn [--dry_run] [--unlearn.* flags] [train_ppo_ray's flags]

The host's launcher keeps its parser under `if __name__ == "__main__"`, so it is run as a module, unchanged. Two of its
own calls are where we join in, each once: its `parse_args` (plugins add their flags, so `--help` shows all) and
`hierarchize`, which it imports at call time (plugins check and complete the configuration). Parts are replaced before,
because the launcher binds them when it is imported.
`--dry_run` goes as far as the host's own checks of its flags and stops where it would start Ray: nothing is written.
Configuration travels as `args.unlearn` in the namespace that the host itself sends to every actor.
"""

import argparse
import os
import runpy
import shlex
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any, Protocol

from openrlhf_unlearn.errors import UsageError, UserError, one_line
from openrlhf_unlearn.machine.surroundings import settle
from openrlhf_unlearn.masking import hide, mask_text, masked
from openrlhf_unlearn.options import Options, option

PLUGIN_GROUP = "openrlhf.plugins"
HOST_LAUNCHER = "openrlhf.cli.train_ppo_ray"
DRY_RUN = ("--dry_run", "--dry-run")


class Plugin(Protocol):
    """What an entry point of the group `openrlhf.plugins` names: a class without constructor arguments."""

    def install(self, given: list[str]) -> None:
        """Put parts where the host looks its own up. `given` is the command line's words, here and below."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add flags, all of them `--NAME.*`, to the host's parser."""

    def check(self, args: SimpleNamespace, given: list[str]) -> None:
        """Check and complete `args` (nested, as the host uses it), and write nothing.

        Raise UserError or UsageError, here or in `install` or `configure`, to refuse.
        """

    def configure(self, args: SimpleNamespace, given: list[str]) -> None:
        """All that is left to do before Ray starts; not called by a dry run."""

    def close(self) -> None:
        """The launch is over, in whatever way."""


class Checked(Exception):
    """Raised in a dry run where the host would start Ray: it has accepted its flags."""


def split_arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own arguments, `plugin` (names) and `dry_run`, and the rest, which the host's parser reads."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument(*DRY_RUN, action="store_true")
    return parser.parse_known_args(argv)


def load_plugins(names: list[str]) -> list[Plugin]:
    """Instantiate the named plugins. Raises UsageError that lists the known ones if a name is unknown."""
    known = {entry.name: entry for entry in entry_points(group=PLUGIN_GROUP)}
    for name in names:
        if name not in known:
            raise UsageError(f"--plugin {name}: no such plugin; installed: {', '.join(sorted(known)) or 'none'}")
    return [known[name].load()() for name in dict.fromkeys(names)]


def _join_host(plugins: list[Plugin], argv: list[str], dry_run: bool) -> None:
    """Arrange that the host's next `parse_args` and `hierarchize` call the plugins."""
    from openrlhf.utils import config

    stock_parse, stock_hierarchize = argparse.ArgumentParser.parse_args, config.hierarchize

    def parse_args(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        argparse.ArgumentParser.parse_args = stock_parse
        self.prog = "python -m openrlhf.cli.train_ppo [--plugin NAME] [--dry_run]"
        tell, self.error = self.error, lambda message: tell(mask_text(message))
        self.allow_abbrev = False  # an abbreviated flag would escape the check of contradictions
        for plugin in plugins:
            plugin.add_arguments(self)
        return stock_parse(self, *args, **kwargs)

    def hierarchize(args):
        config.hierarchize = stock_hierarchize
        nested = stock_hierarchize(args)
        for plugin in plugins:
            plugin.check(nested, argv)
            if not dry_run:
                plugin.configure(nested, argv)
        hide(nested)  # the host prints its whole configuration
        return nested

    argparse.ArgumentParser.parse_args = parse_args
    config.hierarchize = hierarchize


def launch(argv: list[str]) -> None:
    """Run the host's launcher with `argv`. Raises what the host or a plugin raises."""
    own, rest = split_arguments(argv)
    plugins = load_plugins(own.plugin)
    with ExitStack() as stack:
        for plugin in plugins:
            stack.callback(getattr(plugin, "close", lambda: None))  # older plugins have none
        _launch(plugins, own.dry_run, rest, argv)


def _launch(plugins: list[Plugin], dry_run: bool, rest: list[str], argv: list[str]) -> None:
    sys.argv = [HOST_LAUNCHER, *rest]
    for plugin in plugins:
        plugin.install(rest)
    if plugins:
        _join_host(plugins, rest, dry_run)
    if dry_run:
        _stop_before_ray()
    try:
        runpy.run_module(HOST_LAUNCHER, run_name="__main__", alter_sys=True)
    except Checked:
        print("OpenRLHF and the plugins accept these flags:")
        words = masked([word for word in argv if word not in DRY_RUN])
        print(shlex.join(["python", "-m", "openrlhf.cli.train_ppo", *words]))
    except AssertionError as error:
        if "ray" in sys.modules and sys.modules["ray"].is_initialized():
            raise
        raise UsageError(f"OpenRLHF refuses these flags: {error}") from error


def _stop_before_ray() -> None:
    """The host's `train` begins with ray.init, after all checks of its flags."""
    import ray

    def init(*args, **kwargs):
        raise Checked

    ray.init = init


def main(argv: list[str] | None = None) -> int:
    """The command line: `launch`, with bad input told in one line instead of a stack trace."""
    # Plugins, reward files and data are named relative to here, also by `python -m` in Ray's workers.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    settle()
    try:
        launch(sys.argv[1:] if argv is None else argv)
        return 0
    except UserError as error:
        # Raised in a Ray actor it arrives as a UserError whose text is the remote trace and whose cause is ours.
        while isinstance(cause := getattr(error, "cause", None), UserError):
            error = cause
        return _say(error)
    except Exception as error:
        from openrlhf_unlearn.host.known_ends import known_end

        line = known_end(error)
        if line is None:
            raise
        return _say(UserError(line))


def _say(error: UserError) -> int:
    """Print the one line; the exit code."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()  # its last words must not bury ours
    print(f"openrlhf-unlearn: {one_line(error)}", file=sys.stderr, flush=True)
    return 2 if isinstance(error, UsageError) else 1


@dataclass(frozen=True)
class TrainOptions(Options):
    """The host's own flags, and the plugin's."""

    host_arguments: tuple[str, ...] = option(
        "flags of the plugin and of openrlhf.cli.train_ppo_ray", (), positional=True, nargs="*"
    )


OPTIONS = TrainOptions


def run(options: TrainOptions) -> int:
    """`openrlhf-unlearn train …`: the same as `openrlhf.cli.train_ppo --plugin unlearn …`, nothing patched in."""
    return main(["--plugin", "unlearn", *options.host_arguments])


if __name__ == "__main__":
    sys.exit(main())
