"""The remedy that fits each cause: which prompts, what to do, by which command, and what it can be expected to bring.

A gain is only stated where the run holds what it is computed from; where it does not, that is said.
"""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import top_answers
from openrlhf_unlearn.causes.posterior import Posterior
from openrlhf_unlearn.causes.reading import Cases
from openrlhf_unlearn.causes.time_to_learn import first_reward, rise


@dataclass(frozen=True)
class Remedy:
    """`template` with its `numbers` as report/numbers.py shows them; `command` holds {run} and {list}; of
    several ways each is a line."""

    cause: str
    title: str
    template: str
    numbers: dict[str, float]
    command: str


def remedies(cases: Cases, found: Posterior, causes: np.ndarray) -> list[Remedy]:
    """One for each cause that is said of any prompt, in the order of CAUSES. causes: (prompts,) as decided."""
    present = [cause for cause in CAUSES if (causes == cause).any()]
    return [MAKERS[cause](cases, found, np.flatnonzero(causes == cause)) for cause in present]


def _verifier(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    final = cases.observed.final
    numbers: dict[str, float] = {"prompts": len(rows)}
    text = "{prompts:count} {prompts:prompt gets|prompts get} right answers graded wrong"
    if final.disputed is not None and final.disputed[rows].any():
        now = final.rate[rows]
        if final.third is None:  # adaptive samples: a part of those graded wrong alone is unbiased
            more = (1 - now) * final.disputed[rows] / np.maximum(1, final.n - final.positive)[rows]
        else:
            more = np.minimum(1 - now, final.disputed[rows] / np.maximum(1, final.third[rows]))
        numbers |= {"now": _mean(now), "then": _mean(now + more)}
        text += "; by a format that takes their writing, pass@1 would read {then:rate} instead of {now:rate}"
    return Remedy(
        "verifier",
        "Change the answer format or the labels' form",
        text + ".",
        numbers,
        "openrlhf-unlearn regrade {run} --answer-format lenient",
    )


def _wrong_label(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    """Without a model of another base nothing of how many are wrong or what correcting them earns: a mistake that the
    model makes throughout looks the same (docs/real.md has two)."""
    numbers: dict[str, float] = {"prompts": len(rows)}
    review = "openrlhf-unlearn diagnose {run} --export review.csv"
    text = "On {prompts:count} {prompts:prompt|prompts} "
    top = top_answers(cases.observed.final)
    numbers["proposed"] = sum(top[row] in cases.texts for row in rows)
    answers = "; the list for review proposes {proposed:count} {proposed:answer|answers}"
    proposed = answers if numbers["proposed"] else ""
    if not cases.independent:
        text += (
            "the samples agree on another answer than the label: the label is wrong, or the model makes one mistake "
            "throughout. One model cannot tell, nor another training of it; a model of another base or a person can"
            + proposed
        )
        return Remedy("wrong_label", "Check these labels", text + ".", numbers, review)
    chance = found.probability[rows, CAUSES.index("wrong_label")]
    numbers["wrong"] = float(chance.sum())
    text += "the label is probably not the answer (about {wrong:small} are expected to be wrong)" + proposed
    kin = cases.observed.kin
    if kin is not None and np.isfinite(kin[rows]).any():
        numbers["learned"] = float(np.nansum(chance * kin[rows]))
        text += (
            ". With the label corrected about {learned:small} would be learned, if they go as the prompts nearest by "
            "wording went"
        )
    return Remedy("wrong_label", "Correct these labels", text + ".", numbers, review)


def _never(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    seen = cases.observed
    n = sum(s.n for s in (seen.early, seen.final) if s is not None) + seen.per_prompt(seen.visits.n)
    sampled = int(np.median(n[rows]))
    text = (
        "{prompts:count} {prompts:prompt|prompts} never had a right sample in {sampled:count} each (median). A first "
        "one takes as likely as not {more:count} samples more, if there is any; oversampling draws them, "
    )
    numbers: dict[str, float] = {"prompts": len(rows), "sampled": sampled, "more": first_reward(sampled)}
    with_hint, right = (0, 0) if cases.hinted is None else cases.hinted[:, rows].sum(axis=1)
    if with_hint:
        numbers |= {"with_hint": int(with_hint), "right": int(right)}
        text += "hints gave {right:count} right {right:one|ones} in {with_hint:count} rollouts."
    else:
        text += "hints make them likelier."
    text += " What would then be learned, this run cannot say."
    return Remedy(
        "never_rewarded",
        "Get a first reward: oversample, or give hints",
        text,
        numbers,
        "--unlearn.filter oversample_replay --unlearn.only_prompts {list}\n"
        "openrlhf-unlearn hints {run} --output hints --prompts {list} --solutions FILE",
    )


def _rising(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    risen = [r for r in (rise(cases.observed.visits, int(row)) for row in rows) if r]
    numbers: dict[str, float] = {"prompts": len(rows)}
    text = "{prompts:count} {prompts:prompt was|prompts were} still rising when training ended"
    if risen:
        numbers |= {"sure": len(risen), "steps": float(np.median([r.steps for r in risen]))}
        numbers |= {"fewest": float(np.median([r.fewest for r in risen]))}
        text += (
            "; at the pace of the {sure:count} that surely {sure:rises|rise}, half of the samples are right after "
            "about {steps:small} steps more (at best {fewest:small})"
        )
    else:
        text += "; no rise is sure enough to say how much more it takes"
    return Remedy("rising", "Train on", text + ".", numbers, "--ckpt.load_enable --train.num_episodes MORE")


def _forgotten(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    best = found.values["peak"][rows] + cases.observed.final.rate[rows]
    text = (
        "{prompts:count} {prompts:prompt was|prompts were} solved for a while (best stretch {best:rate} on average) "
        "and lost again. Visiting {prompts:it|them} again, or an earlier checkpoint, may keep that; that more comes of "
        "it this run cannot say."
    )
    return Remedy(
        "forgotten",
        "Bring back what was solved and lost",
        text,
        {"prompts": len(rows), "best": _mean(best)},
        "--unlearn.filter review",
    )


def _beyond(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
    numbers: dict[str, float] = {"prompts": len(rows)}
    text = "{prompts:count} {prompts:prompt|prompts} this model does not learn from its own rewards"
    if cases.observed.seconds:
        numbers["other"] = max(_mean(model.rate[rows]) for model in cases.observed.seconds)
        text += "; another model solves {prompts:it|them} at {other:rate}"
    text += ". Another base, or its solutions to fine-tune on; whether RL then goes on from there this run cannot say."
    return Remedy(
        "beyond",
        "Start from another base, or fine-tune on solutions",
        text,
        numbers,
        "openrlhf-unlearn models {run} base=BASE other=OTHER\n"
        "openrlhf-unlearn sft-set --run {run} --output sft.jsonl --model STRONGER",
    )


def _left_out(cause: str, title: str, what: str):
    def make(cases: Cases, found: Posterior, rows: np.ndarray) -> Remedy:
        spent = cases.observed.per_prompt(cases.observed.visits.n)[rows].sum()
        numbers: dict[str, float] = {"prompts": len(rows)}
        text = "{prompts:count} {prompts:prompt|prompts} " + what
        if spent:
            numbers["rollouts"] = int(spent)
            text += "; {prompts:it|they} took {rollouts:count} rollouts, which a run without {prompts:it|them} saves"
        return Remedy(cause, title, text + ".", numbers, "--unlearn.skip_prompts {list}")

    return make


MAKERS = {
    "verifier": _verifier,
    "wrong_label": _wrong_label,
    "guessable": _left_out(
        "guessable", "Leave out what only guessing rewards", "{prompts:is|are} rewarded no oftener than a guess"
    ),
    "never_rewarded": _never,
    "rising": _rising,
    "forgotten": _forgotten,
    "beyond": _beyond,
    "random_label": _left_out(
        "random_label",
        "Leave out labels that no model reproduces",
        "{prompts:has a label|have labels} that no model asked reproduces: of no rule, or of one beyond them all",
    ),
}


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
