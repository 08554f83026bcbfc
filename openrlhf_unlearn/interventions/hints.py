"""`openrlhf-unlearn hints RUN --output DIR`: prompts with a part of their solution, and stages that take it away.

    openrlhf-unlearn hints RUN --output hints/ --solutions solutions.jsonl             the data's own solutions
    openrlhf-unlearn hints RUN --output hints/ --model gpt-5                           solved by an endpoint
    openrlhf-unlearn hints RUN --output hints/ --model gpt-5 --kind abstract           an idea instead of a beginning

--solutions holds a row for each prompt, as JSON lines: the run's own data with a column `solution`, or `prompt_id` and
`solution`. hints/ then holds, in OpenRLHF's format and with the run's own keys and template:

    originals.jsonl      the chosen prompts as they are
    hint_25.jsonl …      the same with the first 25, 50, 75 % of the working (hint_abstract.jsonl: with the idea)
    stage_1.jsonl …      mixtures to train on in turn: every prompt of the run, and the chosen ones with less and less
    rejected.jsonl       what was left out, and why: no solution, one too short, or the hint gives it away
    schedule.json        the stages in order: share, rows, hinted rows

A row keeps the columns of the data; `origin` is the id of the plain prompt, `hint` the share. What an earlier call
wrote into hints/ is replaced, once all of this one is written. A prompt with a hint is another prompt, with an id of
its own: evaluate the plain ones (`evaluate --data PLAIN`), and `compare` says what was learned without hints.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.grading.data_check import flag_rows, rows_of
from openrlhf_unlearn.grading.options import ANSWER_FORMAT, GRADING_WORKERS
from openrlhf_unlearn.interventions.budget import needed, open_journal
from openrlhf_unlearn.interventions.endpoint import LIMITS, Endpoint, Limits
from openrlhf_unlearn.interventions.questions import (
    DATA,
    QUESTION_KEY,
    Question,
    choose,
    load_questions,
)
from openrlhf_unlearn.labels.counts import check_classified
from openrlhf_unlearn.options import Options, nested, option, takes
from openrlhf_unlearn.store.files import all_or_none
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, write_json, write_jsonl
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN, allow_remote_code

NOT_LEARNED = ("unlearnable", "no_reward")
FRAME = {"prefix": "{question}\n\nThe solution begins like this:\n{hint}", "abstract": "{question}\n\nHint: {hint}"}
SOLVE = r"Solve this problem. Reason step by step, then give the final answer alone in \boxed{}."
IDEA = (
    "Below is a problem with its final answer. In one or two sentences, state the idea that leads to a solution: which "
    "relation, theorem or method to use, and on what. Give no number of the calculation, no result and not the answer."
)


@dataclass(frozen=True)
class HintsOptions(Options):
    """Which prompts get hints, of what, and in which stages."""

    run: str = option("run directory with learnability.parquet", positional=True, metavar="RUN")
    output: Path = option("where the data goes", metavar="DIR")
    solutions: Path | None = option("worked solutions, JSON lines", None, metavar="FILE")
    solution_key: str = option("their column in --solutions", "solution")
    kind: str = option("the beginning of a solution, or its idea in words", "prefix", choices=list(FRAME))
    shares: tuple[int, ...] = option("of the stages, in their order", (75, 50, 25), metavar="PERCENT")
    frame: str | None = option(
        "how question and hint stand together, as '{question}{hint}'; default: below each other", None
    )
    prompts: str | None = option(
        "GROUP, learnability.parquet:GROUP or a JSON list of ids, as RUN/causes/CAUSE.json; default: the unlearnable "
        "and no_reward",
        None,
        metavar="SPEC",
    )
    data: str | None = DATA
    question_key: str | None = QUESTION_KEY
    answer_format: str | None = ANSWER_FORMAT
    grading_workers: int = GRADING_WORKERS
    endpoint: Endpoint = nested("the endpoint that solves, or states the idea", Endpoint())
    limits: Limits = LIMITS
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        frame = self.frame or FRAME[self.kind]
        if "{question}" not in frame or "{hint}" not in frame:
            raise UsageError("--frame must hold {question} and {hint}")
        if not all(0 < share <= 100 for share in self.shares):
            raise UsageError("--shares are per cent of the working: above 0 and at most 100")
        if self.kind == "prefix" and bool(self.solutions) == bool(self.endpoint.model):
            raise UsageError("a prefix needs solutions: give --solutions FILE or --model NAME, one of them")
        if self.kind == "abstract" and not self.endpoint.model:
            raise UsageError("--kind abstract asks an endpoint for the idea: give --model NAME")
        if self.kind == "abstract" and self.solutions:
            raise UsageError("--kind abstract asks an endpoint for the idea: leave --solutions out")


OPTIONS = HintsOptions


@dataclass(frozen=True)
class Hinted:
    """Where the data is, prompts that have a hint, prompts left out by the reason, and the stages in their order."""

    output: Path
    prompts: int
    rejected: dict[str, int]
    schedule: list[dict]


def run(options: HintsOptions) -> None:
    hints(options)


@takes(HintsOptions)
def hints(options: HintsOptions) -> Hinted | None:
    """Write the hinted prompts and their stages; says the budget first, if any. None with `limits.plan`.

    Raises UserError where an endpoint or the budget stops the job, after what was paid for is written, and where no
    prompt has a hint.
    """
    allow_remote_code(options.trust_remote_code)
    if options.output.is_file():
        raise UserError(f"--output {options.output} is a file; name a folder")
    with hold(options.output, "hints"):
        return _make(options)


def _make(options: HintsOptions) -> Hinted | None:
    output, kind = options.output, options.kind
    run_dir = RunDir.open(options.run)
    questions = load_questions(run_dir, options.data, options.question_key)
    if options.prompts:
        chosen = choose(questions, options.prompts, run_dir)
    else:
        check_classified(run_dir)
        chosen = [question for question in questions.values() if question.group in NOT_LEARNED]
    if not chosen:
        raise UserError(f"{run_dir} has no unlearnable and no never rewarded prompt; give --prompts")
    texts, stopped = hint_texts(run_dir, questions, chosen, options)
    if options.limits.plan:
        return None
    if stopped:
        raise stopped
    shares = (100,) if kind == "abstract" else options.shares
    cut = {share: {q.prompt_id: _cut(texts, q, share, kind) for q in chosen} for share in shares}
    given_away = reveal(cut, chosen, run_dir, options)
    empty = {name for hints in cut.values() for name, hint in hints.items() if not hint.strip()}
    fates = {q.prompt_id: _fate(q, texts, given_away, empty) for q in chosen}
    rejected = [{"origin": name, "why": why, "hint": texts.get(name, "")} for name, why in fates.items() if why]
    kept = [q for q in chosen if not fates[q.prompt_id]]
    counts = Counter(why for why in fates.values() if why)
    told = "".join(f", {n} {why}" for why, n in counts.items())
    if not kept:
        raise UserError(f"no prompt of {len(chosen)} has a hint{told.replace(',', ':', 1)}")
    with all_or_none(output, output / "schedule.json") as aside:
        write_jsonl(aside / "rejected.jsonl", rejected)
        schedule = write_stages(aside, list(questions.values()), kept, cut, options.frame or FRAME[kind], kind)
        written = {path.name for path in aside.iterdir()}
        before = _of_an_earlier_call(output)
        _spare(output, written | before, before, [path for path in (options.solutions, options.data) if path])
    for name in before - written:
        (output / name).unlink(missing_ok=True)
    print(f"{output}: {len(kept)} of {counted(len(chosen), 'prompt')} with hints{told}")
    return Hinted(output, len(kept), dict(counts), schedule)


def _of_an_earlier_call(output: Path) -> set[str]:
    """The files that an earlier call has written, as its schedule.json vouches for; none without one."""
    try:
        stages = json.loads((output / "schedule.json").read_text(encoding="utf-8"))
        shares = [round(100 * float(row["share"])) for row in stages]
        names = {f"stage_{i}.jsonl" for i in range(1, 1 + len(stages))} | {f"hint_{share}.jsonl" for share in shares}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return names | {"hint_abstract.jsonl", "originals.jsonl", "rejected.jsonl", "schedule.json"}


def _spare(output: Path, touched: set[str], ours: set[str], given: list[str | Path]) -> None:
    """Raise UserError where a file that is given, or is nobody's known, would be replaced or removed."""
    foreign = {path.resolve() for path in map(Path, given)} | {(output / name).resolve() for name in touched - ours}
    lost = sorted(name for name in touched if (output / name).exists() and (output / name).resolve() in foreign)
    if lost:
        raise UserError(f"--output {output} holds {lost[0]}, which this would replace or remove; choose another folder")


