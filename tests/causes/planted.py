"""A small run on disk whose causes are known: kinds of sums, by their wording, with answers as text."""

import pyarrow as pa

from openrlhf_unlearn.store.run_dir import SCHEMAS, write_json, write_table

EACH, N, STEPS, K = 14, 32, 12, 8
WORDINGS = {  # kind → its wording; `mislabelled` shares that of `learned`
    "learned": "Add the numbers {a} and {b} and give their sum.",
    "format": "What fraction of {b} is {a}? Write it as a decimal.",
    "beyond": "Find the remainder of the secret product of {a} with {b}.",
    "random": "Recall the code word number of entry {a} in volume {b}.",
}
MISLABELLED = 3


def prompts() -> list[dict]:
    """Rows with prompt, label, right answer, kind and id."""
    rows = []
    for number, (kind, wording) in enumerate(WORDINGS.items()):
        for i in range(EACH):
            a, b = 10 + i, 100 * number + 50 + i
            right = str(1000 * number + 37 * i + 11)
            label = {"format": f"{int(right) - 1}.9999"}.get(kind, right)
            name = kind
            if kind == "learned" and i < MISLABELLED:
                name, label = "mislabelled", str(int(right) + 5)
            text = wording.format(a=a, b=b)
            values = (row["id"], sample, response, float(right), verdict, 4)
            rows.append(dict(zip(SCHEMAS["evaluations"].names, values, strict=True)))
    write_table(run.evaluation(tag), pa.Table.from_pylist(rows, schema=SCHEMAS["evaluations"]))
    write_json(run.evaluation_json(tag), {"model": "m", "n": N, "temperature": 1.0, "adaptive": None})


def answers(row: dict, rate: float, n: int, rng) -> list[str]:
    """The right answer at this rate, else one of many; of a random label the label at this rate."""
    said = row["label"] if row["kind"] == "random" else row["right"]
    return [said if hit else str(rng.integers(10_000, 90_000) // 100) for hit in rng.random(n) < rate]


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
        from openrlhf_unlearn.grading.answer_key import key

        wrong = [key(answer) for answer in given if answer != row["label"]]
        names = sorted(set(wrong), key=wrong.count, reverse=True)[:4]
        made |= {"wrong_answers": names, "wrong_counts": [wrong.count(name) for name in names]}
    return made
