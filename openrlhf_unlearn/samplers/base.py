"""What a sampler is: it walks over the prompts in passes and says, before rollout, which of them are visited.

A pass is a seeded order of all rows. The base class visits every row of every pass, which is `--unlearn.sampler
uniform`. One that passes rows over spends the same number of visits on the others: an episode of N rows is N visits
whatever the sampler, so the learning rate, the epochs and the cost of a run stay what they were.

Whatever the sampler says, the first episode visits every row, and `FLOOR` episodes visit each row at least once: what
could not be learned at one time may be at another, and pools that drain one way are the known failure of selecting by
past rewards.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FLOOR = 5  # every row is visited at least once in so many episodes


def always(rate: float) -> float:
    return 1.0


def never(prompt_id: str) -> bool:
    return False


@dataclass(frozen=True)
class SamplerConfig:
    """`prompts`: the prompt id of each row, in the data's order; several rows may have one id. `negatives`: the chance
    that a visit at a pass rate samples as many negatives as the filter needs (`SampleFilter.enough_negatives`);
    `makes_up`: whether a visit without a positive would train all the same (`SampleFilter.makes_up`)."""

    prompts: Sequence[str]
    n: int  # rollouts that a visit samples at first
    seed: int = 0
    negatives: Callable[[float], float] = always
    makes_up: Callable[[str], bool] = never


class Sampler:
    """Base class of all samplers, also of a user's own (`--unlearn.sampler path.py:Name`).

    Override `wants`, and `observe` to learn from what a visit brought. One with memory overrides `state_dict` and
    `load_state_dict` too and calls the inherited ones: they keep the place in the walk.
    """

    def __init__(self, config: SamplerConfig):
        self.config = config
        self.passes = 0  # finished
        self.position = 0
        self.visits = 0
        self._order = self._shuffled()
        # A row is due so many visits after its last, and its turn comes within two passes: at most two episodes later.
        self._patience = (FLOOR - 2) * len(config.prompts)
        self._last = [-self._patience] * len(config.prompts)
        self._walked = self._told = 0  # rows since the last `metrics`, visits until then

    def wants(self, prompt_id: str) -> bool:
        """Whether to visit the prompt now. Asked once a row and pass, also of rows that are due."""
        return True

    def observe(self, prompt_id: str, n_positive: int, n: int) -> None:
        """A visit sampled `n` rollouts, `n_positive` positive: of the first wave alone, which no stopping rule saw."""

    def take(self, n: int) -> list[int]:
        """The next `n` rows to visit, by their number. Where a whole pass holds nobody that is wanted, the next one."""
        chosen: list[int] = []
        passed_over = 0  # in a row
        while len(chosen) < n:
            if self.position == len(self._order):
                self.passes, self.position = self.passes + 1, 0
                self._order = self._shuffled()
            row = self._order[self.position]
            self.position += 1
            self._walked += 1
            due = self.visits - self._last[row] >= self._patience or passed_over == len(self._order)
            if self.wants(self.config.prompts[row]) or due:
                self._last[row] = self.visits
                self.visits += 1
                chosen.append(row)
                passed_over = 0
            else:
                passed_over += 1
        return chosen

    def _shuffled(self) -> list[int]:
        order = list(range(len(self.config.prompts)))
        random.Random(f"{self.config.seed}:{self.passes}").shuffle(order)
        return order

    def metrics(self) -> dict[str, float]:
        """Numbers for the host's loggers, asked for at each step: what was passed over since the last."""
        walked, passed_over = self._walked, self._walked - self.visits + self._told
        self._walked, self._told = 0, self.visits
        return {"unlearn/sampler_passed_over": passed_over / walked} if passed_over else {}

    def state_dict(self) -> dict:
        """What the next choice depends on; of the same types as a filter's."""
        return {"passes": self.passes, "position": self.position, "visits": self.visits, "last": list(self._last)}

    def load_state_dict(self, state: dict) -> None:
        self.passes, self.position = state["passes"], state["position"]
        self.visits, self._last = state["visits"], list(state["last"])
        self._walked, self._told = 0, self.visits
        self._order = self._shuffled()
