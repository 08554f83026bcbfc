"""`--unlearn.filter`: names to classes, and `path.py:Name` for a user's own."""

import importlib.util
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


def load_filter(spec: str, config: FilterConfig) -> SampleFilter:
    """The filter called `spec`. Raises UserError, one line, if it cannot be found or made."""
    if spec in FILTERS:
        return FILTERS[spec](config)
    path, colon, name = spec.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise UserError(f"--unlearn.filter {spec}: choose of {', '.join(FILTERS)}, or give path.py:Name")
    if not Path(path).exists():
        raise UserError(f"--unlearn.filter {spec}: no such file {path}")
    module_spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, SampleFilter)):
            raise UserError(f"--unlearn.filter {spec}: {path} has no subclass of SampleFilter named {name}")
        return found(config)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"--unlearn.filter {spec}: {type(error).__name__}: {error}") from error
