"""The real schedules of transformers on a real optimiser, driven by the generator's prompts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.trainer import get_scheduler

from openrlhf_unlearn.host.training.actor import UnlearnCriticModelActor, UnlearnPolicyModelActor
from openrlhf_unlearn.host.training.schedule import PromptSchedule

PEAK, FLOOR = 1e-6, 0.1


def scheduler(total, name="cosine_with_min_lr", warmup=0.03):
    """As the host makes it, planned over `total` optimiser steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    options = {"min_lr_rate": FLOOR} if name == "cosine_with_min_lr" else {}
    made = get_scheduler(
        name, optimizer, num_warmup_steps=int(-(-total * warmup // 1)), num_training_steps=total,
        scheduler_specific_kwargs=options,
    )  # fmt: skip
    return optimizer, made


def learning_rates(spans, total, steps=2, **options):
    """The learning rate of every optimiser step, and the one after the last; `spans`: of each batch."""
    optimizer, made = scheduler(total, **options)
    schedule, found = PromptSchedule(made, total), []
    for start, end in spans:
        schedule.aim(start, end, steps)
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            made.step()
    return [*found, optimizer.param_groups[0]["lr"]]


def stock(total, n, **options):
    optimizer, made = scheduler(total, **options)
    found = []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return [*found, optimizer.param_groups[0]["lr"]]


@pytest.mark.parametrize("name", ["cosine_with_min_lr", "linear", "constant", "constant_with_warmup", "cosine"])
def test_where_everything_is_accepted_the_rates_are_the_hosts(name):
    spans = [(i / 50, (i + 1) / 50) for i in range(50)]
    assert learning_rates(spans, 100, name=name) == pytest.approx(stock(100, 100, name=name), rel=1e-6, abs=1e-15)


def test_by_steps_the_host_ends_far_above_its_floor_where_forty_percent_are_accepted():
    """What is wrong without it: 40 of 100 planned steps."""
    assert stock(100, 40)[-1] > 0.65 * PEAK


shares = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=60)


@settings(deadline=None)
@given(shares, st.integers(1, 8))
def test_it_ends_at_its_floor_and_never_rises_after_the_warm_up_whatever_was_accepted(consumed, steps):
    """`consumed`: prompts of each batch, few where most are accepted or many were brought back by a review."""
    ends = torch.tensor(consumed, dtype=torch.float64).cumsum(0)
    ends = (ends / ends[-1]).tolist()
    found = learning_rates(list(zip([0.0, *ends], ends, strict=False)), 200, steps)
    assert found[-1] == pytest.approx(FLOOR * PEAK)
    after = found[next(i for i, rate in enumerate(found) if rate == max(found)) :]
    assert all(a >= b * (1 - 1e-9) for a, b in zip(after, after[1:], strict=False))


def test_a_batch_of_prompts_that_were_brought_back_leaves_the_rate_where_it_is():
    found = learning_rates([(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)], 10, steps=2, warmup=0)
    assert found[2] == found[3] == found[4]


def test_a_resume_goes_on_where_the_prompts_are():
    spans = [(i / 20, (i + 1) / 20) for i in range(20)]
    whole = learning_rates(spans, 40)
    optimizer, made = scheduler(40)
    first = PromptSchedule(made, 40)
    for start, end in spans[:10]:
        first.aim(start, end, 2)
        for _ in range(2):
            optimizer.step()
            made.step()
    saved = made.state_dict()
    assert not any(callable(value) for value in saved.values()) and saved["lr_lambdas"] == [None]
    again, resumed = scheduler(40)
    resumed.load_state_dict(saved)
    again.load_state_dict(optimizer.state_dict())
    second, found = PromptSchedule(resumed, 40), []
    for start, end in spans[10:]:
        second.aim(start, end, 2)
        for _ in range(2):
            found.append(again.param_groups[0]["lr"])
            again.step()
            resumed.step()
    assert found == pytest.approx(whole[20:-1])


@pytest.mark.parametrize(
    ("actor", "name"), [(UnlearnPolicyModelActor, "actor_scheduler"), (UnlearnCriticModelActor, "critic_scheduler")]
)
def test_the_hosts_actors_aim_the_scheduler_that_the_host_made(actor, name):
    """Batch after batch, by the method that the trainer calls with the batch's span."""
    made = object.__new__(actor)
    made.max_steps = 20
    optimizer, plain_scheduler = scheduler(20)
    setattr(made, name, plain_scheduler)
    for start, end in ((0.0, 0.5), (0.5, 1.0)):
        made.aim_schedule(start, end, 3)
        for _ in range(3):
            optimizer.step()
            plain_scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(FLOOR * PEAK)


def test_a_scheduler_of_another_kind_is_left_to_the_host():
    made = object.__new__(UnlearnPolicyModelActor)
    made.actor_scheduler, made.max_steps = object(), 20
    made.aim_schedule(0.0, 0.5, 3)
    assert made.schedule is None