def hint_texts(
    run_dir: RunDir, questions: dict[str, Question], chosen: list, options: HintsOptions
) -> tuple[dict[str, str], UserError | None]:
    """Prompt id → its solution, or its idea; and why the endpoint stopped before all were there."""
    if path := options.solutions:
        texts = read_solutions(run_dir, path, options.solution_key)
        if unknown := len(texts.keys() - questions.keys()):
            said = f"{unknown} of {counted(len(texts), 'prompt')} are not in the run's data"
            if unknown == len(texts):
                raise UserError(f"--solutions {path}: {said}; it is of other data")
            print(f"note: --solutions {path}: {said}", file=sys.stderr)
        return texts, None
    return _of_endpoint(run_dir, chosen, options)


def read_solutions(run_dir: RunDir, path: Path, key: str) -> dict[str, str]:
    """Prompt id → solution, of JSON lines with `prompt_id`, or of data in the run's own format."""
    from openrlhf_unlearn.evaluation.prompts import identified_rows

    rows = flag_rows("--solutions", path)
    if not rows or not all(isinstance(row, dict) and isinstance(row.get(key), str) for row in rows):
        raise UserError(f"--solutions {path}: each row needs a text {key!r}; name its column by --solution-key")
    names = [row.get("prompt_id") for row in rows]
    if not all(isinstance(name, str) for name in names):
        if "," in str(path):
            raise UserError(f"--solutions {path}: a comma in its name parts two files to OpenRLHF; rename it")
        named = identified_rows(run_dir, str(path), "name each row's prompt: prompt_id and the solution")
        names, rows = [name for name, _ in named], [row for _, row in named]
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if rows[first.setdefault(name, i)][key] != rows[i][key]:
            places = [where for where, _ in rows_of(path)]
            raise UserError(
                f"--solutions {path}: prompt {name} has two solutions, {places[first[name]]} and {places[i]}; keep one"
            )
    return {name: rows[i][key] for name, i in first.items()}


