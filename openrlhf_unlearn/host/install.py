"""Our parts in the places where OpenRLHF looks up its own: `hooks.PARTS` says which, `install()` does it.

It is called by name and by nothing else, so that to import a module of host/training changes nothing: in the driver by
the plugin, before the host's launcher binds these names, and in each Ray actor that runs a class of ours by the
constructor (`Installs`), before the host's own looks them up.

Not by Ray's `worker_process_setup_hook`: a job has one, which a user's job may have set, and it runs in every process,
those that need none of it and vLLM's, into which the host lets no import of DeepSpeed come.
"""

import importlib
import sys
from collections.abc import Container

from openrlhf_unlearn.host.hooks import PARTS


def install(modules: Container[str] | None = None) -> None:
    """Put every part in its place, or those of the host's `modules`; a second call finds them there."""
    for part in PARTS:
        if modules is None or part.module in modules:
            module, name = part.ours.split(".")
            ours = importlib.import_module(f"openrlhf_unlearn.host.training.{module}")
            setattr(importlib.import_module(part.module), part.name, getattr(ours, name))


class Installs:
    """Mixed in first where Ray starts a process with a class of ours whose host's methods look up others of PARTS."""

    def __init__(self, *args, **kwargs):
        # What nobody has imported, nobody looks up: in a policy's process the trainers would take 1.5 s and 40 MB.
        install(modules=sys.modules)
        super().__init__(*args, **kwargs)
