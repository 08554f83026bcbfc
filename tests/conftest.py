import fcntl
import importlib.util
import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Whose runs are whose is noted in the user's state folder; tests have one of their own.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="openrlhf-unlearn-tests-")
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"  # as in a log
os.environ["VLLM_NO_USAGE_STATS"] = "1"  # an engine a test, each of which would report this machine to vLLM's makers
settings.register_profile("shared machines", deadline=None)  # a slow moment is no failure
settings.load_profile("shared machines")
# What is started in the background inherits a Ctrl-C that is ignored; the programs under test must hear theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The base installation has neither torch nor the host: there the tests of what needs them are left out, and no others.
collect_ignore_glob = []
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob += ["collect/test_images.py", "collect/test_judgement.py", "gpu/*", "probe/*", "worlds/*"]
    collect_ignore_glob += ["machine/test_products.py", "transfer/test_command.py", "transfer/test_verify.py"]
    collect_ignore_glob += ["transfer/test_choose.py", "transfer/test_inputs.py", "transfer/test_trained_runs.py"]
    collect_ignore_glob += ["transfer/test_preconditioner.py"]
if importlib.util.find_spec("openrlhf") is None:
    collect_ignore_glob += [
        "evaluation/test_evaluate.py", "examples/*", "grading/test_data_check.py", "grading/test_reward.py", "host/*",
        "integration/*", "interventions/test_augment.py", "interventions/test_docs.py", "interventions/test_hints.py",
        "interventions/test_sft_set.py", "pipeline/test_curriculum.py",
    ]  # fmt: skip


LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the tests that are marked long")


def pytest_configure(config):
    config.stash[LEFT_OUT] = 0


def leave_long_out(config, items):
    left = [item for item in items if item.get_closest_marker("long")]
    if left and not config.getoption("--long"):
        items[:] = [item for item in items if item not in left]
        config.stash[LEFT_OUT] = len(left)
        config.hook.pytest_deselected(items=left)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["long"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Each process has collected all tests: what one has left out is what all have."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("long", node.config.stash[LEFT_OUT])


def pytest_terminal_summary(terminalreporter, config):
    if left := config.stash[LEFT_OUT]:
        counted = "1 long test was" if left == 1 else f"{left} long tests were"
        terminalreporter.write_line(f"{counted} left out: bash tests/run.sh --long runs all")


# Half a minute of a core and more.
HEAVY = ("test_paper.py", "test_pairs.py", "test_scripts.py", "test_stopping.py", "test_types.py")


def pytest_collection_modifyitems(config, items):
    """Files that start the real stack come first, then other HEAVY ones: of several processes none is left with a
    long one at the end.

    Of these one that needs the built-in world is the very first, then those that do not: while one process makes it,
    none has to wait for it.

    Test processes share the tests out by name, so a name that is another in each process ends them all.
    """
    leave_long_out(config, items)
    if unstable := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"{unstable[0]}: its name has an address in it; give parametrize other ids")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    needing = {item.path for item in items if "world" in item.fixturenames}
    maker = next((item.path for item in items if item.path in slow & needing), None)
    items.sort(
        key=lambda item: (item.path not in slow, item.path != maker, item.path.name not in HEAVY, item.path in needing)
    )


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The built-in world, seed 0, made once for all processes; OPENRLHF_UNLEARN_WORLD names a ready one instead."""
    from openrlhf_unlearn import cli

    if ready := os.environ.get("OPENRLHF_UNLEARN_WORLD"):
        return Path(ready)
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "world.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli.main(["microworld", str(shared / "the-world"), "--seed", "0"]) == 0  # at once, if it is there
    return shared / "the-world"
