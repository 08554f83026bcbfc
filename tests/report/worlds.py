"""Writes run directories with known content for the report's tests: real files, through the package's own writers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.evaluations import Evaluations, Judgements
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, write_json, write_table
from openrlhf_unlearn.store.training import Clipping, Likelihood, Rewards, TrainingRollouts
from tests.support import runs
from tests.tables import of_dicts

RATES = {"easy": (0.6, 0.95), "learnable": (0.03, 0.9), "unlearnable": (0.03, 0.03), "no_reward": (0.0, 0.0)}
NASTY = (
    "<script>window.hacked = true</script>",
    "</script><script>window.hacked = true</script>",
    "</style><style>body { display: none }</style>",
    "<img src=x onerror='window.hacked = true'>",
    "[a](javascript:window.hacked=true) <a href='javascript:window.hacked=true'>b</a>",
    r"$\href{javascript:window.hacked=true}{x}$ and $\frac{1}{$ and \boxed{ and $$\unknowncommand{2}$$",
    "\u202eright to left\u202c שלום עולם مرحبا",
    "{{ 7 * 7 }} <!-- --> ]]> &lt;b&gt; \u2028 \x00\x07 $5 and $6",
)


@dataclass(frozen=True)
class Prompt:
    text: str
    label: str
    kind: str  # easy, learnable, unlearnable or no_reward: the rates that outcomes are drawn by

    @property
    def id(self) -> str:
        return prompt_id(self.text, self.label)


def prompts(each: int, kinds=tuple(RATES)) -> list[Prompt]:
    return [Prompt(f"What is {i} plus {j}?", str(i + j), kind) for j, kind in enumerate(kinds) for i in range(each)]


def start(path, made: list[Prompt], **config) -> RunDir:
    config = {"model": "m", "data": "d", "seed": 0, **config}
    return runs.start(path, ((p.text, p.label) for p in made), **config)


def train(
    run: RunDir,
    made: list[Prompt],
    steps: int,
    k: int = 8,
    seed: int = 0,
    rollouts=(),
    clip: bool = True,
    likelihood: bool = False,
) -> None:
    """Every prompt is visited at every step; the pass rate goes from its first to its last value in a straight line.

    rollouts: texts of the rollouts that are saved at every step, in turn right and wrong.
    """
    rng = np.random.default_rng(seed)
    for step in range(1, steps + 1):
        rewards, clipping, likely, saved = [], [], [], []
        for prompt in made:
            before, after = RATES[prompt.kind]
            rate = before + (after - before) * (step - 1) / max(1, steps - 1)
            positive = int(rng.binomial(k, rate))
            if prompt.kind == "unlearnable" and step == 1:
                positive = max(1, positive)  # rewarded at least once, or it would be no_reward
            row = {
                "prompt_id": prompt.id,
                "n": k,
                "n_positive": positive,
                "mean_reward": positive / k,
                "std_reward": float(np.sqrt(positive / k * (1 - positive / k))),
                **dict.fromkeys(("n_replayed", "n_no_answer", "n_timeout", "n_error"), 0),
                "accepted": 0 < positive < k,
                "reason": "accepted" if 0 < positive < k else "constant_reward",
            }
            rewards.append({**row, "processed": False})
            if row["accepted"]:
                rewards.append({**row, "processed": True})
                clipping.append(
                    {
                        "prompt_id": prompt.id,
                        "positive_clip_fraction": float(rng.uniform(0, 0.02)),
                        "negative_clip_fraction": float(rng.uniform(0, 0.01)),
                        "n_positive": positive,
                        "n_negative": k - positive,
                    }
                )
                likely.append(
                    {
                        "prompt_id": prompt.id,
                        "n_positive": positive,
                        "reference_log_likelihood": float(-0.5 - (prompt.kind == "unlearnable") + rng.normal(0, 0.1)),
                        "policy_log_likelihood": float(-0.4 + rng.normal(0, 0.1)),
                        "train_inference_gap": 0.01,
                        "replay_gap": None,
                    }
                )
            saved += [
                {
                    "prompt_id": prompt.id,
                    "sample": i,
                    "response": text,
                    "reward": float(i % 2 == 0),
                    "verdict": "correct" if i % 2 == 0 else "wrong",
                }
                for i, text in enumerate(rollouts)
            ]
        of_dicts(Rewards, rewards).write(run, step)
        if clip:
            of_dicts(Clipping, clipping).write(run, step)
        if likelihood:
            of_dicts(Likelihood, likely).write(run, step)
        if saved:
            of_dicts(TrainingRollouts, saved).write(run, step)


def evaluate(run: RunDir, made: list[Prompt], tag: str, n: int = 32, seed: int = 0, response=None) -> None:
    """Outcomes drawn by each kind's first or last rate; `response(prompt, sample, right)` is the text."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list] = {name: [] for name in Evaluations.schema.names}
    response = response or (lambda prompt, sample, right: rf"\boxed{{{prompt.label if right else sample}}}")
    for prompt in made:
        rate = RATES[prompt.kind][tag != "initial"]
        right = np.arange(n) < round(rate * n)
        rng.shuffle(right)
        for sample, hit in enumerate(right.tolist()):
            verdict = "correct" if hit else "wrong"
            values = (prompt.id, sample, response(prompt, sample, hit), float(hit), verdict, 4)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    write_table(run.evaluation(tag), pa.table(columns, schema=Evaluations.schema))
    write_json(run.evaluation_json(tag), {"model": "m", "n": n, "temperature": 1.0, "adaptive": None})


