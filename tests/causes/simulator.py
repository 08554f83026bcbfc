"""Runs by cause, simulated: what a model would have answered to prompts of many kinds, messier than the posterior
assumes. Its shares, habits and noise are drawn anew for each seed, so that no threshold can be tuned to one of them.

A kind is a family of prompts with one rule (known, learnable, beyond the model, random labels, …). On its own prompts
the model answers by the kind's rule, or by a habit, or at random; answers are short texts. Wrong labels are planted on
prompts of known and learnable kinds, at random or by a rule.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.causes.evidence import SOMETIMES, counted, failures
from openrlhf_unlearn.causes.observed import Observed, Samples, Visits

KINDS = ("known", "learnable", "slow", "lost", "beyond", "random", "guess", "never", "format")
SHARES = (0.14, 0.28, 0.07, 0.05, 0.14, 0.12, 0.06, 0.07, 0.07)  # of the kinds
CAUSE = {  # planted kind → cause of those of its prompts that were not learned
    "known": "rising",
    "learnable": "rising",
    "slow": "rising",
    "lost": "forgotten",
    "beyond": "beyond",
    "random": "random_label",
    "guess": "guessable",
    "never": "never_rewarded",
    "format": "verifier",
    "wrong": "wrong_label",
}


@dataclass(frozen=True)
class Simulated:
    """observed: of the hard prompts that were not learned; cause: (prompts,) as planted; course: of all hard ones.

    planted: the cause of each, but that `cause` has `random_label` for what is beyond an able second model too, since
    the cause is that no model asked reproduces the label.
    """

    observed: Observed
    cause: np.ndarray
    planted: np.ndarray
    course: "Course"


@dataclass(frozen=True)
class Course:
    """Training of all prompts: their visits, the pass rate that each ends with, (prompts,), which were hard before it,
    (prompts,) bool, and the rows of each one's kin."""

    visits: Visits
    final: np.ndarray
    hard: np.ndarray
    near: list[np.ndarray]


@dataclass
class _Prompt:
    kind: int
    cause: str
    right: float  # final share of what the kind's rule says
    start: float  # the same before training
    path: np.ndarray  # share of positives at each visit
    habit: float  # final share of the commonest other answer
    spread: int  # answers that the rest is spread over
    disputed: float
    failed: float
    label_hit: float  # final chance of a positive


