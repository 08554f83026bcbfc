"""Oversampling with replay in the real stack: killed and resumed, and with the log-probs of the sampling policy."""

import statistics

import pytest
from transformers import AutoTokenizer

from benchmarks.step_scale import write_inputs
from openrlhf_unlearn.filters import FilterConfig
from openrlhf_unlearn.store.training import Likelihood
from tests.integration.history import never_killed, resumed_state, saved_state, stored, text_of
from tests.integration.stack import NO_REFERENCE, ROOT, Training, check_run

pytestmark = pytest.mark.slow
K, FACTOR = 4, 4


@pytest.fixture
def few_prompts(world, tmp_path):
    """Every fourth prompt of the built-in world: 80 of all groups."""
    path = tmp_path / "few.jsonl"
    path.write_text("".join((world / "train.jsonl").read_text().splitlines(keepends=True)[::4]))
    return path


def flags(**more):
    return {
        "rollout__n_samples_per_prompt": K,
        "rollout__batch_size": 16,
        "rollout__micro_batch_size": 64,
        "train__batch_size": 32,
        "train__micro_batch_size": 32,
        "algo__advantage__is_correction_level": "token",
        "unlearn__filter": "oversample_replay",
        "unlearn__oversample_factor": FACTOR,
        "unlearn__save_rollouts": K * FACTOR,
        **more,
    }


def test_a_killed_replaying_run_has_the_buffer_and_the_draws_of_one_never_killed(world, tmp_path, few_prompts):
    training = Training(world, tmp_path, data=few_prompts)
    changes = flags(train__num_episodes=3, ckpt__save_steps=2, ckpt__max_num=2, ckpt__load_enable=True)
    training.start_and_kill(after_steps=5, **changes)  # the newest checkpoint is of the second step or the fourth
    text = training(**changes)
    check_run(training, k=K, batch=16, episodes=3)
    assert "'unlearn/replayed'" in text, "nothing was replayed: the test shows nothing"

    last = training.run.steps("clipping")[-1] // 2 * 2
    expected, replayed = never_killed(training, last, FilterConfig(k=K, seed=42, oversample_factor=FACTOR))
    rows = training.rows(processed=True)
    trained = [(row["prompt_id"], row["n_replayed"]) for row in rows if row["step"] <= last]
    assert trained == replayed[: len(trained)]
    assert all(row["n_positive"] == 1 for row in rows)

    tokenizer = AutoTokenizer.from_pretrained(world / "model")
    state = saved_state(training, last)["filter"]
    assert stored(state, lambda packed: text_of(packed, tokenizer)) == stored(expected, str)
    assert all(state[name] == expected[name] for name in ("visits", "dry", "dryness"))

    # The host's rotation of checkpoints takes ours with it.
    tags = [path for path in (training.folder / "checkpoints" / "_actor").iterdir() if path.is_dir()]
    assert last >= 6 and len(tags) == 2
    assert all(len(list(tag.glob("state-*.npz"))) == 1 for tag in tags)
    assert len(list((training.folder / "checkpoints" / "_unlearn").iterdir())) == 1

    # The host recomputes old log-probs: a replayed rollout's are the current policy's, so they are further from those
    # that it was sampled with than a fresh one's, which differ by the engine's arithmetic alone.
    likelihood = Likelihood.read(training.run).arrow.to_pylist()
    fresh, old = (
        statistics.median(row[name] for row in likelihood if row[name] is not None)
        for name in ("train_inference_gap", "replay_gap")
    )
    assert old > fresh
    assert fresh < 0.005, "the engines compute with other weights than the trainer"


def test_stored_log_probs_in_adaptive_waves_with_partial_rollouts(world, tmp_path, few_prompts):
    training = Training(world, tmp_path, data=few_prompts)
    training(
        **flags(
            train__num_episodes=3,
            train__async_enable=True,
            train__partial_rollout_enable=True,
            unlearn__adaptive=True,
            unlearn__replay_log_probs="stored",
        )
    )
    sampled, trained = training.rows(processed=False), training.rows(processed=True)
    assert {row["n"] for row in sampled} >= {K, K * FACTOR}, "no visit stopped early, or none took all its waves"
    assert any(row["n_replayed"] for row in trained)
    assert all(row["n_positive"] == 1 and row["n"] == K for row in trained)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_best_checkpoint_has_the_state_of_its_step(tmp_path, monkeypatch, asynchronous):
    """An evaluation comes at any step, and in the asynchronous trainer while the generator is ahead of the trainer."""
    monkeypatch.setenv("SIMULATED_LENGTH", "16")
    write_inputs(tmp_path, 96)
    training = Training(tmp_path, tmp_path / "training")
    training.program = [str(ROOT / "benchmarks" / "simulated.py")]
    text = training(
        **flags(
            eval__dataset=tmp_path / "train.jsonl",
            eval__steps=1,
            eval__n_samples_per_prompt=1,
            train__async_enable=asynchronous,
            **NO_REFERENCE,
        )
    )
    assert "Saved best checkpoint" in text
    (tag,) = [path for path in (tmp_path / "training" / "checkpoints" / "_actor").iterdir() if path.is_dir()]
    assert tag.name.startswith("best_")
    step, state = resumed_state(training)
    assert step == state["step"] >= 1
    assert len(list(tag.glob("state-*.npz"))) == 1
