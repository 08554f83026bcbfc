"""The tracker: what every prompt earned at every step, rejected groups included, and the curves of the groups.

It holds the rows of the step that is being sampled and writes them, as one file a table, when its batch is handed to
the trainer. Rows count as `processed` False as sampled (the paper's training reward, footnote 3) and True as trained.
"""

import logging
import statistics
from collections import Counter
from dataclasses import dataclass, field

from openrlhf_unlearn.collect.history import History
from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.filters import Rollout
from openrlhf_unlearn.filters.forgetting import Forgetting
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts

logger = logging.getLogger(__name__)
EASY_AT_FIRST_SIGHT = 0.1  # pass rate of the first visit from which a prompt's curve counts as easy
WRONG_ANSWERS = 4  # commonest wrong answers of a visit that are counted
LITTLE_REWARD = 0.1  # share of prompts ever rewarded below which something may be wrong with the set-up


@dataclass(frozen=True)
class Sampled:
    """What one visit to a prompt brought, in order of sampling: one entry a rollout; the first have their text too."""

    prompt_id: str
    judgements: list[Judgement]
    responses: list[str] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)  # key of each rollout's answer, where it was looked for
    hinted: list[Judgement] = field(default_factory=list)  # of a wave with a hint, which no pass rate counts


def reward_row(prompt_id: str, rewards: list[float], positive: list[bool], processed: bool, **columns):
    """One `Rewards.Row` as training writes it."""
    row = rewards_of(prompt_id, rewards, sum(positive), processed)
    return row._replace(n_replayed=0, n_no_answer=0, n_timeout=0, n_error=0)._replace(**columns)


def rewards_of(prompt_id: str, rewards: list[float], n_positive: int, processed: bool):
    """What a `Rewards.Row` says of any framework's rollouts; the standard deviation is the population's."""
    return Rewards.Row(
        prompt_id=prompt_id,
        processed=processed,
        n=len(rewards),
        n_positive=n_positive,
        pass_rate=n_positive / len(rewards),
        mean_reward=statistics.fmean(rewards),
        std_reward=statistics.pstdev(rewards),
    )


def wrong_answers(sampled: Sampled) -> dict[str, list]:
    """Keys of the commonest answers that were not positive, and how often each was given; nothing where none was read.

    A diagnosis sees by them whether samples came to agree on another answer, in runs that keep no text.
    """
    if not sampled.answers:
        return {}
    judged = zip(sampled.answers, sampled.judgements, strict=True)
    top = Counter(answer for answer, judgement in judged if answer and not judgement.positive).most_common(
        WRONG_ANSWERS
    )
    return dict(wrong_answers=[name for name, _ in top], wrong_counts=[times for _, times in top])


