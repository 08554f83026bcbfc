"""Real mathematics through the real stack: LaTeX, a chat template, math-verify, and a model that knows nothing."""

import json
import os
from pathlib import Path

import pytest

from openrlhf_unlearn.store.run_dir import read_table
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts
from tests.integration.stack import NO_REFERENCE, ROOT, Training
from tests.integration.tiny import byte_level_model

pytestmark = pytest.mark.slow

WRITTEN = [
    {"question": r"What is $\frac{1}{2} + \frac{1}{3}$? Put the answer in \boxed{}.", "answer": r"\frac{5}{6}"},
    {"question": r"Solve $x^2 - 5x + 6 = 0$ for the larger root.", "answer": "3"},
    {"question": r"What is $\sqrt{50}$ in simplest form?", "answer": r"5\sqrt{2}"},
    {"question": r"How many ways are there to choose 2 of 5 books — „Bücher“?", "answer": "10"},
    {"question": r"Find $\sum_{k=1}^{4} k^2$.", "answer": "30"},
    {"question": r"In what interval is $x$ if $0 < 2x < 25$?", "answer": r"\left(0,\frac{25}{2}\right)"},
    {"question": r"What is $\log_2 64$?", "answer": "6"},
    {"question": r"Write 0.125 as a fraction.", "answer": r"\dfrac{1}{8}"},
] * 2


def problems() -> list[dict]:
    """Real problems where they lie beside the checkout, else ours; 64 of them."""
    folder = Path(os.environ.get("OPENRLHF_UNLEARN_DATA", ROOT.parent / "shared" / "data"))
    file = folder / "subproblems_unlearnable.json"
    found = json.loads(file.read_text()) if file.exists() else WRITTEN
    return [{"question": row["question"], "answer": str(row["answer"])} for row in found[:64]]


def test_a_few_steps_on_real_mathematics(tmp_path):
    model = byte_level_model(tmp_path / "world" / "model")
    data = tmp_path / "math.jsonl"
    rows = problems()
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    training = Training(tmp_path / "world", tmp_path, data=data)
    text = training(
        data__input_key="question",
        data__label_key="answer",
        data__apply_chat_template=True,
        data__max_len=2048,
        rollout__max_new_tokens=16,
        rollout__batch_size=8,
        rollout__n_samples_per_prompt=4,
        rollout__micro_batch_size=32,
        train__batch_size=32,
        train__micro_batch_size=32,
        unlearn__filter="none",
        unlearn__save_rollouts=1,
        **NO_REFERENCE,
    )
    assert model.exists()
    table = Rewards.read(training.run).arrow
    sampled = table.filter(~table["processed"].to_numpy())
    known = read_table(training.run.prompts)
    assert set(sampled["prompt_id"].to_pylist()) == set(known["prompt_id"].to_pylist())
    assert all(prompt.startswith("<user>") for prompt in known["prompt"].to_pylist())
    verdicts = TrainingRollouts.read(training.run).arrow["verdict"].to_pylist()
    assert len(verdicts) == len(known) and not {"error", "bad_label"} & set(verdicts)
    assert verdicts.count("correct") <= len(verdicts) * 0.05  # random bytes solve next to nothing
    assert "had a correct rollout so far; next to none" in text
