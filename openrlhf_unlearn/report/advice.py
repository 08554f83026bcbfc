"""Advice with numbers: what to drop, mistrust, evaluate again or look at; each with its list and its flag.

None of it says more than the runs show: each has a condition, and a test with data under which it is not given.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from openrlhf_unlearn.causes import SURE as CAUSE_SAID
from openrlhf_unlearn.probe.measures.outliers import RATE, SHARE
from openrlhf_unlearn.report.failures import CONSENSUS
from openrlhf_unlearn.report.forecast import beside, own_forecast
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.reasoning import reasoning
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.training import Rewards

BROKEN = 0.2  # share of a prompt's training rollouts without a verdict from which its verifier is suspect
POOR, BEST = 3.0, 5  # judged quality of reasoning: below the first a correct answer was not earned
SURE = 0.9  # confidence of a label below which more samples pay, and from which it is acted on


@dataclass(frozen=True)
class Advice:
    """`template` and `numbers` are its sentence, `rows` its prompts; `flag` says what to do, with places for {list},
    {run} and {model}, a line for each of several ways."""

    name: str
    title: str
    template: str
    numbers: dict[str, Any]
    rows: np.ndarray
    flag: str

    def say(self, place: int) -> Say:
        """Its sentence; `place`: its own among all of the report."""
        return Say(self.template, self.numbers, f"advice.{place}")

    @property
    def file(self) -> str:
        """The name of its list of prompts."""
        return f"{self.name}.json"


def advise(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> list[Advice]:
    """What applies to these runs.

    outliers: (prompts,) bool from the probe, or None; answers: row → the wrong answer most samples agree on.
    """
    makers = (_left_out, _drop, _no_reward, _verifier, _consensus, _evaluate, _outliers, _forecast)
    if material.causes:  # each prompt's cause says more than these
        makers = tuple(maker for maker in makers if maker not in (_no_reward, _consensus))
    found = [*_causes(material), *(maker(material, outliers, answers) for maker in makers)]
    return [item for item in found if item and (len(item.rows) or item.name == "forecast")]


def _causes(material: Material) -> list[Advice]:
    """The remedy of each cause that is said of any prompt."""
    causes = material.causes
    if causes is None:
        return []
    return [
        Advice(
            name=f"cause_{cure['cause']}",
            title=cure["title"],
            template=cure["template"],
            numbers=cure["numbers"],
            rows=np.flatnonzero(causes.cause == cure["cause"]),
            flag=cure["command"],
        )
        for cure in causes.summary["remedies"]
    ]


def _left_out(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    """What --unlearn.only_prompts or --unlearn.skip_prompts saved, had each prompt been sampled like the others."""
    chosen = material.config.flag("unlearn.skip_prompts") or material.config.flag("unlearn.only_prompts")
    sampled = material.per_prompt(material.visits.n)
    if not chosen or not sampled.any():
        return None
    rows = np.flatnonzero(sampled == 0)
    total, each = int(sampled.sum()), float(sampled[sampled > 0].mean())
    numbers = {"prompts": len(rows), "rollouts": round(each * len(rows)), "each": each}
    text = (
        "{prompts:count} {prompts:prompt was|prompts were} never sampled, left out or not reached. Sampled like the "
        "others ({each:small} rollouts each) {prompts:it|they} would have taken {rollouts:count} rollouts more"
    )
    hours = sampling_hours(material)
    if hours is not None:
        numbers["hours"] = hours * numbers["rollouts"] / total
        text += ", about {hours:hours} if all steps cost alike"
    title = "What leaving prompts out saved"
    return Advice("left_out", title, text + ".", numbers, rows, "--unlearn.skip_prompts {list}")


def _drop(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    """Only prompts whose label is sure: a prompt that luck put below tau may be learned next time.

    With a diagnosis only those that nothing else is done with: by causes that together are as probable as one must be
    to be said.
    """
    not_learned = np.isin(material.groups, ("unlearnable", "no_reward"))
    kept = np.zeros(material.size, dtype=bool)
    if material.causes:
        kept = not_learned & ~(material.causes.left_out >= CAUSE_SAID)
        not_learned &= ~kept
    unsure = not_learned & (material.label_column(Learnability.label_confidence) < SURE)
    rows = np.flatnonzero(not_learned & ~unsure)
    sampled = material.per_prompt(material.visits.n + material.visits.n_hinted)
    saved, total = int(sampled[rows].sum()), int(sampled.sum())
    if not saved:
        return None
    numbers = {"prompts": len(rows), "rollouts": saved, "total": total, "share": saved / total, "sure": SURE}
    text = (
        "{prompts:count} {prompts:prompt was|prompts were} not learned, and {prompts:its group is|their groups are} at "
        "least {sure:percent} sure. {prompts:It|They} took {rollouts:count} of {total:count} rollouts "
        "({share:percent}); without {prompts:it|them} as many passes over the others sample that much less"
    )
    hours = sampling_hours(material)
    if hours is not None:
        numbers["hours"] = hours * saved / total
        text += ", about {hours:hours} of this run's time if all steps cost alike"
    text += "."
    if unsure.any():
        numbers["unsure"] = int(unsure.sum())
        text += " {unsure:count} more {unsure:is|are} not sure enough to be listed."
    if kept.any():
        numbers["kept"] = int(kept.sum())
        text += " {kept:count} more {kept:is|are} not listed: another step comes first, or the cause is uncertain."
    text += " Another model may learn {prompts:it|them}."
    return Advice("drop", "Leave out what was not learned", text, numbers, rows, "--unlearn.skip_prompts {list}")


def _no_reward(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    """What so many wrong rollouts exclude; no promise that a first correct one would be learned from.

    Where another run has correct ones they exclude nothing: the runs without were picked for having none.
    """
    rows = np.flatnonzero(material.groups == "no_reward")
    n, right = (material.by_run(values)[:, rows] for values in (material.visits.n, material.visits.n_positive))
    median = int(np.median(np.where(right == 0, n, 0).sum(axis=0))) if len(rows) else 0
    if not median:
        return None
    numbers: dict[str, Any] = {"prompts": len(rows), "median": median}
    if right.any():
        numbers["elsewhere"] = int(right.any(axis=0).sum())
        text = (
            "{prompts:count} {prompts:prompt|prompts} had no correct rollout in the training of some run, with "
            "{median:count} sampled of each there (median); of {elsewhere:count} another run had some. "
        )
    else:
        numbers["bound"] = 1 - 0.05 ** (1 / median)
        text = (
            "{prompts:count} {prompts:prompt|prompts} had no correct rollout in training, with {median:count} sampled "
            "of each (median). So many wrong ones exclude, at 95 %, a pass rate above {bound:percent} and no less. "
        )
    return Advice(
        "no_reward",
        "No correct rollout in training: is it sampled enough?",
        text + "Oversampling draws more of them; whether one correct rollout would then be learned from, this training "
        "cannot say.",
        numbers,
        rows,
        "--unlearn.filter oversample_replay --unlearn.only_prompts {list}",
    )


def _verifier(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    visits = material.visits
    broken = material.per_prompt(visits.failed["timeout"] + visits.failed["error"])
    share = np.divide(broken, np.maximum(1, material.per_prompt(visits.n)))
    rows = np.flatnonzero((share >= BROKEN) | (material.groups == "ungradable"))
    return Advice(
        "verifier",
        "Fix labels or the verifier",
        "{prompts:count} {prompts:prompt has|prompts have} a label that cannot be graded, or {broken:percent} and more "
        "of the training rollouts ended in a time-out or an error. Such a reward says nothing about the model.",
        {"prompts": len(rows), "broken": BROKEN},
        rows,
        "openrlhf-unlearn regrade {run}",
    )


def _consensus(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    rows = np.array(sorted(answers), dtype=int)
    return Advice(
        "consensus",
        "Check labels that the model agrees against",
        "On {prompts:count} hard {prompts:prompt|prompts} at least {share:percent} of the final samples give one and "
        "the same answer, which is graded wrong: either the model is sure of a mistake, or the label or the comparison "
        "is at fault.",
        {"prompts": len(rows), "share": CONSENSUS},
        rows,
        "openrlhf-unlearn regrade {run}",
    )


def _evaluate(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    confidence = material.label_column(Learnability.label_confidence)
    rows = np.flatnonzero(confidence < SURE)
    wrong = float(np.nansum(1 - confidence[rows])) if len(rows) else 0.0
    return Advice(
        "evaluate",
        "Sample more where the group is open",
        "The groups of {prompts:count} {prompts:prompt|prompts} are less than {sure:percent} sure; about {wrong:small} "
        "of them are expected to be wrong. More samples settle them, and adaptive sampling takes them only where they "
        "decide something.",
        {"prompts": len(rows), "sure": SURE, "wrong": wrong},
        rows,
        "openrlhf-unlearn evaluate --adaptive -n 256 --tag final-more --model {model} --run {run} && "
        "openrlhf-unlearn classify {run} --final final-more",
    )


def _outliers(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    """Outliers by the probe's test that were not learned. It says what is seen, not a cure: none is known to help."""
    if outliers is None:
        return None
    chosen = outliers & np.isin(material.groups, ("unlearnable", "no_reward"))
    quality = reasoning(material)
    judged = chosen & np.isfinite(quality)
    numbers = {"prompts": int(chosen.sum()), "rate": RATE, "share": SHARE}
    text = (
        "The correct rollouts of {prompts:count} hard {prompts:prompt|prompts} that {prompts:was|were} not learned "
        "agree with one another by gradient, but lie at less than {share:percent} of the typical cosine to the other "
        "hard prompts (false discovery rate {rate:percent}). Look at {prompts:it|them} first: wrong or random labels "
        "can look like this."
    )
    if judged.any():
        numbers |= {
            "judged": int(judged.sum()),
            "poor": int((quality[judged] < POOR).sum()),
            "bound": POOR,
            "best": BEST,
        }
        text += " Of {judged:count} judged, {poor:count} reach the answer by poor reasoning (under {bound:plain} of "
        text += "{best:count})."
    text += (
        " Another base model may place {prompts:it|them} among the others; that this makes RL learn {prompts:it|them} "
    )
    text += "is not known, so compare before you train."
    title = "Look at these: gradients of their own"
    return Advice(
        "outliers", title, text, numbers, np.flatnonzero(chosen), "openrlhf-unlearn models {run} base=BASE mid=OTHER"
    )