class Tracker:
    """Collects rows for one step at a time and writes them into `run`.

    `first_wave`: how many rollouts of a visit were drawn before any stopping rule looked at them; only these make the
    mean and the pass rate of an as-sampled row, so that adaptive sampling does not bias the curve. 0 takes all.
    """

    def __init__(self, run: RunDir, save_rollouts: int = 0, first_wave: int = 0):
        self.run = run
        self.save_rollouts = save_rollouts
        self.first_wave = first_wave
        self.curve_of: dict[str, str] = {}  # prompt_id: easy, hard or never_positive, as seen so far
        self.told_scale = False
        self.forgetting = Forgetting()
        self.histories: dict[str, History] = {}
        self._start_step()

    def _start_step(self) -> None:
        self._signals: dict[float, bool] = {}  # what was judged, and whether it was positive
        self._rewards: list = []  # of Rewards.Row
        self._curves: list[str] = []  # of each visit, by what was known before it
        self._rollouts: list = []  # of TrainingRollouts.Row
        self._reasons: Counter = Counter()
        self._turnover: Counter = Counter()

    def observe(self, sampled: Sampled, accepted: bool, reason: str) -> None:
        """Record one visit, whether it trains or not."""
        self._signals.update((judgement.signal, judgement.positive) for judgement in sampled.judgements)
        unbiased = sampled.judgements[: self.first_wave or None]
        verdicts = Counter(judgement.verdict for judgement in sampled.judgements)
        row = reward_row(
            sampled.prompt_id,
            [judgement.reward for judgement in unbiased],
            [judgement.positive for judgement in unbiased],
            processed=False,
            n=len(sampled.judgements),
            n_positive=sum(judgement.positive for judgement in sampled.judgements),
            n_no_answer=verdicts["no_answer"],
            n_timeout=verdicts["timeout"],
            n_error=verdicts["error"],
            accepted=accepted,
            reason=reason,
            **wrong_answers(sampled),
            n_hinted=len(sampled.hinted),
            n_hinted_positive=sum(judgement.positive for judgement in sampled.hinted),
        )
        self._rewards.append(row)
        self._reasons[reason] += not accepted
        self.histories.setdefault(sampled.prompt_id, History()).visit(
            len(unbiased), sum(judgement.positive for judgement in unbiased)
        )
        self._turnover[self.forgetting.visit(sampled.prompt_id, row.pass_rate)] += 1
        # Chosen by the outcome it then plots, a constant reward of 0.05 would seem to fall from 0.15.
        self._curves.append(self.curve_of.get(sampled.prompt_id, "first_visit"))
        seen = self.curve_of.setdefault(
            sampled.prompt_id, "easy" if row.pass_rate >= EASY_AT_FIRST_SIGHT else "never_positive"
        )
        if seen == "never_positive" and row.n_positive:
            self.curve_of[sampled.prompt_id] = "hard"
        rollouts = zip(sampled.responses, sampled.judgements, strict=False)
        for sample, (response, judgement) in enumerate(list(rollouts)[: self.save_rollouts]):
            self._rollouts.append(
                TrainingRollouts.Row(
                    prompt_id=sampled.prompt_id,
                    sample=sample,
                    response=response,
                    reward=judgement.reward,
                    verdict=judgement.verdict,
                    positive=judgement.positive,
                )
            )

    def trained(self, prompt_id: str, rollouts: tuple[Rollout, ...], rewards: list[float]) -> None:
        """Record a group as it goes into the batch of the current step; `rewards`: what it trains by."""
        hinted = [rollout for rollout in rollouts if rollout.hinted]
        row = reward_row(
            prompt_id,
            rewards,
            [rollout.positive for rollout in rollouts],
            processed=True,
            n_replayed=sum(rollout.replayed and not rollout.hinted for rollout in rollouts),
            accepted=True,
            reason="accepted",
            n_hinted=len(hinted),
            n_hinted_positive=sum(rollout.positive for rollout in hinted),
        )
        self._rewards.append(row)

    def finish_step(self, step: int) -> dict[str, float]:
        """Write the step's files and start the next; returns the step's metrics for the host's loggers."""
        metrics = self._metrics()
        self._tell_scale()
        Rewards.of_rows(self._rewards).write(self.run, step)
        if self.save_rollouts:
            TrainingRollouts.of_rows(self._rollouts).write(self.run, step)
        self._start_step()
        return metrics

    def _metrics(self) -> dict[str, float]:
        sampled = [row for row in self._rewards if not row.processed]
        trained = [row for row in self._rewards if row.processed]
        metrics = {"unlearn/prompts_trained": float(len(trained))}
        if sampled:
            metrics["unlearn/pass_rate"] = sum(row.accepted for row in sampled) / len(sampled)
            metrics["unlearn/rollouts_sampled"] = float(sum(row.n + row.n_hinted for row in sampled))
            metrics["unlearn/newly_solved"] = float(self._turnover["gained"])
            metrics["unlearn/forgotten"] = float(self._turnover["lost"])
        if any(row.n_hinted for row in self._rewards):
            metrics["unlearn/hinted_sampled"] = float(sum(row.n_hinted for row in sampled))
            metrics["unlearn/hinted_trained"] = float(sum(row.n_hinted for row in trained))
        if any(row.n_replayed for row in trained):
            metrics["unlearn/replayed"] = float(sum(row.n_replayed for row in trained))
        for reason, count in self._reasons.items():
            if count:
                metrics[f"unlearn/rejected_{reason}"] = float(count)
        for curve in ("first_visit", "easy", "hard", "never_positive"):
            means = [row.mean_reward for row, at in zip(sampled, self._curves, strict=True) if at == curve]
            if means:
                metrics[f"unlearn/reward_{curve}"] = statistics.fmean(means)
                metrics[f"unlearn/prompts_{curve}"] = float(len(means))
        return metrics

    def _tell_scale(self) -> None:
        """Once: what counts as positive, unless the rewards are 0 and 1, where it goes without saying."""
        if self.told_scale or not self._signals or self._signals.keys() <= {0.0, 1.0}:
            return
        self.told_scale = True
        low, high = min(self._signals), max(self._signals)
        n = sum(row.n for row in self._rewards if not row.processed)
        positive = sum(row.n_positive for row in self._rewards if not row.processed)
        logger.info(
            f"Rewards (scores, where there are any) run from {low:g} to {high:g}; {positive} of {n} rollouts are above "
            "--unlearn.positive_above and count as correct. Pass rates are the shares of these, not mean rewards."
        )

    def describe(self) -> str:
        """One line for the log: how many prompts were ever solved."""
        rewarded = sum(curve != "never_positive" for curve in self.curve_of.values())
        text = f"{rewarded} of {len(self.curve_of)} prompts had a correct rollout so far"
        if rewarded >= LITTLE_REWARD * len(self.curve_of):
            return text
        return f"{text}; next to none: check the reward function, the prompt template and --unlearn.answer_format"

    def state_dict(self) -> dict:
        return {
            "curve_of": dict(self.curve_of),
            "forgetting": self.forgetting.state_dict(),
            "histories": {name: history.state() for name, history in self.histories.items()},
        }

    def load_state_dict(self, state: dict) -> None:
        self.curve_of = dict(state["curve_of"])
        self.forgetting.load_state_dict(state["forgetting"])
        self.histories = {name: History(*kept) for name, kept in state.get("histories", {}).items()}
        self._start_step()