def simulate(
    seed: int,
    wrong: float = 0.1,
    systematic: bool = False,
    second: bool = True,
    prompts: int = 400,
    text: bool = True,
    mess: float = 0.0,
    shares: Sequence[float] = SHARES,
) -> Simulated:
    """One run of about `prompts` prompts. wrong: share of wrong labels on known and learnable kinds.

    mess: how much there is of what no evidence allows for, from 0 to 1 and beyond: samples graded wrongly both ways,
    luck that the samples of one evaluation, or the prompts of a kind at one step, share, few samples, kin of other
    kinds, a second model that is less able and shares mistakes.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.choice(KINDS, int(rng.integers(14, 26)), p=shares)
    habit_of = [rng.beta(4, 2) if rng.random() < 0.35 else 0.0 for _ in kinds]
    pace = rng.uniform(0.15, 0.75, len(kinds))  # when a kind is learned
    steps = int(rng.integers(8, 30))
    made = []
    for number, kind in enumerate(kinds):
        for _ in range(int(rng.integers(8, 2 * prompts // len(kinds) - 8))):
            made.append(_prompt(kind, number, habit_of[number], steps, wrong, systematic, pace[number], rng))
    messy = _Mess(mess, made, np.random.default_rng([seed, 1]))
    return _observe(made, _near(made, mess, rng), kinds, steps, second, text, messy, rng)


class _Mess:
    """What goes wrong in a run, by a stream of chance of its own: without any the run is the same as without this."""

    def __init__(self, much: float, made: list[_Prompt], rng):
        self.much, self.rng, self.kind = much, rng, np.array([p.kind for p in made])
        self.missed = much * rng.beta(1, 20, len(made))  # share of the right samples that are graded wrong
        self.taken = much * rng.beta(1, 100, len(made)) * (rng.random(len(made)) < 0.3)  # and of the wrong ones, right

    def lucky(self, rate: np.ndarray) -> np.ndarray:
        """The rates that one evaluation has: its samples are not independent."""
        if not self.much:
            return rate
        size = 1 / max(1e-6, 0.05 * self.much) - 1
        within = np.clip(rate, 1e-6, 1 - 1e-6)
        return np.where(rate > 0, self.rng.beta(size * within, size * (1 - within)), 0.0)

    def graded(self, rate: np.ndarray) -> np.ndarray:
        """Rates of positives of these rates of right samples, (prompts, ...)."""
        missed, taken = (column.reshape(-1, *[1] * (rate.ndim - 1)) for column in (self.missed, self.taken))
        return rate * (1 - missed) + (1 - rate) * taken

    def wobble(self, steps: int) -> np.ndarray:
        """Factors of the pass rates at each step, (prompts, steps): luck that the prompts of a kind share."""
        shared = self.rng.normal(0, 0.4 * self.much, (self.kind.max() + 1, steps))
        return np.exp(shared)[self.kind]

    def samples(self, usual: int) -> int:
        return int(self.rng.choice([4, 8])) if self.rng.random() < 0.4 * self.much else usual


def _prompt(kind, number, habit, steps, wrong, systematic, pace, rng) -> _Prompt:
    spread, base = int(rng.integers(8, 40)), rng.beta(1, 24)
    times = np.linspace(0, 1, steps)
    other = {"habit": habit * rng.beta(8, 1.5) if rng.random() < 0.9 else 0.0, "spread": spread}
    disputed, failed = (rng.beta(1, 30) if rng.random() < 0.04 else 0.0), rng.beta(1, 40)
    made = dict(kind=number, cause=CAUSE[kind], disputed=disputed, failed=failed, **other)
    if kind in ("known", "learnable"):
        start, end = (rng.beta(6, 4) if kind == "known" else base), rng.beta(9, 1.0)
        if rng.random() < 0.1:  # one that is harder than its kin: a rule of its own, perhaps with a habit
            habit = rng.beta(3, 2) if rng.random() < 0.15 else 0.0
            own = dict(right=base, start=base, path=np.full(steps, base), label_hit=base)
            return _Prompt(**own, **{**made, "cause": "beyond", "habit": habit})
        path = start + (end - start) / (1 + np.exp(-rng.uniform(8, 25) * (times - pace - rng.normal(0, 0.08))))
        if rng.random() < wrong:
            hit = rng.beta(1, 30) * (rng.random() < (0.5 if systematic else 0.25))
            return _Prompt(
                right=end, start=start, path=np.full(steps, hit), label_hit=hit, **{**made, "cause": "wrong_label"}
            )
        return _Prompt(right=end, start=start, path=path, label_hit=end, **made)
    if kind == "slow":
        end = rng.uniform(0.02, 0.3)
        path = np.maximum(0.002, end * (times * rng.uniform(0.8, 1.1)) ** rng.uniform(1, 3))
        return _Prompt(right=end, start=path[0], path=path, label_hit=end, **{**made, "habit": made["habit"] * 0.5})
    if kind == "lost":
        top, end = rng.uniform(0.35, 0.95), rng.beta(1, 20)
        at = rng.uniform(0.25, 0.7)
        path = end + (top - end) * np.exp(-(((times - at) / rng.uniform(0.1, 0.25)) ** 2))
        return _Prompt(right=end, start=path[0], path=path, label_hit=end, **made)
    if kind == "guess":
        m = int(rng.integers(11, 30))
        rate = 1 / m * rng.uniform(0.8, 1.25)
        return _Prompt(right=rate, start=rate, path=np.full(steps, rate), label_hit=rate, **{**made, "spread": m})
    if kind == "never":
        return _Prompt(right=0.0, start=0.0, path=np.zeros(steps), label_hit=0.0, **made)
    if kind == "format":
        right = rng.beta(6, 2)
        seen = right if rng.random() < 0.96 else 0.0
        return _Prompt(
            right=right, start=right * 0.7, path=np.zeros(steps), label_hit=0.0, **{**made, "disputed": seen}
        )
    rate = base if made["habit"] < 0.3 else base * 0.5  # beyond, random: by chance, whatever the habit
    return _Prompt(right=rate, start=base, path=np.full(steps, rate), label_hit=rate, **made)


def _near(made, mess, rng) -> list[np.ndarray]:
    """Rows of 16 neighbours of each prompt, most of them of its own kind."""
    kinds, found = np.array([p.kind for p in made]), []
    for i, prompt in enumerate(made):
        own, rest = (
            np.flatnonzero((kinds == prompt.kind) & (np.arange(len(made)) != i)),
            np.flatnonzero(kinds != prompt.kind),
        )
        share = rng.uniform(max(0.0, 0.7 - 0.3 * mess), 1.0)
        n = min(len(own), int(rng.binomial(16, share)))
        near = np.concatenate(
            [rng.choice(own, n, replace=False), rng.choice(rest, min(len(rest), 16 - n), replace=False)]
        )
        found.append(near)
    return found


def _solved(near, rates) -> np.ndarray:
    return np.array([rates[rows].mean() for rows in near])


def _answers(prompt: _Prompt, n: int, positive: int, missed: int, right: float, habit: float, rng) -> Counter:
    """Of the samples that are not positive: the label where it was missed, the kind's rule where that is another, the
    habit, or spread."""
    rest, given = n - positive - missed, Counter({"label": missed})
    if prompt.cause in ("wrong_label", "verifier"):
        given["rule"] = int(rng.binomial(rest, min(1.0, right)))
    left = rest - given["rule"]
    given["habit"] = int(rng.binomial(left, habit))
    left -= given["habit"]
    for place, times in enumerate(rng.multinomial(left, rng.dirichlet(np.full(prompt.spread, 3.0)))):
        given[f"a{place}"] = int(times)
    return Counter({name: times for name, times in given.items() if times})


def _samples(made, n, right, hit, habit, text, mess, rng, lenient=True) -> Samples:
    right, hit, habit = (mess.lucky(np.clip(rate, 0, 1)) for rate in (right, hit, habit))
    positive = rng.binomial(n, mess.graded(hit))
    failed = np.array([rng.binomial(n - k, p.failed) for p, k in zip(made, positive, strict=True)])
    missed = mess.rng.binomial(n - positive - failed, np.clip(hit * mess.missed, 0, 1))
    answers = [
        _answers(p, n - int(f), int(k), int(m), r, h, rng)
        for p, k, f, m, r, h in zip(made, positive, failed, missed, right, habit, strict=True)
    ]
    disputed = np.array([rng.binomial(n - k, min(1.0, p.disputed)) for p, k in zip(made, positive, strict=True)])
    disputed = np.minimum(disputed + mess.rng.binomial(missed, 0.7), n - positive)
    size = np.full(len(made), n)
    return Samples(size, positive, failed, answers if text else None, disputed if text and lenient else None)


def _observe(made, near, kinds, steps, second, text, mess, rng) -> Simulated:
    n, k = mess.samples(int(rng.choice([16, 32, 64]))), mess.samples(8)
    hit, right = np.array([p.label_hit for p in made]), np.array([p.right for p in made])
    habit, start = np.array([p.habit for p in made]), np.array([p.start for p in made])
    begin = np.array([p.path[0] for p in made])
    final, early = (
        _samples(made, n, right, hit, habit, text, mess, rng),
        _samples(made, n, start, begin, habit * rng.uniform(0, 0.6), text, mess, rng, False),
    )
    chosen = np.flatnonzero((final.rate < 0.1) & (early.rate < 0.1))
    visits = _visits(made, chosen, steps, k, mess, rng)
    seconds, kin_second, does = [], None, hit
    if second:
        other, does = _second(made, kinds, n, text, mess, rng)
        seconds, kin_second = [_take(other, chosen)], _solved(near, other.rate)[None, chosen]
    guess = np.array([1 / p.spread if kinds[p.kind] == "guess" else rng.beta(1, 400) for p in made])
    observed = Observed(
        _take(final, chosen),
        _take(early, chosen),
        seconds,
        visits,
        _solved(near, hit)[chosen],
        kin_second,
        guess[chosen] if text else None,
    )
    rewarded = counted(observed)[0] > 0
    planted = np.array([made[i].cause for i in chosen])
    planted[rewarded & (planted == "never_rewarded")] = ""  # a sample was graded right that was not
    able = np.isfinite(failures(observed)[0]) if second else np.zeros(len(chosen), dtype=bool)
    cause = np.where((planted == "beyond") & able & (does[chosen] < SOMETIMES), "random_label", planted)
    course = Course(_visits(made, np.arange(len(made)), steps, k, mess, rng), hit, early.rate < 0.1, near)
    return Simulated(observed, cause, planted, course)


def _visits(made, chosen, steps, k, mess, rng) -> Visits:
    row, step, positive = [], [], []
    shared, path = mess.wobble(steps), mess.graded(np.array([p.path for p in made]))
    for place, i in enumerate(chosen):
        wobble = np.clip(path[i] * shared[i] * np.exp(rng.normal(0, 0.4, steps)), 0, 1)
        row += [place] * steps
        step += range(1, steps + 1)
        positive += rng.binomial(k, wobble).tolist()
    order = np.argsort(step, kind="stable")
    return Visits(*(np.array(column)[order] for column in (row, step, np.full(len(row), k), positive)))


def _second(made, kinds, n, text, mess, rng) -> tuple[Samples, np.ndarray]:
    """Another model: able on most of what the first cannot do, with habits of its own, some of them shared; and its
    pass rates, (prompts,)."""
    least = max(0.0, 0.6 - 0.4 * mess.much)
    able = np.where(kinds == "beyond", rng.random(len(kinds)) < rng.uniform(least, 1.0), rng.random(len(kinds)) < 0.9)
    right, hit, habit = [], [], []
    for p in made:
        kind = kinds[p.kind]
        does = rng.beta(8, 1.5) if able[p.kind] and rng.random() < 0.93 - 0.15 * mess.much else rng.beta(1, 20)
        right.append(0.0 if kind in ("random", "never") else does)
        does = does if p.cause != "beyond" or kind == "beyond" else does * (rng.random() < 0.7)
        honest = p.cause not in ("wrong_label", "verifier") and kind not in ("random", "never", "guess")
        hit.append(does if honest else p.label_hit)
        habit.append(p.habit * (rng.random() < 0.25 + 0.35 * mess.much))
    right, hit = np.array(right), np.array(hit)
    return _samples(made, n, right, hit, np.array(habit), text, mess, rng, False), hit


def _take(samples: Samples, rows: np.ndarray) -> Samples:
    answers = None if samples.answers is None else [samples.answers[i] for i in rows]
    disputed = None if samples.disputed is None else samples.disputed[rows]
    return Samples(samples.n[rows], samples.positive[rows], samples.failed[rows], answers, disputed)
