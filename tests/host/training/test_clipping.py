import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openrlhf.models.loss import PolicyLoss
from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.trainer.ppo_utils.length_penalty import apply_length_penalties

from openrlhf_unlearn.host.training.clipping import ClipCounter, clipped_tokens, clipping_rows
from openrlhf_unlearn.host.training.marks import ID, POSITIVE, id_number
from openrlhf_unlearn.store.run_dir import prompt_id
from tests.host.training.host import namespace


def batch(seed, rollouts=6, tokens=9):
    """One micro-batch as the loss sees it: ratios far enough from 1 that each bound binds somewhere."""
    make = torch.Generator().manual_seed(seed)
    old = torch.randn(rollouts, tokens, generator=make)
    new = old + 0.8 * torch.randn(rollouts, tokens, generator=make)
    advantages = torch.randn(rollouts, 1, generator=make).expand(-1, tokens).clone()
    advantages[0] = 0  # a group without contrast
    mask = torch.rand(rollouts, tokens, generator=make) < 0.8
    mask[:, 0] = True
    info = {
        ID: torch.tensor([id_number(prompt_id(f"p{i % 2}", "x")) for i in range(rollouts)]),
        POSITIVE: (torch.rand(rollouts, generator=make) < 0.5).float(),
    }
    return new, old, advantages, mask, info


def count(parts, **loss_options):
    """The counts of some micro-batches, through the hook on the host's own loss."""
    loss, counter = PolicyLoss(**loss_options), ClipCounter()
    counter.attach(loss)
    for new, old, advantages, mask, info in parts:
        counter.experience = Experience(info=info)
        loss(new, old, advantages, action_mask=mask)
    return counter.take()


def split(part, at):
    *tensors, info = part
    return [
        (*(tensor[piece] for tensor in tensors), {name: column[piece] for name, column in info.items()})
        for piece in (slice(None, at), slice(at, None))
    ]


CORRECTIONS = [
    {"is_correction_level": "off"},
    *(
        {"is_correction_level": level, "is_correction_mode": mode, "is_correction_gating": gating}
        for level, mode, gating in itertools.product(["token", "seq"], ["mask", "clip"], ["ratio", "binary_kl", "tv"])
        if mode == "mask" or (level == "token" and gating == "ratio")
    ),
]


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["ppo", "gspo"]),
    dual=st.sampled_from([None, 1.1, 3.0]),
    token_level=st.booleans(),
    correction=st.sampled_from(CORRECTIONS),
)
def test_a_token_counts_as_clipped_exactly_where_the_hosts_loss_has_no_gradient(
    seed, kind, dual, token_level, correction
):
    """Over all options of the host's loss: the model's own gradient is zero although the advantage is not."""
    new, old, advantages, mask, _ = batch(seed)
    rollout = old + 0.5 * torch.randn(old.shape, generator=torch.Generator().manual_seed(seed + 1))
    threshold = (0.5, 5.0) if correction.get("is_correction_gating", "ratio") == "ratio" else (0.0, 0.1)
    loss = PolicyLoss(
        0.2, 0.28, dual, token_level, policy_loss_type=kind, is_correction_threshold=threshold, **correction
    )
    kwargs = {"action_mask": mask, "rollout_log_probs": rollout, "dp_size": 2, "batch_num_tokens": torch.tensor(50.0)}
    new.requires_grad_()
    loss(new, old, advantages, **kwargs)[0].backward()
    expected = ((new.grad == 0) & (advantages != 0) & mask).sum(-1)
    assert clipped_tokens(loss, new, old, advantages, **kwargs).tolist() == expected.tolist()


def ratios(*values, advantage):
    """One rollout whose tokens have these ratios to the old policy."""
    new = torch.tensor([values]).log()
    return new, torch.zeros_like(new), torch.full_like(new, advantage)


