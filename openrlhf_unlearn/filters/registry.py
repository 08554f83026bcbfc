"""`--unlearn.filter`: names to classes, `path.py:Name` for a user's own, `review+` and `hinted+` before either."""

import importlib.util
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters.base import FilterConfig, SampleFilter
from openrlhf_unlearn.filters.dynamic import DynamicFilter
from openrlhf_unlearn.filters.hinted import HintedFilter
from openrlhf_unlearn.filters.none import NoFilter
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.filters.review import ReviewFilter


class Configured(Protocol):
    """What is made from a configuration, and keeps it."""

    config: Any

    def __init__(self, config: Any): ...


T = TypeVar("T", bound=Configured)
FILTERS: dict[str, type[SampleFilter]] = {
    "none": NoFilter,
    "dynamic": DynamicFilter,
    "oversample_replay": OversampleReplayFilter,
    "review": ReviewFilter,
    "hinted": HintedFilter,
}
# What composes with another filter, which decides: one only adds prompts, the other asks where that one cannot decide.
AROUND = {"review": ReviewFilter, "hinted": HintedFilter}


def load_filter(spec: str, config: FilterConfig) -> SampleFilter:
    """The filter called `spec`. Raises UserError, one line, if it cannot be found or made."""
    outer, plus, inner = spec.partition("+")
    if plus and outer in AROUND:
        return AROUND[outer](config, load_filter(inner, config))
    return load_named("--unlearn.filter", spec, FILTERS, SampleFilter, config)


@contextmanager
def users_code(flag: str, spec: str) -> Generator[None, None, None]:
    """Whatever the user's own code raises, at import or in its constructor, as one line that names the flag."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{flag} {spec}: {type(error).__name__}: {reason}") from error


def load_named(flag: str, spec: str, known: Mapping[str, type[T]], base: type[T], config: Any) -> T:
    """An object made from `config`, of one of the `known` classes or a user's own subclass of `base` (path.py:Name).

    Raises UserError, one line that names the flag, if it cannot be found or made.
    """
    with users_code(flag, spec):
        made = find_named(flag, spec, known, base)(config)
    if not hasattr(made, "config"):
        raise UserError(f"{flag} {spec}: its __init__ must call super().__init__(config)")
    return made


def find_named(flag: str, spec: str, known: Mapping[str, type[T]], base: type[T]) -> type[T]:
    """The class that `load_named` makes an object of."""
    if spec in known:
        return known[spec]
    with users_code(flag, spec):
        found = user_object(flag, spec, known)
    if not (isinstance(found, type) and issubclass(found, base)):
        path, _, name = spec.rpartition(":")
        raise UserError(f"{flag} {spec}: {path} has no subclass of {base.__name__} named {name}")
    return found


def user_object(flag: str, spec: str, known: Iterable[str]) -> object:
    """What the file of `spec`, path.py:Name, calls Name, None if nothing. UserError if there is no such file."""
    path, colon, name = spec.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise UserError(f"{flag} {spec}: choose of {', '.join(known)}, or give path.py:Name")
    if not Path(path).is_file():
        raise UserError(f"{flag} {spec}: no such file {path}")
    module_spec = importlib.util.spec_from_file_location(f"unlearn_user_{Path(path).stem}", path)
    assert module_spec and module_spec.loader  # a .py file has both
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look their module up there
    module_spec.loader.exec_module(module)
    return getattr(module, name, None)
