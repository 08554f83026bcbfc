"""Which prompt comes next: a seeded order for every episode that a resume takes up at the very prompt.

The host's own order lives in a data loader whose saved state loses or repeats prompts when samples are buffered
(OpenRLHF issues 1310, 1320, 1322). Ours is a function of seed, episode and position, so its state is two numbers.
"""

import random
from dataclasses import dataclass

from openrlhf_unlearn.run_dir import prompt_id


@dataclass(frozen=True)
class Prompt:
    """One distinct pair of prompt and label, as the host's data set prepared it."""

    id: str
    text: str
    label: str
    image: object
    datasource: str


def distinct_prompts(dataset) -> list[Prompt]:
    """The host's PromptDataset without repetitions, in its order."""
    found: dict[str, Prompt] = {}
    for text, label, image, source in zip(
        dataset.prompts, dataset.labels, dataset.images, dataset.datasources, strict=True
    ):
        name = prompt_id(text, label)
        found.setdefault(name, Prompt(name, text, label, image, source))
    return list(found.values())


class PromptStream:
    """Hands out every prompt once an episode, in an order fixed by `seed` and the episode's number."""

    def __init__(self, prompts: list[Prompt], seed: int):
        self.prompts = prompts
        self.by_id = {prompt.id: prompt for prompt in prompts}
        self.seed = seed
        self.episode = 0
        self.position = 0
        self._order = self._shuffled()

    def _shuffled(self) -> list[int]:
        order = list(range(len(self.prompts)))
        random.Random(f"{self.seed}:{self.episode}").shuffle(order)
        return order

    def take(self, n: int) -> list[Prompt]:
        """The next up to `n` prompts of this episode; fewer, at last none, when it is over."""
        chosen = self._order[self.position : self.position + n]
        self.position += len(chosen)
        return [self.prompts[i] for i in chosen]

    @property
    def exhausted(self) -> bool:
        return self.position >= len(self._order)

    def next_episode(self) -> None:
        self.episode += 1
        self.position = 0
        self._order = self._shuffled()

    def state_dict(self) -> dict:
        return {"episode": self.episode, "position": self.position}

    def load_state_dict(self, state: dict) -> None:
        self.episode, self.position = state["episode"], state["position"]
        self._order = self._shuffled()
