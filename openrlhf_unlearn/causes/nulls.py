"""When a cause must not be said, whatever the tables make of the rest: the nulls of the package's docstring.

`impossible` are facts: what was never right neither rose nor was lost nor is guessed, and what was right once was not
never rewarded. `contradicted` is evidence that a prompt has and that is not what the cause would leave; its probability
stands, but it is not said. Evidence that a run lacks contradicts nothing, with these exceptions: a second model's, for
only it tells some causes apart; answers, for a label is called wrong by what was answered instead, and a grader by what
was written; and the stretch in which a prompt was solved before it was lost.
"""

import numpy as np

from openrlhf_unlearn.causes import CAUSES

RISES = 2.0  # z of the slope, which chance reaches once in 44 prompts of a constant rate
LOST = 0.2  # by which the best stretch lay above the end
NO_VERDICT = 0.05  # share of the samples
ONE_ANSWER = 0.3  # share of the samples
DOES_IT, AGREES, AS_OFTEN = 1.0, 2.0, 1.0  # codes of `second` and `guess` in evidence.py


def impossible(positive: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(prompts, causes) of bool. positive, n: (prompts,) right samples and samples, before, in and after training."""
    never, once = (n > 0) & (positive == 0), positive > 0
    return _by_cause({"rising": never, "forgotten": never, "guessable": never, "never_rewarded": once}, len(n))


def contradicted(values: dict[str, np.ndarray]) -> np.ndarray:
    """(prompts, causes) of bool. values: kind of evidence → (prompts,), nan where there is none."""
    known = {name: np.isfinite(value) for name, value in values.items()}
    rules = {
        "verifier": ~(values["disputed"] > 0) & ~(values["failed"] >= NO_VERDICT),
        "wrong_label": ~(values["majority"] >= ONE_ANSWER) & (values["second"] != AGREES),
        "guessable": known["guess"] & (values["guess"] != AS_OFTEN),
        "rising": known["trend"] & (values["trend"] < RISES),
        "forgotten": ~(values["peak"] >= LOST),  # of a few visits nothing is known
        # One model cannot tell these apart: only another one that solves it, or that is able and fails, can.
        "beyond": ~(values["second"] <= DOES_IT),
        "random_label": ~(values["second"] > AGREES),
    }
    return _by_cause(rules, len(values["trend"]))


def _by_cause(rules: dict[str, np.ndarray], prompts: int) -> np.ndarray:
    return np.stack([rules.get(cause, np.zeros(prompts, dtype=bool)) for cause in CAUSES], axis=1)
