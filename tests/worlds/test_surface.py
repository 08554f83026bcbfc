"""The gate of the built-in world: nothing that is seen of a prompt by itself tells what can be learned."""

import pytest

from openrlhf_unlearn.worlds.surface import surface, surface_areas
from openrlhf_unlearn.worlds.task import full_answer, make_problem

BAR = 0.6


@pytest.mark.slow
def test_no_surface_tells_learnable_from_unlearnable(world):
    found = surface_areas(world)
    print({name: round(area, 3) for name, area in found.items()})
    assert all(1 - BAR <= area <= BAR for area in found.values()), found


def test_a_surface_counted_by_hand():
    problem = make_problem("D", (4, 8, 2, 1), 0)
    right = full_answer(problem)
    found = surface(problem, [right, right, "#", "#"], [15, 15, 2, 4])
    assert (found["initial pass rate"], found["length"], found["length of correct answers"]) == (0.5, 9, 15)
    assert (found["different texts"], found["different correct texts"], found["different answers"]) == (2, 1, 2)
    assert found["frequency of the commonest answer"] == 0.5
