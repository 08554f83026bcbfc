"""A verb's options: one frozen dataclass, from which its command line is made and with which Python calls it.

    @dataclass(frozen=True)
    class ClassifyOptions:
        runs: tuple[str, ...] = option("run directories of one data set", positional=True, metavar="RUN")
        tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)

A field's type and default say how its flag is read: `bool` is a switch (`--no-…` too where its default is not False),
`tuple[T, ...]` takes several values, `T | None` is optional, and `nested` holds options that several verbs share. A
`__post_init__` raises UsageError for values that make no sense, so that the command line and Python refuse the same.
"""

import argparse
import dataclasses
import functools
import importlib
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")
Result = TypeVar("Result")


def option(
    help: str, default: Any = dataclasses.MISSING, *, flag: str | None = None, positional: bool = False, **more: Any
) -> Any:
    """A field of an options class; flag: where it is not the field's name; more: metavar, choices, nargs."""
    return dataclasses.field(default=default, metadata={"help": help, "flag": flag, "positional": positional, **more})


def nested(title: str, default: Any, *, prefix: str = "") -> Any:
    """A field that holds other options, by default `default`: their flags, after `prefix`, under a title of theirs."""
    return dataclasses.field(default=default, metadata={"help": title, "prefix": prefix})


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


def callable_as_verb(package: str) -> None:
    """Let a package that has a verb's name be called: it is then the function of that name in its module `command`."""

    class Verb(types.ModuleType):
        def __call__(self, *args, **fields):
            return getattr(importlib.import_module(f"{package}.command"), package.rpartition(".")[2])(*args, **fields)

    sys.modules[package].__class__ = Verb


def add_options(
    parser: argparse._ActionsContainer, options: type, defaults: object | None = None, prefix: str = ""
) -> None:
    """Give `parser` a flag, or a positional, for each field of `options`; defaults: an `options`, if not its own."""
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        default = getattr(defaults, field.name, field.default)
        more = dict(field.metadata)
        if "prefix" in more:
            add_options(parser.add_argument_group(more["help"]), type(default), default, more["prefix"])
            continue
        flag, positional = more.pop("flag"), more.pop("positional")
        more = {**_reading(hints[field.name], default), **more}
        needed = default is dataclasses.MISSING
        told: dict[str, Any] = {} if needed else {"default": default}
        if positional:
            parser.add_argument(field.name, **told, **more)
            continue
        told |= {"required": True} if needed else {}
        name = prefix + field.name
        parser.add_argument(flag or f"--{name.replace('_', '-')}", dest=name, **told, **more)


def read_options(options: type[Options], args: argparse.Namespace, prefix: str = "") -> Options:
    """The options that a parsed command line means. Raises UsageError as the class does."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        if "prefix" in field.metadata:
            kind: Any = type(field.default)
            values[field.name] = read_options(kind, args, field.metadata["prefix"])
            continue
        value = getattr(args, prefix + field.name)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return options(**values)


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
