"""Importing our parts replaces nothing; `install` does, once, and the host's own are still found behind them."""

import json
import subprocess
import sys

import pytest

from openrlhf_unlearn.grading.reward import FORMAT_VARIABLE
from openrlhf_unlearn.host.hooks import PARTS

# In a process of its own, whose host stays changed.
SCRIPT = """
import importlib, json, pkgutil, sys
import ray.cloudpickle
from openrlhf_unlearn.host import hooks, install, training
from openrlhf_unlearn.machine import host_functions

def place(part):
    return getattr(importlib.import_module(part.module), part.name)

for hook in (*hooks.HOOKS, *hooks.PARTS):
    importlib.import_module(hook.module)

def state():
    host = {name: module for name, module in sys.modules.items() if name.startswith("openrlhf.")}
    return {f"{name}.{key}": value for name, module in host.items() for key, value in vars(module).items()}

def changed():
    after = state()
    return sorted(name for name, value in before.items() if after[name] is not value)

# Of the host's class, those that ours overrides or whose name its code has.
def methods(ours, host):
    for one in ours.__mro__:
        if not one.__module__.startswith("openrlhf_unlearn."):
            continue
        for name, value in vars(one).items():
            for used in {name, *getattr(getattr(value, "__code__", None), "co_names", ())}:
                owner = next((base for base in host.__mro__ if used in vars(base)), object)
                if owner.__module__.startswith("openrlhf.") and callable(vars(owner)[used]) and used[:2] != "__":
                    yield f"{owner.__module__}.{owner.__name__}.{used}"

before = state()
for module in pkgutil.iter_modules(training.__path__):
    importlib.import_module(f"{training.__name__}.{module.name}")
found = {"changed by imports": changed()}
stock = [host_functions.of_the_host(place(part)) for part in hooks.PARTS]
install.install()
ours = [place(part) for part in hooks.PARTS]
install.install()
classes = [host_functions.actor_class(one) for one in ours]
found["changed"] = changed()
found["again"] = [place(part) is one for part, one in zip(hooks.PARTS, ours)]
found["ours"] = [one.__module__ for one in classes]
found["behind"] = [host_functions.of_the_host(one) is host for one, host in zip(ours, stock)]
found["mismatches"] = [*filter(None, map(host_functions.mismatch, hooks.HOOKS))]
listed = {f"{hook.module}.{hook.name}" for hook in hooks.HOOKS}
found["methods"] = sorted({name for pair in zip(classes, stock) for name in methods(*pair)})
found["no hooks"] = [name for name in found["methods"] if name not in listed]
found["installs"] = [part.name for part, one in zip(hooks.PARTS, classes) if issubclass(one, install.Installs)]
for part, one in zip(hooks.PARTS, ours):
    if part.name == "GenerateSamplesActor":
        open(sys.argv[1], "wb").write(ray.cloudpickle.dumps(one.__ray_metadata__.modified_class))
from openrlhf.trainer.ray import vllm_engine
from openrlhf_unlearn.host.training import rollout
rollout.RolloutRayActor = rollout.with_answer_format("boxed")
install.install()
found["engines"] = vllm_engine.RolloutRayActor._default_options["runtime_env"]["env_vars"]
print(json.dumps(found))
"""
# What Ray's worker does with it, up to the host's own constructor, which misses its arguments.
WORKER = """
import json, sys
import ray.cloudpickle

actor = ray.cloudpickle.load(open(sys.argv[1], "rb"))
from openrlhf.trainer import ppo_trainer, ppo_trainer_async

def places():
    return [ppo_trainer_async.SamplesGenerator.__name__, ppo_trainer.RemoteExperienceMaker.__name__]

before = places()
try:
    actor()
except TypeError as error:
    print(json.dumps([before, places(), str(error)]))
"""


def said(script, *words):
    """What a process prints at its end, as JSON."""
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    return tmp_path_factory.mktemp("actor") / "GenerateSamplesActor.pickle"


@pytest.fixture(scope="module")
def found(pickled):
    return said(SCRIPT, pickled)


def test_to_import_our_modules_changes_no_name_of_the_host(found):
    assert found["changed by imports"] == []


def test_it_replaces_the_names_of_the_table_and_no_others_and_again_nothing(found):
    assert found["changed"] == sorted(f"{part.module}.{part.name}" for part in PARTS)
    assert found["ours"] == [f"openrlhf_unlearn.host.training.{part.ours.split('.')[0]}" for part in PARTS]
    assert all(found["again"])


def test_the_hosts_own_are_found_behind_ours(found):
    assert all(found["behind"]) and found["mismatches"] == []


def test_each_method_that_they_extend_or_call_is_a_hook(found):
    assert len(found["methods"]) > 10
    assert found["no hooks"] == []


def test_every_actor_but_the_engines_replaces_them_in_its_own_process(found):
    """The engines' processes look up none of them, and must not import DeepSpeed."""
    trainers = {"PPOTrainer", "PPOTrainerAsync", "GenerateSamplesActor", "TrainingActor"}
    assert set(found["installs"]) == {*trainers, "PolicyModelActor", "CriticModelActor"}


def test_the_engines_are_told_the_answer_format(found):
    assert found["engines"] == {FORMAT_VARIABLE: "boxed"}


def test_an_actor_replaces_them_before_the_hosts_constructor_and_not_when_it_is_unpickled(found, pickled):
    before, after, error = said(WORKER, pickled)
    assert before == ["SamplesGenerator", "RemoteExperienceMaker"]
    assert after == ["UnlearnSamplesGenerator", "UnlearnExperienceMaker"]
    assert "missing" in error and "vllm_engines" in error
