"""The smallest whole chain on GPUs: the built-in world trained, killed, resumed, evaluated and reported."""

from importlib.util import find_spec

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import RunDir, read_json
from tests.gpu import needs_gpus
from tests.integration.stack import NO_REFERENCE, Training, check_run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("openrlhf") is None, reason="needs OpenRLHF")]

SHORT = {"unlearn__filter": "none", "unlearn__save_rollouts": 2}
APART = {"train__colocate_all": None, "vllm__enable_sleep": None}  # policy, reference and engine on a GPU each


def marked(*values, gpus: int = 1, name: str):
    return pytest.param(*values, marks=needs_gpus(gpus), id=name)


@pytest.mark.parametrize(
    "flags",
    [
        marked({}, name="colocated with sleep mode"),
        marked({"vllm__enable_sleep": None}, name="colocated without sleep mode"),
        marked({**APART, **NO_REFERENCE}, gpus=2, name="two GPUs over NCCL"),
        marked(APART, gpus=3, name="three GPUs over NCCL"),
        marked({**APART, "train__async_enable": True}, gpus=3, name="asynchronous"),
    ],
)
def test_training_then_evaluation_then_report(world, tmp_path, flags):
    training = Training(world, tmp_path)
    training(**SHORT, **flags)
    check_run(training)
    run = str(training.run.path)
    for tag, model in (("initial", world / "model"), ("final", tmp_path / "model")):
        # One engine is vLLM in a process that this one, which has asked for GPUs, starts.
        words = ["--model", str(model), "--run", run, "--tag", tag, "-n", "8", "--engines", "1"]
        assert cli.main(["evaluate", *words]) == 0
    assert cli.main(["analyze", run]) == 0
    summary = read_json(RunDir(run).summary)
    assert summary["classify"]["prompts"] == 320 and (tmp_path / "run" / "report" / "report.html").exists()


@pytest.mark.parametrize("flags", [marked({}, name="colocated with sleep mode")])
def test_killed_and_resumed(world, tmp_path, flags):
    training = Training(world, tmp_path)
    flags = {**SHORT, **flags, "ckpt__save_steps": 2, "ckpt__load_enable": True}
    training.start_and_kill(after_steps=5, **flags)
    training(**flags)
    check_run(training)
