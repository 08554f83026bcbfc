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
settings.register_profile("shared machines", deadline=None)  # a slow moment is no failure
settings.load_profile("shared machines")
# What is started in the background inherits a Ctrl-C that is ignored; the programs under test must hear theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The base installation has neither torch nor the host: there the tests of what needs them are left out, and no others.
collect_ignore_glob = []
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob += ["worlds/*", "probe/*"]
if importlib.util.find_spec("openrlhf") is None:
    collect_ignore_glob += [
        "evaluation/test_evaluate.py", "examples/*", "grading/test_data_check.py", "grading/test_reward.py", "host/*",
        "integration/*", "interventions/test_augment.py", "interventions/test_docs.py", "interventions/test_sft_set.py",
        "pipeline/test_curriculum.py",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The built-in world, seed 0, made once a test session; OPENRLHF_UNLEARN_WORLD names a ready one instead."""
    from openrlhf_unlearn import cli

    if ready := os.environ.get("OPENRLHF_UNLEARN_WORLD"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("world")
    assert cli.main(["microworld", str(folder), "--seed", "0"]) == 0
    return folder
