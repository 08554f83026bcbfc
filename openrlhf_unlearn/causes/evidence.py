"""The kinds of evidence: each one number a prompt, nan where there is none, cut into bins.

What a bin says of a cause is not decided here but fitted (likelihoods.json). Edges were fixed before any was fitted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.causes.observed import Observed, Samples, share

SOLVES, SOMETIMES = 0.5, 0.1  # pass rates from which a prompt is solved, and sometimes solved
SETTLED = 0.3  # share of a second model's samples from which an answer is its own
ABLE = 0.2  # share of the other model's failures that a second model must solve for its own failures to count
RARE = 0.01  # rate below which an answer is no guess
STRETCH = 0.2  # of a prompt's visits: a stretch whose pass rate is looked at
TELLING = {"solves": 0.0, "sometimes": 1.0, "agrees": 2.0, "fails, not its kin": 3.0, "fails, and its kin": 4.0}


@dataclass(frozen=True)
class Kind:
    """`value(observed)` is (prompts,); a value belongs to the bin of the edges that it has reached."""

    edges: tuple[float, ...]
    value: Callable[[Observed], np.ndarray]

    @property
    def bins(self) -> int:
        return len(self.edges) + 1

    def bin(self, values: np.ndarray) -> np.ndarray:
        """(prompts,) of 0 to bins - 1, -1 where the value is nan."""
        return np.where(np.isnan(values), -1, np.digitize(values, self.edges))


def disputed(observed: Observed) -> np.ndarray:
    """Share of the final samples that a lenient grader takes, though they were not positive."""
    found = observed.final.disputed
    return _none(observed) if found is None else share(found, observed.final.read)


def failed(observed: Observed) -> np.ndarray:
    """Share of the final samples that ended without a verdict on an answer."""
    return share(observed.final.failed, observed.final.n)


def majority(observed: Observed) -> np.ndarray:
    """Share of the final samples that give the commonest answer which is not right."""
    return _majority(observed.final)[1]


def growth(observed: Observed) -> np.ndarray:
    """By how much that answer's share of the samples grew in training."""
    names, late = _majority(observed.final)
    return _none(observed) if observed.early is None else late - _share_of(observed.early, names)


def kin(observed: Observed) -> np.ndarray:
    """Mean pass rate at the end of the nearest prompts by wording."""
    return _none(observed) if observed.kin is None else observed.kin


def hits(observed: Observed) -> np.ndarray:
    """Share of positives among all samples of the prompt, before, in and after training, by Jeffreys' estimate.

    None of few is not as little as none of many.
    """
    positive, n = counted(observed)
    return np.where(n > 0, (positive + 0.5) / (n + 1.0), np.nan)


def guess(observed: Observed) -> np.ndarray:
    """0: the label is rarely the answer to other prompts; else hits are as often (1), oftener (2) or rarer (3)."""
    if observed.guess is None:
        return _none(observed)
    positive, n = counted(observed)
    expected = observed.guess * n
    slack = 2 * np.sqrt(expected * (1 - observed.guess)) + 0.5 * expected
    code = np.where(np.abs(positive - expected) <= slack, 1.0, np.where(positive > expected, 2.0, 3.0))
    return np.where(np.isnan(observed.guess), np.nan, np.where(observed.guess < RARE, 0.0, code))


def trend(observed: Observed) -> np.ndarray:
    """z of a rise of the pass rate over the steps: the score test of a logistic slope, nan without a hit."""
    visits = observed.visits
    if not len(visits.row):
        return _none(observed)
    n, positive = observed.per_prompt(visits.n), observed.per_prompt(visits.positive)
    rate = share(positive, n)
    centre = share(observed.per_prompt(visits.n * visits.step), n)
    lever = visits.step - centre[visits.row]
    score = observed.per_prompt(lever * visits.positive)
    spread = rate * (1 - rate) * observed.per_prompt(visits.n * lever**2)
    return np.divide(score, np.sqrt(spread), out=_none(observed), where=spread > 0)


def peak(observed: Observed) -> np.ndarray:
    """How far the best stretch of training, a fifth of a prompt's visits, lay above the final pass rate."""
    visits, best = observed.visits, _none(observed)
    order = np.argsort(visits.row, kind="stable")
    rows, starts = np.unique(visits.row[order], return_index=True)
    for row, mine in zip(rows, np.split(order, starts[1:]), strict=True) if len(rows) else ():
        width = max(2, int(np.ceil(STRETCH * len(mine))))
        if len(mine) < 2 * width:
            continue
        n, positive = (np.concatenate([[0], np.cumsum(column[mine])]) for column in (visits.n, visits.positive))
        best[row] = np.max((positive[width:] - positive[:-width]) / (n[width:] - n[:-width]))
    return best - observed.final.rate


