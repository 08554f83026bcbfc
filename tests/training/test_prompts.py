from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.training.prompts import PromptStream, distinct_prompts


def prompts(n):
    texts = [f"p{i}" for i in range(n)]
    data = SimpleNamespace(prompts=texts, labels=texts, images=[None] * n, datasources=["d"] * n)
    return distinct_prompts(data)


def test_repeated_pairs_are_one_prompt_other_labels_another():
    data = SimpleNamespace(
        prompts=["p", "p", "p"], labels=["1", "1", "2"], images=[None] * 3, datasources=["x", "y", "z"]
    )
    found = distinct_prompts(data)
    assert [(p.label, p.datasource) for p in found] == [("1", "x"), ("2", "z")]
    assert len({p.id for p in found}) == 2


@given(st.integers(1, 30), st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(0, 5), st.data())
def test_each_prompt_once_an_episode_and_a_resume_goes_on(n, takes, seed, data):
    stream = PromptStream(prompts(n), seed)
    resume_at = data.draw(st.integers(0, len(takes) - 1))
    twin = None
    seen = []
    for i, take in enumerate(takes):
        if i == resume_at:
            twin = PromptStream(prompts(n), seed)
            twin.load_state_dict(stream.state_dict())
        if stream.exhausted:
            assert sorted(p.id for p in seen) == sorted(stream.by_id)
            seen = []
            stream.next_episode()
            if twin:
                twin.next_episode()
        taken = stream.take(take)
        seen += taken
        if twin:
            assert twin.take(take) == taken


def test_episodes_differ_and_seeds_differ():
    stream, other = PromptStream(prompts(50), 0), PromptStream(prompts(50), 1)
    first = [p.id for p in stream.take(50)]
    stream.next_episode()
    assert first != [p.id for p in stream.take(50)] != [p.id for p in other.take(50)]
