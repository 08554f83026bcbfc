"""What a page lacks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """One thing that the page lacks: what it is, why, and the command that gets it."""

    what: str
    why: str
    command: str
