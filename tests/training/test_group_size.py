"""The generator's own rules that need no engine."""

from types import SimpleNamespace

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import Decision, FilterConfig, SampleFilter
from openrlhf_unlearn.training.generator import UnlearnSamplesGenerator, Visit
from tests.training.rollouts import PROMPT


class KeepsThree(SampleFilter):
    def decide(self, group):
        return Decision(True, "accepted", group.rollouts[:3])


def test_a_filter_that_keeps_another_number_than_k_ends_the_run_before_anything_trains():
    generator = object.__new__(UnlearnSamplesGenerator)
    generator.k, generator.buffer = 4, []
    generator.args = SimpleNamespace(unlearn=SimpleNamespace(filter="mine.py:KeepsThree"))
    generator.filter = KeepsThree(FilterConfig(k=4))
    visit = Visit(PROMPT, [None] * 4, [0.0, 1.0, 0.0, 1.0], ["wrong", "correct"] * 2, [])
    with pytest.raises(UserError, match=f"mine.py:KeepsThree kept 3 rollouts of prompt {PROMPT.id}; .* exactly k = 4"):
        generator._decide(visit)
    assert generator.buffer == []
