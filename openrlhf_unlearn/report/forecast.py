"""What the report takes from a forecast (labels/forecast.py): of this run by today's labels, beside simpler ones."""

from typing import TYPE_CHECKING, Any

import numpy as np

from openrlhf_unlearn.labels.forecast import AT_RISK, LABELS, better
from openrlhf_unlearn.report.numbers import Sentence

if TYPE_CHECKING:
    from openrlhf_unlearn.report.material import Material


def own_forecast(material: "Material") -> dict[str, Any]:
    """What the summary keeps of one; nothing where it learned from another run (`forecast --to`), or from labels that
    are no more those of the report, of which a forecast may since have been refused."""
    found = material.summary.forecast
    learned_from = found.get("prompts"), found.get("at_risk")
    today = tuple(int(np.isin(material.groups, kinds).sum()) for kinds in (LABELS, AT_RISK))
    return {} if material.provisional or "learned_from" in found or learned_from != today else found


def beside(quality: dict[str, Any]) -> Sentence:
    """After the forecast's AUC: that of each simpler forecast of the same prompts, and what gradients add."""
    text, numbers = "", dict[str, Any]()
    for i, row in enumerate(quality.get("baselines") or ()):
        gain, name = row["gain"], f"baseline{i}"
        numbers |= {name: row["name"], f"{name}_auc": row["auc"], **_gain(name, gain)}
        text += f" By {{{name}}} alone the AUC is {{{name}_auc:rate}}: the forecast is {better(gain)} "
        text += f"({_difference(name)})."
    found = quality.get("gradients") or {}
    if "with" in found:
        add = "add to it" if found["add"] else "add nothing to it that these prompts show"
        numbers |= {"probed": found["prompts"], "with": found["with"]["auc"], "without": found["without"]["auc"]}
        numbers |= _gain("gradients", found["gain"])
        text += (
            f" Gradients {add}: on the {{probed:count}} prompts that have one the AUC is {{with:rate}} with them and "
            f"{{without:rate}} without ({_difference('gradients')})."
        )
    elif "why_not" in found:
        numbers["why_not"] = found["why_not"]
        text += " Gradients are not used: {why_not}."
    state = quality.get("hidden_state") or {}
    if "auc" in state:
        numbers |= {"with_state": sum(state["prompts"]), "state_auc": state["auc"]}
        numbers |= _gain("state", state["gain"]) | _gain("over_state", state["gradients_gain"])
        text += (
            f" By the hidden state alone, on the {{with_state:count}} prompts where it is kept, the AUC is "
            f"{{state_auc:rate}}: the forecast is {better(state['gain'])} ({_difference('state')}), and with "
            f"gradients {better(state['gradients_gain'])} ({_difference('over_state')})."
        )
    return text, numbers


def _gain(name: str, gain: dict[str, float]) -> dict[str, float]:
    return {f"{name}_gain": gain["difference"], f"{name}_low": gain["low"], f"{name}_high": gain["high"]}


def _difference(name: str) -> str:
    return f"difference {{{name}_gain:signed}}, 95 % interval {{{name}_low:signed}} to {{{name}_high:signed}}"
