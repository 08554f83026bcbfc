"""A verb's options: one frozen dataclass, from which its command line is made and with which Python calls it.

    @dataclass(frozen=True)
    class ClassifyOptions(Options):
        runs: Sequence[str] = option("run directories of one data set", positional=True, metavar="RUN")
        tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)

A field's type and default say how its flag is read, and what Python may give: `bool` is a switch (`--no-…` too where
its default is not False), `Sequence[T]` and `tuple[T, ...]` take several values, `T | None` is optional, and `nested`
holds options that several verbs share. The command line and Python refuse the same: what is not of the field's type or
not one of its choices, and what the class's own `check` finds to make no sense.
"""

import argparse
import dataclasses
import functools
import importlib
import inspect
import math
import numbers
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from openrlhf_unlearn.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Made = TypeVar("Made", bound="DataclassInstance")
Given = TypeVar("Given", contravariant=True)
Result = TypeVar("Result", covariant=True)
Fields = ParamSpec("Fields")

_WORDS: dict[Any, str] = {
    bool: "give True or False",
    int: "give a whole number",
    float: "give a number",
    str: "give a text",
    Path: "give a path",
}


class Options:
    """What classes of options are made from: every value is of its field's type, or UsageError says what would be."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(typing.cast("DataclassInstance", self)):
            value = _settled(field, hints[field.name], getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Raise UsageError for values that make no sense."""


def option(
    help: str, default: Any = dataclasses.MISSING, *, flag: str | None = None, positional: bool = False, **more: Any
) -> Any:
    """A field of an options class; flag: where it is not the field's name; more: metavar, choices, nargs."""
    return dataclasses.field(default=default, metadata={"help": help, "flag": flag, "positional": positional, **more})


def nested(title: str, default: Any, *, prefix: str = "") -> Any:
    """A field that holds other options, by default `default`: their flags, after `prefix`, under a title of theirs."""
    return dataclasses.field(default=default, metadata={"help": title, "prefix": prefix})


class Verb(Protocol[Fields, Given, Result]):
    """A function of options as `takes` makes it."""

    __name__: str

    @overload
    def __call__(self, options: Given, /) -> Result: ...
    @overload
    def __call__(self, *args: Fields.args, **fields: Fields.kwargs) -> Result: ...


def takes(
    options: Callable[Fields, Given],
) -> Callable[[Callable[[Given], Result]], Verb[Fields, Given, Result]]:
    """Let a function of `options` be called with one, or with its fields: f(Options(a, b=1)) or f(a, b=1)."""
    make, signature = typing.cast("type[Given]", options), inspect.signature(options)

    def decorate(function: Callable[[Given], Result]) -> Verb[Fields, Given, Result]:
        @functools.wraps(function)
        def call(*args: Any, **fields: Any) -> Result:
            if len(args) == 1 and not fields and isinstance(args[0], make):
                return function(args[0])
            try:
                signature.bind(*args, **fields)
            except TypeError as error:
                name = function.__name__
                raise UsageError(f"{name}: {error}; it takes {', '.join(signature.parameters)}") from None
            return function(make(*args, **fields))

        returned = inspect.signature(function).return_annotation
        call.__signature__ = signature.replace(return_annotation=returned)  # pyright: ignore[reportAttributeAccessIssue]
        return typing.cast(Any, call)

    return decorate


def callable_as_verb(package: str) -> None:
    """Let a package that has a verb's name be called: it is then the function of that name in its module `command`."""

    class VerbPackage(types.ModuleType):
        def __call__(self, *args: Any, **fields: Any) -> Any:
            return _function()(*args, **fields)

        @property
        def __signature__(self) -> inspect.Signature:
            return inspect.signature(_function())

    def _function() -> Any:
        return getattr(importlib.import_module(f"{package}.command"), package.rpartition(".")[2])

    sys.modules[package].__class__ = VerbPackage


def add_options(
    parser: argparse._ActionsContainer, options: type, defaults: object | None = None, prefix: str = ""
) -> None:
    """Give `parser` a flag, or a positional, for each field of `options`; defaults: an `options`, if not its own."""
    hints = _hints(options)
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


def read_options(options: type[Made], args: argparse.Namespace, prefix: str = "") -> Made:
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


@functools.cache
def _hints(options: type) -> dict[str, Any]:
    return typing.get_type_hints(options)


def _settled(field: dataclasses.Field, hint: Any, value: Any) -> Any:
    """`value` as the field has it: one text for several is one of them, a list a tuple, a text for a path a path.

    Raises UsageError for a value of another type, or of none of the field's choices.
    """
    if "prefix" in field.metadata:
        if not isinstance(value, hint):
            raise UsageError(f"{field.name} {value!r}: give a {hint.__name__}")
        return value
    if value is None and type(None) in typing.get_args(hint):
        return None
    flag, (kind, several) = _flag(field), _kind(hint)
    if not several:
        return _one(flag, kind, field, value)
    if isinstance(value, (str, os.PathLike)) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        value = (value,)
    values = tuple(_one(flag, kind, field, each) for each in value)
    if not values and field.default != () and field.metadata.get("nargs") != "*":
        raise UsageError(f"{flag}: give at least one")
    if isinstance(number := field.metadata.get("nargs"), int) and len(values) != number:
        raise UsageError(f"{flag}: give {number}, not {len(values)}")
    return values


def _one(flag: str, kind: Any, field: dataclasses.Field, value: Any) -> Any:
    choices = field.metadata.get("choices")
    if choices and value not in choices:
        raise UsageError(f"{flag} {value}: choose from {', '.join(choices)}")
    if kind in (str, Path) and isinstance(value, (str, os.PathLike)):
        return kind(os.fspath(value))
    number = {int: numbers.Integral, float: numbers.Real}.get(kind)
    if number and isinstance(value, number) and not isinstance(value, bool):
        check_number(flag, value if kind is int else float(value))
        return value if isinstance(value, (int, float)) else kind(value)  # NumPy's own as Python's
    if number or not isinstance(value, kind):
        raise UsageError(f"{flag} {value!r}: {_WORDS.get(kind) or f'give a {kind.__name__}'}")
    return value


def _flag(field: dataclasses.Field) -> str:
    if field.metadata["positional"]:
        return field.metadata.get("metavar") or field.name
    return field.metadata["flag"] or f"--{field.name.replace('_', '-')}"


def check_number(flag: str, value: Any) -> None:
    """Raise UsageError at nan, inf and negative counts, which mean nothing to any flag of ours."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{flag} {value}: give a finite number")
    if isinstance(value, int) and value < 0:
        raise UsageError(f"{flag} {value}: must not be negative")
