"""`openrlhf-unlearn judge`: how good the reasoning of correct rollouts is, from 0 to 5 (paper, section 5.2).

    openrlhf-unlearn judge RUN --tag initial final --model gpt-5 [--judgements 3] [--per-group 50]
    openrlhf-unlearn judge RUN --tag initial --csv-out sheet.csv             a sheet for a human rater
    openrlhf-unlearn judge RUN --csv-in sheet.csv --rater ada                its scores, beside the model's

Each rollout is judged several times; the judge is not told its group or checkpoint, and sees them in mixed order.
RUN/judgements/TAG.parquet holds every score, TAG.json the means by group with their intervals and the agreement
(Krippendorff's ordinal alpha) of a judge with itself and with others, answers.jsonl every raw answer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.interventions.budget import needed, open_journal
from openrlhf_unlearn.interventions.endpoint import LIMITS, Endpoint, Limits
from openrlhf_unlearn.interventions.journal import Journal
from openrlhf_unlearn.options import Options, nested, option, takes
from openrlhf_unlearn.store.evaluations import Judgements
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import GROUPS, RunDir

if TYPE_CHECKING:
    from openrlhf_unlearn.interventions.client import Request
    from openrlhf_unlearn.interventions.judged import Judged, JudgedRollout
    from openrlhf_unlearn.interventions.rubric import Judgement

TRUSTED = 0.667  # alpha below which Krippendorff would draw no conclusion


@dataclass(frozen=True)
class JudgeOptions(Options):
    """Which rollouts are judged, and by whom."""

    run: str = option("run directory with evaluations and learnability.parquet", positional=True, metavar="RUN")
    tag: Sequence[str] = option("evaluations whose correct responses are judged", ("initial",))
    groups: Sequence[str] = option("of which groups", ("easy", "learnable", "unlearnable"), choices=GROUPS)
    per_group: int = option("prompts a group", 50)
    per_prompt: int = option("correct rollouts a prompt", 1)
    judgements: int = option("times that each rollout is judged", 3)
    seed: int = option("of the choice of rollouts", 0)
    csv_out: Path | None = option("write a sheet for a human rater, and ask no endpoint", None, metavar="FILE")
    csv_in: Path | None = option("take a filled sheet in, and ask no endpoint", None, metavar="FILE")
    rater: str | None = option("--csv-in: who filled it in", None)
    endpoint: Endpoint = nested("the judge", Endpoint(max_answer_tokens=4096))
    limits: Limits = LIMITS

    def check(self) -> None:
        if min(self.per_group, self.per_prompt, self.judgements) < 1:
            raise UsageError("--per-group, --per-prompt and --judgements must be at least 1")
        if self.csv_in and not self.rater:
            raise UsageError("--csv-in needs --rater, the name that its scores get")
        if not self.csv_in and not self.csv_out:
            self.endpoint.check_named()


OPTIONS = JudgeOptions


def run(options: JudgeOptions) -> None:
    judge(options)


@takes(JudgeOptions)
def judge(options: JudgeOptions) -> "dict[str, Judged]":
    """Judge rollouts, or write or read a sheet; says the budget first, then what the judges found.

    Returns what TAG.json holds, by the tags that got scores. Raises UserError where an endpoint or the budget stops the
    job, after what was paid for is written, and where there is no judgement at all.
    """
    from openrlhf_unlearn.interventions.judged import read_csv, select, write_csv

    run_dir = RunDir.open(options.run)
    if options.csv_in and options.rater:
        everything = 10**9
        rollouts = {
            rollout.name: rollout
            for tag in run_dir.evaluation_tags()
            for rollout in select(run_dir, tag, list(GROUPS), everything, everything, 0)
        }
        return _save(run_dir, read_csv(options.csv_in, options.rater, rollouts))
    how = list(options.groups), options.per_group, options.per_prompt, options.seed
    chosen = [rollout for tag in options.tag for rollout in select(run_dir, tag, *how)]
    if options.csv_out:
        write_csv(options.csv_out, chosen)
        print(f"{options.csv_out}: {counted(len(chosen), 'rollout')}; fill in the column score (0 to 5):\n{_rubric()}")
        return {}
    return _judge(run_dir, chosen, options)


def _judge(run_dir: RunDir, rollouts: list, options: JudgeOptions) -> "dict[str, Judged]":
    from openrlhf_unlearn.interventions.rubric import judge_request

    endpoint = options.endpoint
    temperature = 1.0 if endpoint.temperature is None else endpoint.temperature
    how = endpoint.max_answer_tokens, temperature
    asked = [
        (rollout, number, judge_request(rollout.problem, rollout.response, number, *how))
        for number in range(options.judgements)
        for rollout in sorted(rollouts, key=lambda rollout: rollout.name)
    ]
    needs = needed(request for _, _, request in asked)
    print(f"{counted(len(rollouts), 'rollout')}, {counted(options.judgements, 'judgement')} each, by {endpoint.model}")
    path = run_dir.judgement_answers()
    with hold(path, "judge"), open_journal(path, options.limits, needs) as journal:
        if options.limits.plan:
            return {}
        rows, stopped = asyncio.run(_ask(asked, endpoint, journal, options.limits))
    found = _save(run_dir, {tag: [row for of, row in rows if of == tag] for tag in options.tag})
    missing = len(asked) - len(rows)
    if stopped:
        raise stopped
    if missing:
        print(f"note: {missing} of {len(asked)} judgements are missing: refused, of the wrong shape, or too long")
    if not rows:
        raise UserError(f"{endpoint.model} gave no judgement; {path} holds what it said")
    return found


async def _ask(
    asked: list, endpoint: Endpoint, journal: Journal, limits: Limits
) -> tuple[list[tuple[str, Any]], UserError | None]:
    """(tag, `Judgements.Row`) for every judgement that came, and why the others did not."""
    from openrlhf_unlearn.interventions.client import Client, gather

    async with Client(endpoint, journal, limits) as client:

        async def one(rollout: "JudgedRollout", number: int, request: "Request[Judgement]") -> tuple[str, Any] | None:
            answer = await client.ask(request)
            if answer.value is None:
                return None
            return rollout.tag, Judgements.Row(
                prompt_id=rollout.prompt_id,
                sample=rollout.sample,
                rater=endpoint.model,
                judgement=number,
                score=answer.value.score,
                reason=answer.value.findings,
            )

        rows, stopped = await gather((one(*item) for item in asked), len(asked), "judgements")
    return [row for row in rows if row], stopped


def _save(run_dir: RunDir, rows: dict[str, list]) -> "dict[str, Judged]":
    """Merge the rows of each tag into its table; print and return what each says now."""
    from openrlhf_unlearn.interventions.judged import merge, summarize

    found = {}
    for tag, of_tag in rows.items():
        if of_tag:
            with hold(run_dir.judgements(tag), "judge", wait_s=SHORT_S):
                merge(run_dir, tag, of_tag)
                found[tag] = summarize(run_dir, tag)
            _tell(run_dir, tag, found[tag])
    return found


def _tell(run_dir: RunDir, tag: str, summary: "Judged") -> None:
    print(f"\n{run_dir.judgements(tag)}\n{'rater':<24}{'group':<14}{'prompts':>8}{'mean':>7}   95 % interval")
    for rater, said in summary["raters"].items():
        for group, n in said["groups"].items():
            interval = "–" if n["low"] is None else f"{n['low']:.2f} - {n['high']:.2f}"
            print(f"{rater:<24}{group:<14}{n['prompts']:>8}{n['mean']:>7.2f}   {interval}")
        if said["alpha"] is not None:
            doubt = "" if said["alpha"] >= TRUSTED else f"; below {TRUSTED}: too little to build on"
            print(f"{rater}: agrees with itself at alpha {said['alpha']:.2f}{doubt}")
    for pair in summary["between"]:
        if pair["alpha"] is not None:
            print(
                f"{' and '.join(pair['raters'])}: alpha {pair['alpha']:.2f} on {pair['rollouts']} rollouts, "
                f"{pair['within_one_point']:.0%} within one point"
            )


def _rubric() -> str:
    from openrlhf_unlearn.interventions.rubric import RUBRIC

    return RUBRIC
