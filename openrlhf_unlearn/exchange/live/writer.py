"""A run directory that another framework's trainer writes while it trains, from one process or from several.

Rollouts of a step are held until one of a later step comes, or the process ends; then the step is written. Where the
ranks of a trainer see parts of a step each, every one adds its part to the step's file, under a lock: a prompt whose
rollouts are on two ranks has one row. Training goes before bookkeeping: only the first step may raise an error, about
rewards that nobody can read; later ones are warned of once, and nothing more is written.
"""

import atexit
import os
import warnings
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from openrlhf_unlearn.collect.tracker import rewards_of
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.settings import now
from openrlhf_unlearn.exchange.formats.base import ImportedRollout
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.exchange.rule import PositiveRule
from openrlhf_unlearn.exchange.values import as_label, as_number, as_text
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import RunDir, holds_files
from openrlhf_unlearn.store.table import StepTable
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts, drop_after

IMPORT_S = 600.0  # that an import of an evaluation, which holds the prompts from its first to its last row, may take


def read_rollout(
    prompt: Any, response: Any, reward: Any, label: Any = None, positive: bool | None = None
) -> ImportedRollout:
    """A rollout of a trainer's own values: messages or text, any number; what is no reward or no label is None."""
    try:
        reward = as_number(reward)
    except (TypeError, ValueError):
        reward = None
    try:
        label = as_label(label)
    except ValueError:
        label = as_text(label)
    return ImportedRollout(as_text(prompt), as_text(response), reward, label, positive=positive)


VERDICTS = {True: "correct", False: "wrong"}


