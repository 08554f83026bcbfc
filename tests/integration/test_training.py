"""The plugin in the real stack: stock OpenRLHF, Ray, DeepSpeed and vLLM on the built-in world."""

import shlex

import pytest

from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.store.training import TrainingRollouts
from tests.gpu import GPUS
from tests.integration.stack import ENVIRONMENT, Training, check_run, error_line, example, short_launches

pytestmark = pytest.mark.slow
PROMPTS = 176  # no whole number of steps


@pytest.mark.skipif(0 < GPUS < 2, reason="two ranks take two GPUs")
def test_an_example_from_prompts_to_report_on_two_ranks_and_two_engines_with_a_ragged_end(world, tmp_path):
    """`colocate_all` is the hybrid engine as far as a CPU goes: vLLM's sleep mode needs a GPU."""
    flags = {
        "data.max_samples": [PROMPTS],
        "train.colocate_all": [],
        "actor.num_gpus_per_node": [2],
        "ref.num_gpus_per_node": [2],
        "vllm.num_engines": [2],
        "ds.zero_stage": [2],
        "rollout.batch_size": [32],
        "rollout.micro_batch_size": [32],
        "logger.tensorboard_dir": [tmp_path / "tensorboard"],
        "unlearn.filter": ["dynamic"],
        "unlearn.save_rollouts": [1],
    }

    words = ["world", tmp_path, *(word for name, values in flags.items() for word in (f"--{name}", *values))]
    environment = {"WORLD": str(world), "EPISODES": "1", "SAMPLES": "2", "MINI_BATCH": "128", **ENVIRONMENT}
    assert f"The report: {tmp_path / 'run' / 'report' / 'report.html'}" in example("baseline", *words, **environment)
    training = Training(world, tmp_path)
    check_run(training)
    reasons = {row["reason"] for row in training.rows(processed=False)}
    assert reasons == {"accepted", "zero_variance"}
    assert all(0 < row["n_positive"] < 8 for row in training.rows(processed=True)), "dynamic trained a constant group"
    saved = TrainingRollouts.read(training.run).arrow
    assert saved.num_rows == len(training.rows(processed=False)) and all(saved["response"].to_pylist())
    assert list((tmp_path / "tensorboard").rglob("events*"))
    trained, accepted = (sum(row["accepted"] for row in training.rows(processed=side)) for side in (True, False))
    assert trained <= accepted
    if trained < accepted:
        assert f"{(accepted - trained) * 8} accepted rollouts were left" in (tmp_path / "train.log").read_text()
    assert read_json(training.run.summary)["classify"]["prompts"] == PROMPTS
    assert (tmp_path / "run" / "report" / "report.html").exists()

    # Neither the same command, not resuming, nor another configuration writes over the run.
    same = shlex.split(example("baseline", *words, **environment, DRY_RUN="print").splitlines()[-1])[3:]
    (_, again), (_, other) = answers = short_launches([same, [*same, "--ckpt.load_enable", "--train.seed", "7"]])
    assert "already holds steps 1 to" in error_line(again)
    assert "belongs to another configuration: --train.seed was 0, is 7" in error_line(other)
    assert [code for code, _ in answers] == [1, 1]
