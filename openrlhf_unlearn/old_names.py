"""Names of modules of an earlier release, which installations patched by it, scripts and notebooks still import.

Importing one warns (DeprecationWarning) and gives the names of the module that took its place; the next release drops
them. `launcher.py` and `reward_math.py` stay files, since they are run and read as such.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import warnings


def _each(old: str, new: str, *names: str) -> dict[str, str]:
    return {f"{old}.{name}": f"{new}.{name}" for name in names}


OLD_NAMES = {
    "cpu": "host.cpu",
    **_each("cpu", "host.cpu", "originals", "ray_cpu", "rewrite", "weight_sync"),
    "doctor": "host.doctor",
    "interventions.host_flags": "host.flags",
    "learnability": "labels",
    **_each("learnability", "evaluation", "adaptive", "checkpoints", "engines", "evaluate", "parts", "prompts"),
    **_each("learnability", "evaluation", "rewards", "settings"),
    **_each("learnability", "exchange", "exporting", "formats", "importing"),
    **_each("learnability", "labels", "classify", "counts", "forecast", "groups", "posterior", "sensitivity"),
    "microworld": "worlds",
    **_each("microworld", "worlds", "agreement", "model", "task", "tokenizer", "world"),
    "patching": "host.patching",
    "plugin": "host.plugin",
    "report.statistics": "stats.means",
    "run_dir": "store.run_dir",
    "training": "host.training",
    **_each("training", "collect", "selection", "tracker"),
    **_each("training", "host", "hooks", "losses", "start"),
    **_each("training", "host.training", "actor", "clipping", "generator", "likelihood", "prompts", "rollout"),
    "training.data_check": "grading.data_check",
    "training.trainer": "host.training.trainer",
}
PACKAGE = "openrlhf_unlearn."


class _Forward(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: object = None, target: object = None):
        old = fullname.removeprefix(PACKAGE)
        if old == fullname or old not in OLD_NAMES:
            return None
        has_modules = any(name.startswith(f"{old}.") for name in OLD_NAMES)
        return importlib.util.spec_from_loader(fullname, self, is_package=has_modules)

    def exec_module(self, module: types.ModuleType) -> None:
        new = PACKAGE + OLD_NAMES[module.__name__.removeprefix(PACKAGE)]
        warnings.warn(f"{module.__name__} is now {new}; the next release drops the old name", DeprecationWarning, 2)
        names = vars(importlib.import_module(new)).items()
        vars(module).update({name: value for name, value in names if not name.startswith("__")})


def forward_old_names() -> None:
    """Let the old names be imported."""
    sys.meta_path.insert(0, _Forward())  # before a file that an upgrade has left behind
