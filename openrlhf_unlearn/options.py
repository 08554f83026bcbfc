"""A verb's options: one frozen dataclass, from which its command line is made and with which Python calls it.

    @dataclass(frozen=True)
    class ClassifyOptions:
        runs: tuple[str, ...] = option("run directories of one data set", positional=True, metavar="RUN")
        tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)

A field's type and default say how its flag is read: `bool` is a switch (`--no-…` too where its default is not False),
`tuple[T, ...]` takes several values, `T | None` is optional. A `__post_init__` raises UsageError for values that make
no sense, so that the command line and Python refuse the same.
"""

import argparse
import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Options = TypeVar("Options")
Result = TypeVar("Result")


def option(help: str, default: Any = dataclasses.MISSING, *, flag: str | None = None, positional=False, **more) -> Any:
    """A field of an options class; flag: where it is not the field's name; more: metavar, choices, nargs."""
    return dataclasses.field(default=default, metadata={"help": help, "flag": flag, "positional": positional, **more})


def takes(options: type[Options]) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """Let a function of `options` be called with one, or with its fields: f(Options(a, b=1)) or f(a, b=1)."""

    def decorate(function: Callable[[Options], Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def call(*args, **fields) -> Result:
            if len(args) == 1 and not fields and isinstance(args[0], options):
                return function(args[0])
            return function(options(*args, **fields))

        return call

    return decorate


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """Give `parser` a flag, or a positional, for each field of `options`."""
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        more = dict(field.metadata)
        flag, positional = more.pop("flag"), more.pop("positional")
        more = {**_reading(hints[field.name], field.default), **more}
        needed = field.default is dataclasses.MISSING
        told: dict[str, Any] = {} if needed else {"default": field.default}
        if positional:
            parser.add_argument(field.name, **told, **more)
            continue
        told |= {"required": True} if needed else {}
        parser.add_argument(flag or f"--{field.name.replace('_', '-')}", dest=field.name, **told, **more)


def read_options(options: type[Options], args: argparse.Namespace) -> Options:
    """The options that a parsed command line means. Raises UsageError as the class does."""
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(options)}
    return options(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _reading(hint: Any, default: Any) -> dict[str, Any]:
    """How argparse reads a value of this type."""
    kind, several = _kind(hint)
    if kind is bool:
        return {"action": "store_true" if default is False else argparse.BooleanOptionalAction}
    return ({"nargs": "+"} if several else {}) | ({} if kind is str else {"type": kind})


def _kind(hint: Any) -> tuple[Any, bool]:
    """(the type of one value, whether there are several) of an annotation."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) in (tuple, Sequence):
        return typing.get_args(hint)[0], True
    return hint, False
