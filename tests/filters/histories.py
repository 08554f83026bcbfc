"""Histories of visits for property tests, and a driver that samples as the host does."""

from collections.abc import Sequence

from hypothesis import strategies as st

from openrlhf_unlearn.filters import Decision, FilterConfig, Group, Rollout, SampleFilter

LONGEST = 16  # rollouts of a visit: k = 4, factor at most 4

configs = st.builds(
    FilterConfig,
    k=st.just(4),
    seed=st.integers(0, 3),
    oversample_factor=st.integers(1, 4),
    positives_per_group=st.integers(1, 3),
    replay_limit=st.integers(1, 3),
    buffer_per_prompt=st.integers(1, 4),
)
rewards = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0]), min_size=LONGEST, max_size=LONGEST)
dry = st.just([0.0] * LONGEST)  # what makes a filter replay
histories = st.lists(st.tuples(st.sampled_from("ab"), rewards | dry), max_size=12)


def sequence(name: str, visit: int, rewards: Sequence[float]) -> tuple[Rollout, ...]:
    """All rollouts that a visit could sample; each payload says where it comes from."""
    return tuple(Rollout(reward, payload=(name, visit, i)) for i, reward in enumerate(rewards))


def visit(mine: SampleFilter, name: str, rollouts: tuple[Rollout, ...]) -> tuple[Decision, int]:
    """Sample a prefix of `rollouts` as the filter asks; returns its decision and the number sampled."""
    n = mine.samples_per_wave
    while more := mine.wants_more(Group(name, rollouts[:n])):
        n += more
    return mine.decide(Group(name, rollouts[:n])), n
