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

import argparse
import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.interventions import flags
from openrlhf_unlearn.interventions.mixtures import write_mixtures, write_originals
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, write_json, write_jsonl
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run, check_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("kind", choices=["similar", "subproblems"], help="problems alike, or steps on the way to the same answer")
    add("--run", required=True, metavar="RUN", help="run directory with learnability.parquet")
    add("--output", required=True, type=Path, metavar="DIR", help="where the data goes; both kinds may share it")
    add("--prompts", metavar="SPEC", help="JSON list of ids, or learnability.parquet:GROUP; default: the unlearnable")
    add("--data", help="default: the run's")
    add("--question-key", help="column of the data with the question alone, where the prompt holds a template too")
    add("-n", type=int, default=5, help="new problems a prompt")
    add("--answer-format", help="how our grader finds answers; default: the run's, else auto")
    add("--grading-workers", type=int, default=2, help="processes that grade")
    flags.add_endpoint(parser, what="the endpoint that writes the problems")
    flags.add_endpoint(parser, "check-", "the endpoint that solves them, to check the answers")
    flags.add_budget(parser)
    add_trust_run(parser)
    add_remote_code(parser)


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


def run(args: argparse.Namespace) -> int:
    with hold(args.output, f"augment {args.kind}"):
        return augment(args)


def augment(args: argparse.Namespace) -> int:
    from openrlhf_unlearn.interventions.problems import write_request
    from openrlhf_unlearn.interventions.questions import choose, load_questions

    if args.n < 1:
        raise UsageError("-n must be at least 1")
    writer, checker = flags.endpoint(args), flags.endpoint(args, "check-")
    run_dir = RunDir.open(args.run)
    answer_format = args.answer_format or run_format(run_dir, args.trust_run)
    chosen = choose(load_questions(run_dir, args.data, args.question_key), args.prompts, run_dir)
    requests = [write_request(q, args.kind, args.n, args.max_answer_tokens, args.temperature) for q in chosen]
    needs = _needs(requests, args)
    print(f"{len(chosen)} prompts, {args.n} {args.kind} each, written by {writer.model}, checked by {checker.model}")
    with flags.open_journal(args.output / "answers.jsonl", args, needs) as journal:
        if args.plan:
            return 0
        for endpoint in (writer, checker):  # before anything is written
            endpoint.key()
        write_originals(args.output, [row_of(q, "original", 0, q.row[q.input_key], None) for q in chosen])
        drafts, stopped = asyncio.run(_draft(requests, chosen, writer, checker, journal, args))
        spent = journal.spent
    judge_drafts(drafts, answer_format, args.grading_workers)
    write_augmented(chosen, drafts, args.kind, args.output)
    counts = Counter(draft.fate or "kept" for draft in drafts)
    write_json(
        args.output / f"{args.kind}.json",
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
    print(f"{args.output}: {told or 'nothing'}; {spent.calls} calls, {spent.tokens} tokens in all")
    if stopped:
        raise stopped
    if not counts["kept"]:
        raise UserError(f"no problem was kept; {args.output}/rejected_{args.kind}.jsonl says why of each")
    return 0


def _needs(requests: list, args) -> tuple[int, int]:
    """The most that writing takes, and checking problems as long as the originals are told of."""
    from openrlhf_unlearn.interventions.client import most_tokens
    from openrlhf_unlearn.interventions.problems import solve_request

    calls, tokens = flags.needed(requests)
    longest = max(sum(len(text) for _, text in request.messages) for request in requests)
    check = most_tokens(solve_request("x" * longest, args.check_max_answer_tokens, None))
    return calls + len(requests) * args.n, tokens + len(requests) * args.n * check


def run_format(run_dir: RunDir, trusted: bool) -> str:
    """The run's answer format. Raises UserError where it is code of a received run."""
    found = run_dir.config().flag("unlearn.answer_format") or "auto"
    if ":" in found:
        check_run(run_dir.run_json, found, trusted, "--answer-format FORMAT or ")
    return found


async def _draft(requests, chosen, writer, checker, journal, args) -> tuple[list[Draft], UserError | None]:
    """Drafts of every prompt that was finished, in the prompts' order, and why the others were not."""
    from openrlhf_unlearn.interventions.client import Client, gather

    async with Client(writer, journal, flags.REPAIRS) as write, Client(checker, journal) as check:
        jobs = (_of_one(write, check, request, q, args) for request, q in zip(requests, chosen, strict=True))
        lists, stopped = await gather(jobs, len(chosen), args.kind)
    return [draft for drafts in lists for draft in drafts], stopped


async def _of_one(write, check, request, question, args) -> list[Draft]:
    """One prompt's problems; what can be told without the second model is told before it is paid."""
    from openrlhf_unlearn.interventions.duplicates import fingerprint
    from openrlhf_unlearn.interventions.problems import solve_request

    answer = await write.ask(request)
    if answer.status != "ok":
        return [Draft(question.prompt_id, 0, "", "", answer.problem, fate=f"writer_{answer.status}")]
    problems = [(p.question.strip(), p.answer.strip(), p.solution.strip()) for p in answer.value.problems][: args.n]
    drafts = [Draft(question.prompt_id, number, *problem) for number, problem in enumerate(problems)]
    seen = {fingerprint(question.text): "duplicate_of_original"}
    for draft in drafts:
        name = fingerprint(draft.question)
        draft.fate = seen.get(name) if draft.question and draft.answer else "empty"
        seen.setdefault(name, "duplicate")
    new = [draft for draft in drafts if draft.fate is None]
    asked = (check.ask(solve_request(d.question, args.check_max_answer_tokens, args.check_temperature)) for d in new)
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


def row_of(question, kind: str, number: int, prompt: str | list, draft: Draft | None) -> dict:
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
