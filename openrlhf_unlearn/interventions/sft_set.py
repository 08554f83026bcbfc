r"""`openrlhf-unlearn sft-set`: correct responses of a stronger model, to train on (paper, A.2 and Figure 15a).

    openrlhf-unlearn sft-set --run RUN --output sft.jsonl --model Qwen/Qwen3-32B --base-url http://localhost:8000/v1
    openrlhf-unlearn sft-set --run RUN --output sft.jsonl --from-run STRONGER --from-tag initial

200 unlearnable, 200 learnable and 400 easy prompts, each with the first response of the stronger model that our grader
finds right: from an endpoint, or from an evaluation of the same prompts that is there already. The file has the run's
keys and template, so `openrlhf.cli.train_sft` sees the prompt as RL does; the command is printed. Afterwards,
`evaluate` each checkpoint with a tag of its own: RUN's report shows pass@1 by group and tag.
"""

import asyncio
import random
import re
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from openrlhf_unlearn.collect.images import image_digests
from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.grading.options import ANSWER_FORMAT, GRADING_WORKERS
from openrlhf_unlearn.interventions.budget import needed, open_journal
from openrlhf_unlearn.interventions.endpoint import LIMITS, Endpoint, Limits
from openrlhf_unlearn.interventions.questions import (
    DATA,
    QUESTION_KEY,
    Question,
    load_questions,
)
from openrlhf_unlearn.labels.counts import check_classified
from openrlhf_unlearn.options import Options, nested, option, takes
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN, allow_remote_code

if TYPE_CHECKING:
    from openrlhf_unlearn.grading.pool import MathGrader
    from openrlhf_unlearn.interventions.client import Client, Request

Pools: TypeAlias = dict[str, list[Question]]  # by group

SOLVE = r"Solve the problem. Reason step by step and put the final answer alone in \boxed{}."
_END = re.compile(r"(?:\s|<(?:eos|/s|end_of_turn)>|<\|[a-z_]{1,24}\|>)+\Z")
SPARE = 3  # prompts asked for each one wanted at most: not every one gets a right response


@dataclass(frozen=True)
class SftSetOptions(Options):
    """How many prompts of which group, and whose responses."""

    run: str = option("run directory with learnability.parquet", metavar="RUN")
    output: Path = option("JSON lines for openrlhf.cli.train_sft", metavar="FILE")
    unlearnable: int = option("prompts of that group", 200)
    learnable: int = option("prompts of that group", 200)
    easy: int = option("prompts of that group", 400)
    attempts: int = option("responses asked of the stronger model, until one is right", 4)
    data: str | None = DATA
    question_key: str | None = QUESTION_KEY
    from_run: str | None = option(
        "take responses from this run's evaluation instead of an endpoint", None, metavar="RUN"
    )
    from_tag: str = option("--from-run: which evaluation", "initial")
    answer_format: str | None = ANSWER_FORMAT
    grading_workers: int = GRADING_WORKERS
    seed: int = option("of the choice of prompts", 0)
    endpoint: Endpoint = nested("the stronger model", Endpoint())
    limits: Limits = LIMITS
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        if min(self.wanted.values()) < 0 or not sum(self.wanted.values()) or self.attempts < 1:
            raise UsageError("give --attempts of at least 1 and at least one prompt to train on")
        if not self.from_run:
            self.endpoint.check_named()

    @property
    def wanted(self) -> dict[str, int]:
        """Group → prompts of it."""
        return {"unlearnable": self.unlearnable, "learnable": self.learnable, "easy": self.easy}


OPTIONS = SftSetOptions


@dataclass(frozen=True)
class SftSet:
    """Where the data is, the prompts that it has of each group, and the command that trains on it."""

    output: Path
    prompts: dict[str, int]
    command: str


def run(options: SftSetOptions) -> None:
    made = sft_set(options)
    if made:
        print(f"train on it with:\n  {made.command}")


@takes(SftSetOptions)
def sft_set(options: SftSetOptions) -> SftSet | None:
    """Write the data set; says the budget first, then how many prompts there are. None with `limits.plan`.

    Raises UserError where an endpoint or the budget stops the job, after what was paid for is written, and where no
    prompt has a right response.
    """
    allow_remote_code(options.trust_remote_code)
    with hold(options.output, "sft-set"):
        return _make(options)


def _make(options: SftSetOptions) -> SftSet | None:
    from openrlhf_unlearn.store.run_dir import write_jsonl

    output, wanted = options.output, options.wanted
    run_dir = RunDir.open(options.run)
    check_classified(run_dir)
    questions = load_questions(run_dir, options.data, options.question_key)
    order = list(questions.values())
    random.Random(options.seed).shuffle(order)
    pools = {group: [question for question in order if question.group == group] for group in wanted}
    _check_pools(run_dir, pools)
    stopped = None
    otherwise = "try a stronger model or more --attempts"
    if options.from_run:
        other, tag = RunDir.open(options.from_run), options.from_tag
        _check_common(run_dir, pools, other, tag)
        right = _right_of_run(run_dir, other, tag)
        otherwise = f"give another --from-run or --from-tag than {options.from_run}, {options.from_tag}"
    else:
        right, stopped = _right_of_endpoint(run_dir, pools, options)
        if options.limits.plan:
            return None
    rows = _rows(pools, wanted, right)
    if rows:
        write_jsonl(output, rows)
    had = Counter(row["group"] for row in rows)
    print(f"{output}: " + ", ".join(f"{had[group]} of {n} {group}" for group, n in wanted.items()))
    if stopped:
        raise stopped
    if not rows:
        raise UserError(f"no prompt has a right response; {otherwise}")
    return SftSet(output, dict(had), train_command(run_dir, output, next(iter(questions.values()))))


