"""A few steps on real mathematics, launched with marked secrets in flags, environment and URLs.

LaTeX, a chat template, math-verify, a model that knows nothing; and no secret in what we wrote, logged or printed.
"""

import getpass
import json
import os
import tempfile
from pathlib import Path

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import read_table
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts
from tests.integration.stack import NO_REFERENCE, ROOT, Training, check_run
from tests.integration.tiny import byte_level_model

pytestmark = [pytest.mark.slow, pytest.mark.long("test_evaluate.py, test_secrets.py, tests/grading")]
MARK = "MaRkEdSeCrEt"

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


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """(training, what it printed, Ray's folder). W&B is the host's: it is told the key, and writes offline into a
    folder of its own."""
    folder = tmp_path_factory.mktemp("real-text")
    byte_level_model(folder / "world" / "model")
    data = folder / "math.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in problems()), encoding="utf-8")
    (folder / "wandb").mkdir()
    given = {
        "HF_TOKEN": f"hf_{MARK}",
        "OPENAI_API_KEY": f"{MARK}Openai",
        "MY_SERVICE": f"https://me:{MARK}@x.invalid/",
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder / "wandb"),
        "NETRC": str(folder / "wandb" / "netrc"),
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray-", dir="/tmp"),
    }
    training = Training(folder / "world", folder / "training", data=data)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_API_KEY", raising=False)
        for name, value in given.items():
            patch.setenv(name, value)
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
            logger__wandb__key=MARK * 4,
            **NO_REFERENCE,
        )
        yield training, text, Path(given["RAY_TMPDIR"])


def test_a_few_steps_on_real_mathematics(launched):
    training, text, _ = launched
    table = Rewards.read(training.run).arrow
    sampled = table.filter(~table["processed"].to_numpy())
    known = read_table(training.run.prompts)
    check_run(training, k=4, batch=8, episodes=len(problems()) // len(known))
    assert set(sampled["prompt_id"].to_pylist()) == set(known["prompt_id"].to_pylist())
    assert all(prompt.startswith("<user>") for prompt in known["prompt"].to_pylist())
    verdicts = TrainingRollouts.read(training.run).arrow["verdict"].to_pylist()
    assert len(verdicts) == len(problems()) and not {"error", "bad_label"} & set(verdicts)
    assert verdicts.count("correct") <= len(verdicts) * 0.05  # random bytes solve next to nothing
    assert "had a correct rollout so far; next to none" in text


def test_a_launch_and_its_report_hold_no_secret(launched, capsys):
    """Ray keeps the command line of every driver in its own logs, which SECURITY.md says; ours is what our code says
    there."""
    training, said, ray = launched
    assert cli.main(["analyze", str(training.run), "--offline"]) in (0, 1)  # there is no evaluation, and it says so
    printed = capsys.readouterr()
    assert MARK not in said + printed.out + printed.err
    ours = [path for path in training.folder.rglob("*") if path.is_file()]
    assert training.run.run_json in ours
    assert [path for path in ours if MARK.encode() in path.read_bytes()] == []
    lines = [line for log in ray.rglob("*.log") for line in log.read_text(errors="replace").splitlines()]
    lines += [line for log in ray.rglob("*.out") for line in log.read_text(errors="replace").splitlines()]
    assert lines, getpass.getuser()
    assert [line for line in lines if MARK in line and "entrypoint" not in line.lower()] == []