def probe(run: RunDir, made: list[Prompt], name: str, tag: str = "initial", model: str = "m", seed: int = 0) -> None:
    """A probe of simulated gradients: all but the unlearnable share a direction. Written by the probe's own code."""
    from openrlhf_unlearn.probe.analysis import analyse
    from openrlhf_unlearn.probe.gradient_summary import stack
    from openrlhf_unlearn.probe.store import Parts, load, merge

    rng, dim, units = np.random.default_rng(seed), 48, 6
    shared, chosen = rng.normal(size=dim), [p for p in made if p.kind != "no_reward"]
    by_class = {}
    for kind, sign in (("correct", 1), ("incorrect", -1)):
        rows = []
        for prompt in chosen:
            own = rng.normal(size=dim) + (0 if prompt.kind == "unlearnable" else 2 * sign * shared)
            rows.append(_gradients((own + rng.normal(size=(units, dim))).astype(np.float32)))
        by_class[kind] = stack([p.id for p in chosen], rows)
    parts = Parts(run, name, {"model": model})
    parts.write(0, by_class, {})
    merge([parts.path(0)], run.gradients(name), {})
    by_class = load(run.gradients(name))[0]
    groups, rates = {p.id: p.kind for p in chosen}, {p.id: RATES[p.kind][0] for p in chosen}
    numbers = analyse(run, name, by_class, groups, rates)
    write_json(run.probe_json(name), {"tag": tag, "settings": {"model": model}, **numbers})


def _gradients(sums: np.ndarray) -> dict[str, np.ndarray]:
    """What the probe keeps of a prompt whose rollouts have these gradients, (rollouts, dim), without torch."""
    exact, n = sums.astype(np.float64), len(sums)
    small = {"norms2": (exact**2).sum(1), "dots": exact @ exact.sum(0), "counts": np.ones(n, np.int32)}
    return {**small, "mean": sums.sum(0) / n, "sketches": sums, "distinct": np.int32(n)}


def judge(run: RunDir, made: list[Prompt], tag: str) -> None:
    """Three judgements of a correct rollout of each prompt; the unlearnable's reasoning is poor."""
    rows = [
        {"prompt_id": p.id, "sample": 0, "rater": "judge", "judgement": i, "reason": "",
         "score": (1 if p.kind == "unlearnable" else 4) + i % 2}
        for p in made if p.kind != "no_reward" for i in range(3)
    ]  # fmt: skip
    of_dicts(Judgements, rows).write(run, tag)


def whole_run(path, each: int = 12, hostile: bool = False, **config) -> RunDir:
    """A run with everything that a report can show but comparisons."""
    made = prompts(each) + [Prompt(text, text, "unlearnable") for text in NASTY if hostile]
    run = start(path, made, **config)
    train(run, made, 6, rollouts=(r"so $x^2$ gives \boxed{1}", "no idea", *NASTY), likelihood=True)
    for tag in ("initial", "step3", "final"):
        evaluate(run, made, tag, seed=len(tag))
    probe(run, made, "initial")
    probe(run, made, "midtrained", model="other", seed=1)
    probe(run, made, "final", tag="final", seed=2)
    judge(run, made, "initial")
    judge(run, made, "final")
    return run


def full_run(path, each: int = 12, steps: int = 6, seed: int = 0, made=None, **config) -> RunDir:
    """A finished run with both evaluations, clipping and saved rollouts."""
    made = made or prompts(each)
    run = start(path, made, seed=seed, **config)
    train(run, made, steps, seed=seed, rollouts=(r"so $x^2$ gives \boxed{1}", "no idea", *NASTY))
    evaluate(run, made, "initial", seed=1000)
    evaluate(run, made, "final", seed=seed)
    return run


def classify(run: RunDir) -> None:
    from openrlhf_unlearn.labels.classify import classify as label
    from openrlhf_unlearn.labels.classify import save

    save(label([run.path]), [run.path])
