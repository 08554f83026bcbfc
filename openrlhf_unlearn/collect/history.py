"""A prompt's pass rate through training, discounted: each visit counts so much less than the next one."""

from dataclasses import astuple, dataclass

import numpy as np

DECAY, SLOW_DECAY = 0.6, 0.9  # weight of a visit relative to the next one
PRIOR_HITS, PRIOR_N = 0.2, 4.0  # rollouts that a history starts with
EDGE = 1e-3  # a rate is never nearer to 0 or 1


@dataclass
class History:
    """Discounted positives and rollouts at both rates of decay; visits; whether ever rewarded."""

    hits: float = PRIOR_HITS
    n: float = PRIOR_N
    slow_hits: float = PRIOR_HITS
    slow_n: float = PRIOR_N
    visits: int = 0
    rewarded: bool = False

    def visit(self, n: int, positive: int) -> None:
        self.hits, self.n = self.hits * DECAY + positive, self.n * DECAY + n
        self.slow_hits, self.slow_n = self.slow_hits * SLOW_DECAY + positive, self.slow_n * SLOW_DECAY + n
        self.visits += 1
        self.rewarded |= positive > 0

    @property
    def rate(self) -> float:
        """The discounted pass rate now."""
        return min(max(self.hits / self.n, EDGE), 1 - EDGE)

    @property
    def slow_rate(self) -> float:
        """The same over more visits: the rate is rising where it lies below."""
        return min(max(self.slow_hits / self.slow_n, EDGE), 1 - EDGE)

    def state(self) -> list:
        return list(astuple(self))


def histories(row: np.ndarray, n: np.ndarray, positive: np.ndarray, size: int) -> list[History]:
    """Of visits in the order of steps, (visits,) each, the history of every one of `size` prompts."""
    found = [History() for _ in range(size)]
    for place, rollouts, hits in zip(row.tolist(), n.tolist(), positive.tolist(), strict=True):
        found[place].visit(rollouts, hits)
    return found