def _of_endpoint(run_dir: RunDir, chosen: list, options: HintsOptions) -> tuple[dict[str, str], UserError | None]:
    from openrlhf_unlearn.interventions.client import Client, Request, gather

    endpoint, solves = options.endpoint, options.kind == "prefix"

    def request(question: Question) -> Request:
        asked = question.text if solves else f"{question.text}\n\nIts final answer: {question.label}"
        messages = (("system", SOLVE if solves else IDEA), ("user", asked))
        return Request(messages, endpoint.max_answer_tokens, None, endpoint.temperature)

    needs = needed(map(request, chosen))
    print(f"{counted(len(chosen), 'prompt')}, by {endpoint.model}")
    with open_journal(options.output / "answers.jsonl", options.limits, needs) as journal:
        if options.limits.plan:
            return {}, None

        async def ask():
            async with Client(endpoint, journal, options.limits) as client:
                return await gather((client.ask(request(question)) for question in chosen), len(chosen), "hints")

        answers, stopped = asyncio.run(ask())
    if len(answers) < len(chosen):  # the journal keeps what was answered
        return {}, stopped
    texts = {q.prompt_id: a.text.strip() for q, a in zip(chosen, answers, strict=True) if a.status == "ok"}
    return (right_ones(run_dir, chosen, texts, options) if solves else texts), stopped


