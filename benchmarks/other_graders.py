"""Graders that people use instead, each behind our Format interface so that all run in the same killable processes.

Named as `benchmarks/other_graders.py:CLASS`; each needs its package, of which `ENVIRONMENT` names the folder.
"""

import os
import sys
import types
from pathlib import Path

from openrlhf_unlearn.grading import Grade

ENVIRONMENT = "OTHER_GRADERS"  # folder that `pip install --no-deps --target` filled
FOLDER = Path(os.environ.get(ENVIRONMENT, "."))


class _Grader:
    def gradable(self, label: str) -> bool:
        return True

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        return [Grade.of(self.verdict(r, gold)) for r, gold in zip(responses, labels, strict=True)]

    def verdict(self, response: str, label: str) -> str:
        return "correct" if self.right(response, label) else "wrong"

    def right(self, response: str, label: str) -> bool:
        raise NotImplementedError


class MathVerify(_Grader):
    """math-verify with its defaults, as its README has it: the label parsed as it stands."""

    def __init__(self):
        from math_verify import parse, verify

        self.parse, self.verify = parse, verify

    def right(self, response, label):
        return self.verify(self.parse(label), self.parse(response))


class MathVerifyDollars(MathVerify):
    """The same with the label between dollars, which its LaTeX parser wants."""

    def right(self, response, label):
        return super().right(response, label if "$" in label else f"${label}$")


class Trl(_Grader):
    """trl.rewards.accuracy_reward; None, a label that it cannot read, is its `bad_label`."""

    def __init__(self):
        sys.path.append(str(FOLDER))
        from trl.rewards import accuracy_reward

        self.reward = accuracy_reward

    def verdict(self, response, label):
        reward = self.reward([[{"role": "assistant", "content": response}]], [label])[0]
        return "bad_label" if reward is None else "correct" if reward == 1 else "wrong"


class TrlDollars(Trl):
    """The same with the label between dollars."""

    def verdict(self, response, label):
        return super().verdict(response, label if "$" in label else f"${label}$")


def _verl(name: str):
    """A module of verl.utils.reward_score without what verl itself imports, which is much and not needed here."""
    for package in ("verl", "verl.utils", "verl.utils.reward_score"):
        shell = types.ModuleType(package)
        shell.__path__ = [str(FOLDER.joinpath(*package.split(".")))]
        sys.modules.setdefault(package, shell)
    sys.path.append(str(FOLDER))
    return __import__(f"verl.utils.reward_score.{name}", fromlist=["compute_score"])


class VerlDapo(_Grader):
    """verl's math_dapo: the text after "Answer:" or the last box, normalised and compared as text."""

    def __init__(self):
        self.module = _verl("math_dapo")

    def right(self, response, label):
        return self.module.compute_score(response, label)["acc"]


class VerlPrime(_Grader):
    """verl's prime_math: the last box, by text and by sympy."""

    def __init__(self):
        self.module = _verl("prime_math")

    def right(self, response, label):
        return bool(self.module.compute_score(response, label)[0])


class VerlMath(_Grader):
    """verl's math_reward, for MATH and Lighteval: the last box, compared as text."""

    def __init__(self):
        self.module = _verl("math_reward")

    def right(self, response, label):
        return self.module.compute_score(response, label) == 1
