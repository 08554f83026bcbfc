"""What a sample filter is: it sees one prompt's rollouts as a group and says which of them train, and why."""

from dataclasses import dataclass
from typing import Any

from openrlhf_unlearn.run_dir import POSITIVE_THRESHOLD


@dataclass(frozen=True)
class Rollout:
    """One sampled rollout as a filter sees it."""

    reward: float  # before any shaping
    payload: Any = None  # the host's own object, opaque to filters; picklable
    replayed: bool = False

    @property
    def positive(self) -> bool:
        return self.reward > POSITIVE_THRESHOLD


@dataclass(frozen=True)
class Group:
    """All rollouts of one visit to a prompt, in order of sampling; waves are concatenated."""

    prompt_id: str
    rollouts: tuple[Rollout, ...]

    @property
    def rewards(self) -> list[float]:
        return [rollout.reward for rollout in self.rollouts]

    @property
    def n_positive(self) -> int:
        return sum(rollout.positive for rollout in self.rollouts)


@dataclass(frozen=True)
class Decision:
    """What a filter says of a group. The reason becomes a metric and a column of `rewards/`."""

    accepted: bool
    reason: str
    rollouts: tuple[Rollout, ...] = ()  # those that train: exactly k

    @property
    def n_replayed(self) -> int:
        return sum(rollout.replayed for rollout in self.rollouts)


@dataclass(frozen=True)
class FilterConfig:
    """What every filter is made from; k is the number of rollouts that train per prompt."""

    k: int
    seed: int = 0
    oversample_factor: int = 4
    positives_per_group: int = 1
    replay_limit: int = 2
    adaptive: bool = False


class SampleFilter:
    """Base class of all filters, also of a user's own (`--unlearn.filter path.py:Name`).

    Default: every group of k rollouts trains. Override `decide`; a filter with memory overrides `state_dict` and
    `load_state_dict` too, which are saved in and restored from OpenRLHF's checkpoint.
    """

    def __init__(self, config: FilterConfig):
        self.config = config
        self.samples_per_wave = config.k  # rollouts to sample before the first question

    def wants_more(self, group: Group) -> int:
        """How many more rollouts of this prompt to sample before `decide`; 0 to decide now."""
        return 0

    def decide(self, group: Group) -> Decision:
        return Decision(True, "accepted", group.rollouts)

    def revisit(self, step: int) -> list[str]:
        """Prompt ids to sample at the start of this step besides those whose turn it is."""
        return []

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass
