import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openrlhf.models.loss import PolicyLoss
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.run_dir import prompt_id
from openrlhf_unlearn.training.clipping import ClipCounter, clipped_tokens, clipping_rows


def batch(seed, rollouts=6, tokens=9):
    """One micro-batch as the loss sees it: ratios far enough from 1 that the clip binds somewhere."""
    make = torch.Generator().manual_seed(seed)
    old = torch.randn(rollouts, tokens, generator=make)
    new = old + 0.3 * torch.randn(rollouts, tokens, generator=make)
    advantages = torch.randn(rollouts, 1, generator=make).expand(-1, tokens).clone()
    mask = torch.rand(rollouts, tokens, generator=make) < 0.8
    rewards = (torch.rand(rollouts, generator=make) < 0.5).float()
    experience = Experience(
        prompts=[f"p{i % 2}" for i in range(rollouts)], labels=["x"] * rollouts, info={"reward": rewards}
    )
    return new, old, advantages, mask, experience


def count(parts, **loss_options):
    """The counts of some micro-batches, through the hook on the host's own loss."""
    loss, counter = PolicyLoss(**loss_options), ClipCounter()
    counter.attach(loss)
    for new, old, advantages, mask, experience in parts:
        counter.experience = experience
        loss(new, old, advantages, action_mask=mask)
    return counter.take()


def split(part, at):
    *tensors, experience = part
    halves = []
    for piece in (slice(None, at), slice(at, None)):
        info = {"reward": experience.info["reward"][piece]}
        cut = Experience(prompts=experience.prompts[piece], labels=experience.labels[piece], info=info)
        halves.append((*(tensor[piece] for tensor in tensors), cut))
    return halves


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["ppo", "gspo"]))
def test_a_token_counts_as_clipped_exactly_where_the_hosts_loss_has_no_gradient(seed, kind):
    new, old, advantages, mask, _ = batch(seed)
    mask[:, 0] = True
    new.requires_grad_()
    loss = PolicyLoss(0.2, 0.28, policy_loss_type=kind)
    loss(new, old, advantages, action_mask=mask)[0].backward()
    clipped = clipped_tokens(new.detach(), old, advantages, mask, 0.2, 0.28, sequence_level=kind == "gspo")
    assert clipped.tolist() == ((new.grad == 0) & mask).sum(-1).tolist()


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_loss_and_gradient_are_bitwise_the_hosts(kind):
    results = []
    for watched in (False, True):
        new, old, advantages, mask, experience = batch(3)
        new.requires_grad_()
        loss, counter = PolicyLoss(policy_loss_type=kind), ClipCounter()
        if watched:
            counter.attach(loss)
            counter.experience = experience
        value, *metrics = loss(new, old, advantages, action_mask=mask)
        value.backward()
        results.append((value, new.grad, metrics[0], metrics[1]))
    for stock, ours in zip(*results, strict=True):
        assert torch.equal(stock, ours)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_counts_add_up_over_micro_batches_and_ranks(seed, at):
    whole = batch(seed)
    first, second = split(whole, at)
    expected = sorted(clipping_rows([count([whole])]), key=str)
    assert sorted(clipping_rows([count([first, second])]), key=str) == expected  # micro-batches of one rank
    assert sorted(clipping_rows([count([first]), count([second])]), key=str) == expected  # two ranks


def test_rows_against_a_slow_oracle():
    new, old, advantages, mask, experience = batch(11)
    rows = {row["prompt_id"]: row for row in clipping_rows([count([(new, old, advantages, mask, experience)])])}
    for prompt in ("p0", "p1"):
        clipped = {True: 0, False: 0}
        tokens = {True: 0, False: 0}
        for i in range(len(mask)):
            if experience.prompts[i] != prompt:
                continue
            positive = bool(experience.info["reward"][i] > 0.5)
            for t in range(mask.shape[1]):
                if mask[i, t]:
                    ratio, advantage = (new - old)[i, t].exp(), advantages[i, t]
                    tokens[positive] += 1
                    clipped[positive] += bool((ratio > 1.2 and advantage > 0) or (ratio < 0.8 and advantage < 0))
        row = rows[prompt_id(prompt, "x")]
        for positive, name in ((True, "positive_clip_fraction"), (False, "negative_clip_fraction")):
            assert row[name] == (clipped[positive] / tokens[positive] if tokens[positive] else None)


def test_taking_empties_the_counter():
    counter = ClipCounter()
    counter.counts["a"][0] += 1
    assert counter.take() == {"a": [1, 0, 0, 0, 0, 0]}
    assert counter.take() == {}
