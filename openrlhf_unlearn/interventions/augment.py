"""`openrlhf-unlearn augment similar|subproblems`: new problems for prompts that training did not learn.

    openrlhf-unlearn augment similar --run RUN --output augmented/ --model gpt-5 \\
        --check-model Qwen/Qwen3-32B --check-base-url http://localhost:8000/v1 [--prompts ids.json] [-n 5]

Paper, section 5.3 and Appendix C. One endpoint writes problems with solutions and answers, a second one solves each
blind, and those stay on whose answer the two agree by our grader. augmented/ then holds, in OpenRLHF's format and with
the run's own keys and template (train on them with the run's flags):

    originals.jsonl, similar.jsonl, subproblems.jsonl
    original_similar.jsonl, original_subproblems.jsonl, original_similar_subproblems.jsonl      the paper's mixtures
    rejected_KIND.jsonl      what was not kept, and why
    answers.jsonl            every raw answer of both endpoints; what was paid once is not paid again
    KIND.json                settings, counts and cost

`origin` of a row is the prompt id that it was made from.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.grading.options import ANSWER_FORMAT, GRADING_WORKERS
from openrlhf_unlearn.interventions.budget import needed, open_journal
from openrlhf_unlearn.interventions.endpoint import LIMITS, Endpoint, Limits
from openrlhf_unlearn.interventions.journal import Journal
from openrlhf_unlearn.interventions.mixtures import write_mixtures, write_originals
from openrlhf_unlearn.interventions.questions import (
    DATA,
    QUESTION_KEY,
    Question,
    choose,
    load_questions,
)
from openrlhf_unlearn.options import Options, nested, option, takes
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, write_json, write_jsonl
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN, allow_remote_code, check_run

if TYPE_CHECKING:
    from openrlhf_unlearn.interventions.client import Client, Request
    from openrlhf_unlearn.interventions.problems import Problems


@dataclass(frozen=True)
class AugmentOptions(Options):
    """Which prompts get new problems of which kind, and who writes and who solves them."""

    kind: str = option(
        "problems alike, or steps on the way to the same answer", positional=True, choices=["similar", "subproblems"]
    )
    run: str = option("run directory with learnability.parquet", metavar="RUN")
    output: Path = option("where the data goes; both kinds may share it", metavar="DIR")
    prompts: str | None = option(
        "JSON list of ids, or learnability.parquet:GROUP; default: the unlearnable", None, metavar="SPEC"
    )
    data: str | None = DATA
    question_key: str | None = QUESTION_KEY
    n: int = option("new problems a prompt", 5, flag="-n")
    answer_format: str | None = ANSWER_FORMAT
    grading_workers: int = GRADING_WORKERS
    writer: Endpoint = nested("the endpoint that writes the problems", Endpoint())
    checker: Endpoint = nested("the endpoint that solves them, to check the answers", Endpoint(), prefix="check_")
    limits: Limits = LIMITS
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        if self.n < 1:
            raise UsageError("-n must be at least 1")
        self.writer.check_named()
        self.checker.check_named("check-")


OPTIONS = AugmentOptions


@dataclass(frozen=True)
class Augmented:
    """Where the data is, how many problems met which fate ("kept": in the data), and what was paid in all."""

    output: Path
    problems: dict[str, int]
    calls: int
    tokens: int


@dataclass
class Draft:
    """A problem on its way: `checked` is the second model's solution; `fate` None means kept."""

    origin: str
    number: int
    question: str
    answer: str
    solution: str
    checked: str = ""
    fate: str | None = None


def run(options: AugmentOptions) -> None:
    augment(options)


@takes(AugmentOptions)
def augment(options: AugmentOptions) -> Augmented | None:
    """Write and check new problems; says the budget first, then what came of it. None with `limits.plan`.

    Raises UserError where an endpoint or the budget stops the job, after what was paid for is written, and where no
    problem was kept.
    """
    allow_remote_code(options.trust_remote_code)
    with hold(options.output, f"augment {options.kind}"):
        return _augment(options)


def _augment(options: AugmentOptions) -> Augmented | None:
    from openrlhf_unlearn.interventions.problems import write_request

    output, kind, writer, checker = options.output, options.kind, options.writer, options.checker
    run_dir = RunDir.open(options.run)
    answer_format = options.answer_format or run_format(run_dir, options.trust_run)
    chosen = choose(load_questions(run_dir, options.data, options.question_key), options.prompts, run_dir)
    requests = [write_request(q, kind, options.n, writer.max_answer_tokens, writer.temperature) for q in chosen]
    print(
        f"{counted(len(chosen), 'prompt')}, {options.n} {kind} each, written by {writer.model}, "
        f"checked by {checker.model}"
    )
    with open_journal(output / "answers.jsonl", options.limits, _needs(requests, options)) as journal:
        if options.limits.plan:
            return None
        for endpoint in (writer, checker):  # before anything is written
            endpoint.key()
        write_originals(output, [row_of(q, "original", 0, q.row[q.input_key], None) for q in chosen])
        drafts, stopped = asyncio.run(_draft(requests, chosen, journal, options))
        spent = journal.spent
    judge_drafts(drafts, answer_format, options.grading_workers)
    write_augmented(chosen, drafts, kind, output)
    counts = Counter(draft.fate or "kept" for draft in drafts)
    write_json(
        output / f"{kind}.json",
        {
            "run": str(run_dir),
            "writer": writer.model,
            "checker": checker.model,
            "prompts": len(chosen),
            "problems": dict(counts),
            "calls": spent.calls,
            "tokens": spent.tokens,
            "finished": stopped is None,
        },
    )
    told = ", ".join(f"{n} {fate}" for fate, n in counts.most_common())
    print(f"{output}: {told or 'nothing'}; {spent.calls} calls, {spent.tokens} tokens in all")
    if stopped:
        raise stopped
    if not counts["kept"]:
        raise UserError(f"no problem was kept; {output}/rejected_{kind}.jsonl says why of each")
    return Augmented(output, dict(counts), spent.calls, spent.tokens)


