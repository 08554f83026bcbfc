"""The collector against an engine of one line, in every arrival order, for all sizes."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrlhf_unlearn.collect.collector import Collector, Sizes
from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.collect.prompts import Prompt, PromptStream
from openrlhf_unlearn.collect.tracker import Tracker
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import Decision, FilterConfig, SampleFilter, load_filter
from openrlhf_unlearn.samplers import SamplerConfig, load_sampler
from openrlhf_unlearn.store.run_dir import RunDir

K = 2
NEVER = 10**9


class Local(Collector):
    """A prompt's text is its pattern of rewards, repeated; groups come back in a random order."""

    def __init__(self, patterns, sizes, run, filter="dynamic", episodes=1, seed=0, sampler="uniform"):
        rows = [Prompt(f"p{i}", pattern, "", "") for i, pattern in enumerate(patterns)]
        stream = PromptStream(rows, load_sampler(sampler, SamplerConfig([r.id for r in rows], K, seed)), episodes)
        super().__init__(sizes, stream, load_filter(filter, FilterConfig(k=K, seed=seed)), Tracker(RunDir(run)))
        self.random = random.Random(seed)
        self.visits = Counter()
        self.handles = 0

    def dispatch(self, visits, n_samples):
        self.handles += len(visits)
        return {(self.handles - i, n_samples): visit for i, visit in enumerate(visits)}

    def ready(self, pending):
        return self.random.sample(sorted(pending), self.random.randint(0, min(2, len(pending))))

    def receive(self, handle, visit):
        self.visits[visit.prompt.id, self.stream.episode] += 1
        rewards = [float(visit.prompt.text[i % len(visit.prompt.text)]) for i in range(handle[1])]
        visit.judgements += [Judgement(r, None, r > 0.5, "correct" if r > 0.5 else "wrong", {}) for r in rewards]
        visit.payloads += [visit.prompt.id] * len(rewards)

    def run_all(self):
        """(size of each batch, share of all prompts after it), as a trainer asks for them."""
        found = []
        for _ in range(self.stream.episodes):
            while True:
                groups, consumed = self.next_groups()
                assert not (groups and self.episode_over), "OpenRLHF 0.10.4 would not train these"
                if groups:
                    self.step += 1
                    self.tracker.finish_step(self.step)
                    found.append((len(groups), self.stream.progress))
                assert groups or consumed or self.episode_over, "an empty call without end"
                if self.episode_over:
                    break
        return found


patterns = st.lists(st.sampled_from(["0", "1", "01"]), min_size=1, max_size=40)


