r"""`openrlhf-unlearn sft-set`: correct responses of a stronger model, to train on (paper, A.2 and Figure 15a).

    openrlhf-unlearn sft-set --run RUN --output sft.jsonl --model Qwen/Qwen3-32B --base-url http://localhost:8000/v1
    openrlhf-unlearn sft-set --run RUN --output sft.jsonl --from-run STRONGER --from-tag initial

200 unlearnable, 200 learnable and 400 easy prompts, each with the first response of the stronger model that our grader
finds right: from an endpoint, or from an evaluation of the same prompts that is there already. The file has the run's
keys and template, so `openrlhf.cli.train_sft` sees the prompt as RL does; the command is printed. Afterwards,
`evaluate` each checkpoint with a tag of its own: RUN's report shows pass@1 by group and tag.
"""

import argparse
import asyncio
import random
import re
import shlex
from collections import Counter
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.interventions import flags
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run

SOLVE = r"Solve the problem. Reason step by step and put the final answer alone in \boxed{}."
_END = re.compile(r"(?:\s|<(?:eos|/s|end_of_turn)>|<\|[a-z_]{1,24}\|>)+\Z")
SPARE = 3  # prompts asked for each one wanted at most: not every one gets a right response


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--run", required=True, metavar="RUN", help="run directory with learnability.parquet")
    add("--output", required=True, type=Path, metavar="FILE", help="JSON lines for openrlhf.cli.train_sft")
    add("--unlearnable", type=int, default=200, help="prompts of that group")
    add("--learnable", type=int, default=200, help="prompts of that group")
    add("--easy", type=int, default=400, help="prompts of that group")
    add("--attempts", type=int, default=4, help="responses asked of the stronger model, until one is right")
    add("--data", help="default: the run's")
    add("--question-key", help="column of the data with the question alone, where the prompt holds a template too")
    add("--from-run", metavar="RUN", help="take responses from this run's evaluation instead of an endpoint")
    add("--from-tag", default="initial", help="--from-run: which evaluation")
    add("--answer-format", help="how our grader finds answers; default: the run's, else auto")
    add("--grading-workers", type=int, default=2, help="processes that grade")
    add("--seed", type=int, default=0, help="of the choice of prompts")
    flags.add_endpoint(parser, what="the stronger model")
    flags.add_budget(parser)
    add_trust_run(parser)
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    with hold(args.output, "sft-set"):
        return make(args)


def make(args: argparse.Namespace) -> int:
    from openrlhf_unlearn.interventions.questions import load_questions
    from openrlhf_unlearn.store.run_dir import write_jsonl

    wanted = {group: getattr(args, group) for group in ("unlearnable", "learnable", "easy")}
    if min(wanted.values()) < 0 or not sum(wanted.values()) or args.attempts < 1:
        raise UsageError("give --attempts of at least 1 and at least one prompt to train on")
    run_dir = RunDir.open(args.run)
    questions = load_questions(run_dir, args.data, args.question_key)
    order = list(questions.values())
    random.Random(args.seed).shuffle(order)
    pools = {group: [question for question in order if question.group == group] for group in wanted}
    stopped = None
    if args.from_run:
        right = _right_of_run(run_dir, RunDir.open(args.from_run), args.from_tag)
    else:
        right, stopped = _right_of_endpoint(run_dir, pools, wanted, args)
        if args.plan:
            return 0
    rows = _rows(pools, wanted, right)
    if rows:
        write_jsonl(args.output, rows)
    had = Counter(row["group"] for row in rows)
    print(f"{args.output}: " + ", ".join(f"{had[group]} of {n} {group}" for group, n in wanted.items()))
    if stopped:
        raise stopped
    if not rows:
        raise UserError("no prompt has a right response; try a stronger model or more --attempts")
    print(f"train on it with:\n  {train_command(run_dir, args.output, next(iter(questions.values())))}")
    return 0


