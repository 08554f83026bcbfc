"""What is known of a run's prompts before training: what a forecast may use, and nothing that knows a label."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.evaluation.adaptive import Plan, plan_of
from openrlhf_unlearn.labels.counts import missing
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.probes import Similarity, read_states
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_object

HARD_ENOUGH = 0.3  # initial pass rate up to which answers are read; labels of hard prompts have a lower one
_PROBE = Similarity.mean_cosine, Similarity.n_correct


def feature_names(answers: bool) -> list[str]:
    names = ["initial pass rate", "log odds of it", "share without an answer", "mean response length", "its spread"]
    return [*names, "prompt length", *["answer entropy"] * answers]


@dataclass(frozen=True)
class Features:
    """Of a run's prompts, in order of their ids: `known` (prompts, 6), `entropy` of their answers, `gradients`
    (prompts, 2), nan where unknown. states: (prompts, hidden) the last hidden state at the prompt's end, hidden 0 where
    none is kept. answers: whether responses were saved. probe: "" or why neither gradients nor states are used."""

    names: list[str]
    known: np.ndarray
    entropy: np.ndarray
    gradients: np.ndarray
    states: np.ndarray
    probe: str

    @property
    def answers(self) -> bool:
        return bool(np.isfinite(self.entropy).any())

    def table(self, answers: bool) -> np.ndarray:
        """(prompts, features), in the order of `feature_names`."""
        return np.column_stack([self.known, self.entropy]) if answers else self.known


def read_features(run: RunDir, tag: str) -> Features:
    """Everything that is known of a run's prompts before training; in order of ids, whatever order files have."""
    path = run.evaluation(tag)
    if not path.exists():
        raise missing(run, tag, "MODEL")
    columns = Evaluations.prompt_id, Evaluations.reward, Evaluations.verdict, Evaluations.n_tokens, Evaluations.positive
    samples = Evaluations.open(path, *columns)
    silent = pc.equal(samples[Evaluations.verdict], "no_answer").cast(pa.float64())
    table = pa.table(
        {"name": samples[Evaluations.prompt_id], "hit": samples.hits().astype(float), "silent": silent}
        | {"length": samples[Evaluations.n_tokens]}
    )
    by_prompt = table.group_by("name", use_threads=False).aggregate(
        [("hit", "sum"), ("hit", "count"), ("silent", "mean"), ("length", "mean"), ("length", "stddev")]
    )
    by_prompt = by_prompt.sort_by("name")
    names = by_prompt.column("name").to_pylist()
    hits, n, silent, length, spread = (
        by_prompt.column(name).to_numpy()
        for name in ("hit_sum", "hit_count", "silent_mean", "length_mean", "length_stddev")
    )
    about = run.evaluation_json(tag)
    rate = ((plan_of(read_object(about)) if about.exists() else None) or Plan(0)).rates(n, hits)
    size = {name: len(text or "") for name, text in Prompts.texts(run).items()}
    sizes = np.array([size.get(name, np.nan) for name in names], dtype=float)
    known = np.column_stack([rate, np.log((hits + 0.5) / (n - hits + 0.5)), silent, length, spread, sizes])
    answers = answer_entropy(path, {name for name, p in zip(names, rate, strict=True) if p < HARD_ENOUGH})
    entropy = np.array([answers.get(name, np.nan) for name in names], dtype=float)
    gradients, why = _gradients(run, tag, names)
    states = np.empty((len(names), 0)) if why else _states(run, tag, names)
    return Features(names, known.astype(float), entropy, gradients, states, why)


def answer_entropy(path: Path, wanted: set[str]) -> dict[str, float]:
    """Entropy, in nats, of the answers that each of these prompts was given; empty where responses were not saved.

    Responses are read a few at a time: those of a data set can be larger than memory.
    """
    from openrlhf_unlearn.grading.extract import find_answer

    given: dict[str, Counter] = defaultdict(Counter)
    for part in Evaluations.scan(path, Evaluations.prompt_id, Evaluations.response):
        for name, text in zip(part.prompt_id, part.response, strict=True):
            if text is not None and name in wanted:
                given[name][(find_answer(text) or "").strip()] += 1
    shares = {name: np.array(list(counts.values())) / counts.total() for name, counts in given.items()}
    return {name: float(-(share * np.log(share)).sum()) for name, share in shares.items()}


def _gradients(run: RunDir, tag: str, names: list[str]) -> tuple[np.ndarray, str]:
    """(prompts, 2) of the initial probe, and why it is not used, "" if it is."""
    nothing = np.full((len(names), len(_PROBE)), np.nan)
    if not run.probe_table("similarity", tag).exists():
        return nothing, "there is no initial probe"
    settings = read_object(run.probe_json(tag)).get("settings") or {} if run.probe_json(tag).exists() else {}
    if settings.get("per_group", 1):  # None: drawn whatever the labels; 0: all prompts
        return nothing, "the initial probe's prompts were chosen by their labels (--per-group)"
    probed = {
        name: row[1:] for name, row in Similarity.read(run, tag, Similarity.prompt_id, *_PROBE).by_prompt().items()
    }
    return np.array([probed.get(name, [np.nan] * len(_PROBE)) for name in names], dtype=float), ""


def _states(run: RunDir, tag: str, names: list[str]) -> np.ndarray:
    """(prompts, hidden) of the initial probe, nan where a prompt has none; hidden 0 where the probe kept none."""
    kept = read_states(run, tag)
    nothing = np.full(len(next(iter(kept.values()), ())), np.nan, np.float32)
    return np.stack([kept.get(name, nothing) for name in names])
