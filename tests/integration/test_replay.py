"""Oversampling with replay in the real stack: killed and resumed, and with the log-probs of the sampling policy."""

import statistics

import pytest
from transformers import AutoTokenizer

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout, load_filter
from openrlhf_unlearn.training.packing import unpack
from openrlhf_unlearn.training.prompts import Prompt
from openrlhf_unlearn.training.state import read_state
from tests.integration.stack import Training, check_run

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


def saved_state(training, step):
    """The generator's state beside OpenRLHF's checkpoint of the step."""
    (file,) = (training.folder / "checkpoints" / "_actor" / f"global_step{step}").glob("state-*.npz")
    return read_state(file)[0]


def never_killed(training, last_step):
    """The filter after the tracked visits, made again from the saved rollouts; asserts each of its decisions."""
    filter = load_filter("oversample_replay", FilterConfig(k=K, seed=42, oversample_factor=FACTOR))
    texts = {}
    for row in training.run.read_steps("rollouts").to_pylist():
        texts.setdefault((row["step"], row["prompt_id"]), []).append(Rollout(row["reward"], row["response"]))
    replayed = []
    for row in training.rows(processed=False):
        if row["step"] > last_step:
            break
        visits = texts[row["step"], row["prompt_id"]]  # two, if an episode ended within the step
        rollouts = tuple(visits.pop(0) for _ in range(row["n"]))
        decision = filter.decide(Group(row["prompt_id"], rollouts))
        assert (decision.accepted, decision.reason) == (row["accepted"], row["reason"])
        if decision.accepted:
            replayed.append((row["prompt_id"], decision.n_replayed))
    return filter.state_dict(), replayed


def stored(state, text_of):
    """What a replay buffer's state holds: prompt_id → [(response, age, uses)]."""
    entries = state["buffer"]["stored"].items()
    return {name: [(text_of(rollout.payload), age, uses) for rollout, age, uses in kept] for name, kept in entries}


def test_a_killed_replaying_run_has_the_buffer_and_the_draws_of_one_never_killed(world, tmp_path, few_prompts):
    training = Training(world, tmp_path, data=few_prompts)
    changes = flags(train__num_episodes=3, ckpt__save_steps=2, ckpt__load_enable=True)
    training.start_and_kill(after_steps=5, **changes)  # the newest checkpoint is of the second step or the fourth
    text = training(**changes)
    check_run(training, k=K, batch=16, episodes=3)
    assert "'unlearn/replayed'" in text, "nothing was replayed: the test shows nothing"

    last = training.run.steps("clipping")[-1] // 2 * 2
    expected, replayed = never_killed(training, last)
    rows = training.rows(processed=True)
    trained = [(row["prompt_id"], row["n_replayed"]) for row in rows if row["step"] <= last]
    assert trained == replayed[: len(trained)]
    assert all(row["n_positive"] == 1 for row in rows)

    tokenizer = AutoTokenizer.from_pretrained(world / "model")

    def text_of(packed):
        rollout = unpack(packed, Prompt("", "", "", None, ""))
        return tokenizer.decode(rollout.sequences[0, 1:][rollout.action_mask[0].bool()])

    state = saved_state(training, last)["filter"]
    assert stored(state, text_of) == stored(expected, str)
    assert all(state[name] == expected[name] for name in ("visits", "dry", "dryness"))

    # The host recomputes old log-probs: a replayed rollout's are the current policy's, so they are further from those
    # that it was sampled with than a fresh one's, which differ by the engine's arithmetic alone.
    likelihood = training.run.read_steps("likelihood").to_pylist()
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
