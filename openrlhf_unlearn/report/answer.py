"""The answer in three sentences: what was not learned, why, and what to do now, with numbers and intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from openrlhf_unlearn.labels.posterior import SURE
from openrlhf_unlearn.report import causes, outlook
from openrlhf_unlearn.report.advice import Advice
from openrlhf_unlearn.report.groups import Groups, hard_prompts, labelled_prompts
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say, Sentence
from openrlhf_unlearn.report.outlook import Outlook
from openrlhf_unlearn.report.probes import Separation, outdated
from openrlhf_unlearn.stats.means import wilson

PLENTY = 8  # correct rollouts of a prompt: a whole group of the paper's k = 8
WHAT = {
    "learnable": "{learnable:was|were} learned",
    "unlearnable": "{unlearnable:was|were} rewarded in training and yet not learned",
    "no_reward": "had no correct rollout in training",
    "mixed": "{mixed:was|were} learned in some runs only",
}


def answer(
    material: Material,
    groups: Groups,
    similarity: Separation | None,
    expected: Outlook | None,
    advice: Sequence[Advice],
) -> list[Say]:
    """Of the table of the groups, and of what the probe, the outlook while training runs, and the advice say."""
    sentences = [_what(material, groups), _why(material, groups, similarity, expected), _now(material, groups, advice)]
    found = [sentence for sentence in sentences if sentence]
    return [Say(template, numbers, f"answer.{i}") for i, (template, numbers) in enumerate(found)]


def _what(material: Material, groups: Groups) -> Sentence:
    numbers: dict[str, Any] = {"total": labelled_prompts(groups), "hard": hard_prompts(groups), "easy": material.easy}
    if not numbers["total"]:
        return "No prompt of {prompts:count} was visited or evaluated yet.", {"prompts": material.size}
    text = "Of {total:count} {total:prompt|prompts} "
    if not numbers["hard"]:
        text += (
            "none that can be graded had a pass@1 below {easy:plain} before training: there was nothing hard to learn."
        )
        return text, {name: numbers[name] for name in ("total", "easy")}
    text += "{hard:count} {hard:was|were} hard (pass@1 below {easy:plain} before training): "
    found = [group for group in WHAT if group in groups]
    for i, group in enumerate(found):
        low, high = groups[group]["share_of_hard_interval"] or (None, None)
        share = groups[group]["share_of_hard"]
        numbers |= {group: groups[group]["prompts"], f"{group}_share": share}
        numbers |= {f"{group}_low": low, f"{group}_high": high}
        text += ("" if i == 0 else ", and " if i == len(found) - 1 else ", ") + f"{{{group}:count}} "
        text += f"({{{group}_share:percent}}; {'' if i else '95 % interval '}{{{group}_low:percent}} to "
        text += f"{{{group}_high:percent}}) {_outcome(group, material)}"
    none = not {"unlearnable", "mixed"} & set(groups) and not _rewarded_elsewhere(material)
    text += "; none was rewarded in training and yet not learned." if none else "."
    text += _chance(material, groups, numbers) + _transfer(material, numbers)
    return ("So far: " + text if material.provisional else text), numbers


def _chance(material: Material, groups: Groups, numbers: dict[str, Any]) -> str:
    """How many learnable labels luck alone gives, where that is a prompt or more; and if these may be all of them."""
    expected = material.labels.get("learnable_by_chance") or 0.0
    if "learnable" not in groups or expected < 0.5:
        return ""
    numbers["by_chance"] = expected
    text = (
        " Learned means at or above the threshold by the samples: had nothing changed, about {by_chance:small} would be"
    )
    if numbers["learnable_low"] <= expected / numbers["hard"]:
        text += ", so that these may be no more than luck"
    return text + "."


def _transfer(material: Material, numbers: dict[str, Any]) -> str:
    """Only of prompts that surely improved: luck labels others learnable, rewarded or not."""
    learned: dict[str, Any] = material.labels.get("learned_without_reward") or {}
    if not (count := learned.get("improved")):
        return ""
    numbers |= {"transfer": count, "by": material.labels["improved_by"], "improved_sure": SURE}
    return (
        " {transfer:count} of the learned rose by more than {by:plain} in every run, each at a probability of "
        "{improved_sure:percent} or more, though some run never sampled a correct rollout of {transfer:it|them} in "
        "training."
    )


def _outcome(group: str, material: Material) -> str:
    """Rewarded is only said where all of them were visited in training, without a reward where no run has one."""
    if group == "no_reward" and _rewarded_elsewhere(material):
        return "had no correct rollout in the training of some run"
    if group == "unlearnable" and material.labels.get("unlearnable_not_visited"):
        return "{unlearnable:was|were} not learned, some of them without being visited in training"
    return WHAT[group]


def _rewarded_elsewhere(material: Material) -> bool:
    """Of `no_reward` only one run had to be without a correct rollout; did another have one?"""
    return bool(material.per_prompt(material.visits.n_positive)[material.groups == "no_reward"].any())


def _why(
    material: Material, groups: Groups, similarity: Separation | None, expected: Outlook | None
) -> Sentence | None:
    """While training runs what is to be expected; then the causes, where there is a diagnosis; else the gradients, with
    a probe of enough prompts; else what the training rewards say."""
    if found := outlook.sentence(expected) or causes.sentence(material):
        return found
    if similarity:
        return _gradients(similarity)
    if not {"unlearnable", "no_reward"} & set(groups) or not len(material.visits.step):
        return None
    return _rewarded(material) if "unlearnable" in groups else _never_rewarded(material)


def _rewarded(material: Material) -> Sentence:
    """How much reward the unlearnable had, each in the run that gave it most; that it was enough only where most of
    them had a whole group's worth."""
    visits, several = material.visits, len(material.runs) > 1
    rewarded: np.ndarray = material.by_run(visits.n_positive).max(axis=0)[material.groups == "unlearnable"]
    share = float((rewarded >= PLENTY).mean())
    low, high = wilson(share, len(rewarded)) or (0.0, 1.0)
    numbers = {
        "plenty": PLENTY, "rich": int((rewarded >= PLENTY).sum()), "prompts": len(rewarded), "share": share, "low": low,
        "high": high, "median": float(np.median(rewarded)), "steps": len(np.unique(visits.step)),
    }  # fmt: skip
    if low > 0.5:
        text = "It was not for want of reward: "
    elif high < 0.5:
        text = "It may be for want of reward: "
    else:
        text = "Whether it was for want of reward is open: "
    text += (
        "{rich:count} of {prompts:count} unlearnable {prompts:prompt|prompts} ({share:percent}; 95 % interval "
        "{low:percent} to {high:percent}) had {plenty:count} correct rollouts or more in "
        + ("one run of at most " if several else "")
        + "{steps:count} {steps:step|steps}"
        + ("" if several else " of training")
        + " (median {median:small}); "
    )
    if material.probe is None:
        text += "the probe would tell"
    elif outdated(material):
        text += "the probe is of earlier groups and cannot say"
    else:
        text += "too few prompts were probed to say"
    return text + " whether {prompts:its gradient differs|their gradients differ} from the learnable ones'.", numbers


