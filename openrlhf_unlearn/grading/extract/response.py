"""What a response says: without thoughts, end-of-text tokens and further turns."""

import re

_TURN = re.compile(
    r"<(?:eos|pad|/s|end_of_turn|start_of_turn)>|<[|｜][^<>|｜\s]{1,24}[|｜]>|\n\s{0,8}(?:Human|User|Question|Q) ?:"
)
# A base model's next exercise: only where an answer stands before it, else it may be a heading of this one.
_ANOTHER_TASK = re.compile(r"\n[\s#*]{0,9}(?:Problem|Instruction|Exercise|Example)s?\b[ 0-9*]{0,9}:")
_ANSWERED = re.compile(r"####|\\boxed|\banswer(?: is|\*{0,2}:)", re.IGNORECASE)
_THOUGHTS = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think"
_THOUGHT = re.compile(
    rf"<(/?)(?:{_THOUGHTS})>|\[(/?)THINK\]|◁(/?)think▷|<[|]?(begin|end)_of_thought[|]?>"
    r"|<[|]channel[|]>(analysis|commentary|final)<[|]message[|]>",
    re.IGNORECASE,
)


def around_the_answer(response: str, limit: int, box: bool = True) -> str:
    """At most `limit` characters: the end, or, with `box`, the last box and what follows it if it stands earlier."""
    start = max(len(response) - limit, 0)
    if start and box and "\\boxed" not in response[start:]:
        earlier = response.rfind("\\boxed")
        start = start if earlier < 0 else earlier
    return response[start : start + limit]


def said(response: str) -> str:
    """What the response says: without the thoughts before it, and up to its end-of-text token or the next turn.

    Empty for a response that was cut off within its thoughts.
    """
    if thoughts := list(_THOUGHT.finditer(response)):
        last = thoughts[-1]
        closes = "/" in last.groups() or (last[4] or last[5] or "").lower() in ("end", "final")
        response = response[last.end() :] if closes else ""
    if (following := _ANOTHER_TASK.search(response)) and _ANSWERED.search(response, 0, following.start()):
        response = response[: following.start()]
    start = 0
    for turn in _TURN.finditer(response):
        if response[start : turn.start()].strip():
            return response[start : turn.start()].strip()
        start = turn.end()
    return response[start:].strip()
