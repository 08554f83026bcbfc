"""A label audit on labels that were made wrong by a rule: precision and recall, whatever they are.

    python benchmarks/audit.py RUN [TAG ...] [--wrong 0.05] [--seeds 5]

RUN is any run directory whose evaluations TAG (by default all of them), one a model, kept their responses: of a data
set that `diagnose --data` or `evaluate` sampled. On a share of the rows the label becomes another number by a rule
(plus one or ten, digits swapped, sign, halved); the saved answers are held against the new labels, nothing is sampled.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.causes.audit import audit
from openrlhf_unlearn.causes.reading import answer_in
from openrlhf_unlearn.grading.answer_key import answer_of, key
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, read_json, read_table, write_json


def wrong_label(label: str, rng: random.Random) -> str | None:
    """Another number; None of what is none."""
    try:
        number = int(answer_in(label))
    except ValueError:
        return None
    swapped = int(str(abs(number))[::-1])
    found = [number + 1, -number, swapped, number // 2, number + 10]
    other = str(rng.choice([one for one in found if one != number]))
    return json.dumps({**json.loads(label), "answer": other}) if label.startswith("{") else other


def corrupted(run: RunDir, tags: list[str], folder: Path, share: float, seed: int) -> tuple[RunDir, set[str]]:
    """A run with wrong labels on that share of the rows, and the ids of these."""
    rng, made, wrong, renamed = random.Random(seed), RunDir(folder), set(), {}
    rows = read_table(run.prompts, ["prompt_id", "prompt", "label", "datasource"]).to_pylist()
    for row in rows:
        other = wrong_label(row["label"], rng) if rng.random() < share else None
        name = row["prompt_id"]
        if other is not None:
            row |= {"label": other, "prompt_id": prompt_id(row["prompt"], other)}
            wrong.add(row["prompt_id"])
        renamed[name] = row
    write_json(made.run_json, read_json(run.run_json))
    Prompts.of_rows(Prompts.Row(**row) for row in rows).write(made)
    for tag in tags:
        graded = read_table(run.evaluation(tag)).select(Evaluations.schema.names).to_pylist()
        for sample in graded:
            row = renamed[sample["prompt_id"]]
            if row["prompt_id"] in wrong:
                answer = answer_of(sample["response"] or "")
                right = answer is not None and key(answer) == key(answer_in(row["label"]))
                verdict = "correct" if right else "wrong" if answer else "no_answer"
                sample |= {"prompt_id": row["prompt_id"], "reward": float(right), "verdict": verdict}
        Evaluations.of_rows(Evaluations.Row(**row) for row in graded).write(made, tag)
    return made, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("tags", nargs="*")
    parser.add_argument("--wrong", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    run, called, planted, hits, rows, expected = RunDir.open(args.run), 0, 0, 0, 0, 0.0
    tags = args.tags or run.evaluation_tags()
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as folder:
            made, wrong = corrupted(run, tags, Path(folder) / "run", args.wrong, seed)
            result, counts = audit(made, tags)
        found = result.table.to_pylist()
        said = {row["prompt_id"] for row in found if row["cause"] == "wrong_label"}
        expected += sum(row["p_wrong_label"] for row in found)
        called, planted, hits = called + len(said), planted + len(wrong), hits + len(said & wrong)
        rows += counts["rows"]
    ratios = [round(hits / n, 3) if n else None for n in (called, planted)]
    counts = {"rows": rows, "wrong": planted, "called_wrong": called, "expected_wrong": round(expected, 1)}
    print(json.dumps({"benchmark": "audit", "models": tags, **counts, "precision": ratios[0], "recall": ratios[1]}))


if __name__ == "__main__":
    main()
