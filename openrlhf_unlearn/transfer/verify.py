"""Does training do what the gradients predict? Short trainings on one cluster each, and what they change in all.

Every cluster's prompts are split in two by the seed. One half trains: a few optimiser steps of the probe's own model on
correct rollouts (teacher-forced, all parameters, each training from the same start). On the other half, of every
cluster, the change of the mean log-likelihood a token of correct rollouts is measured. Prompts that trained are never
measured, so an entry of a cluster with itself is generalisation, not memory. Nor are rollouts whose gradient predicts:
their noise would be on both sides (`held_out`).
"""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from openrlhf_unlearn.probe.engine.packing import Rollouts, deal

LOT = 8  # prompts whose rollouts are measured at a time
Pair = tuple[Sequence[int], Sequence[int]]  # token ids of prompt and response


@dataclass(frozen=True)
class Recipe:
    """How each cluster trains. rollouts: of a prompt, at most, in training and in measuring."""

    steps: int = 10
    batch: int = 16  # rollouts a step
    lr: float = 1e-5
    optimiser: str = "adam"  # or sgd
    rollouts: int = 4
    temperature: float = 1.0


def split(clusters: dict[str, str], seed: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Prompt id → cluster, as (prompts that train, prompts that are measured) by cluster; disjoint halves."""
    train, measured = {}, {}
    for name in sorted(set(clusters.values()) - {""}):
        mine = sorted(prompt for prompt, cluster in clusters.items() if cluster == name)
        random.Random(f"{seed}:{name}").shuffle(mine)
        train[name], measured[name] = mine[: len(mine) // 2], mine[len(mine) // 2 :]
    return train, measured


def held_out(prompt: Rollouts, units: int) -> Rollouts:
    """With the correct rollouts of its even units as "measured"; those of the odd ones predict (`halves`). units: into
    which the probe dealt rollouts. None is left of a prompt with one rollout.

    Both halves may hold the same text: it was sampled twice, each time on its own, so neither half knows the other's
    luck. A short right answer is hardly ever written in two ways.
    """
    correct = prompt.responses.get("correct", ())
    each = [[correct[i] for i in members] for members in deal(len(correct), units)]
    measured = [response for members in each[::2] for response in members]
    return replace(prompt, responses={"correct": correct, "measured": measured if any(each[1::2]) else []})


class Trainer:
    """The model, its weights at the start, and the rollouts of every prompt: "correct" ones train."""

    def __init__(self, model: Any, rollouts: Sequence[Rollouts], recipe: Recipe, seed: int = 0):
        self.model, self.recipe, self.seed = model.eval(), recipe, seed  # no dropout: the gradients had none
        self.start = copy.deepcopy(model.state_dict())
        self.pairs = {r.id: self._kept(r, "correct") for r in rollouts if r.responses.get("correct")}
        self.measured = {r.id: self._kept(r, "measured") for r in rollouts if r.responses.get("measured")}
        self.before: dict[str, float] = {}

    def _kept(self, prompt: Rollouts, kind: str) -> list[Pair]:
        responses = prompt.responses[kind]
        rows = random.Random(f"{self.seed}:{prompt.id}").sample(range(len(responses)), len(responses))
        return [(prompt.prompt, responses[row]) for row in rows[: self.recipe.rollouts]]

    def change(self, train: Sequence[str], measured: Sequence[str], tick: Callable[[], object]) -> np.ndarray:
        """(measured,) change of each prompt's mean log-likelihood a token after training on `train`, from the start.

        `tick` is called after every step and every measured prompt.
        """
        if not self.before:
            self.before = self.log_likelihoods(measured, lambda: None)
        self.train(train, tick)
        after = self.log_likelihoods(measured, tick)
        self.model.load_state_dict(self.start)
        return np.array([after[name] - self.before[name] for name in measured])

    def train(self, prompts: Sequence[str], tick: Callable[[], object]) -> None:
        pairs = [pair for name in prompts for pair in self.pairs[name]]
        rng, recipe = random.Random(self.seed), self.recipe
        order = []
        while len(order) < recipe.steps * recipe.batch:  # every rollout once, then again in another order
            order += rng.sample(pairs, len(pairs))
        kind = {"adam": torch.optim.AdamW, "sgd": torch.optim.SGD}[recipe.optimiser]
        optimiser = kind(self.model.requires_grad_().parameters(), lr=recipe.lr, weight_decay=0)
        for step in range(recipe.steps):
            batch = order[step * recipe.batch : (step + 1) * recipe.batch]
            optimiser.zero_grad(set_to_none=True)
            (-self._log_likelihood(batch).mean()).backward()
            optimiser.step()
            tick()
        self.model.requires_grad_(False)

    @torch.no_grad()
    def log_likelihoods(self, prompts: Sequence[str], tick: Callable[[], object]) -> dict[str, float]:
        """Mean over each prompt's measured rollouts of the mean log-likelihood of their tokens."""
        pairs = self.measured
        found, ordered = {}, sorted(prompts, key=lambda name: len(pairs[name][0][0]))  # little padding
        for start in range(0, len(ordered), LOT):
            lot = ordered[start : start + LOT]
            values = self._log_likelihood([pair for name in lot for pair in pairs[name]])
            each = values.split([len(pairs[name]) for name in lot])
            for name, own in zip(lot, each, strict=True):
                found[name] = float(own.mean())
                tick()
        return found

    def _log_likelihood(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """(pairs,) mean log-likelihood of a response's tokens. The head sees only the positions that predict one."""
        device = self.model.device
        sequences = [torch.tensor([*prompt, *response[:-1]]) for prompt, response in pairs]
        ids = pad_sequence(sequences, batch_first=True).to(device)
        mask = pad_sequence([torch.ones_like(s) for s in sequences], batch_first=True).to(device)
        hidden = self.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        lengths = [len(response) for _, response in pairs]
        owner = torch.repeat_interleave(torch.arange(len(pairs)), torch.tensor(lengths)).to(device)
        place = torch.cat([torch.arange(len(p) - 1, len(p) - 1 + len(r)) for p, r in pairs]).to(device)
        targets = torch.cat([torch.tensor(response) for _, response in pairs]).to(device)
        logits = self.model.get_output_embeddings()(hidden[owner, place]).float() / self.recipe.temperature
        losses = -cross_entropy(logits, targets, reduction="none")
        totals = torch.zeros(len(pairs), device=device).index_add(0, owner, losses)
        return totals / torch.tensor(lengths, device=device)

    @torch.no_grad()
    def hidden_states(self, texts: dict[str, Sequence[int]]) -> dict[str, np.ndarray]:
        """Mean over a prompt's tokens of the last hidden state, (hidden,) by prompt id: what embeddings would say."""
        found = {}
        for name, tokens in texts.items():
            ids = torch.tensor([list(tokens)], device=self.model.device)
            hidden = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            found[name] = hidden[0].float().mean(0).cpu().numpy()
        return found
