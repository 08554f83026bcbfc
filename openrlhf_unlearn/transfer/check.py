"""`transfer --verify K`: predicted against measured, with the baselines, cluster by cluster, resumable."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.packing import Rollouts
from openrlhf_unlearn.probe.rollouts import digest
from openrlhf_unlearn.probe.store import check_same
from openrlhf_unlearn.stats.means import mean_interval
from openrlhf_unlearn.store.run_dir import read_json, write_json
from openrlhf_unlearn.transfer.accuracy import advantage, correlations
from openrlhf_unlearn.transfer.baselines import mean_cosines, same_name, text_vectors
from openrlhf_unlearn.transfer.predict import LEAST
from openrlhf_unlearn.transfer.vectors import Vectors
from openrlhf_unlearn.transfer.verify import Recipe, Trainer, split
from openrlhf_unlearn.transfer.words import DIRECTION, GRADIENT


@dataclass(frozen=True)
class Check:
    """trained, names: clusters. measured, low, high: (trained, names) mean change over a cluster's prompts, and its
    interval. predicted: by predictor, (trained, names); mine: the one whose agreement is the question, the map's own or
    the gradient's direction. left_out: prompts without a rollout to measure."""

    trained: list[str]
    names: list[str]
    measured: np.ndarray
    low: np.ndarray
    high: np.ndarray
    predicted: dict[str, np.ndarray]
    left_out: int = 0
    mine: str = GRADIENT

    def summary(self) -> dict:
        """agreement: r and slope by predictor; advantage: of the gradient over each baseline."""
        rows = np.array([self.names.index(name) for name in self.trained])
        mine = self.predicted[self.mine]
        others = {name: matrix for name, matrix in self.predicted.items() if name != self.mine}
        return {
            "agreement": {name: correlations(matrix, self.measured, rows) for name, matrix in self.predicted.items()},
            "advantage": {name: advantage(mine, matrix, self.measured, rows) for name, matrix in others.items()},
        }


def verify(
    model: Any, rollouts: list[Rollouts], texts: dict[str, str], found: Vectors, clusters: dict[str, str],
    k: int, recipe: Recipe, seed: int, parts: Path, about: dict | None = None,
) -> Check:  # fmt: skip
    """Train on k clusters, the largest (0: all), each by itself, and measure all. model: the probe's; rollouts: of the
    prompts in `found`, "correct" to train on and "measured" (`held_out`); found.feel: of rollouts that are not
    measured; texts: of their prompts; parts: folder for what is done so far; about: what else it holds for. Prompts
    with none to measure stay out."""
    known = {r.id for r in rollouts if r.responses.get("measured")} & set(found.ids)
    train, measured = split({prompt: name for prompt, name in clusters.items() if prompt in known}, seed)
    names = [name for name in sorted(train) if len(train[name]) + len(measured[name]) >= LEAST]
    largest = sorted(names, key=lambda name: -len(train[name]))
    trained = sorted(largest[: k or None])
    every = [prompt for name in names for prompt in measured[name]]
    if not names:
        raise UserError(
            "no cluster has enough prompts with a second correct rollout to measure on; sample more, or "
            "probe with --units 2 or more"
        )
    state = parts / "settings.json"
    settings = {
        **asdict(recipe),
        **(about or {}),
        "model": model.config.name_or_path,
        "seed": seed,
        "measured_on": "rollouts that do not predict",
        "clusters": digest([train, measured]),
    }
    if state.exists():
        check_same(read_json(state), settings, parts, "bring the same, or delete that folder")
    write_json(state, settings)
    trainer, changes = Trainer(model, rollouts, recipe, seed), {}
    with tqdm(total=len(trained) * (recipe.steps + len(every)), desc="short trainings", unit="step") as bar:
        for name in trained:
            part = parts / f"cluster-{names.index(name):04d}.json"
            if part.exists():
                bar.update(recipe.steps + len(every))
            else:
                write_json(part, trainer.change(train[name], every, bar.update).tolist())
            changes[name] = dict(zip(every, read_json(part), strict=True))
    values = [[np.array([changes[a][p] for p in measured[b]]) for b in names] for a in trained]
    predicted = predictions(
        found,
        {name: train[name] for name in trained},
        {name: measured[name] for name in names},
        texts,
        trainer.hidden_states({r.id: r.prompt for r in rollouts}),
    )
    return Check(trained, names, *shown(values), predicted, len(set(found.ids) - known))


def shown(changes: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, low and high of the changes of each cluster's prompts, (trained, clusters) each; nan where not known."""
    found = [[mean_interval(values) for values in row] for row in changes]
    ends = [[[mean, *(interval or [np.nan, np.nan])] for mean, interval in row] for row in found]
    middle, low, high = np.moveaxis(np.array(ends, float), 2, 0)
    return middle, low, high


def means_of(vectors: np.ndarray, ids: Sequence[str], clusters: dict[str, list[str]]) -> np.ndarray:
    """(clusters, dim) mean of the rows of each cluster's prompts; ids: of all rows."""
    place = {prompt: row for row, prompt in enumerate(ids)}
    return np.stack([vectors[[place[p] for p in prompts]].mean(0) for prompts in clusters.values()])


def predictions(
    found: Vectors, trained: dict[str, list[str]], measured: dict[str, list[str]], texts: dict[str, str],
    states: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:  # fmt: skip
    """By predictor, (trained, measured). trained, measured: by cluster, prompts of `found`; texts, states: by prompt.
    Where a prompt's hidden state is not known, none is used."""
    place = {prompt: row for row, prompt in enumerate(found.ids)}
    gave, felt = ([[place[p] for p in prompts] for prompts in half.values()] for half in (trained, measured))
    gives, feels = means_of(found.train, found.ids, trained), means_of(found.feel, found.ids, measured)
    unit = gives / np.maximum(np.linalg.norm(gives, axis=1, keepdims=True), 1e-30)
    sign = (np.sign(gives) @ feels.T).astype(float)  # Adam's first step; a sketch has other signs
    likeness = {"text": text_vectors([texts[p] for p in found.ids])}
    if states.keys() >= set(found.ids):
        hidden = np.stack([states[p] for p in found.ids])
        likeness["hidden states"] = hidden - hidden.mean(0)  # all states of a model share a large part
    return {
        GRADIENT: (gives @ feels.T).astype(float),
        DIRECTION: (unit @ feels.T).astype(float),
        **({"sign of the gradient": sign} if found.exact else {}),
        "cosine": mean_cosines(found.train, found.feel, gave, felt),
        **{name: mean_cosines(vectors, vectors, gave, felt) for name, vectors in likeness.items()},
        "same cluster": same_name(list(trained), list(measured)),
    }