def _check_pools(run_dir: RunDir, pools: Pools) -> None:
    """Raise UserError where there is none, or where some have images, which the host's SFT does not show the model."""
    chosen = [question for pool in pools.values() for question in pool]
    if not chosen:
        raise UserError(f"no prompt of {run_dir} in the data is {' or '.join(pools)}")
    key = run_dir.config().flag("data.image_key") or "images"
    if shown := sum(bool(image_digests(question.row.get(key))) for question in chosen):
        raise UserError(
            f"{shown} of {counted(len(chosen), 'prompt')} have images (column {key!r}), which train_sft does not show "
            "to the model; give data without them by --data"
        )


def _rows(pools: Pools, wanted: dict[str, int], right: dict[str, str]) -> list[dict]:
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


def _check_common(run_dir: RunDir, pools: Pools, other: RunDir, tag: str) -> None:
    """Raise UserError where an evaluation has none of the wanted prompts."""
    evaluated = Evaluations.read(other, tag, Evaluations.prompt_id).prompt_id
    if not {question.prompt_id for pool in pools.values() for question in pool} & set(evaluated):
        raise UserError(
            f"evaluation {tag} of {other} has no prompt in common with the {', '.join(pools)} prompts of {run_dir}; is "
            "it of other data, or of another template?"
        )


def _right_of_run(run_dir: RunDir, other: RunDir, tag: str) -> dict[str, str]:
    """Prompt id → its first correct response in an evaluation.

    A chat template ends the turn itself; without one the response keeps its own end, before which the host would put a
    space that RL never saw.
    """
    chat = run_dir.config().flag("data.apply_chat_template")
    right: dict[str, str] = {}
    columns = Evaluations.prompt_id, Evaluations.response, Evaluations.reward, Evaluations.positive
    samples = Evaluations.read(other, tag, *columns)
    for row, correct in zip(samples.rows(), samples.hits().tolist(), strict=True):
        if correct and row.response:
            right.setdefault(row.prompt_id, _END.sub("", row.response) if chat else row.response)
    return right


def _right_of_endpoint(
    run_dir: RunDir, pools: Pools, options: SftSetOptions
) -> tuple[dict[str, str], UserError | None]:
    """Ask for the prompts at the heads of the pools, and for spare ones where a response was not right."""
    from openrlhf_unlearn.grading import load_grader
    from openrlhf_unlearn.interventions.augment import run_format
    from openrlhf_unlearn.interventions.client import Client

    endpoint, attempts = options.endpoint, options.attempts
    answer_format = options.answer_format or run_format(run_dir, options.trust_run)
    asked = [question for group, pool in pools.items() for question in pool[: SPARE * options.wanted[group]]]
    needs = needed(_request(question, n, endpoint) for question in asked for n in range(attempts))
    print(f"at most {counted(len(asked), 'prompt')} and {counted(attempts, 'response')} each, by {endpoint.model}")
    with open_journal(options.output.with_suffix(".answers.jsonl"), options.limits, needs) as journal:
        if options.limits.plan:
            return {}, None

        async def ask():
            async with Client(endpoint, journal, options.limits) as client:
                with load_grader(answer_format, workers=options.grading_workers) as grader:
                    return await _fill(client, grader, pools, options)

        return asyncio.run(ask())


def _request(question: Question, number: int, endpoint: Endpoint) -> "Request":
    from openrlhf_unlearn.interventions.client import Request

    messages = (("system", SOLVE), ("user", question.text))
    return Request(messages, endpoint.max_answer_tokens, None, endpoint.temperature, number)


async def _fill(
    client: "Client", grader: "MathGrader", pools: Pools, options: SftSetOptions
) -> tuple[dict[str, str], UserError | None]:
    from openrlhf_unlearn.interventions.client import gather

    right: dict[str, str] = {}
    wanted = options.wanted

    async def one(question: Question) -> None:
        for number in range(options.attempts):
            answer = await client.ask(_request(question, number, options.endpoint))
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


def train_command(run_dir: RunDir, output: Path, question: Question) -> str:
    """The host's SFT launch that sees the run's prompts as its RL did."""
    known = run_dir.config()
    words = ["deepspeed", "--module", "openrlhf.cli.train_sft", "--data.dataset", str(output)]
    words += ["--model.model_name_or_path", known.initial_model or "MODEL"]
    words += ["--data.input_key", question.input_key, "--data.output_key", "response"]
    if known.flag("data.apply_chat_template"):
        words.append("--data.apply_chat_template")
    # RL has no template by default, train_sft has one: a bare {} is none.
    words += ["--data.input_template", known.flag("data.input_template") or "{}"]
    if length := known.flag("data.max_len"):
        words += ["--data.max_len", str(length)]
    return shlex.join([*words, "--ckpt.output_dir", str(output.with_suffix("")) + "-model"])