class LiveWriter:
    """Writes `run`. `threshold`: the reward above which a rollout is positive, needed unless rewards are 0 and 1 or -1
    and 1, or rollouts say themselves whether they are (`Rollout.positive`). `save_rollouts`: texts kept a prompt and
    step. A trainer that resumes from step s starts with step s + 1, and what an earlier try wrote from there on goes.
    """

    def __init__(
        self,
        run: str | Path,
        model: str | None = None,
        threshold: float | None = None,
        save_rollouts: int = 0,
        framework: str = "live",
    ):
        self.run, self.model, self.framework = RunDir(run), model, framework
        self.save_rollouts = save_rollouts
        if not self.run.run_json.exists() and holds_files(self.run.path):
            raise UserError(f"{run} is not empty and no run directory; choose another folder")
        self.rule = PositiveRule(self.run, threshold)
        self.prompts = Prompts(self.run)
        self.step: int | None = None
        self._rollouts: list[ImportedRollout] = []
        self._broken = False
        atexit.register(self.close)

    def add(self, step: int, rollouts: Iterable[ImportedRollout]) -> None:
        """Rollouts of one step, of whole groups or parts; left out are those whose reward is None or no finite number
        and those of no prompt, by text or id.

        Raises UserError in the first step where the rewards do not say which of them are positive, or where no rollout
        is of a prompt.
        """
        rollouts = [one for one in rollouts if one.reward is not None and isfinite(one.reward) and not one.processed]
        of_prompts = [one for one in rollouts if one.prompt is not None or one.id is not None]
        if rollouts and not of_prompts and self.step is None:
            raise UserError(f"{self.framework}: no rollout has a prompt or an id; its prompts cannot be told apart")
        rollouts = of_prompts
        if self._broken or not rollouts:
            return
        if self.step is None:
            self._settle(rollouts)
            self._begin(step)
        elif step != self.step:
            self.close()
        if not self._broken:
            self.step = step
            self._rollouts += rollouts

    def close(self) -> None:
        """Write what is held; more may follow."""
        rollouts, self._rollouts = self._rollouts, []
        if not rollouts or self.step is None:
            return
        try:
            self._settle(rollouts)
            with hold(self.run.path, self.framework, wait_s=SHORT_S):
                self._write(self.step, rollouts)
        except UserError as error:
            self._broken = True
            warnings.warn(f"openrlhf-unlearn: {error}; this run is recorded no more, training goes on", stacklevel=2)

    def _settle(self, rollouts: list[ImportedRollout]) -> None:
        for rollout in rollouts:
            self.rule.see(rollout)
        try:
            self.rule.settle(self.framework)
        except UserError as error:
            raise UserError(str(error).replace("--threshold", "LiveWriter(…, threshold=…)")) from None

    def _positive(self, rollout: ImportedRollout) -> bool:
        return self.rule.positive(rollout.reward, rollout.positive)

    def _begin(self, step: int) -> None:
        """Of several processes the first rank drops what an earlier try wrote, before any of them writes a step."""
        with hold(self.run.run_json, self.framework, wait_s=SHORT_S):
            if not self.run.run_json.exists():
                RunConfig.new(
                    created_by=f"live {self.framework}",
                    created=now(),
                    model=self.model,
                    data=self.framework,
                    seed=None,
                    args={},
                    positive=self.rule.as_json(),
                ).write(self.run.run_json)
        if os.environ.get("RANK", "0") == "0":
            drop_after(self.run, step - 1)

    def _write(self, step: int, rollouts: list[ImportedRollout]) -> None:
        known = len(self.prompts.rows)
        groups: dict[str, list[ImportedRollout]] = {}
        for rollout in rollouts:
            groups.setdefault(self.prompts.add(rollout, self.framework), []).append(rollout)
        if len(self.prompts.rows) > known or not self.run.prompts.exists():
            self._save_prompts()
        rows = {name: self._row(name, group) for name, group in groups.items()}
        for row in self._written(Rewards, step):
            name = row.prompt_id
            rows[name] = pooled(row, rows[name]) if name in rows else row
        Rewards.of_rows(rows.values()).write(self.run, step)
        if self.save_rollouts:
            self._write_texts(step, groups)

    def _save_prompts(self) -> None:
        """With what other processes have added meanwhile; an import that is under way is waited for."""
        with hold(self.run.prompts, self.framework, wait_s=IMPORT_S):
            for name, row in Prompts(self.run).rows.items():
                self.prompts.rows.setdefault(name, row)
            self.prompts.save(self.run)

    def _written(self, kind: type[StepTable], step: int) -> list:
        there = self.run.step_file(kind.folder, step).exists()
        return kind.read_step(self.run, step).rows() if there else []

    def _row(self, name: str, group: list[ImportedRollout]):
        rewards = [rollout.reward for rollout in group if rollout.reward is not None]
        return rewards_of(name, rewards, sum(map(self._positive, group)), False)

    def _write_texts(self, step: int, groups: dict[str, list[ImportedRollout]]) -> None:
        rows = self._written(TrainingRollouts, step)
        have: dict[str, int] = {}
        for row in rows:
            have[row.prompt_id] = have.get(row.prompt_id, 0) + 1
        for name, group in groups.items():
            first = have.get(name, 0)
            for sample, rollout in enumerate(group[: max(0, self.save_rollouts - first)], first):
                positive = self._positive(rollout)
                row = TrainingRollouts.Row(
                    prompt_id=name,
                    sample=sample,
                    response=rollout.response,
                    reward=rollout.reward,
                    verdict=VERDICTS[positive],
                    positive=positive,
                )
                rows.append(row)
        TrainingRollouts.of_rows(rows).write(self.run, step)


def pooled(one: Any, other: Any) -> Any:
    """One row of rewards for two parts of a group, as if all its rollouts had been counted together."""
    n = one.n + other.n
    mean = (one.n * one.mean_reward + other.n * other.mean_reward) / n
    square = sum(part.n * (part.std_reward**2 + part.mean_reward**2) for part in (one, other)) / n
    n_positive = one.n_positive + other.n_positive
    return one._replace(
        n=n,
        n_positive=n_positive,
        pass_rate=n_positive / n,
        mean_reward=mean,
        std_reward=max(0.0, square - mean**2) ** 0.5,
    )
