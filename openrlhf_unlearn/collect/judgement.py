"""What the reward function said of one rollout, in every shape that OpenRLHF takes, and whether it is positive.

A reward function or server gives `rewards`, which train, and may give `scores`, the host's signal of right or wrong by
which stock dynamic filtering decides. Where there is a score, filter and tracker judge by it; else by the reward.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import VERDICTS

VERDICT, ERROR = "unlearn_verdict", "unlearn_error"  # keys of our own in the host's extra logs


@dataclass(frozen=True)
class Judgement:
    """One rollout's judgement, fixed before any shaping or penalty."""

    reward: float  # what trains
    score: float | None  # None where the executor gives none
    positive: bool
    verdict: str  # of VERDICTS
    logs: dict[str, float]  # the reward function's other numbers, for the host's metrics

    @property
    def signal(self) -> float:
        """What a filter compares: the score, or the reward where there is none."""
        return self.reward if self.score is None else self.score


def single(value: Any) -> float:
    """The one number in a number, an array or tensor of one, or a list of one, nested or not; ValueError otherwise."""
    if hasattr(value, "tolist"):  # PyTorch and NumPy, scalars too
        value = value.tolist()
    while isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise ValueError(f"{len(value)} numbers for one rollout")
        value = value[0].tolist() if hasattr(value[0], "tolist") else value[0]
    if not isinstance(value, Real):
        raise ValueError(f"{value!r}, which is no number")
    return float(value)


def judge(response: Mapping, threshold: float) -> Judgement:
    """The judgement of one of the host's responses (`reward`, `scores`, `extra_logs`).

    Raises UserError that says what the reward function did instead.
    """
    logs = dict(response.get("extra_logs") or {})
    prompt = f"(prompt {response['prompt'][:80]!r})"
    if ERROR in logs:
        raise UserError(f"the reward function failed: {logs[ERROR]} {prompt}")
    if response.get("reward") is None:
        raise UserError(f"the reward function gave no reward {prompt}; see --reward.remote_url")
    reward = _finite(response["reward"], "reward", prompt)
    score = None if response.get("scores") is None else _finite(response["scores"], "score", prompt)
    positive = (reward if score is None else score) > threshold
    code = logs.pop(VERDICT, None)
    verdict = VERDICTS[int(single(code))] if code is not None else "correct" if positive else "wrong"
    return Judgement(reward, score, positive, verdict, _numbers(logs))


def _finite(value: Any, what: str, prompt: str) -> float:
    try:
        number = single(value)
    except ValueError as error:
        raise UserError(f"the reward function gave as {what} {error} {prompt}") from None
    if not math.isfinite(number):
        raise UserError(f"the reward function gave {what} {number} {prompt}; it must be finite")
    return number


def _numbers(logs: Mapping) -> dict[str, float]:
    """The entries that the host can average; it would fail on any other."""
    found = {}
    for name, value in logs.items():
        try:
            found[name] = single(value)
        except ValueError:
            continue
    return found
