"""What a sample filter is: it sees one prompt's rollouts as a group and says which of them train, and why."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD


@dataclass(frozen=True)
class Rollout:
    """One sampled rollout as a filter sees it."""

    reward: float  # before any shaping: the score where the reward function gives one, else the reward
    payload: Any = None  # the host's own object, opaque to filters
    replayed: bool = False
    judged: bool | None = None  # positive by the run's own rule; None: by the default threshold
    hinted: bool = False  # sampled with a hint in its prompt
    expert: bool = False  # a stronger model's, not sampled here

    @property
    def positive(self) -> bool:
        return self.reward > POSITIVE_THRESHOLD if self.judged is None else self.judged


@dataclass(frozen=True)
class Group:
    """All rollouts of one visit to a prompt, in order of sampling; waves are concatenated.

    ValueError names the prompt if a reward is None or not finite: no filter could say what that means.
    """

    prompt_id: str
    rollouts: tuple[Rollout, ...]

    def __post_init__(self):
        if not all(map(_is_number, self.rewards)):
            raise ValueError(f"prompt {self.prompt_id} has a reward that is not a finite number: {self.rewards}")

    @property
    def rewards(self) -> list[float]:
        return [rollout.reward for rollout in self.rollouts]

    @property
    def n_positive(self) -> int:
        return sum(rollout.positive for rollout in self.rollouts)

    @property
    def plain(self) -> tuple[Rollout, ...]:
        return tuple(rollout for rollout in self.rollouts if not rollout.hinted)

    @property
    def hinted(self) -> tuple[Rollout, ...]:
        return tuple(rollout for rollout in self.rollouts if rollout.hinted)


def _is_number(reward: Any) -> bool:
    try:
        return math.isfinite(reward)
    except TypeError:  # None
        return False


@dataclass(frozen=True)
class Decision:
    """What a filter says of a group. The reason becomes a metric and a column of `rewards/`."""

    accepted: bool
    reason: str
    rollouts: tuple[Rollout, ...] = ()  # those that train: exactly k; nothing of a rejected group trains

    @property
    def n_replayed(self) -> int:
        return sum(rollout.replayed and not rollout.hinted for rollout in self.rollouts)

    def check(self, k: int, filter_name: str, prompt_id: str) -> None:
        """UserError if the group trains with another number of rollouts than k: the host normalises rewards k by k,
        so one rollout more or less would give the advantages of this prompt to the next ones."""
        if self.accepted and len(self.rollouts) != k:
            raise UserError(
                f"--unlearn.filter {filter_name} kept {len(self.rollouts)} rollouts of prompt {prompt_id}; an accepted "
                f"group must bring exactly k = {k} (--rollout.n_samples_per_prompt): change its decide()"
            )


def as_it_is(payload: Any) -> Any:
    return payload


@dataclass(frozen=True)
class FilterConfig:
    """What every filter is made from. Unless said, all but `k`, `seed` and `pack` concern `oversample_replay`.

    `pack` makes of a payload what may be kept after the visit: smaller, with its size in bytes as `nbytes`; or None if
    it cannot be kept. The host restores what it gets back.
    """

    k: int  # rollouts that train per prompt
    seed: int = 0
    oversample_factor: int = 4  # at most factor x k rollouts are sampled per visit
    positives_per_group: int = 1  # P of the k
    replay_limit: int = 2  # how often one stored positive may train again
    adaptive: bool = False  # sample in waves, stop when the group can be filled
    give_up_below: float = 0.0  # adaptive: stop where a positive in this visit is less likely than this; 0 never
    buffer_per_prompt: int = 8  # stored positives of one prompt
    buffer_bytes: float = 4e9  # memory of all stored positives
    review_every: int = 5  # review: steps between two reviews
    review_at_most: int = 16  # review: prompts a review
    pack: Callable[[Any], Any] = as_it_is
    # hinted: prompt id → hinted prompts, least first
    hints: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    hint_trains: str = "group"  # hinted: the group of the hinted prompt, or one of its positives behind the plain one


class SampleFilter:
    """Base class of all filters, also of a user's own (`--unlearn.filter path.py:Name`).

    Default: every group of k rollouts trains. Override `decide`; a filter with memory overrides `state_dict` and
    `load_state_dict` too, which are saved in and restored from OpenRLHF's checkpoint.

    A filter that keeps rollouts after their visit should keep `replace(rollout, payload=config.pack(rollout.payload))`.
    """

    def __init__(self, config: FilterConfig):
        self.config = config
        self.samples_per_wave = config.k  # rollouts to sample before the first question

    def wants_more(self, group: Group) -> int:
        """How many more rollouts of this prompt to sample before `decide`; 0 to decide now. Changes no state."""
        return 0

    def hint(self, group: Group) -> str | None:
        """The prompt with a hint, if what `wants_more` asks for is to be sampled by that; None: by the plain prompt."""
        return None

    def stuck(self, group: Group) -> bool:
        """Whether the plain rollouts, all of them sampled, lack a positive that this filter cannot make up for."""
        return not group.n_positive

    def enough_negatives(self, rate: float) -> float:
        """The chance that a visit at this pass rate samples the negatives that an accepted group needs. For samplers,
        which see to it that rollouts differ: 1 where a single negative will do."""
        return 1.0

    def makes_up(self, prompt_id: str) -> bool:
        """Whether a visit of this prompt without a positive would probably train all the same, by a hint or a stored
        positive. For samplers, which would pass over it."""
        return False

    def seed(self, prompt_id: str, rollouts: list[Rollout]) -> None:
        """Keep positives that were not sampled here, before the first visit (`--unlearn.expert_traces`)."""
        raise UserError("--unlearn.expert_traces fills the buffer of --unlearn.filter oversample_replay: choose that")

    def decide(self, group: Group) -> Decision:
        """Called once for each visit, when `wants_more` says 0. An accepted group brings exactly k rollouts: with
        another number the run ends with an error that names filter and prompt."""
        return Decision(True, "accepted", group.rollouts)

    def revisit(self, step: int) -> list[str]:
        """Prompt ids to sample for this step (counted from 1) besides those whose turn it is."""
        return []

    def metrics(self) -> dict[str, float]:
        """Numbers for the host's loggers, asked for at each step; name them `unlearn/…`."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """All that later decisions depend on; called when a checkpoint is saved, and once after the first step.

        It may hold None, bool, int, float, str, list, tuple, set, dict, NumPy arrays, tensors and Rollouts, nested at
        will, and nothing else: it is written as JSON and arrays, not pickled.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
