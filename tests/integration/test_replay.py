"""Oversampling with replay in the real stack, killed and resumed; an evaluation at each step keeps the best."""

import statistics

import pytest
from transformers import AutoTokenizer

from openrlhf_unlearn.filters import FilterConfig
from openrlhf_unlearn.store.training import Likelihood
from tests.integration.history import check_checkpoints, never_killed, saved_state, stored, text_of
from tests.integration.stack import Training, check_run, some_prompts

pytestmark = pytest.mark.slow
K, FACTOR = 4, 4


def test_a_killed_replaying_run_has_the_buffer_and_the_draws_of_one_never_killed(world, tmp_path):
    training = Training(world, tmp_path, data=some_prompts(world, tmp_path, every=8))
    changes = {
        "rollout__n_samples_per_prompt": K,
        "rollout__batch_size": 8,
        "rollout__micro_batch_size": 32,
        "train__batch_size": 32,
        "train__micro_batch_size": 32,
        "train__num_episodes": 3,
        "ckpt__save_steps": 2,
        "ckpt__max_num": 2,
        "ckpt__load_enable": True,
        "eval__dataset": some_prompts(world, tmp_path, every=80),
        "eval__steps": 1,
        "eval__n_samples_per_prompt": 1,
        "algo__advantage__is_correction_level": "token",
        "unlearn__filter": "oversample_replay",
        "unlearn__oversample_factor": FACTOR,
        "unlearn__save_rollouts": K * FACTOR,
    }
    training.start_and_kill(after_steps=5, **changes)  # the newest checkpoint is of the fourth step, or a better one
    text = training(**changes)
    check_run(training, k=K, batch=8, episodes=3)
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
    assert last >= 6
    check_checkpoints(training, regular=2)
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