def _needs(requests: list, options: AugmentOptions) -> tuple[int, int]:
    """The most that writing takes, and checking problems as long as the originals are told of."""
    from openrlhf_unlearn.interventions.client import most_tokens
    from openrlhf_unlearn.interventions.problems import solve_request

    calls, tokens = needed(requests)
    longest = max(sum(len(text) for _, text in request.messages) for request in requests)
    check = most_tokens(solve_request("x" * longest, options.checker.max_answer_tokens, None))
    return calls + len(requests) * options.n, tokens + len(requests) * options.n * check


def run_format(run_dir: RunDir, trusted: bool) -> str:
    """The run's answer format. Raises UserError where it is code of a received run."""
    found = run_dir.config().flag("unlearn.answer_format") or "auto"
    if ":" in found:
        check_run(run_dir.run_json, found, trusted, "--answer-format FORMAT or ")
    return found


async def _draft(
    requests: list["Request[Problems]"], chosen: list[Question], journal: Journal, options: AugmentOptions
) -> tuple[list[Draft], UserError | None]:
    """Drafts of every prompt that was finished, in the prompts' order, and why the others were not."""
    from openrlhf_unlearn.interventions.client import Client, gather

    write, check = (Client(endpoint, journal, options.limits) for endpoint in (options.writer, options.checker))
    async with write, check:
        jobs = (_of_one(write, check, request, q, options) for request, q in zip(requests, chosen, strict=True))
        lists, stopped = await gather(jobs, len(chosen), options.kind)
    return [draft for drafts in lists for draft in drafts], stopped


async def _of_one(
    write: "Client", check: "Client", request: "Request[Problems]", question: Question, options: AugmentOptions
) -> list[Draft]:
    """One prompt's problems; what can be told without the second model is told before it is paid."""
    from openrlhf_unlearn.interventions.duplicates import fingerprint
    from openrlhf_unlearn.interventions.problems import solve_request

    answer = await write.ask(request)
    if answer.value is None:
        return [Draft(question.prompt_id, 0, "", "", answer.problem, fate=f"writer_{answer.status}")]
    problems = [(p.question.strip(), p.answer.strip(), p.solution.strip()) for p in answer.value.problems][: options.n]
    drafts = [Draft(question.prompt_id, number, *problem) for number, problem in enumerate(problems)]
    seen = {fingerprint(question.text): "duplicate_of_original"}
    for draft in drafts:
        name = fingerprint(draft.question)
        draft.fate = seen.get(name) if draft.question and draft.answer else "empty"
        seen.setdefault(name, "duplicate")
    new = [draft for draft in drafts if draft.fate is None]
    checker = options.checker
    asked = (check.ask(solve_request(d.question, checker.max_answer_tokens, checker.temperature)) for d in new)
    for draft, solved in zip(new, await asyncio.gather(*asked), strict=True):
        draft.checked = solved.text
        draft.fate = None if solved.status == "ok" else f"checker_{solved.status}"
    return drafts


def judge_drafts(drafts: list[Draft], answer_format: str, workers: int) -> None:
    """Set the fate of every draft that the second model solved: kept where the answers agree by our grader."""
    from openrlhf_unlearn.grading import load_grader
    from openrlhf_unlearn.interventions.duplicates import fingerprint

    solved = [draft for draft in drafts if draft.fate is None]
    with load_grader(answer_format, workers=workers, timeout_s=10.0) as grader:
        grades = grader.grade([draft.checked for draft in solved], [draft.answer for draft in solved])
    seen = set()
    for draft, grade in zip(solved, grades, strict=True):
        if grade.verdict != "correct":
            draft.fate = {"wrong": "answers_differ"}.get(grade.verdict, grade.verdict)
        elif (name := fingerprint(draft.question)) in seen:
            draft.fate = "duplicate"  # of a problem made from another prompt
        else:
            seen.add(name)


def write_augmented(chosen: list, drafts: list[Draft], kind: str, output: Path) -> None:
    """Write the kind's data set, what was rejected, and the mixtures that can be made by now."""
    by_id = {question.prompt_id: question for question in chosen}
    kept, rejected = [], []
    for draft in drafts:
        if draft.fate:
            rejected.append(vars(draft))
            continue
        question = by_id[draft.origin]
        kept.append(row_of(question, kind, draft.number + 1, question.asking(draft.question), draft))
    write_jsonl(output / f"{kind}.jsonl", kept)
    write_jsonl(output / f"rejected_{kind}.jsonl", rejected)
    write_mixtures(output)


def row_of(question: Question, kind: str, number: int, prompt: str | list, draft: Draft | None) -> dict:
    """A row in the keys of the run's data; all kinds have the same columns, so that they can be mixed."""
    return {
        question.input_key: prompt,
        question.label_key: draft.answer if draft else question.label,
        "datasource": kind,
        "origin": question.prompt_id,
        "number": number,
        "question": draft.question if draft else question.text,
        "solution": draft.solution if draft else "",
    }