def right_ones(run_dir: RunDir, chosen: list, texts: dict[str, str], options: HintsOptions) -> dict[str, str]:
    """The solutions whose answer is the prompt's label, by our grader."""
    labels = {q.prompt_id: q.label for q in chosen}
    correct = graded(run_dir, list(texts.values()), [labels[name] for name in texts], options)
    return {name: text for (name, text), right in zip(texts.items(), correct, strict=True) if right}


def graded(run_dir: RunDir, answers: list[str], labels: list[str], options: HintsOptions) -> list[bool]:
    from openrlhf_unlearn.grading import load_grader
    from openrlhf_unlearn.interventions.augment import run_format

    answer_format = options.answer_format or run_format(run_dir, options.trust_run)
    with load_grader(answer_format, workers=options.grading_workers) as grader:
        return [grade.verdict == "correct" for grade in grader.grade(answers, labels)]


def _cut(texts: dict[str, str], question: Question, share: int, kind: str) -> str:
    from openrlhf_unlearn.interventions.partial import prefix

    text = texts.get(question.prompt_id, "")
    return text if kind == "abstract" else prefix(text, share / 100, question.text, question.label)


def reveal(hints: dict[int, dict[str, str]], chosen: list, run_dir: RunDir, options: HintsOptions) -> set[str]:
    """Prompts of which some hint holds the label, or, read as a response, would be graded correct."""
    from openrlhf_unlearn.interventions.partial import shows

    pairs = [(q, of_share[q.prompt_id]) for of_share in hints.values() for q in chosen if of_share[q.prompt_id]]
    correct = graded(run_dir, [hint for _, hint in pairs], [q.label for q, _ in pairs], options) if pairs else []
    return {
        q.prompt_id for (q, hint), right in zip(pairs, correct, strict=True) if right or shows(hint, q.text, q.label)
    }


def _fate(question: Question, texts: dict[str, str], given_away: set[str], empty: set[str]) -> str | None:
    if not texts.get(question.prompt_id):
        return "without a solution"
    if question.prompt_id in given_away:
        return "whose hint gives the answer"
    return "whose solution is too short for a hint" if question.prompt_id in empty else None


def write_stages(folder: Path, all_prompts: list, kept: list, hints: dict, frame: str, kind: str) -> list[dict]:
    """Write the chosen prompts at each share, and the mixtures: all prompts plain, the chosen ones hinted besides.

    Returns what schedule.json holds.
    """
    plain = [row_of(question, "", 0.0, None) for question in all_prompts]
    write_jsonl(folder / "originals.jsonl", [row_of(question, "", 0.0, None) for question in kept])
    schedule = []
    for number, share in enumerate([*hints, 0], start=1):
        name = "abstract" if kind == "abstract" else share
        hinted = [row_of(q, hints[share][q.prompt_id], share / 100, frame) for q in kept] if share else []
        if share:
            write_jsonl(folder / f"hint_{name}.jsonl", hinted)
        write_jsonl(folder / f"stage_{number}.jsonl", plain + hinted)
        data = f"stage_{number}.jsonl"
        schedule.append({"stage": number, "data": data, "share": share / 100, "rows": len(plain + hinted)})
        schedule[-1]["hinted"] = len(hinted)
    write_json(folder / "schedule.json", schedule)
    return schedule


def row_of(question: Question, hint: str, share: float, frame: str | None) -> dict:
    """The row of the run's data; plain and hinted rows have the same columns, so that they can be mixed."""
    row, parts = question.row, {"{question}": question.text, "{hint}": hint}
    if frame:
        text = re.sub("|".join(parts), lambda part: parts[part[0]], frame)
        row = row | {question.input_key: question.asking(text)}
    source = f"hint_{share:g}" if share else row.get("datasource") or "plain"
    return {**row, "datasource": source, "origin": question.prompt_id, "hint": share}
