"""`openrlhf-unlearn judge`: how good the reasoning of correct rollouts is, from 0 to 5 (paper, section 5.2).

    openrlhf-unlearn judge RUN --tag initial final --model gpt-5 [--judgements 3] [--per-group 50]
    openrlhf-unlearn judge RUN --tag initial --csv-out sheet.csv             a sheet for a human rater
    openrlhf-unlearn judge RUN --csv-in sheet.csv --rater ada                its scores, beside the model's

Each rollout is judged several times; the judge is not told its group or checkpoint, and sees them in mixed order.
RUN/judgements/TAG.parquet holds every score, TAG.json the means by group with their intervals and the agreement
(Krippendorff's ordinal alpha) of a judge with itself and with others, answers.jsonl every raw answer.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.interventions import flags
from openrlhf_unlearn.store.evaluations import Judgements
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import GROUPS, RunDir

TRUSTED = 0.667  # alpha below which Krippendorff would draw no conclusion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory with evaluations and learnability.parquet")
    add("--tag", nargs="+", default=["initial"], help="evaluations whose correct responses are judged")
    add("--groups", nargs="+", default=["easy", "learnable", "unlearnable"], choices=GROUPS, help="of which groups")
    add("--per-group", type=int, default=50, help="prompts a group")
    add("--per-prompt", type=int, default=1, help="correct rollouts a prompt")
    add("--judgements", type=int, default=3, help="times that each rollout is judged")
    add("--seed", type=int, default=0, help="of the choice of rollouts")
    add("--csv-out", type=Path, metavar="FILE", help="write a sheet for a human rater, and ask no endpoint")
    add("--csv-in", type=Path, metavar="FILE", help="take a filled sheet in, and ask no endpoint")
    add("--rater", help="--csv-in: who filled it in")
    flags.add_endpoint(parser, what="the judge")
    flags.add_budget(parser)
    parser.set_defaults(max_answer_tokens=4096)


def run(args: argparse.Namespace) -> int:
    run_dir = RunDir.open(args.run)
    if min(args.per_group, args.per_prompt, args.judgements) < 1:
        raise UsageError("--per-group, --per-prompt and --judgements must be at least 1")
    if args.csv_in:
        return take_sheet(run_dir, args)
    from openrlhf_unlearn.interventions.judged import select, write_csv

    rollouts = [
        rollout
        for tag in args.tag
        for rollout in select(run_dir, tag, args.groups, args.per_group, args.per_prompt, args.seed)
    ]
    if args.csv_out:
        write_csv(args.csv_out, rollouts)
        print(f"{args.csv_out}: {len(rollouts)} rollouts; fill in the column score (0 to 5):\n{_rubric()}")
        return 0
    return judge(run_dir, rollouts, args)


def judge(run_dir: RunDir, rollouts: list, args) -> int:
    from openrlhf_unlearn.interventions.rubric import judge_request

    endpoint = flags.endpoint(args)
    temperature = 1.0 if args.temperature is None else args.temperature
    asked = [
        (rollout, number, judge_request(rollout.problem, rollout.response, number, args.max_answer_tokens, temperature))
        for number in range(args.judgements)
        for rollout in sorted(rollouts, key=lambda rollout: rollout.name)
    ]
    needs = flags.needed(request for _, _, request in asked)
    print(f"{len(rollouts)} rollouts, {args.judgements} judgements each, by {endpoint.model}")
    path = run_dir.judgement_answers()
    with hold(path, "judge"), flags.open_journal(path, args, needs) as journal:
        if args.plan:
            return 0
        rows, stopped = asyncio.run(_ask(asked, endpoint, journal))
    for tag in args.tag:
        save(run_dir, tag, [row for of, row in rows if of == tag])
    missing = len(asked) - len(rows)
    if stopped:
        raise stopped
    if missing:
        print(f"note: {missing} of {len(asked)} judgements are missing: refused, of the wrong shape, or too long")
    if not rows:
        raise UserError(f"{endpoint.model} gave no judgement; {run_dir.judgement_answers()} holds what it said")
    return 0


async def _ask(asked: list, endpoint, journal) -> tuple[list[tuple[str, Any]], UserError | None]:
    """(tag, `Judgements.Row`) for every judgement that came, and why the others did not."""
    from openrlhf_unlearn.interventions.client import Client, gather

    async with Client(endpoint, journal, flags.REPAIRS) as client:

        async def one(rollout, number: int, request) -> tuple[str, Any] | None:
            answer = await client.ask(request)
            if answer.status != "ok":
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


def take_sheet(run_dir: RunDir, args) -> int:
    from openrlhf_unlearn.interventions.judged import read_csv, select

    if not args.rater:
        raise UsageError("--csv-in needs --rater, the name that its scores get")
    everything = 10**9
    rollouts = {
        rollout.name: rollout
        for tag in run_dir.evaluation_tags()
        for rollout in select(run_dir, tag, list(GROUPS), everything, everything, 0)
    }
    for tag, rows in read_csv(args.csv_in, args.rater, rollouts).items():
        save(run_dir, tag, rows)
    return 0


def save(run_dir: RunDir, tag: str, rows: list) -> None:
    """Merge the rows into the table of `tag` and print what it says now."""
    from openrlhf_unlearn.interventions.judged import merge, summarize

    if not rows:
        return
    with hold(run_dir.judgements(tag), "judge", wait_s=SHORT_S):
        merge(run_dir, tag, rows)
        summary = summarize(run_dir, tag)
    print(f"\n{run_dir.judgements(tag)}\n{'rater':<24}{'group':<14}{'prompts':>8}{'mean':>7}   95 % interval")
    for rater, said in summary["raters"].items():
        for group, n in said["groups"].items():
            print(f"{rater:<24}{group:<14}{n['prompts']:>8}{n['mean']:>7.2f}   {n['low']:.2f} - {n['high']:.2f}")
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
