"""A pool of engines whose "model" tosses coins: what an evaluation does with its responses needs no language model."""

import random
from collections.abc import Sequence


class Coins:
    """Right with the given probability for each prompt, `rates`; it stops as by Ctrl-C after `chunks` chunks."""

    size = 1

    def __init__(self, rates: Sequence[float], seed: int = 0, chunks: int = 10**9):
        self.rates, self.random, self.chunks = rates, random.Random(seed), chunks

    def sample(self, chunks, progress):
        for chunk in chunks:
            if not self.chunks:
                raise KeyboardInterrupt
            self.chunks -= 1
            progress(sum(request.n for request in chunk))
            yield chunk, [[[int(self.random.random() < self.rates[r.key]) + 2] for _ in range(r.n)] for r in chunk]
