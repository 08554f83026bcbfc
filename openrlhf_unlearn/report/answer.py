"""The answer in three sentences: what was not learned, why, and what to do now, with numbers and intervals."""

import numpy as np

from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.stats.means import mean_interval

WHAT = {
    "learnable": "{learnable:was|were} learned",
    "unlearnable": "{unlearnable:was|were} rewarded in training and yet not learned",
    "no_reward": "never had a correct rollout",
    "mixed": "{mixed:was|were} learned in some runs only",
}


def answer(report: dict, material, similarity: dict | None) -> list[Say]:
    sentences = [_what(report), _why(report, material, similarity), _now(report)]
    found = [sentence for sentence in sentences if sentence]
    return [Say(template, numbers, f"answer.{i}") for i, (template, numbers) in enumerate(found)]


def _what(report: dict):
    groups, numbers = report["groups"], {"total": report["labelled"], "hard": report["hard"], "easy": report["easy"]}
    if not report["labelled"]:
        return "No prompt of {prompts:count} was visited or evaluated yet.", {"prompts": report["prompts"]}
    text = "Of {total:count} {total:prompt|prompts} "
    if not report["hard"]:
        text += (
            "none that can be graded had a pass@1 below {easy:plain} before training: there was nothing hard to learn."
        )
        return text, {name: numbers[name] for name in ("total", "easy")}
    text += "{hard:count} {hard:was|were} hard (pass@1 below {easy:plain} before training): "
    found = [group for group in WHAT if group in groups]
    for i, group in enumerate(found):
        low, high = groups[group]["share_of_hard_interval"]
        share = groups[group]["share_of_hard"]
        numbers |= {group: groups[group]["prompts"], f"{group}_share": share}
        numbers |= {f"{group}_low": low, f"{group}_high": high}
        text += ("" if i == 0 else ", and " if i == len(found) - 1 else ", ") + f"{{{group}:count}} "
        text += f"({{{group}_share:percent}}; {'' if i else '95 % interval '}{{{group}_low:percent}} to "
        text += f"{{{group}_high:percent}}) {WHAT[group]}"
    text += "." if "unlearnable" in groups else "; none was rewarded in training and yet not learned."
    return ("So far: " + text if report["provisional"] else text), numbers


def _why(report: dict, material, similarity: dict | None):
    """The gradients, where there is a probe of enough prompts; else what the training rewards say."""
    if similarity:
        return _gradients(similarity)
    if not {"unlearnable", "no_reward"} & set(report["groups"]) or not len(material.visits.step):
        return None
    if "unlearnable" not in report["groups"]:
        return _never_rewarded(material)
    rewarded = material.per_prompt(material.visits.n_positive)
    mean, interval = mean_interval(rewarded[material.groups == "unlearnable"])
    numbers = {
        "mean": mean,
        "steps": report["training"]["steps"],
        "prompts": report["groups"]["unlearnable"]["prompts"],
    }
    text = "It was not for want of reward: the unlearnable {prompts:prompt|prompts} had {mean:small} correct rollouts "
    if interval:
        text += "each on average (95 % interval {low:small} to {high:small}) "
        numbers |= {"low": max(0.0, interval[0]), "high": interval[1]}
    text += "in {steps:count} {steps:step|steps} of training; "
    text += "too few prompts were probed to say" if material.probe else "the probe would tell"
    return text + " whether {prompts:its gradient is an outlier|their gradients are outliers}.", numbers


def _never_rewarded(material):
    sampled = int(material.per_prompt(material.visits.n)[material.groups == "no_reward"].sum())
    prompts = int(np.sum(material.groups == "no_reward"))
    return (
        "It was for want of reward: of {sampled:count} rollouts of {prompts:this prompt|these prompts} in training not "
        "one was correct.",
        {"sampled": sampled, "prompts": prompts},
    )


def _gradients(similarity: dict):
    """What the probe says, for or against gradients as the reason."""
    equal, plain = similarity["equal"], similarity["kind"] == "plain"
    says = "The gradients tell them apart"
    if similarity["high"] < 0.5:
        says += ", but the wrong way round"
    elif similarity["low"] <= 0.5:
        says = "The gradients do not tell them apart for sure"
    elif plain and equal and equal["low"] <= 0.5:
        says += ", but perhaps only by their numbers of correct rollouts"
    numbers = {name: similarity[name] for name in ("unlearnable", "learnable", "auc", "low", "high")}
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
        by = "" if plain else "by the plain cosine "
        text += f", and {{equal:rate}} ({{equal_low:rate}} to {{equal_high:rate}}) {by}with just {{rollouts:count}} "
        text += "correct {rollouts:rollout|rollouts} of each"
    return text + ".", numbers


def _now(report: dict):
    drop = next((item for item in report["advice"] if item["name"] == "drop"), None)
    if drop:
        numbers = drop["numbers"]
        text = (
            "A next run without the {prompts:count} {prompts:prompt|prompts} that {prompts:was|were} not learned saves "
            "what {prompts:it|they} took here, {rollouts:count} of {total:count} rollouts ({share:percent}"
        )
        text += ", about {hours:hours})" if "hours" in numbers else ")"
        return text + "; what else to do is under Advice.", numbers
    if report["provisional"] and report["labelled"]:
        return "These groups are provisional: what settles them is under Advice, with its command.", {}
    return None
