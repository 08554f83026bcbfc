"""A small run on disk whose causes are known: kinds of sums, by their wording, with answers as text."""

import json
from pathlib import Path

import numpy as np

from openrlhf_unlearn.grading.answer_key import key
from openrlhf_unlearn.labels.classify import classify, save
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, write_json
from openrlhf_unlearn.store.training import Rewards
from tests.support.runs import start
from tests.tables import of_dicts

EACH, MISLABELLED, N, STEPS, K = 14, 3, 32, 12, 8
WORDINGS = {  # kind → its wording; `mislabelled` shares that of `learned`
    "learned": "Add the numbers {a} and {b} and give their sum.",
    "format": "What fraction of {b} is {a}? Write it as a decimal.",
    "beyond": "Find the remainder of the secret product of {a} with {b}.",
    "random": "Recall the code word number of entry {a} in volume {b}.",
}
RATE = {  # of right answers before and after training
    "learned": (0.05, 0.95),
    "mislabelled": (0.05, 0.95),
    "format": (0.05, 0.9),
    "beyond": (0.04, 0.04),
    "random": (0.03, 0.03),
}
ABLE = {**RATE, "beyond": (0.9, 0.9)}


def prompts() -> list[dict]:
    """Rows with prompt, label, right answer, kind and id."""
    made = []
    for number, (kind, wording) in enumerate(WORDINGS.items()):
        for i in range(EACH):
            text = wording.format(a=10 + i, b=100 * number + 50 + i)
            right = 1000 * number + 37 * i + 11
            label, name = (f"{right - 1}.9999" if kind == "format" else str(right)), kind
            if kind == "learned" and i < MISLABELLED:
                label, name = str(right + 5), "mislabelled"
            made.append(
                {"prompt": text, "label": label, "right": str(right), "kind": name, "id": prompt_id(text, label)}
            )
    return made


def write_run(folder: Path, text: bool = True, counted: bool = False) -> RunDir:
    """The run, classified. text: evaluations keep responses; counted: the tracker counted wrong answers."""
    made, rng = prompts(), np.random.default_rng(0)
    folder.mkdir(parents=True)
    data = folder.parent / "data.jsonl"
    data.write_text("".join(json.dumps({name: row[name] for name in ("prompt", "label")}) + "\n" for row in made))
    keys = {"prompt_dataset": str(data), "input_key": "prompt", "label_key": "label"}
    args = {"data": keys, "train": {"num_episodes": STEPS}}
    texts = ((row["prompt"], row["label"]) for row in made)
    run = start(folder, texts, "sums", model="m", data="d", seed=0, args=args)
    evaluate(run, made, "initial", 0, rng, text)
    evaluate(run, made, "final", 1, rng, text)
    for step in range(1, STEPS + 1):
        of_dicts(Rewards, [_visit(row, (step - 1) / (STEPS - 1), counted, rng) for row in made]).write(run, step)
    save(classify([run.path]), [run.path])
    return run


def evaluate(run: RunDir, made: list[dict], tag: str, when: int, rng, text: bool = True, rates: dict = RATE) -> None:
    rows = []
    for row in made:
        for sample, answer in enumerate(answers(row, rates[row["kind"]][when], N, rng)):
            right = answer == row["label"]
            response = rf"It is \boxed{{{answer}}}" if text else None
            values = (row["id"], sample, response, float(right), "correct" if right else "wrong", 4)
            rows.append(dict(zip(Evaluations.schema.names, values, strict=True)))
    of_dicts(Evaluations, rows).write(run, tag)
    write_json(run.evaluation_json(tag), {"model": "m", "n": N, "temperature": 1.0, "adaptive": None})


def answers(row: dict, rate: float, n: int, rng) -> list[str]:
    """The right answer at this rate, else one of many; of a random label the label at this rate."""
    said = row["label"] if row["kind"] == "random" else row["right"]
    return [said if hit else str(rng.integers(10_000, 90_000) // 1000) for hit in rng.random(n) < rate]


def _visit(row: dict, done: float, counted: bool, rng) -> dict:
    before, after = RATE[row["kind"]]
    given = answers(row, before + (after - before) * done, K, rng)
    positive = sum(answer == row["label"] for answer in given)
    made = {
        "prompt_id": row["id"], "processed": False, "n": K, "n_positive": positive, "pass_rate": positive / K,
        "mean_reward": positive / K, "std_reward": 0.0, "accepted": True, "reason": "accepted",
        **dict.fromkeys(("n_replayed", "n_no_answer", "n_timeout", "n_error"), 0),
    }  # fmt: skip
    if counted:
        wrong = [key(answer) for answer in given if answer != row["label"]]
        names = sorted(set(wrong), key=wrong.count, reverse=True)[:4]
        made |= {"wrong_answers": names, "wrong_counts": [wrong.count(name) for name in names]}
    return made
