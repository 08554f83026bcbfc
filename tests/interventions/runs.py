"""A small run directory over sums in words, with data, labels and evaluations."""

import json
from pathlib import Path

from openrlhf_unlearn.collect.images import image_digests
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, write_json, write_jsonl
from tests.support.runs import start
from tests.tables import of_dicts

GROUPS = ("unlearnable", "learnable", "easy", "no_reward")
FRAME = "Question: {} Answer in a box."


def sums(n: int) -> list[dict]:
    """n questions with their labels; a prompt's group is by its number, in the order of GROUPS."""
    return [{"question": f"What is {i} + {2 * i + 1}?", "label": str(3 * i + 1)} for i in range(100, 100 + n)]


def make_run(folder: Path, n: int = 12) -> RunDir:
    """Prompts are FRAME around the question; correct and wrong responses in evaluations initial and final."""
    rows = [{"prompt": FRAME.format(row["question"]), **row} for row in sums(n)]
    data = folder / "data.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = {"prompt_dataset": str(data), "input_key": "prompt", "label_key": "label"}
    prompts = [(row["prompt"], row["label"]) for row in rows]
    run = start(folder / "run", prompts, "d", model="m", args={"data": keys})
    ids = [prompt_id(*prompt) for prompt in prompts]
    labels = [
        {"prompt_id": name, "group": GROUPS[i % len(GROUPS)], "initial_pass_rate": 0.1, "final_pass_rate": 0.1}
        for i, name in enumerate(ids)
    ]
    of_dicts(Learnability, labels).write(run)
    for tag, word in (("initial", "Adding"), ("final", "Summing")):
        of_dicts(Evaluations, _samples(ids, rows, word)).write(run, tag)
        write_json(run.evaluation_json(tag), {"model": "m"})
    return run


def nested_run(folder: Path, images: bool) -> tuple[RunDir, list[dict]]:
    """The same with nested keys and columns of the user's own; the rows of its data, in order."""
    run = make_run(folder)
    rows = [
        {
            "extra": {"prompt": FRAME.format(row["question"])},
            "question": row["question"],
            "reward_model": {"ground_truth": row["label"]},
            "datasource": "sums",
            "images": [f"http://127.0.0.1:9/{i}.png"] if images else None,
            "level": i,
        }
        for i, row in enumerate(sums(12))
    ]
    write_jsonl(folder / "data.jsonl", rows)
    keys = {"input_key": "extra.prompt", "label_key": "reward_model.ground_truth"}
    write_json(run.run_json, run.config().values | {"args": {"data": run.config().flag("data") | keys}})
    texts = [(row["extra"]["prompt"], row["reward_model"]["ground_truth"]) for row in rows]
    ids = [prompt_id(*text, image_digests(row["images"])) for text, row in zip(texts, rows, strict=True)]
    Prompts.of_rows([Prompts.Row(name, *text, "sums") for name, text in zip(ids, texts, strict=True)]).write(run)
    groups = [{"prompt_id": name, "group": GROUPS[i % len(GROUPS)]} for i, name in enumerate(ids)]
    of_dicts(Learnability, groups).write(run)
    return run, rows


def _samples(ids: list[str], rows: list[dict], word: str) -> list[dict]:
    return [
        {
            "prompt_id": name,
            "sample": sample,
            "response": rf"{word} {sample} times gives \boxed{{{int(row['label']) + sample % 2}}}",
            "reward": float(sample % 2 == 0),
            "verdict": "correct" if sample % 2 == 0 else "wrong",
            "n_tokens": 9,
        }
        for name, row in zip(ids, rows, strict=True)
        for sample in range(4)
    ]
