"""Prompts solved at one time and lost later: the turnover of the solved set, counted as visits come."""

from typing import Any

# Apart, because a share of few rollouts is noisy: with one bound at 0.5 and 8 rollouts, a prompt that passes half the
# time would be lost in every fourth visit; so it is in one of thirty.
SOLVED = 0.5  # share of positives of a visit from which a prompt is solved
LOST = 0.25  # and below which a solved one is lost


class Forgetting:
    """State of every visited prompt: solved, or lost: solved once and fallen since."""

    def __init__(self):
        self.solved: set[str] = set()
        self.lost: dict[str, None] = {}  # in the order of losing

    def visit(self, prompt_id: str, pass_rate: float) -> str | None:
        """Record a visit; 'gained' or 'lost' if it moved the prompt in or out of the solved set, else None."""
        if pass_rate >= SOLVED and prompt_id not in self.solved:
            self.solved.add(prompt_id)
            self.lost.pop(prompt_id, None)
            return "gained"
        if pass_rate < LOST and prompt_id in self.solved:
            self.solved.remove(prompt_id)
            self.lost[prompt_id] = None
            return "lost"
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"solved": sorted(self.solved), "lost": list(self.lost)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.solved = set(state["solved"])
        self.lost = dict.fromkeys(state["lost"])
