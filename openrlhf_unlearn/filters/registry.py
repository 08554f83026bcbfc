"""`--unlearn.filter`: names to classes, `path.py:Name` for a user's own, `review+` before either."""

import importlib.util
import sys
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters.base import FilterConfig, SampleFilter
from openrlhf_unlearn.filters.dynamic import DynamicFilter
from openrlhf_unlearn.filters.none import NoFilter
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.filters.review import ReviewFilter

FILTERS: dict[str, type[SampleFilter]] = {
    "none": NoFilter,
    "dynamic": DynamicFilter,
    "oversample_replay": OversampleReplayFilter,
    "review": ReviewFilter,
}
REVIEW = "review+"  # the one filter that composes: it only adds prompts, and lets another decide


def load_filter(spec: str, config: FilterConfig) -> SampleFilter:
    """The filter called `spec`. Raises UserError, one line, if it cannot be found or made."""
    if spec.startswith(REVIEW):
        return ReviewFilter(config, load_filter(spec.removeprefix(REVIEW), config))
    try:
        made = _find(spec)(config)
    except UserError:
        raise
    except Exception as error:  # the user's own code, at import or in its constructor
        reason = " ".join(str(error).split())
        raise UserError(f"--unlearn.filter {spec}: {type(error).__name__}: {reason}") from error
    if not hasattr(made, "samples_per_wave"):
        raise UserError(f"--unlearn.filter {spec}: its __init__ must call super().__init__(config)")
    return made


def _find(spec: str) -> type[SampleFilter]:
    if spec in FILTERS:
        return FILTERS[spec]
    path, colon, name = spec.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise UserError(f"--unlearn.filter {spec}: choose of {', '.join(FILTERS)}, or give path.py:Name")
    if not Path(path).is_file():
        raise UserError(f"--unlearn.filter {spec}: no such file {path}")
    module_spec = importlib.util.spec_from_file_location(f"unlearn_filter_{Path(path).stem}", path)
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look their module up there
    module_spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, SampleFilter)):
        raise UserError(f"--unlearn.filter {spec}: {path} has no subclass of SampleFilter named {name}")
    return found
