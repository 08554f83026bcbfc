"""The learning rate follows the prompts that were consumed, not the optimiser steps that were made.

The host plans its schedule over one optimiser step for each batch that is sampled. Nobody knows before a run what share
of it a filter will accept: with 40 % accepted, a cosine over steps ends at 0.7 of its peak instead of 0.1. Here the
schedule's position is the share of all prompts of all episodes that was consumed, so it ends where the data end,
whatever was accepted, replayed or brought back. If everything is accepted, the learning rates are the host's.
"""

from collections.abc import Callable


class PromptSchedule:
    """Wraps the host's scheduler (PyTorch's LambdaLR, as transformers makes them), planned over `total` steps."""

    def __init__(self, scheduler, total: int):
        self.scheduler, self.total = scheduler, total
        self._aimed: tuple[int, float, float, int] | None = None  # first step, start, end, steps
        # Plain functions, which a scheduler leaves out of its saved state.
        scheduler.lr_lambdas = [self._following(stock) for stock in scheduler.lr_lambdas]

    def aim(self, start: float, end: float, steps: int) -> None:
        """The next `steps` optimiser steps take the schedule from one share of all prompts, 0 to 1, to another."""
        self._aimed = (self.scheduler.last_epoch, start, end, steps)

    def position(self, step: int) -> float:
        """Where in the host's plan the optimiser step stands; one that was not aimed, where the host puts it."""
        if self._aimed is None:
            return step
        first, start, end, steps = self._aimed
        return self.total * (start + (end - start) * min(1.0, (step - first) / steps))

    def _following(self, stock: Callable[[float], float]) -> Callable[[int], float]:
        return lambda step: stock(self.position(step))