def _rows(pools: dict[str, list], wanted: dict[str, int], right: dict[str, str]) -> list[dict]:
    """The first prompts of each pool that have a right response, as many as are wanted."""
    rows = []
    for group, pool in pools.items():
        answered = [question for question in pool if question.prompt_id in right]
        for question in answered[: wanted[group]]:
            prompt, response = question.row[question.input_key], right[question.prompt_id]
            rows.append(
                {question.input_key: prompt, "response": response, "prompt_id": question.prompt_id, "group": group}
            )
    return rows


def _right_of_run(run_dir: RunDir, other: RunDir, tag: str) -> dict[str, str]:
    """Prompt id → its first correct response in an evaluation.

    A chat template ends the turn itself; without one the response keeps its own end, before which the host would put a
    space that RL never saw.
    """
    chat = run_dir.config().flag("data.apply_chat_template")
    right: dict[str, str] = {}
    for row in Evaluations.read(other, tag, Evaluations.prompt_id, Evaluations.response, Evaluations.verdict).rows():
        if row.verdict == "correct" and row.response:
            right.setdefault(row.prompt_id, _END.sub("", row.response) if chat else row.response)
    return right


def _right_of_endpoint(run_dir: RunDir, pools, wanted, args) -> tuple[dict[str, str], UserError | None]:
    """Ask for the prompts at the heads of the pools, and for spare ones where a response was not right."""
    from openrlhf_unlearn.grading import load_grader
    from openrlhf_unlearn.interventions.augment import run_format
    from openrlhf_unlearn.interventions.client import Client

    endpoint = flags.endpoint(args)
    answer_format = args.answer_format or run_format(run_dir, args.trust_run)
    asked = [question for group, pool in pools.items() for question in pool[: SPARE * wanted[group]]]
    needs = flags.needed(_request(question, n, args) for question in asked for n in range(args.attempts))
    print(f"at most {len(asked)} prompts and {args.attempts} responses each, by {endpoint.model}")
    with flags.open_journal(args.output.with_suffix(".answers.jsonl"), args, needs) as journal:
        if args.plan:
            return {}, None

        async def ask():
            async with Client(endpoint, journal) as client:
                with load_grader(answer_format, workers=args.grading_workers) as grader:
                    return await _fill(client, grader, pools, wanted, args)

        return asyncio.run(ask())


def _request(question, number: int, args):
    from openrlhf_unlearn.interventions.client import Request

    messages = (("system", SOLVE), ("user", question.text))
    return Request(messages, args.max_answer_tokens, None, args.temperature, number)


async def _fill(client, grader, pools, wanted, args) -> tuple[dict[str, str], UserError | None]:
    from openrlhf_unlearn.interventions.client import gather

    right: dict[str, str] = {}

    async def one(question) -> None:
        for number in range(args.attempts):
            answer = await client.ask(_request(question, number, args))
            if answer.status == "ok":
                (grade,) = await grader.agrade([answer.text], [question.label])
                if grade.verdict == "correct":
                    right[question.prompt_id] = answer.text.strip()
                    return

    stopped = None
    started = dict.fromkeys(pools, 0)
    while not stopped:
        batch = []
        for group, pool in pools.items():
            lacking = wanted[group] - sum(question.prompt_id in right for question in pool)
            new = pool[started[group] : min(started[group] + lacking, SPARE * wanted[group])]
            started[group] += len(new)
            batch += new
        if not batch:
            break
        _, stopped = await gather(map(one, batch), len(batch), "responses")
    return right, stopped


def train_command(run_dir: RunDir, output: Path, question) -> str:
    """The host's SFT launch that sees the run's prompts as its RL did."""
    known = run_dir.config()
    words = ["deepspeed", "--module", "openrlhf.cli.train_sft", "--data.dataset", str(output)]
    words += ["--model.model_name_or_path", str(known.initial_model)]
    words += ["--data.input_key", question.input_key, "--data.output_key", "response"]
    if known.flag("data.apply_chat_template"):
        words.append("--data.apply_chat_template")
    # RL has no template by default, train_sft has one: a bare {} is none.
    words += ["--data.input_template", known.flag("data.input_template") or "{}"]
    if length := known.flag("data.max_len"):
        words += ["--data.max_len", str(length)]
    return shlex.join([*words, "--ckpt.output_dir", str(output.with_suffix("")) + "-model"])
