"""`--help` that teaches: a verb's module docstring above its flags, and defaults only where there is one to tell."""

import argparse


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines; adds no default where it is nothing or where the help text says it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = "default:" in (action.help or "")
        if told or action.default in (None, "", ()) or isinstance(action.default, bool):
            return action.help
        if isinstance(action.default, tuple):  # as it would be typed
            return f"{action.help} (default: {' '.join(map(str, action.default))})"
        return super()._get_help_string(action)
