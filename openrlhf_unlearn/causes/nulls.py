"""When a cause must not be said, whatever the tables make of the rest: the nulls of the package's docstring.

Each is a fact about the prompt's own samples. A cause whose fact is not there has probability 0; evidence that a run
lacks counts as not there, but for `beyond` and `random_label`, which are what is left.
"""

import numpy as np

from openrlhf_unlearn.causes import CAUSES

RISES = 2.0  # z of the slope, which chance reaches once in 44 prompts of a constant rate
LOST = 0.2  # by which the best stretch lay above the end
NO_VERDICT = 0.05  # share of the samples
ONE_ANSWER = 0.3  # share of the samples
AGREES, AS_OFTEN = 2.0, 1.0  # codes of `second` and `guess` in evidence.py


def possible(values: dict[str, np.ndarray], hit: np.ndarray) -> np.ndarray:
    """(prompts, causes) of bool. values: kind of evidence → (prompts,); hit: (prompts,) a sample was ever right."""
    rules = {
        "verifier": (values["disputed"] > 0) | (values["failed"] >= NO_VERDICT),
        "wrong_label": (values["majority"] >= ONE_ANSWER) | (values["second"] == AGREES),
        "guessable": hit & (values["guess"] == AS_OFTEN),
        "never_rewarded": ~hit,
        "rising": hit & (values["trend"] >= RISES),
        "forgotten": hit & (values["peak"] >= LOST),
    }
    always = np.ones(len(hit), dtype=bool)
    return np.stack([rules.get(cause, always) for cause in CAUSES], axis=1)
