from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.collect.prompts import Prompt, PromptStream, distinct
from openrlhf_unlearn.samplers import Sampler, SamplerConfig


def prompts(n, copies=1):
    return [Prompt(f"id{i}", f"p{i}", "1", "d") for _ in range(copies) for i in range(n)]


def stream_of(rows, seed, episodes):
    return PromptStream(rows, Sampler(SamplerConfig([row.id for row in rows], 8, seed)), episodes)


def test_the_first_row_of_each_prompt_is_kept_in_order():
    rows = [Prompt("a", "p", "1", "x"), Prompt("b", "q", "1", "x"), Prompt("a", "p", "1", "y")]
    assert distinct(rows) == rows[:2]


@given(
    n=st.integers(1, 30),
    copies=st.integers(1, 3),
    takes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_each_row_once_an_episode_and_a_resume_goes_on(n, copies, takes, seed, data):
    stream = stream_of(prompts(n, copies), seed, 100)
    resume_at = data.draw(st.integers(0, len(takes) - 1))
    twin, seen, progress = None, [], [stream.progress]
    for i, take in enumerate(takes):
        if i == resume_at:
            twin = stream_of(prompts(n, copies), seed, 100)
            twin.load_state_dict(stream.state_dict())
        if stream.exhausted:
            assert sorted(p.id for p in seen) == sorted(copies * list(stream.by_id))
            seen = []
            stream.next_episode()
            if twin:
                twin.next_episode()
        taken = stream.take(take)
        seen += taken
        progress.append(stream.progress)
        if twin:
            assert twin.take(take) == taken and twin.progress == stream.progress
    assert progress == sorted(progress) and progress[0] == 0 and progress[-1] <= 1


def test_episodes_differ_and_seeds_differ():
    stream, other = stream_of(prompts(50), 0, 2), stream_of(prompts(50), 1, 2)
    first = [p.id for p in stream.take(50)]
    assert (stream.progress, stream.last_episode) == (0.5, False)
    stream.next_episode()
    assert first != [p.id for p in stream.take(50)] != [p.id for p in other.take(50)]
    assert (stream.progress, stream.last_episode) == (1.0, True)


def test_a_finished_stream_hands_out_nothing_more_also_after_a_resume():
    stream = stream_of(prompts(5), 0, 4)
    stream.take(2)
    stream.finish()
    again = stream_of(prompts(5), 0, 4)
    again.load_state_dict(stream.state_dict())
    for one in (stream, again):
        assert one.exhausted and one.last_episode and one.take(1) == [] and one.progress == 1


def test_a_state_from_before_there_were_samplers_goes_on_at_the_same_prompt():
    stream, again = stream_of(prompts(9), 3, 3), stream_of(prompts(9), 3, 3)
    stream.take(9)
    stream.next_episode()
    stream.take(4)
    again.load_state_dict({"episode": 1, "position": 4})
    assert again.take(5) == stream.take(5)