@pytest.mark.parametrize(
    ("values", "advantage", "options", "clipped"),
    [
        ((0.5, 1.0, 1.2, 1.5, 4.0), 1.0, {}, 2),
        ((0.5, 1.0, 1.2, 1.5, 4.0), -1.0, {}, 1),
        ((0.5, 1.0, 1.2, 1.5, 4.0), -1.0, {"dual_clip": 3.0}, 2),  # of a ratio above 3 too
        ((0.5, 1.0, 1.2, 1.5, 4.0), 0.0, {}, 0),  # nothing to lose
        ((2.0, 2.0, 2.0), 1.0, {"policy_loss_type": "gspo"}, 3),
        ((4.0, 0.25, 1.0), 1.0, {"policy_loss_type": "gspo"}, 0),  # the sequence's ratio is 1
    ],
)
def test_what_is_clipped_by_hand(values, advantage, options, clipped):
    new, old, advantages = ratios(*values, advantage=advantage)
    mask = torch.ones_like(new, dtype=torch.bool)
    assert clipped_tokens(PolicyLoss(0.2, 0.2, **options), new, old, advantages, action_mask=mask).tolist() == [clipped]


def test_gspo_with_importance_correction_is_counted_by_the_ratio_to_the_engine():
    new, old, advantages = ratios(1.0, 1.0, advantage=1.0)
    mask, engine = torch.ones_like(new, dtype=torch.bool), old - 1.0  # e times less likely in the engine
    for level, clipped in (("off", 0), ("token", 2)):
        loss = PolicyLoss(0.2, 0.2, policy_loss_type="gspo", is_correction_level=level)
        found = clipped_tokens(loss, new, old, advantages, action_mask=mask, rollout_log_probs=engine)
        assert found.tolist() == [clipped]


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_loss_and_gradient_are_bitwise_the_hosts(kind):
    results = []
    for watched in (False, True):
        new, old, advantages, mask, info = batch(3)
        new.requires_grad_()
        loss, counter = PolicyLoss(policy_loss_type=kind), ClipCounter()
        if watched:
            counter.attach(loss)
            counter.experience = Experience(info=info)
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
    new, old, advantages, mask, info = batch(11)
    rows = {row.prompt_id: row for row in clipping_rows([count([(new, old, advantages, mask, info)])])}
    for p in (0, 1):
        clipped = {True: 0, False: 0}
        tokens = {True: 0, False: 0}
        for i in range(p, len(mask), 2):
            positive = bool(info[POSITIVE][i])
            for t in range(mask.shape[1]):
                if mask[i, t]:
                    ratio, advantage = (new - old)[i, t].exp(), advantages[i, t]
                    tokens[positive] += 1
                    clipped[positive] += bool((ratio > 1.2 and advantage > 0) or (ratio < 0.8 and advantage < 0))
        row = rows[prompt_id(f"p{p}", "x")]
        for positive, name in ((True, "positive_clip_fraction"), (False, "negative_clip_fraction")):
            assert getattr(row, name) == (clipped[positive] / tokens[positive] if tokens[positive] else None)


def test_the_side_of_a_rollout_is_that_before_the_hosts_length_penalty():
    """A correct but long rollout stays a positive one, although the penalty makes its reward 0."""
    new, old, advantages, mask, info = batch(5, rollouts=2)
    info[POSITIVE] = torch.tensor([1.0, 0.0])
    info["reward"] = torch.tensor([1.0, 0.0])
    penalised = Experience(
        rewards=info["reward"].clone(),
        response_length=torch.tensor([9, 9]),
        truncated=torch.tensor([True, True]),
        info=info,
    )
    reward = namespace({"overlong_buffer_len": None, "stop_properly_penalty_coef": -0.5})
    apply_length_penalties([penalised], namespace({"reward": reward}))
    assert penalised.info["reward"].tolist() == [-0.5, -0.5]
    rows = {row.prompt_id: row for row in clipping_rows([count([(new, old, advantages, mask, penalised.info)])])}
    assert [(rows[prompt_id(p, "x")].n_positive) for p in ("p0", "p1")] == [1, 0]


def test_taking_empties_the_counter():
    counter = ClipCounter()
    counter.counts["a"][0] += 1
    assert counter.take() == {"a": [1, 0, 0, 0, 0, 0]}
    assert counter.take() == {}
