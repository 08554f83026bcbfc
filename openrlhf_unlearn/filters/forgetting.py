"""Prompts solved at one time and lost later: the turnover of the solved set, counted as visits come."""

SOLVED = 0.5  # mean reward of a visit from which a prompt counts as solved


class Forgetting:
    """State of every visited prompt: solved at its last visit, or lost: solved once, but not at its last visit."""

    def __init__(self):
        self.solved: set[str] = set()
        self.lost: dict[str, None] = {}  # in the order of losing

    def visit(self, prompt_id: str, mean_reward: float) -> str | None:
        """Record a visit; 'gained' or 'lost' if it moved the prompt in or out of the solved set, else None."""
        if mean_reward >= SOLVED:
            self.lost.pop(prompt_id, None)
            if prompt_id in self.solved:
                return None
            self.solved.add(prompt_id)
            return "gained"
        if prompt_id in self.solved:
            self.solved.remove(prompt_id)
            self.lost[prompt_id] = None
            return "lost"
        return None

    def state_dict(self) -> dict:
        return {"solved": sorted(self.solved), "lost": list(self.lost)}

    def load_state_dict(self, state: dict) -> None:
        self.solved = set(state["solved"])
        self.lost = dict.fromkeys(state["lost"])