@given(
    patterns=patterns,
    batch=st.integers(1, 6),
    ahead=st.integers(1, 12),
    unit=st.integers(1, 3),
    episodes=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_every_row_is_visited_once_an_episode_and_what_is_accepted_trains(
    tmp_path_factory, patterns, batch, ahead, unit, episodes, seed
):
    made = Local(patterns, Sizes(batch, ahead, unit, NEVER), tmp_path_factory.mktemp("run"), "dynamic", episodes, seed)
    trainable = patterns.count("01") * episodes
    if not trainable and 2 * patterns.count("1") < len(patterns):
        with pytest.raises(UserError, match="no group passed"):
            made.run_all()
        return
    batches = made.run_all()
    assert made.visits == {(f"p{i}", e): 1 for i in range(len(patterns)) for e in range(episodes)}
    sizes = [size for size, _ in batches]
    assert all(size == batch for size in sizes[:-1])
    assert sum(sizes) + len(made.buffer) == trainable
    # Nothing is left but what is too little for a batch and for one more optimiser step.
    assert len(made.buffer) < min(unit, batch)
    assert all(size == batch or size % unit == 0 for size in sizes)
    progress = [share for _, share in batches]
    assert progress == sorted(progress) and all(0 < share <= 1 for share in progress)


@given(batch=st.integers(1, 50), ahead=st.integers(1, 120), buffered=st.integers(0, 200))
def test_a_round_is_sampled_exactly_while_a_batch_is_missing(batch, ahead, buffered):
    wanted = Sizes(batch, ahead, 1, NEVER).next_round(buffered)
    assert (wanted > 0) == (buffered < batch)
    assert wanted <= ahead or wanted == ahead - buffered
    if ahead >= batch and wanted:
        assert buffered + wanted == ahead


@pytest.mark.parametrize(
    ("patterns", "ends"), [(["1"] * 30, True), (["1"] * 20 + ["0"] * 10, True), (["0"] * 30, False), ([], None)]
)
def test_the_end_of_learning(tmp_path, patterns, ends):
    """Solved by every rollout, at least half of what was visited: the end. Else something is wrong, and is said."""
    made = Local(["01"] * (not patterns) * 4 or patterns, Sizes(2, 2, 1, 30), tmp_path, episodes=5)
    if ends is False:
        with pytest.raises(
            UserError, match=r"no group passed .* in 30 visits in a row \(last reason: zero_variance; in 0"
        ):
            made.run_all()
        return
    batches = made.run_all()
    assert bool(batches) == (ends is None)
    assert sum(made.visits.values()) == (30 if ends else 20)
    assert made.stream.exhausted and made.next_groups() == ([], 0)


def test_prompts_that_are_brought_back_do_not_move_the_progress(tmp_path):
    made = Local(["01"] * 8, Sizes(2, 2, 1, NEVER), tmp_path, filter="none")
    made.filter.revisit = lambda step: ["p0", "p1", "unknown"] if step == 2 else []
    assert [share for _, share in made.run_all()] == [0.25, 0.25, 0.5, 0.75, 1.0]


@settings(max_examples=20)
@given(
    filter=st.sampled_from(["none", "dynamic", "review", "review+none"]),
    patterns=patterns,
    batch=st.integers(1, 6),
    episodes=st.integers(1, 6),
    seed=st.integers(0, 9),
)
def test_a_sampler_with_every_filter_visits_as_often_and_everyone_first(
    tmp_path_factory, filter, patterns, batch, episodes, seed
):
    run = tmp_path_factory.mktemp("run")
    made = Local([*patterns, "01"], Sizes(batch, batch, 1, NEVER), run, filter, episodes, seed, "posterior")
    batches = made.run_all()
    visits, rows = made.visits, len(patterns) + 1
    assert {name for (name, episode) in visits if episode == 0} == {f"p{i}" for i in range(rows)}
    if "review" not in filter:  # what is brought back comes on top
        assert sum(visits.values()) == rows * episodes
    progress = [share for _, share in batches]
    assert progress == sorted(progress) and made.stream.progress == 1


class TwoWaves(SampleFilter):
    """A user's own: as many again of a group without a positive."""

    def wants_more(self, group):
        return self.config.k if len(group.rollouts) == self.config.k and not group.n_positive else 0

    def decide(self, group):
        return Decision(False, "two_waves")


def test_a_sampler_learns_of_the_first_wave_alone_whatever_the_filter(tmp_path):
    made = Local(["0"] * 3, Sizes(3, 3, 1, NEVER), tmp_path)
    made.filter, seen = TwoWaves(FilterConfig(k=K)), []
    made.stream.sampler.observe = lambda *told: seen.append(told[1:])
    with pytest.raises(UserError, match="no group passed"):
        made.run_all()
    assert seen == [(0, K)] * 3


def test_prompts_brought_back_instead_take_turns_and_nobody_is_lost(tmp_path):
    """Two of eight turns of an episode go to what is brought back; whose turns they were come next."""
    made = Local(["01"] * 8, Sizes(2, 2, 1, NEVER), tmp_path, filter="none", episodes=4)
    made.revisits_count = True
    made.filter.revisit = lambda step: ["p0", "p1", "unknown"] if step % 4 == 2 else []
    assert [share for _, share in made.run_all()] == [i / 16 for i in range(1, 17)]
    visits = Counter()
    for (name, _), n in made.visits.items():
        visits[name] += n
    assert sum(visits.values()) == 32, "as many rollouts as without review"
    assert visits["p0"] == visits["p1"] == 3 + 4 and set(visits.values()) == {3, 7}
