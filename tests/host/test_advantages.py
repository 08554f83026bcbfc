"""Advantages of our own: MaxRL's gradient by enumeration, and in the host's own experience maker."""

from types import SimpleNamespace

import pytest
import torch
from openrlhf.trainer.ppo_utils.experience import Experience
from scipy.stats import binom

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.advantages import load_advantage, maxrl
from openrlhf_unlearn.host.training.discrepancy import Multipliers
from openrlhf_unlearn.host.training.marks import ID, POSITIVE
from openrlhf_unlearn.host.training.trainer import UnlearnExperienceMaker

K = 8


def group(hits, k=K):
    positive = torch.arange(k)[None] < hits
    return positive.float(), positive


def gradient(advantage, p, k=K):
    """The expected gradient by p of a policy that is right with probability p: sum over all numbers of positives."""
    total = 0.0
    for hits in range(k + 1):
        rewards, positive = group(hits, k)
        score = torch.where(positive, 1 / p, -1 / (1 - p))  # of log-probabilities by p
        total += binom.pmf(hits, k, p) * float((advantage(rewards, positive) * score).mean())
    return total


def reinforce(rewards, positive):
    return rewards - rewards.mean(-1, keepdim=True)


def grpo(rewards, positive):
    return reinforce(rewards, positive) / (rewards.std(-1, keepdim=True) + 1e-9)


@pytest.mark.parametrize("p", [0.01, 0.04, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [2, 8, 16])
def test_the_expected_gradient_is_that_of_the_sum_of_pass_at_j_over_j(p, k):
    truth = sum((1 - p) ** (j - 1) for j in range(1, k))  # each the derivative of pass@j / j = (1 - (1 - p)^j) / j
    assert gradient(maxrl, p, k) == pytest.approx(truth, rel=1e-4)


def test_prompts_with_low_pass_rates_weigh_more_than_in_grpo_and_reinforce():
    low, half = 1 / 24, 0.5
    share = {name: gradient(f, low) / gradient(f, half) for name, f in (("r", reinforce), ("g", grpo), ("m", maxrl))}
    assert share["r"] == pytest.approx(1.0, rel=1e-4)  # every prompt's pass rate counts alike
    assert share["g"] == pytest.approx(1.35, abs=0.01) and share["m"] == pytest.approx(3.12, abs=0.01)


def test_a_group_of_one_kind_has_no_advantage():
    for hits in (0, K):
        assert maxrl(*group(hits)).abs().max() == 0


def experiences(rewards, split, order, kl=0.0):
    """The groups' rollouts in the order `order`, in batches of these sizes, of two response tokens each."""
    found, rest = [], list(order)
    for size in split:
        mine, rest = rest[:size], rest[size:]
        values = torch.tensor([rewards[i] for i in mine])
        info = {POSITIVE: (values > 0.5).float(), ID: torch.zeros(size, dtype=torch.long)}
        mask = torch.tensor([[0, 1, 1]] * size)
        found.append(Experience(index=mine, rewards=values, action_mask=mask, kl=torch.full((size, 3), kl), info=info))
    return found


def maker(advantage, kl_coef=0.0):
    made = object.__new__(UnlearnExperienceMaker)
    args = SimpleNamespace(
        rollout=SimpleNamespace(n_samples_per_prompt=4),
        algo=SimpleNamespace(advantage=SimpleNamespace(estimator="dr_grpo", gamma=1.0, lambd=1.0, no_std_norm=False)),
        reward=SimpleNamespace(
            clip_range=(-10, 10), overlong_buffer_len=None, overlong_penalty_factor=1.0, stop_properly_penalty_coef=None
        ),
        unlearn=SimpleNamespace(advantage=advantage),
    )
    made.strategy, made.args = SimpleNamespace(args=args), args
    made.multipliers = Multipliers(None, 0.1)
    made.kl_ctl, made.advantage_estimator = SimpleNamespace(value=kl_coef), "dr_grpo"
    return made


@pytest.mark.parametrize("kl_coef", [0.0, 0.1])
def test_the_hosts_maker_gives_our_advantages_in_its_own_order(kl_coef):
    rewards = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    order = [5, 0, 3, 6, 1, 2, 7, 4]
    made = {
        name: maker(name, kl_coef).compute_advantages_and_returns(experiences(rewards, (3, 5), order, kl=0.5))
        for name in (None, "maxrl")
    }
    groups = torch.tensor(rewards).reshape(2, 4)
    wanted, stock = maxrl(groups, groups > 0.5).flatten(), reinforce(groups, None).flatten()
    for ours, theirs in zip(made["maxrl"], made[None], strict=True):
        for row, i in enumerate(ours.index):
            difference = (ours.advantages - theirs.advantages)[row]
            assert difference.tolist() == pytest.approx([0.0, *[float(wanted[i] - stock[i])] * 2], abs=1e-6)


def test_a_users_function(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def double(rewards, positive):\n    return 2 * (rewards - rewards.mean(-1, keepdim=True))\nn = 3\n"
    )
    rewards, order = [1.0, 0.0, 0.0, 1.0], [0, 1, 2, 3]
    (made,) = maker(f"{path}:double").compute_advantages_and_returns(experiences(rewards, (4,), order))
    assert made.advantages[:, 2].tolist() == [1.0, -1.0, -1.0, 1.0]
    for spec, says in ((f"{path}:n", "it is no function"), ("maxr", "choose of maxrl, or give path.py:Name")):
        with pytest.raises(UserError, match=says):
            load_advantage(spec)
    path.write_text("def flat(rewards, positive):\n    return rewards.mean(-1)\n")
    with pytest.raises(UserError, match=r"must return finite numbers of shape \(1, 4\)"):
        maker(f"{path}:flat").compute_advantages_and_returns(experiences(rewards, (4,), order))