def _never_rewarded(material: Material) -> Sentence | None:
    mine = material.groups == "no_reward"
    sampled, right = (int(material.per_prompt(v)[mine].sum()) for v in (material.visits.n, material.visits.n_positive))
    if not sampled:  # labels of other runs
        return None
    numbers = {"sampled": sampled, "prompts": int(mine.sum())}
    text = "of {sampled:count} rollouts of {prompts:this prompt|these prompts} in training "
    if not right:
        return "It was for want of reward: " + text + "not one was correct.", numbers
    text += "{right:count} {right:was|were} correct, and of each prompt none in some run."
    return "Reward was scarce: " + text, numbers | {"right": right}


def _gradients(similarity: Separation) -> Sentence:
    """What the probe says, for or against gradients as the reason. A plain cosine grows with the number of rollouts, so
    that it tells nothing where no comparison at equal numbers says the same."""
    equal, plain = similarity["equal"], similarity["kind"] == "plain"
    says = "The gradients tell them apart"
    if similarity["high"] < 0.5:
        says += ", but the wrong way round"
        if plain and not (equal and equal["high"] < 0.5):
            says += ", and perhaps only by their numbers of correct rollouts"
    elif similarity["low"] <= 0.5:
        says = "The gradients do not tell them apart for sure"
    elif plain and not (equal and equal["low"] > 0.5):
        says += ", but perhaps only by their numbers of correct rollouts"
    numbers: dict[str, Any] = {
        "unlearnable": similarity["unlearnable"], "learnable": similarity["learnable"], "auc": similarity["auc"],
        "low": similarity["low"], "high": similarity["high"],
    }  # fmt: skip
    noise = (
        "the noise of few rollouts taken out"
        if similarity["mean_kind"] == "corrected"
        else "plain, so few rollouts lower it"
    )
    text = (
        f"{says}: the mean cosine to all others ({noise}) is {{unlearnable:rate}} among the unlearnable and "
        "{learnable:rate} among the learnable; of a random pair the learnable prompt has the higher "
        f"{similarity['kind']} cosine with probability {{auc:rate}} (95 % interval {{low:rate}} to {{high:rate}})"
    )
    if equal:
        numbers |= {"rollouts": equal["rollouts"], "equal": equal["auc"]}
        numbers |= {"equal_low": equal["low"], "equal_high": equal["high"]}
        numbers |= dict(zip(("equal_unlearnable", "equal_learnable"), equal["prompts"], strict=True))
        by = "" if plain else "by the plain cosine "
        text += f", and {{equal:rate}} ({{equal_low:rate}} to {{equal_high:rate}}) {by}with just {{rollouts:count}} "
        text += "correct {rollouts:rollout|rollouts} of each, of the {equal_unlearnable:count} and "
        text += "{equal_learnable:count} prompts that have as many"
    return text + ".", numbers


def _now(material: Material, groups: Groups, advice: Sequence[Advice]) -> Sentence | None:
    drop = next((item for item in advice if item.name == "drop"), None)
    if drop:
        text = (
            "A next run without the {prompts:count} {prompts:prompt|prompts} that {prompts:was|were} surely not "
            "learned saves, for as many passes over the others, what {prompts:it|they} took here: {rollouts:count} of "
            "{total:count} rollouts ({share:percent}"
        )
        text += ", about {hours:hours})" if "hours" in drop.numbers else ")"
        return text + "; what else to do is under Advice.", drop.numbers
    if material.provisional and labelled_prompts(groups):
        return "These groups are provisional: what settles them is under Advice, with its command.", {}
    return None
