r"""New problems from old ones (paper, section 5.3 and Appendix C): similar ones, and steps of the same one.

What is asked of the two models. The wording is ours, not the paper's. The second model solves a problem without seeing
the first one's answer, and a problem stands only where our grader finds the two equal.
"""

from pydantic import BaseModel, ConfigDict

from openrlhf_unlearn.interventions.client import Request
from openrlhf_unlearn.interventions.questions import Question


class Problem(BaseModel):
    """One problem of a model's own making."""

    model_config = ConfigDict(extra="forbid")
    question: str
    solution: str  # before the answer, so that the model works it out first
    answer: str


class Problems(BaseModel):
    model_config = ConfigDict(extra="forbid")
    problems: list[Problem]


_RULES = """\
Rules for every problem:
- It is complete in itself: whoever reads it knows nothing of the original or of the other problems.
- It has exactly one right answer, and a program will compare it: a number, an expression, a set, an interval or one \
word, without explanation. No proofs, no drawings, no "how would you".
- You have worked it out yourself. "solution" takes one step at a time and ends at the answer; "answer" repeats that \
answer alone, in LaTeX where it is mathematics.
Return JSON: {{"problems": [{{"question": …, "solution": …, "answer": …}}, …]}} with {n} problems. Escape every \
backslash of LaTeX, as JSON asks."""

ASK = {
    "similar": """\
Below is a problem with its final answer. Write {n} new problems that need the same idea at the same difficulty, so \
that who has understood one can solve them all. Vary more than the names: other numbers, another setting, another \
unknown, a turn in what is asked. No two may be the same problem, and none may be the original.

"""
    + _RULES,
    "subproblems": """\
Below is a problem with its final answer. Break the way to that answer into {n} smaller problems, in the order in \
which they are needed: each is easier than the original, each later one may need the result of an earlier one (then \
state that result in it as given), and who has solved them all has everything that the original asks for. Do not ask \
the original itself again.

"""
    + _RULES,
}
KINDS = tuple(ASK)

_SOLVE = r"Solve this problem. Reason step by step, then give the final answer alone in \boxed{}, in its simplest form."


def write_request(
    question: Question, kind: str, n: int, max_tokens: int, temperature: float | None
) -> Request[Problems]:
    """Ask for `n` problems of a `kind` of KINDS from one original."""
    messages = (
        ("system", ASK[kind].format(n=n)),
        ("user", f"The problem:\n{question.text}\n\nIts final answer: {question.label}"),
    )
    return Request(messages, max_tokens, Problems, temperature)


def solve_request(problem: str, max_tokens: int, temperature: float | None) -> Request:
    """Ask the second model to solve a problem blind."""
    return Request((("system", _SOLVE), ("user", problem)), max_tokens, None, temperature)
