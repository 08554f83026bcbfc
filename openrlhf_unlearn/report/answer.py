"""The answer in three sentences: what was not learned, why, and what to do now, with numbers and intervals."""

from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.statistics import mean_interval


def answer(report: dict, material, similarity: dict | None) -> list[Say]:
    sentences = [_what(report), _why(report, material, similarity), _now(report)]
    found = [sentence for sentence in sentences if sentence]
    return [Say(template, numbers, f"answer.{i}") for i, (template, numbers) in enumerate(found)]


def _what(report: dict):
    groups, total, hard = report["groups"], report["labelled"], report["hard"]
    if not total:
        return "No prompt of {prompts:count} was visited or evaluated yet.", {"prompts": report["prompts"]}
    if not hard:
        return (
            "All {total:count} prompts are easy for the initial policy or cannot be graded: there was nothing hard to "
            "learn.",
            {"total": total},
        )
    numbers = {"total": total, "hard": hard, "easy": report["easy"]}
    text = "Of {total:count} prompts {hard:count} were hard (pass@1 below {easy:plain} before training): "
    said = {
        "learnable": "were learned",
        "unlearnable": "were not, although correct rollouts of them were rewarded",
        "no_reward": "never had a correct rollout",
        "mixed": "were learned in some runs only",
    }
    parts = []
    for group, verb in said.items():
        if group in groups:
            low, high = groups[group]["share_of_hard_interval"]
            numbers |= {
                group: groups[group]["prompts"],
                f"{group}_share": groups[group]["share_of_hard"],
                f"{group}_low": low,
                f"{group}_high": high,
            }
            share = f"{{{group}_share:percent}}; 95 % interval {{{group}_low:percent}} to {{{group}_high:percent}}"
            parts.append(f"{{{group}:count}} ({share}) {verb}")
    text += ", ".join(parts) + "."
    return ("So far: " + text if report["provisional"] else text), numbers


def _why(report: dict, material, similarity: dict | None):
    """The gradients, where there is a probe; else what the reward curves say."""
    if similarity:
        return _gradients(similarity)
    groups = report["groups"]
    if "unlearnable" not in groups or not len(material.visits.step):
        return None
    rewarded = material.per_prompt(material.visits.n_positive)
    mean, interval = mean_interval(rewarded[material.groups == "unlearnable"])
    if mean is None or interval is None:
        return None
    return (
        "It was not for want of reward: an unlearnable prompt had {mean:small} correct rollouts in training on average "
        "({low:small} to {high:small}) over {steps:count} steps. Whether its gradient is an outlier, the probe tells.",
        {"mean": mean, "low": interval[0], "high": interval[1], "steps": report["training"]["steps"]},
    )


def _gradients(similarity: dict):
    """What the probe says, for or against gradients as the reason."""
    says = (
        "The gradients tell them apart" if similarity["low"] > 0.5 else "The gradients do not tell them apart for sure"
    )
    if similarity["high"] < 0.5:
        says = "The gradients tell them apart, but the wrong way round"
    numbers = {name: similarity[name] for name in ("unlearnable", "learnable", "auc", "low", "high")}
    noise = (
        "the noise of few rollouts taken out"
        if similarity["mean_kind"] == "corrected"
        else "plain, so few rollouts lower it"
    )
    text = (
        f"{says}: the mean cosine to all others ({noise}) is {{unlearnable:rate}} among the unlearnable and "
        "{learnable:rate} among the learnable; of a random pair the learnable prompt has the higher one with "
        "probability {auc:rate} (95 % interval {low:rate} to {high:rate})"
    )
    if equal := similarity["equal"]:
        numbers |= {"equal": equal["auc"], "rollouts": equal["rollouts"]}
        text += ", and {equal:rate} at an equal number of rollouts ({rollouts:count})"
    return text + ".", numbers


def _now(report: dict):
    drop = next((item for item in report["advice"] if item["name"] == "drop"), None)
    if not drop:
        return None
    numbers = drop["numbers"]
    text = (
        "Leaving the {prompts:count} that taught nothing out of a next run saves {rollouts:count} of {total:count} "
        "rollouts ({share:percent}"
    )
    text += ", about {hours:hours})" if "hours" in numbers else ")"
    return text + "; what else to do is under Advice.", numbers
