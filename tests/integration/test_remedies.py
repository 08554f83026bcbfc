"""The remedies in the real stack, all in one asynchronous training: what each writes, also when ended and resumed."""

import json
import signal
from collections import Counter

import pytest

from openrlhf_unlearn.store.run_dir import prompt_id
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, full_answer
from tests.gpu import GPUS
from tests.integration.history import check_checkpoints, resumed_state, saved_state
from tests.integration.stack import ENDED, NO_REFERENCE, Training, some_prompts

pytestmark = pytest.mark.slow
N = 32


@pytest.fixture
def inputs(world, tmp_path):
    """N prompts of the built-in world; a hint with the first half of the working for each, a trace for every second."""
    about = json.loads((world / "world.json").read_text())
    problems, _ = draw_prompts(SETTINGS[about["setting"]], about["seed"])
    problems = [problem for problem in problems if problem.group != "easy"][:N]
    files = {name: [] for name in ("data", "hints", "traces")}
    for i, problem in enumerate(problems):
        row, answer = {"prompt": problem.prompt, "label": problem.label}, full_answer(problem)
        name = prompt_id(problem.prompt, problem.label)
        files["data"].append(row)
        files["hints"].append({**row, "prompt": problem.prompt + answer[:4], "origin": name, "hint": 0.5})
        if i % 2:
            files["traces"].append({"prompt_id": name, "response": answer})
    for name, rows in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {name: tmp_path / f"{name}.jsonl" for name in files}


@pytest.mark.skipif(0 < GPUS < 2, reason="asynchronous training takes two GPUs")
@ENDED
def test_hints_traces_shaping_maxrl_waves_partial_rollouts_and_a_sampler(world, tmp_path, inputs, ended):
    training = Training(world, tmp_path / "out", data=inputs["data"])
    changes = {
        **NO_REFERENCE,
        "train__async_enable": True,
        "train__partial_rollout_enable": True,
        "vllm__enable_sleep": None,
        "train__num_episodes": 3,
        "rollout__batch_size": 8,
        "rollout__n_samples_per_prompt": 4,
        "rollout__micro_batch_size": 32,
        "train__batch_size": 32,
        "train__micro_batch_size": 32,
        "ckpt__save_steps": 2,
        "ckpt__load_enable": True,
        "eval__dataset": some_prompts(world, tmp_path, every=80),
        "eval__steps": 5,  # the first launch ends before: no best checkpoint of it is half written
        "eval__n_samples_per_prompt": 1,
        "algo__advantage__estimator": "dr_grpo",
        "algo__advantage__is_correction_level": "token",
        "unlearn__filter": "review+hinted+oversample_replay",
        "unlearn__adaptive": True,
        "unlearn__sampler": "posterior",
        "unlearn__hints": inputs["hints"],
        "unlearn__hint_trains": "one",
        "unlearn__expert_traces": inputs["traces"],
        "unlearn__expert_shaping": 0.1,
        "unlearn__advantage": "maxrl",
        "unlearn__review_instead": True,
        "unlearn__discrepancy_tolerance": 0.05,
        "unlearn__replay_log_probs": "stored",
    }
    if ended:
        training.start_and_signal(4, signal.SIGTERM, **changes)  # the generator is ahead of trainer and checkpoint
        assert resumed_state(training)[0] >= 2
    text = training(**changes)
    sampled, trained = training.rows(processed=False), training.rows(processed=True)
    assert len(sampled) == 3 * N, "an episode is as many visits as rows, whatever is selected or brought back"
    assert set(Counter(row["prompt_id"] for row in sampled[:N]).values()) == {1}, "the first episode takes all"
    assert all(row["n"] == 4 and row["n_positive"] == 1 for row in trained)
    assert {row["n"] for row in sampled} >= {4, 16}, "no visit stopped early, or none took all its waves"
    assert any(row["n_replayed"] for row in trained) and any(row["n_hinted"] for row in trained)
    assert all(row["n_hinted"] in (0, 4) and row["n"] <= 16 for row in sampled)
    known = {"accepted", "hinted", "hinted_no_positive", "no_positive", "too_few_negatives"}
    assert {row["reason"] for row in sampled} <= known
    assert "unlearn/hinted_visits" in text and "unlearn/discrepancy_constrained" in text
    steps = training.run.steps("clipping")
    assert steps == sorted({row["step"] for row in trained}) == list(range(1, len(steps) + 1))
    check_checkpoints(training, regular=min(3, len(steps) // 2))
    last = len(steps) // 2 * 2
    hinted = saved_state(training, last)["filter"]["inner"]
    until = [row for row in sampled if row["step"] <= last]
    assert hinted["level"].keys() == {row["prompt_id"] for row in until}
    assert hinted["visits"] == Counter(row["prompt_id"] for row in until if row["n_hinted"])
