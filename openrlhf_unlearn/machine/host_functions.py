"""The functions of OpenRLHF by which the rooms before host/ read data just as training does.

Each is called by `host_function(NAME)`, which refuses a host that has moved it in one line. `host/hooks.py` has these
and all that training builds on.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from openrlhf_unlearn.errors import UserError


@dataclass(frozen=True)
class HostName:
    """`name` in the host's `module`, 'Class.method' for methods; Ray actors are looked through."""

    module: str
    name: str


@dataclass(frozen=True)
class Hook(HostName):
    """What we subclass, call or observe: it takes just `parameters`."""

    parameters: str
    purpose: str


FUNCTIONS = (
    Hook(
        "openrlhf.datasets.utils",
        "blending_datasets",
        "datasets probabilities strategy seed max_count stopping_strategy dataset_split",
        "called: a data set's rows",
    ),
    Hook(
        "openrlhf.datasets.prompts_dataset",
        "preprocess_data",
        "data input_template input_key label_key apply_chat_template",
        "called: a row's prompt and label",
    ),
    Hook("openrlhf.utils.vlm_utils", "_is_base64_image", "s", "called: which image references are data"),
)


def host_function(name: str) -> Callable[..., Any]:
    """The one of FUNCTIONS with this name. Raises UserError if the installed host has another or none."""
    hook = next(hook for hook in FUNCTIONS if hook.name == name)
    importlib.import_module("openrlhf")  # where there is none, that is the error
    if wrong := mismatch(hook):
        raise UserError(f"OpenRLHF {version('openrlhf')}: {wrong}; `openrlhf-unlearn doctor` says which versions fit")
    return find(hook)


def actor_class(found: Any) -> Any:
    """The plain class in what `@ray.remote` made of it; anything else as it is."""
    metadata = getattr(found, "__ray_metadata__", None)
    return metadata.modified_class.__ray_actor_class__ if metadata else found


def of_the_host(found: Any) -> Any:
    """The host's class where one of ours has taken its place; anything else as it is."""
    found = actor_class(found)
    if not inspect.isclass(found):
        return found
    return next((one for one in found.__mro__ if one.__module__.startswith("openrlhf.")), found)


def find(name: HostName) -> Any:
    """Its object in the installed host; AttributeError or ImportError if it is gone."""
    found = importlib.import_module(name.module)
    for part in name.name.split("."):
        found = getattr(of_the_host(found), part)
    return found


def mismatch(name: HostName) -> str | None:
    """None if the installed host has the name, and a hook's takes what we know, else what differs."""
    try:
        found = find(name)
    except (AttributeError, ImportError) as error:
        return f"{name.module}.{name.name} is missing ({error})"
    if not isinstance(name, Hook):
        return None
    # Ray adds a parameter of its own to the methods of actors.
    parameters = " ".join(one for one in inspect.signature(found).parameters if one != "_ray_trace_ctx")
    if parameters != name.parameters:
        return f"{name.module}.{name.name} takes ({parameters}), not ({name.parameters})"
    return None
