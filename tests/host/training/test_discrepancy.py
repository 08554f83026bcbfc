"""The bound on the gap of trainer and engine, on a gap that is made on purpose: a bfloat16 engine, a sync left out."""

import pytest
import torch
from openrlhf.models.loss import PolicyLoss
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.host.training.discrepancy import Multipliers
from openrlhf_unlearn.host.training.likelihood import likelihood_rows
from openrlhf_unlearn.host.training.marks import ID, POSITIVE, REPLAYED, id_number
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Likelihood

NAMES = ["00000000000000aa", "00000000000000bb"]
TOLERANCE, RATE = 0.05, 0.5
VOCABULARY, TOKENS = 11, 6


class Policy:
    """Logits by prompt and place, (2, TOKENS, VOCABULARY); responses are fixed."""

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.logits = torch.randn(2, TOKENS, VOCABULARY, generator=generator).requires_grad_()
        self.taken = torch.randint(VOCABULARY, (2, TOKENS), generator=generator)

    def log_probs(self, logits=None):
        logits = self.logits if logits is None else logits
        return torch.log_softmax(logits.float(), -1).gather(-1, self.taken[..., None])[..., 0]


def batch(policy, engine):
    info = {ID: torch.tensor([id_number(name) for name in NAMES]), POSITIVE: torch.tensor([1.0, 0.0])}
    mask = torch.ones(2, TOKENS, dtype=torch.long)
    mask[:, 0] = 0
    return Experience(
        action_log_probs=policy.log_probs().detach(), rollout_log_probs=engine, advantages=torch.zeros(2, TOKENS),
        action_mask=mask, info=info,
    )  # fmt: skip


def gap(experience):
    return {row.prompt_id: row.train_inference_gap for row in likelihood_rows([experience], False)}


def train(policy, experience, rate=3.0):
    loss = PolicyLoss(0.2, 0.2)
    value, *_ = loss(
        policy.log_probs(), experience.action_log_probs, experience.advantages, action_mask=experience.action_mask
    )
    (gradient,) = torch.autograd.grad(value, policy.logits)
    policy.logits = (policy.logits - rate * gradient).detach().requires_grad_()


def test_an_engine_in_bfloat16_is_inside_and_nothing_is_changed():
    """The null: rounding alone. Advantages stay what they are, to the bit, and no multiplier grows."""
    policy, multipliers = Policy(), Multipliers(TOLERANCE, RATE)
    engine = policy.log_probs(policy.logits.detach().bfloat16())
    for _ in range(20):
        experience = batch(policy, engine)
        assert 0 < max(gap(experience).values()) < TOLERANCE
        experience.advantages = torch.rand(2, TOKENS, generator=torch.Generator().manual_seed(1))
        before = experience.advantages.clone()
        multipliers.update(likelihood_rows([experience], False))
        multipliers.constrain([experience])
        assert torch.equal(experience.advantages, before)
    assert set(multipliers.of.values()) == {0.0} and multipliers.metrics()["unlearn/discrepancy_constrained"] == 0


def test_a_replayed_rollout_is_not_pulled():
    """Its engine was another policy, or an expert that is certain: the difference is age, not a mismatch."""
    policy, multipliers = Policy(), Multipliers(TOLERANCE, RATE)
    multipliers.of = dict.fromkeys(NAMES, 0.5)
    experience = batch(policy, torch.zeros(2, TOKENS))
    experience.info[REPLAYED] = torch.tensor([1.0, 0.0])
    multipliers.constrain([experience])
    assert (experience.advantages[0] == 0).all() and (experience.advantages[1, 1:] > 0).all()


def test_a_sync_that_was_left_out_is_pulled_back_for_the_prompt_that_it_concerns():
    policy, multipliers = Policy(), Multipliers(TOLERANCE, RATE)
    engine = policy.log_probs().detach().clone()
    moved = policy.logits.detach().clone()
    moved[0] += 0.8 * torch.randn(TOKENS, VOCABULARY, generator=torch.Generator().manual_seed(2))  # trained since
    policy.logits = moved.requires_grad_()
    gaps, largest = [], 0.0
    for _ in range(60):
        experience = batch(policy, engine)
        gaps.append(gap(experience))
        multipliers.update(likelihood_rows([experience], False))
        multipliers.constrain([experience])
        assert (experience.advantages[:, 0] == 0).all() and (experience.advantages[1] == 0).all()
        largest = max(largest, multipliers.of[NAMES[0]])
        train(policy, experience)
    assert gaps[0][NAMES[0]] > 4 * TOLERANCE and gaps[-1][NAMES[0]] < 2 * TOLERANCE
    assert multipliers.of[NAMES[1]] == 0 and largest > 0
    before = multipliers.of[NAMES[0]]
    multipliers.update([Likelihood.Row(prompt_id=NAMES[0], train_inference_gap=0.0)])
    assert multipliers.of[NAMES[0]] < before, "inside the tolerance it shrinks"


@pytest.mark.parametrize("at", [0, 1, 3, 5])
def test_a_resume_finds_the_multipliers_in_the_run_directory(tmp_path, at):
    run, steps = RunDir(tmp_path), [[0.2, 0.01], [None, 0.3], [0.06, 0.0], [0.04, 0.5], [0.0, 0.1]]
    whole = Multipliers(TOLERANCE, RATE)
    for step, gaps in enumerate(steps, start=1):
        rows = [Likelihood.Row(prompt_id=name, train_inference_gap=g) for name, g in zip(NAMES, gaps, strict=True)]
        if step <= at:
            Likelihood.of_rows(rows).write(run, step)
        whole.update(rows)
    resumed = Multipliers(TOLERANCE, RATE)
    resumed.read(run)
    for gaps in steps[at:]:
        resumed.update(
            Likelihood.Row(prompt_id=name, train_inference_gap=g) for name, g in zip(NAMES, gaps, strict=True)
        )
    assert resumed.of == whole.of


def test_without_a_tolerance_nothing_is_kept():
    off = Multipliers(None, RATE)
    off.update([{"prompt_id": "a", "train_inference_gap": 9.0}])
    off.constrain([object()])
    assert off.of == off.metrics() == {}
