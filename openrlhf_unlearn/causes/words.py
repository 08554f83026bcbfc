"""What a person is told of one prompt: each kind of evidence as a sentence, what would settle it, and the command.

What a cause is about (ABOUT) comes first. Any other sentence is said only where there is such evidence and it counts:
it makes the cause at least WORTH times likelier than the others, or (as the one that speaks against it) AGAINST times
less likely.
"""

import math
import shlex
from collections.abc import Callable
from functools import cached_property

import numpy as np

from openrlhf_unlearn.causes import ALIKE, CAUSES, SURE, UNDECIDED
from openrlhf_unlearn.causes.evidence import EVIDENCE, SOMETIMES, TELLING, failures, top_answers
from openrlhf_unlearn.causes.label_review import EXPORT
from openrlhf_unlearn.causes.nulls import ONE_ANSWER, contradicted
from openrlhf_unlearn.causes.observed import Samples
from openrlhf_unlearn.causes.posterior import Posterior
from openrlhf_unlearn.causes.reading import Cases
from openrlhf_unlearn.causes.time_to_learn import first_reward

NAMES = {
    "verifier": "right answers graded wrong",
    "wrong_label": "samples contradict the label",
    "guessable": "rewarded by guessing",
    "never_rewarded": "never rewarded, no other cause",
    "rising": "still rising",
    "forgotten": "solved and lost",
    "beyond": "beyond this model",
    "random_label": "no model asked reproduces the label",
    UNDECIDED: "undecided",
}
ABOUT = {  # cause → the kinds of evidence that it cannot be believed without
    "verifier": ("disputed", "failed"),
    "wrong_label": ("majority",),
    "guessable": ("guess",),
    "never_rewarded": ("hits",),
    "rising": ("trend",),
    "forgotten": ("peak",),
    "beyond": ("second",),
    "random_label": ("second",),
}
WORTH, AGAINST, MOST = math.log(1.5), math.log(1 / 3), 5  # log likelihood ratios; lines a prompt
OPPOSED = -0.2  # cosine from which gradients count as opposed


def decided(probability: np.ndarray, against: np.ndarray | None = None) -> np.ndarray:
    """The cause of each prompt, (prompts,) of str: the likeliest, or UNDECIDED where that is below SURE.

    against: (prompts, causes) of bool, those that must not be said (`contradicted` of nulls.py).
    """
    best = probability.argmax(axis=1)
    sure = probability.max(axis=1) >= SURE
    if against is not None:
        sure &= ~np.take_along_axis(against, best[:, None], axis=1)[:, 0]
    return np.where(sure, np.array(CAUSES, dtype=object)[best], UNDECIDED)


