"""Which prompt comes next, in episodes of as many visits as there are rows; a resume goes on at the very prompt.

The host's own order lives in a data loader whose saved state loses or repeats prompts when samples are buffered
(OpenRLHF issues 1310, 1320, 1322). Ours is a sampler's (`samplers/`), which is a function of its state.
"""

from dataclasses import dataclass
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.samplers.base import Sampler


@dataclass(frozen=True)
class Prompt:
    """One pair of prompt text and label (as the data set holds it), and its images, as the host's data set has them."""

    id: str
    text: str
    label: Any
    datasource: str
    images: object = None


def distinct(rows: list[Prompt]) -> list[Prompt]:
    """The first row of each id, in order."""
    found: dict[str, Prompt] = {}
    for prompt in rows:
        found.setdefault(prompt.id, prompt)
    return list(found.values())


class PromptStream:
    """Hands out as many prompts an episode as there are rows, in the sampler's order.

    A prompt that stands in several rows counts as often: `--data.prompt_probs` repeats rows to weigh data sets.
    """

    def __init__(self, rows: list[Prompt], sampler: Sampler, episodes: int = 1):
        self.rows = rows
        self.by_id = {prompt.id: prompt for prompt in rows}
        self.sampler = sampler
        self.episodes = episodes
        self.episode = 0
        self.position = 0

    def take(self, n: int) -> list[Prompt]:
        """The next up to `n` prompts of this episode; fewer, at last none, when it is over."""
        chosen = self.sampler.take(min(n, self.left))
        self.position += len(chosen)
        return [self.rows[i] for i in chosen]

    @property
    def left(self) -> int:
        """Turns of this episode that are left."""
        return len(self.rows) - self.position

    def skip(self, n: int) -> None:
        """Give `n` turns of this episode to prompts that come from elsewhere; those whose turns they were come next."""
        self.position += n

    @property
    def exhausted(self) -> bool:
        return self.position >= len(self.rows)

    @property
    def last_episode(self) -> bool:
        return self.episode + 1 >= self.episodes

    @property
    def progress(self) -> float:
        """The share of the visits of all episodes that was handed out, from 0 to 1; what is brought back adds none."""
        return min(1.0, (self.episode + self.position / len(self.rows)) / self.episodes)

    def next_episode(self) -> None:
        self.episode += 1
        self.position = 0

    def finish(self) -> None:
        """Hand out nothing more."""
        self.episode, self.position = max(self.episode, self.episodes - 1), len(self.rows)

    def state_dict(self) -> dict:
        return {"episode": self.episode, "position": self.position, "sampler": self.sampler.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.episode, self.position = state["episode"], state["position"]
        if "sampler" not in state:  # saved before there were any: every row once an episode
            if type(self.sampler) is not Sampler:
                raise UserError("this checkpoint is of --unlearn.sampler uniform: go on with that")
            self.sampler.load_state_dict({**self.sampler.state_dict(), **state, "passes": self.episode})
        else:
            self.sampler.load_state_dict(state["sampler"])
