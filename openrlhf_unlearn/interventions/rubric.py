"""What a judge is asked (paper, section 5.2: reasoning quality from 0 to 5). The rubric is ours."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from openrlhf_unlearn.interventions.client import Request

RUBRIC = """\
5  Every step follows from the problem or from earlier steps, nothing needed is left out; the answer is earned.
4  Sound as a whole. A small gap, slip of notation or needless detour that no later step depends on.
3  The right way in the main, but one step that matters is unproved, unclear, or wrong and silently put right.
2  Some steps belong to a solution, others are wrong or missing, so that the answer does not follow from them.
1  Wrong or incoherent for the most part; the answer is a guess, a coincidence, or taken from a pattern.
0  No reasoning: an answer alone, text about something else, or noise."""

_SYSTEM = f"""\
You judge the reasoning of a solution, not its result. The final answer is known to be right, which says nothing of \
how it was reached: right answers come from wrong steps too. Check each step on its own, and check that the next one \
follows. Length, style and politeness do not count.

{RUBRIC}

Return JSON: {{"findings": "the gravest flaw in a sentence or two, or 'none'", "score": 0 to 5}}"""


class Judgement(BaseModel):
    model_config = ConfigDict(extra="forbid")
    findings: str
    score: Literal[0, 1, 2, 3, 4, 5]


def judge_request(problem: str, response: str, number: int, max_tokens: int, temperature: float | None) -> Request:
    """The `number`-th judgement of a response. It tells neither group nor checkpoint."""
    shown = f"<problem>\n{problem.strip()}\n</problem>\n\n<solution>\n{response.strip()}\n</solution>"
    return Request((("system", _SYSTEM), ("user", shown)), max_tokens, Judgement, temperature, number)