def second(observed: Observed) -> np.ndarray:
    """What other models make of it (TELLING); nan without one, and where its failure says nothing for want of ability.

    The most telling of several counts: solved, agrees with the commonest wrong answer, solved at times, failed.
    """
    if not observed.seconds:
        return _none(observed)
    rate = np.fmax.reduce([model.rate for model in observed.seconds])
    names, _ = _majority(observed.final)
    agreed = np.any([_settled_on(model, names) for model in observed.seconds], axis=0)
    code = np.where(rate >= SOMETIMES, TELLING["sometimes"], np.fmin.reduce(failures(observed)))
    code = np.where(agreed, TELLING["agrees"], code)
    code = np.where(rate >= SOLVES, TELLING["solves"], code)
    return np.where(np.isnan(rate), np.nan, code)


def failures(observed: Observed) -> list[np.ndarray]:
    """What each second model's failure says, (prompts,) of TELLING; nan where it is not known to be able."""
    found = []
    for place, model in enumerate(observed.seconds):
        near = _none(observed) if observed.kin_second is None else observed.kin_second[place]
        code = np.where(near >= SOLVES, TELLING["fails, not its kin"], TELLING["fails, and its kin"])
        able = _able(model.rate, kin(observed)) | (near >= SOLVES)
        found.append(np.where(able & np.isfinite(model.rate), code, np.nan))
    return found


EVIDENCE: dict[str, Kind] = {
    "disputed": Kind((1e-9, 0.05, 0.2, 0.5), disputed),
    "failed": Kind((0.05, 0.2, 0.5), failed),
    "majority": Kind((0.15, 0.3, 0.5, 0.7, 0.9), majority),
    "growth": Kind((-0.05, 0.1, 0.3, 0.6), growth),
    "kin": Kind((0.1, 0.3, 0.6, 0.85), kin),
    "hits": Kind((0.0015, 0.003, 0.01, 0.03, 0.06, 0.1), hits),
    "guess": Kind((0.5, 1.5, 2.5), guess),
    "trend": Kind((-2.0, 2.0, 4.0), trend),
    "peak": Kind((0.2, 0.35, 0.5), peak),
    "second": Kind((0.5, 1.5, 2.5, 3.5), second),
}


def values(observed: Observed) -> dict[str, np.ndarray]:
    """Kind → (prompts,)."""
    return {name: kind.value(observed) for name, kind in EVIDENCE.items()}


def top_answers(samples: Samples) -> list[str | None]:
    """Of each prompt the commonest answer that is not right; None without one."""
    return _majority(samples)[0]


def _majority(samples: Samples) -> tuple[list[str | None], np.ndarray]:
    """The commonest answer that is not right, None without one, and its share of the samples, (prompts,)."""
    if samples.answers is None:
        return [None] * len(samples.n), np.full(len(samples.n), np.nan)
    top = [max(given.items(), key=lambda item: (item[1], item[0])) if given else (None, 0) for given in samples.answers]
    return [name for name, _ in top], share(np.array([times for _, times in top], dtype=float), samples.read)


def _share_of(samples: Samples, names: list[str | None]) -> np.ndarray:
    """Share of the samples that give the named answer, (prompts,); nan where no text was kept."""
    if samples.answers is None:
        return np.full(len(samples.n), np.nan)
    times = [given[name] if name is not None else 0 for given, name in zip(samples.answers, names, strict=True)]
    return share(np.array(times, dtype=float), samples.read)


def _settled_on(model: Samples, names: list[str | None]) -> np.ndarray:
    """Whether the model's own commonest wrong answer is the named one, and common, (prompts,)."""
    mine, often = _majority(model)
    same = np.array([a is not None and a == b for a, b in zip(mine, names, strict=True)])
    return same & (np.nan_to_num(often) >= SETTLED)


def _able(rate: np.ndarray, near: np.ndarray) -> bool:
    """Whether a second model is known to do what the first cannot: of prompts of kinds that the first fails on."""
    foreign = ~(near >= 0.3) & np.isfinite(rate)
    return bool(foreign.any() and (rate[foreign] >= SOLVES).mean() >= ABLE)


def counted(observed: Observed) -> tuple[np.ndarray, np.ndarray]:
    """(positives, samples) of each prompt over training and both ends."""
    sources = [samples for samples in (observed.early, observed.final) if samples is not None]
    positive = sum(s.positive for s in sources) + observed.per_prompt(observed.visits.positive)
    return positive, sum(s.n for s in sources) + observed.per_prompt(observed.visits.n)


def _none(observed: Observed) -> np.ndarray:
    return np.full(observed.size, np.nan)
