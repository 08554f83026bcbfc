"""Groups of rollouts in, batches out: the tracker sees every group, the filter decides, rejected ones are replaced.

What was accepted but not yet trained waits in a buffer that outlives the end of an episode and, through the
adapter's state, the process. The adapter says how rollouts are sampled, by `dispatch`, `ready` and `receive`.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm import tqdm

from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.collect.prompts import Prompt, PromptStream
from openrlhf_unlearn.collect.tracker import Sampled, Tracker
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import Group, Rollout, SampleFilter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sizes:
    """All in groups of k rollouts, but `max_rejected`."""

    batch: int  # that one training step takes
    ahead: int  # that are sampled before a step (--rollout.vllm_generate_batch_size)
    unit: int  # that fill whole optimiser steps on every rank
    max_rejected: int  # visits in a row of which none trained before the run ends

    def next_round(self, buffered: int) -> int:
        """How many groups to sample now, so that a batch is reached whatever `ahead` is; 0 if it is there."""
        if buffered >= self.batch:
            return 0
        return self.ahead - buffered if self.ahead >= self.batch else min(self.ahead, self.batch - buffered)

    def trainable(self, buffered: int, over: bool) -> int:
        """A full batch, or where training is `over` as many groups as fill whole optimiser steps on every rank.

        A part of one would add gradients that no step applies, and uneven ranks would wait forever.
        """
        if buffered >= self.batch:
            return self.batch
        return buffered // self.unit * self.unit if over else 0


@dataclass
class Visit:
    """One prompt on its way through the engines; adaptive filters add waves of rollouts to it."""

    prompt: Prompt
    payloads: list = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    hint: str | None = None  # the text of the hinted prompt, once a wave is sampled by it
    n_plain: int | None = None  # rollouts before that wave

    @property
    def asked(self) -> Prompt:
        """The prompt of the next wave."""
        return self.prompt if self.hint is None else replace(self.prompt, text=self.hint)

    @property
    def plain(self) -> list[Judgement]:
        return self.judgements[: self.n_plain]

    @property
    def hinted(self) -> list[Judgement]:
        return self.judgements[len(self.plain) :]

    @property
    def group(self) -> Group:
        plain = len(self.plain)
        rollouts = (
            Rollout(judgement.signal, payload, judged=judgement.positive, hinted=i >= plain)
            for i, (judgement, payload) in enumerate(zip(self.judgements, self.payloads, strict=True))
        )
        return Group(self.prompt.id, tuple(rollouts))

    @property
    def solved(self) -> bool:
        return all(judgement.positive for judgement in self.plain)


@dataclass
class AcceptedGroup:
    """A group that waits for its training step."""

    prompt_id: str
    rollouts: tuple[Rollout, ...]


class Collector(ABC):
    """State: `stream`, `filter`, `tracker`, `buffer`, `step`, and how many visits in a row were rejected, or solved."""

    group_type = AcceptedGroup  # an adapter may keep its own

    def __init__(
        self, sizes: Sizes, stream: PromptStream, filter: SampleFilter, tracker: Tracker, revisits_count: bool = False
    ):
        """`revisits_count`: prompts that a filter brings back take turns of the episode, and add no rollouts."""
        self.sizes, self.stream, self.filter, self.tracker = sizes, stream, filter, tracker
        self.revisits_count = revisits_count
        self.buffer: list[AcceptedGroup] = []
        self.step = 0  # batches handed to the trainer
        self.rejected_in_a_row = 0
        self.solved_in_a_row = 0  # of those, all of whose rollouts were positive
        self.last_reason = ""
        self.filter_name = type(filter).__name__  # in messages
        self._episode_over = False
        self._end_untold = False

    # What the adapter says ------------------------------------------------------------------------------------------

    @abstractmethod
    def dispatch(self, visits: list[Visit], n_samples: int) -> dict[Hashable, Visit]:
        """Send what visits ask to be sampled, that many rollouts each; returns what `ready` waits for → visit."""

    @abstractmethod
    def ready(self, pending: Iterable[Hashable]) -> list[Hashable]:
        """Wait until some of them are sampled; none only after a while."""

    @abstractmethod
    def receive(self, handle: Any, visit: Visit) -> None:
        """Add what was sampled to the visit."""

    # Batches --------------------------------------------------------------------------------------------------------

    def next_groups(self) -> tuple[list[AcceptedGroup], int]:
        """(a batch's groups, the prompts consumed): none at the end of an episode, which `episode_over` then says.

        Never with groups: OpenRLHF 0.10.4 does not train what comes with the end of an episode.
        """
        if self._end_untold:
            self._end_untold = False
            return [], 0
        if self._episode_over:
            if self.stream.last_episode:  # it ended early, and the trainer opens those that were planned
                return [], 0
            self._episode_over = False
            self.stream.next_episode()
        consumed = 0
        while (wanted := self.sizes.next_round(len(self.buffer))) and not self.stream.exhausted:
            consumed += self._sample(wanted)
        over = self.stream.exhausted and self.stream.last_episode
        taken = self.sizes.trainable(len(self.buffer), over)
        groups, self.buffer = self.buffer[:taken], self.buffer[taken:]
        self._episode_over = self.stream.exhausted and not self.sizes.trainable(len(self.buffer), over)
        self._end_untold = self._episode_over and bool(groups)
        if self._episode_over:
            self._tell_end(over, bool(groups))
        return groups, consumed

    @property
    def episode_over(self) -> bool:
        return self._episode_over and not self._end_untold

    def _tell_end(self, over: bool, trains: bool) -> None:
        logger.info(f"Episode {self.stream.episode + 1} is over: {self.tracker.describe()}")
        if not over:
            return
        if self.buffer:
            left = sum(len(group.rollouts) for group in self.buffer)
            logger.info(f"End of training: {left} accepted rollouts were left, too few for one more optimiser step")
        never = not (trains or self.step or self.buffer)
        if never and self.rejected_in_a_row < self.sizes.max_rejected:
            self._end_of_learning()

    # Sampling -------------------------------------------------------------------------------------------------------

    def _sample(self, wanted: int) -> int:
        """Sample until `wanted` groups were accepted or the episode is over; returns the prompts consumed."""
        first = self._revisited()[: min(wanted, self.stream.left) if self.revisits_count else wanted]
        if self.revisits_count:
            self.stream.skip(len(first))
        first += self.stream.take(wanted - len(first))
        consumed = len(first)
        pending = self._visit(first)
        progress = tqdm(total=wanted, desc="Generate samples")
        while pending:
            for handle in self.ready(pending):
                visit = pending.pop(handle)
                self.receive(handle, visit)
                group = visit.group
                more = self.filter.wants_more(group)
                if more:
                    hint = self.filter.hint(group)
                    if hint is not None and visit.hint is None:
                        visit.hint, visit.n_plain = hint, len(visit.judgements)
                    pending.update(self.dispatch([visit], more))
                elif self._decide(visit):
                    progress.update()
                else:
                    replacement = self.stream.take(1)
                    consumed += len(replacement)
                    pending.update(self._visit(replacement))
                progress.set_postfix(prompts=consumed, refresh=False)
        progress.close()
        return consumed

    def _revisited(self) -> list[Prompt]:
        names = self.filter.revisit(self.step + 1)
        return [self.stream.by_id[name] for name in names if name in self.stream.by_id]

    def _visit(self, prompts: list[Prompt]) -> dict[Hashable, Visit]:
        return self.dispatch([Visit(prompt) for prompt in prompts], self.filter.samples_per_wave) if prompts else {}

    def _decide(self, visit: Visit) -> bool:
        """Ask the filter, tell the tracker, keep what was accepted."""
        decision = self.filter.decide(visit.group)
        decision.check(self.filter.config.k, self.filter_name, visit.prompt.id)
        answers = visit.answers[: len(visit.plain)]
        sampled = Sampled(visit.prompt.id, visit.plain, visit.responses, answers, visit.hinted)
        self.tracker.observe(sampled, decision.accepted, decision.reason)
        first = visit.plain[: self.filter.samples_per_wave]
        self.stream.sampler.observe(visit.prompt.id, sum(judgement.positive for judgement in first), len(first))
        if decision.accepted:
            self.rejected_in_a_row = self.solved_in_a_row = 0
            self.buffer.append(self.group_type(visit.prompt.id, decision.rollouts))
            return True
        self.rejected_in_a_row += 1
        self.solved_in_a_row += visit.solved
        self.last_reason = decision.reason
        if self.rejected_in_a_row == self.sizes.max_rejected:
            self._end_of_learning()
        return False

    def _end_of_learning(self) -> None:
        """No group trains any more: the end, if most were solved by every rollout; else UserError."""
        visits, solved = self.rejected_in_a_row, self.solved_in_a_row
        if 2 * solved < visits:
            raise UserError(
                f"no group passed --unlearn.filter {self.filter_name} in {visits} visits in a row (last reason: "
                f"{self.last_reason}; in {solved} every rollout was right); check the reward function, easier or "
                "harder data, or raise --unlearn.max_filtered_batches"
            )
        logger.info(
            f"Nothing left to learn: of the last {visits} visits none trained, in {solved} every rollout was right. "
            f"Training ends after step {self.step}, and the model is saved."
        )
        self.stream.finish()