class Sentences:
    """Sentences on the prompts of one diagnosis."""

    def __init__(self, cases: Cases, found: Posterior):
        self.cases, self.seen, self.found = cases, cases.observed, found
        self.top = top_answers(self.seen.final)

    def lines(self, row: int) -> list[str]:
        """The evidence for the likeliest cause: what it is about, the rest by weight, then the strongest against it."""
        cause = int(self.found.probability[row].argmax())
        weights = {kind: self.found.favours(kind, row, cause) for kind in EVIDENCE}
        order = sorted(weights, key=weights.__getitem__, reverse=True)
        about = (*ABOUT[CAUSES[cause]], *(("second",) if self.agreed(row) else ()))
        for_it = [*about, *(kind for kind in order if weights[kind] >= WORTH)]
        said = [line for kind in for_it if (line := self.line(kind, row))]
        said += [line for line in (self.opposed(row, CAUSES[cause]), self.outlook(row, CAUSES[cause])) if line]
        against = self.line(order[-1], row) if weights[order[-1]] <= AGAINST else None
        said = list(dict.fromkeys(said))[:MOST]
        return said + [f"Against it: {against}"] * bool(against and against not in said)

    def line(self, kind: str, row: int) -> str | None:
        """What evidence of this kind says, None where there is none."""
        value = self.found.values[kind][row]
        return None if math.isnan(value) else getattr(self, f"_{kind}")(row, float(value))

    @cached_property
    def against(self) -> np.ndarray:
        """(prompts, causes) of bool: contradicted, but for what a second model, or an abler one, may yet tell apart."""
        found = contradicted(self.found.values)
        found[:, [CAUSES.index(cause) for cause in ALIKE]] = False
        return found

    def agreed(self, row: int) -> bool:
        """Whether another model gives the same wrong answer."""
        return self.found.values["second"][row] == TELLING["agrees"]

    # A sentence a kind -----------------------------------------------------------------------------------------------

    def _disputed(self, row: int, value: float) -> str | None:
        if value == 0 or self.seen.final.disputed is None:
            return None
        times, of = int(self.seen.final.disputed[row]), self._read(row)
        return f"{times} of {of} were graded wrong and have the label's value in another form."

    def _failed(self, row: int, value: float) -> str | None:
        if value < EVIDENCE["failed"].edges[0]:
            return None
        return f"{percent(value)} of the samples {self.cases.when} ended without an answer that could be graded."

    def _majority(self, row: int, value: float) -> str | None:
        final, name = self.seen.final, self.top[row]
        if name is None:
            return None
        times, of = final.times(row, name), self._read(row)
        answer = f"“{shown(self.cases.texts[name])}”" if name in self.cases.texts else "one and the same answer"
        if value < ONE_ANSWER:
            return f"The model has settled on no answer: the commonest wrong one has {times} of {of}."
        text = f"{times} of {of} give {answer}, which is graded wrong"
        early = self.seen.early
        if early is not None and early.answers is not None and early.read[row]:
            when = "before" if early.third is None else "in the first third"
            text += f"; {when}, {early.times(row, name)} of {int(early.read[row])} did"
        return text + "."

    def _growth(self, row: int, value: float) -> str | None:
        return self.line("majority", row)

    def _kin(self, row: int, value: float) -> str:
        return f"On the prompts nearest to it by wording {percent(value)} of the samples {self.cases.when} are right."

    def _hits(self, row: int, value: float) -> str:
        positive, n = self._counted(row)
        return f"{positive} of {n} samples in all were right." if positive else f"None of {n} samples was ever right."

    def _guess(self, row: int, value: float) -> str | None:
        if value == 0 or self.seen.guess is None:
            return None
        positive, n = self._counted(row)
        others = percent(float(self.seen.guess[row]))
        own = percent(positive / n)
        text = f"Its label is the answer in {others} of the samples of other prompts; of its own {own} are right"
        return text + {1: ": what a guess may earn.", 2: ": more than a guess earns.", 3: "."}[int(value)]

    def _trend(self, row: int, value: float) -> str:
        first, last = self._thirds(row)
        moved = "rose" if value >= 2 else "fell" if value <= -2 else "did not change beyond chance"
        ends = f"{rate(first)} in the first third, {rate(last)} in the last (z = {value:.1f})"
        return f"Its pass rate in training {moved}: {ends}."

    def _peak(self, row: int, value: float) -> str | None:
        if value < EVIDENCE["peak"].edges[0]:
            return None
        final = float(self.seen.final.rate[row])
        return (
            f"In its best stretch of training the pass rate was {rate(value + final)}; at the end it is {rate(final)}."
        )

    def _second(self, row: int, value: float) -> str:
        place = self._telling_second(row, value)
        name, model = self.cases.seconds[place], self.seen.seconds[place]
        n = int(model.n[row])
        if value in (TELLING["solves"], TELLING["sometimes"]):
            return f"{name} solves it in {int(model.positive[row])} of {n} samples."
        if value == TELLING["agrees"]:
            text = self.cases.texts.get(str(self.top[row]))
            answer = "this model's commonest wrong answer" if text is None else f"“{shown(text)}”"
            return f"{name} gives {answer} too, in {model.times(row, self.top[row])} of {n} samples."
        if value == TELLING["fails, not its kin"]:
            return f"{name} solves the prompts nearest to it by wording, and not this one."
        near = math.nan if self.seen.kin_second is None else float(self.seen.kin_second[place][row])
        this = "solves neither this one nor those nearest to it by wording" if near < SOMETIMES else "fails on this one"
        return f"{name}, which solves others that this model does not, {this}."

    def opposed(self, row: int, cause: str) -> str | None:
        """What a probe says of interference; words only, it is no part of the posterior."""
        cosine = math.nan if self.seen.opposed is None else float(self.seen.opposed[row])
        if cause != "forgotten" or not cosine <= OPPOSED:
            return None
        return f"The gradients of its correct and of its incorrect rollouts are opposed (cosine {cosine:.2f})."

    def outlook(self, row: int, cause: str) -> str | None:
        """How many samples a first reward would take, for what was never rewarded."""
        positive, n = self._counted(row)
        if cause != "never_rewarded" or positive or not n:
            return None
        return (
            f"If it can be solved at all, a first right answer takes as likely as not {first_reward(n):,} samples more."
        )

    # What would settle it --------------------------------------------------------------------------------------------

    def settles(self, row: int, cause: str) -> tuple[str, str]:
        """(what would settle it, the command); of a decided cause what would confirm it."""
        run = shlex.quote(str(self.cases.runs[0]))
        if cause != UNDECIDED:
            text, command = OTHERS if cause == "beyond" and self.seen.seconds else CONFIRM[cause]
            if cause == "wrong_label" and self.top[row] not in self.cases.texts:
                text = READ
        else:
            text, command = self._open_question(row)
        return text, command.format(run=run)

    def _open_question(self, row: int) -> tuple[str, str]:
        """Between the likeliest two of those that nothing of its own contradicts."""
        order = np.lexsort((-self.found.probability[row], self.against[row]))
        first, other = (CAUSES[i] for i in order[:2])
        chances = (percent(float(self.found.probability[row][CAUSES.index(c)])) for c in (first, other))
        names = {**NAMES, **(ONE_MODEL if not self.seen.seconds and {first, other} == set(ALIKE) else {})}
        if self.found.values["second"][row] <= TELLING["sometimes"]:
            names["random_label"] = "a label of no rule, hit by chance"
        likely = "{} ({}) or {} ({})".format(
            *(w for c, p in zip((first, other), chances, strict=True) for w in (names[c], p))
        )
        needs = first if first in ("verifier", "guessable", "rising", "never_rewarded") else other
        text, command = CONFIRM[needs] if not {first, other} <= {"beyond", "random_label", "wrong_label"} else SECOND
        if self.seen.seconds and (text, command) == SECOND:
            text, command = f"an abler second model, or {READ}", REVIEW
        return f"{likely}; to settle it: {text}", command

    # Numbers ---------------------------------------------------------------------------------------------------------

    def _read(self, row: int) -> str:
        """How many of the final samples' answers are known, and whose they are."""
        final = self.seen.final
        if final.third is None:
            return f"{int(final.n[row])} samples {self.cases.when}"
        return f"{int(final.third[row])} rollouts in the last third of training"

    def _counted(self, row: int) -> tuple[int, int]:
        """(positives, samples) of a prompt in all."""
        seen = [s for s in (self.seen.early, self.seen.final) if s is not None]
        mine = self.seen.visits.row == row
        positive = sum(int(s.positive[row]) for s in seen) + int(self.seen.visits.positive[mine].sum())
        return positive, sum(int(s.n[row]) for s in seen) + int(self.seen.visits.n[mine].sum())

    def _thirds(self, row: int) -> tuple[float, float]:
        """Pass rate of the first and of the last third of its visits."""
        mine = np.flatnonzero(self.seen.visits.row == row)
        size = -(-len(mine) // 3)
        rates = [self.seen.visits.positive[p].sum() / self.seen.visits.n[p].sum() for p in (mine[:size], mine[-size:])]
        return float(rates[0]), float(rates[1])

    def _telling_second(self, row: int, value: float) -> int:
        """Which second model the evidence is of."""
        if value in (TELLING["fails, not its kin"], TELLING["fails, and its kin"]):
            return next(i for i, codes in enumerate(failures(self.seen)) if codes[row] == value)
        measure: Callable[[Samples], float] = lambda model: float(np.nan_to_num(model.rate[row], nan=-1.0))  # noqa: E731
        if value == TELLING["agrees"]:
            measure = lambda model: model.times(row, self.top[row]) / max(1, model.n[row])  # noqa: E731
        return max(range(len(self.seen.seconds)), key=lambda i: measure(self.seen.seconds[i]))


ONE_MODEL = {"beyond": "beyond this model, not beyond all", "random_label": "beyond any, as labels of no rule are"}
READ = "a person who reads it"
SECOND = ("a second model on the same prompts", "openrlhf-unlearn diagnose {run} --second MODEL")
REVIEW = "openrlhf-unlearn diagnose {run} " + EXPORT
OTHERS = ("what other models make of it", "openrlhf-unlearn models {run} base=BASE other=OTHER")
FOR_YOU = "(for you to judge by: diagnose does not read it)"
CONFIRM = {
    "verifier": (
        f"grading its responses by another format {FOR_YOU}",
        "openrlhf-unlearn regrade {run} --answer-format lenient",
    ),
    "wrong_label": ("a person who reads prompt and proposed answer", REVIEW),
    "guessable": (
        f"judging the reasoning of its correct rollouts {FOR_YOU}",
        "openrlhf-unlearn judge {run} --model MODEL_AT_AN_ENDPOINT",
    ),
    "never_rewarded": (
        f"more samples of the trained model {FOR_YOU}",
        "openrlhf-unlearn evaluate --run {run} --tag final-more -n 256 --model TRAINED_MODEL",
    ),
    "rising": ("more training, from the last checkpoint", "--ckpt.load_enable --train.num_episodes MORE"),
    "forgotten": (
        f"checkpoints of the time in which it was solved {FOR_YOU}",
        "openrlhf-unlearn evaluate --run {run} --tag step50 --model CHECKPOINT",
    ),
    "beyond": SECOND,
    "random_label": (READ, REVIEW),
}


def percent(value: float) -> str:
    if 0 < value < 0.995 and value < 0.0995:
        return f"{100 * value:.1f} %"
    return ">99 %" if 0.995 <= value < 1 else f"{100 * value:.0f} %"


def rate(value: float) -> str:
    return f"{value:.2f}"


def shown(answer: str, longest: int = 60) -> str:
    answer = " ".join(answer.split())
    return answer if len(answer) <= longest else answer[: longest - 1] + "…"
