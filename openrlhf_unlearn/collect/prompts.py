"""Which prompt comes next: a seeded order for every episode that a resume takes up at the very prompt.

The host's own order lives in a data loader whose saved state loses or repeats prompts when samples are buffered
(OpenRLHF issues 1310, 1320, 1322). Ours is a function of seed, episode and position, so its state is two numbers.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """One pair of prompt and label (and images), as the host's data set prepared it."""

    id: str
    text: str
    label: str
    image: object
    datasource: str


def distinct(rows: list[Prompt]) -> list[Prompt]:
    """The first row of each id, in order."""
    found: dict[str, Prompt] = {}
    for prompt in rows:
        found.setdefault(prompt.id, prompt)
    return list(found.values())


class PromptStream:
    """Hands out every row once an episode, in an order fixed by `seed` and the episode's number.

    A prompt that stands in several rows is visited as often: `--data.prompt_probs` repeats rows to weigh data sets.
    """

    def __init__(self, rows: list[Prompt], seed: int, episodes: int = 1):
        self.rows = rows
        self.by_id = {prompt.id: prompt for prompt in rows}
        self.seed = seed
        self.episodes = episodes
        self.episode = 0
        self.position = 0
        self._order = self._shuffled()

    def _shuffled(self) -> list[int]:
        order = list(range(len(self.rows)))
        random.Random(f"{self.seed}:{self.episode}").shuffle(order)
        return order

    def take(self, n: int) -> list[Prompt]:
        """The next up to `n` rows of this episode; fewer, at last none, when it is over."""
        chosen = self._order[self.position : self.position + n]
        self.position += len(chosen)
        return [self.rows[i] for i in chosen]

    @property
    def exhausted(self) -> bool:
        return self.position >= len(self._order)

    @property
    def last_episode(self) -> bool:
        return self.episode + 1 >= self.episodes

    @property
    def progress(self) -> float:
        """The share of all rows of all episodes that was handed out, from 0 to 1; what is brought back adds nothing."""
        return min(1.0, (self.episode + self.position / len(self._order)) / self.episodes)

    def next_episode(self) -> None:
        self.episode += 1
        self.position = 0
        self._order = self._shuffled()

    def finish(self) -> None:
        """Hand out nothing more."""
        self.episode, self.position = max(self.episode, self.episodes - 1), len(self._order)

    def state_dict(self) -> dict:
        return {"episode": self.episode, "position": self.position}

    def load_state_dict(self, state: dict) -> None:
        self.episode, self.position = state["episode"], state["position"]
        self._order = self._shuffled()