def _forecast(material: Material, outliers: np.ndarray | None, answers: dict[int, str]) -> Advice | None:
    """Only where the forecast is better than a coin, for sure; with what simpler ones reach."""
    quality = own_forecast(material)
    skipping, interval = quality.get("skipping", []), quality.get("auc_interval") or [0.0, 1.0]
    if not skipping or interval[0] <= 0.5:
        return None
    row = skipping[len(skipping) // 2]
    simpler, numbers = beside(quality)
    return Advice(
        "forecast",
        "Skip by forecast",
        "Leaving out the {share:percent} of the hard prompts with the highest forecast risk ({prompts:count}) would "
        "have cost {lost:count} learnable ones ({of_learnable:percent} of those); the forecast's AUC is {auc:rate} "
        "({low:rate} to {high:rate})." + simpler,
        numbers
        | {
            "share": row["share_of_hard_prompts"],
            "prompts": row["prompts"],
            "lost": row["learnable_lost"],
            "of_learnable": row["share_of_learnable_lost"],
            "auc": quality["auc"],
            "low": interval[0],
            "high": interval[1],
        },
        np.array([], dtype=np.int64),
        "openrlhf-unlearn forecast {run} --to NEW",
    )


def sampling_hours(material: Material) -> float | None:
    """Hours of training by the times of all runs' step files; None where copying has lost them: copies are further
    from the run's start than from one another."""
    hours = 0.0
    for run in material.runs:
        steps = run.steps()
        times = [run.step_file(Rewards.folder, step).stat().st_mtime for step in steps]
        started = _timestamp(run.config().started)
        rising = all(a < b for a, b in zip(times, times[1:], strict=False))
        if len(times) < 3 or not rising or started is None or not 0 <= times[0] - started <= times[-1] - times[0]:
            return None
        hours += (times[-1] - times[0]) * len(times) / (len(times) - 1) / 3600
    return hours


def _timestamp(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (TypeError, ValueError):
        return None


def as_numbers(items: Sequence[Advice], material: Material, folder: Path) -> list[dict[str, Any]]:
    """What the summary keeps; `folder` is where the lists of prompts are."""
    trained = material.config.flag("ckpt.output_dir") or "MODEL"
    kept: list[dict[str, Any]] = []
    for i, item in enumerate(items):
        places = {"list": folder / item.file, "run": material.first, "model": trained}
        kept.append(
            {
                "name": item.name,
                "title": item.title,
                **item.say(i).as_dict(),
                "list": str(folder / item.file) if len(item.rows) else None,
                "flag": item.flag.format_map({name: shlex.quote(str(value)) for name, value in places.items()}),
            }
        )
    return kept


def prompt_lists(items: Sequence[Advice], material: Material) -> dict[str, list[str]]:
    """file → the ids of an advice's prompts."""
    names = material.ids.to_pylist()
    return {item.file: [names[row] for row in item.rows] for item in items if len(item.rows)}
