"""`openrlhf-unlearn tasks`: verifiable prompts of reasoning-gym's hundred tasks as a data set, without a network.

    openrlhf-unlearn tasks chain_sum gcd lcm --size 500 --seed 1 --output train.jsonl
    openrlhf-unlearn tasks easy=chain_sum:max_terms=2,max_digits=1 hard=chain_sum:min_terms=5 --output train.jsonl
    openrlhf-unlearn tasks gcd products --shots 3 --output train.jsonl    for base models
    openrlhf-unlearn tasks --list

A task is NAME=TASK:OPTION=VALUE,… where NAME, its `datasource`, is the task's own name unless given. Every row has
`prompt`, `label` and `datasource`; the label is the task's entry, with which the answer format reasoning_gym grades by
the task's own scorer: `--answer-format` of evaluate and grade, `--unlearn.answer_format` of a training.

Another seed gives other questions, as far as a task has them: one of few questions (sums of two digits) repeats some.
Answers that earn full marks without being right, by a weakness of a task's scorer, are warned of.

With --shots N a prompt is N solved examples of its task, a line each, and a question to complete; the words that all
questions of a task share are left out of it, and the answer is the response's first line.
"""

import difflib
import json
import os.path
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import TypedDict

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.run_dir import write_jsonl

MOST_DRAWS = 20  # for each prompt wanted, before a task is taken to have no more different ones
PLACES = ("source_index", "source_idx")  # of metadata: where an entry stood in its draw, which no scorer reads
CONSTANT = ("nan", "inf", "0", "1")  # answers that anybody can give to any question
TRIED, SEVERAL = 100, 2  # entries that they are tried on; wrong answers with full marks that are worth a warning


@dataclass(frozen=True)
class Task:
    """A task of reasoning-gym with options of its own, such as its difficulty."""

    name: str  # of its rows' datasource
    task: str
    options: dict[str, object] = field(default_factory=dict)


class TaskRow(TypedDict):
    """A row of the data set."""

    prompt: str
    label: str  # JSON of the task's entry, as its scorer needs it
    datasource: str  # the task's name


@dataclass(frozen=True)
class TasksOptions(Options):
    """Which tasks, how many prompts of each, and where they go."""

    task: tuple[str, ...] = option(
        "a task, and what of it is not the default", (), positional=True, nargs="*", metavar="NAME=TASK:OPTION=VALUE,…"
    )
    output: Path | None = option("where the rows go; replaced as a whole", None, metavar="FILE.jsonl")
    size: int = option("different prompts of each task", 100)
    seed: int = option("draws the questions; another seed gives others", 0)
    shots: int = option("solved examples before a question to complete; 0: the question alone", 0)
    list: bool = option("the names of all tasks", False)

    def check(self) -> None:
        if not self.list and (not self.task or not self.output):
            raise UsageError("name at least one task, and --output; --list shows the tasks")
        if self.size < 1 or self.shots < 0:
            raise UsageError("--size must be at least 1, --shots at least 0")


OPTIONS = TasksOptions


def run(options: TasksOptions) -> None:
    if options.list:
        print("\n".join(known_tasks()))
        return
    rows = tasks(options)
    print(
        f"{options.output}: {counted(len(rows), 'prompt')} of {counted(len(options.task), 'task')}; grade them with "
        "the answer format reasoning_gym"
    )


@takes(TasksOptions)
def tasks(options: TasksOptions) -> list[TaskRow]:
    """Write the data set to `output` and return its rows. Raises UserError for no task."""
    chosen = [parse(text) for text in options.task]
    if repeated := [task.name for i, task in enumerate(chosen) if task.name in [t.name for t in chosen[:i]]]:
        raise UsageError(f"two tasks are called {repeated[0]!r}; give one another name: NAME={repeated[0]}:…")
    rows = [row for task in chosen for row in rows_of(task, options.size, options.seed, options.shots)]
    if options.output:
        write_jsonl(options.output, map(dict, rows))
    return rows


def parse(text: str) -> Task:
    """NAME=TASK:OPTION=VALUE,… as a Task. Raises UsageError for a task that is not there or an option without value."""
    head, _, tail = text.partition(":")
    name, named, task = head.partition("=")
    task = task if named else name
    if task not in (known := known_tasks()):
        near = difflib.get_close_matches(task, known, 1)
        raise UsageError(f"reasoning-gym has no task {task!r}{f'; {near[0]!r}?' if near else ''}; --list shows all")
    options = {}
    for word in filter(None, re.split(r",(?![^\[]*\])", tail)):
        key, given, value = word.partition("=")
        if not given:
            raise UsageError(f"{text}: {word!r} is no OPTION=VALUE")
        options[key] = _value(value)
    known = option_names(task)
    if unknown := sorted(set(options) - set(known)):
        raise UsageError(f"{text}: {task} has no option {unknown[0]!r}; it has {', '.join(known) or 'none'}")
    return Task(name, task, options)


def _value(text: str):
    """A number, true, false, a list (as the tuple that the tasks expect), else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


def known_tasks() -> list[str]:
    return sorted(set(_gym().factory.DATASETS) - {"composite"})  # a mixture of the others


def option_names(task: str) -> list[str]:
    """What can be set of a task, size and seed apart, which are the verb's own."""
    config = _gym().factory.DATASETS[task][1]
    return [each.name for each in fields(config) if each.name not in ("seed", "size")]


def rows_of(task: Task, size: int, seed: int, shots: int = 0) -> list[TaskRow]:
    """`size` rows with different questions; fewer, and a note, where there are no more."""
    entries = list(_different(task, size + shots, seed))
    if len(entries) <= shots:
        raise UserError(f"{task.name}: only {len(entries)} different questions, too few for --shots {shots}")
    if len(entries) < size + shots:
        print(f"note: {task.name} has only {len(entries) - shots} different prompts with these options")
    questions = [entry["question"] for entry in entries]
    if shots:
        if any(entry["answer"] is None for entry in entries):
            raise UserError(f"{task.name}: {task.task} has no answer of its own, only a scorer; not for --shots")
        cores = without_shared_words(questions)
        if any("\n" in core or "\n" in entry["answer"] for core, entry in zip(cores, entries, strict=True)):
            raise UserError(f"{task.name}: its questions or answers have several lines; not for --shots")
        solved = [f"{core} = {entry['answer']}" for core, entry in zip(cores[:shots], entries, strict=False)]
        questions = ["\n".join([*solved, f"{core} ="]) for core in cores]
    for answer, earned, tried in undeserved(entries):
        print(f"warning: {task.name}: {answer} earns full marks on {earned} of {tried} prompts, and is wrong there")
    return [
        {"prompt": question, "label": label_of(entry, completion=shots > 0), "datasource": task.name}
        for question, entry in list(zip(questions, entries, strict=True))[shots:]
    ]


def label_of(entry: dict, completion: bool) -> str:
    """The entry as its scorer needs it, as JSON text; `completion`: the answer is the response's first line."""
    metadata = {name: value for name, value in entry["metadata"].items() if name not in PLACES}
    kept = {"answer": entry["answer"], "metadata": metadata} | ({"completion": True} if completion else {})
    return json.dumps(kept, ensure_ascii=False, default=str)


def undeserved(entries: list[dict]) -> Iterator[tuple[str, int, int]]:
    """(answer in words, entries that give it full marks, entries tried) of answers that are wrong and need no thought.

    An answer that equals the entry's own is not tried on it: to guess that is luck, not the scorer's weakness.
    """
    from openrlhf_unlearn.grading.gym import ReasoningGym

    entries = entries[:TRIED]
    own = [entry["answer"] for entry in entries]
    labels = [label_of(entry, completion=False) for entry in entries]
    answers: dict[str, list[str | None]] = {repr(text): [text] * len(entries) for text in CONSTANT}
    answers["another prompt's answer"] = own[1:] + own[:1]
    answers["the answer with the other sign"] = [_negated(text) for text in own]
    for words, given in answers.items():
        tried = [(a, label) for a, label, right in zip(given, labels, own, strict=True) if a and not _same(a, right)]
        grades = ReasoningGym().grade([f"<answer>{a}</answer>" for a, _ in tried], [label for _, label in tried])
        earned = sum(grade.verdict == "correct" for grade in grades)
        if earned >= SEVERAL:
            yield words, earned, len(tried)


def _number(text: str | None) -> Fraction | None:
    try:
        return Fraction(text.replace(",", "")) if text else None
    except (ValueError, ZeroDivisionError):
        return None


def _negated(text: str | None) -> str | None:
    return None if text is None or _number(text) is None else text[1:] if text.startswith("-") else f"-{text}"


def _same(answer: str, own: str | None) -> bool:
    """Equal as texts or as numbers."""
    if own is None:
        return False
    number = _number(own)
    return answer.strip().lower() == own.strip().lower() or (number is not None and _number(answer) == number)


def without_shared_words(texts: list[str]) -> list[str]:
    """Each text without the words with which all of them begin and end, and the space and stops around the rest.

    What is shared is cut back to where no number or word is split. Equal texts are left as they are.
    """
    before = re.sub(r"\w+$", "", os.path.commonprefix(texts))
    after = re.sub(r"\w+$", "", os.path.commonprefix([text[::-1] for text in texts]))
    if len(before) + len(after) >= min(map(len, texts)):
        return texts
    return [text[len(before) : len(text) - len(after)].strip(" \n.:;=") for text in texts]


def _different(task: Task, count: int, seed: int) -> Iterator[dict]:
    """Up to `count` entries with different questions that the task's own scorer can grade."""
    from openrlhf_unlearn.grading.gym import ReasoningGym

    answers, seen, most = ReasoningGym(), set(), MOST_DRAWS * count
    # The tasks draw entry i by seed + i, so that seeds side by side would give the same questions, one place on.
    seed = random.Random(str(seed)).randrange(2**31)
    try:
        entries = _gym().create_dataset(task.task, size=most, seed=seed, **task.options)
        for i in range(most):
            entry = entries[i]
            if entry["question"] not in seen and answers.gradable(label_of(entry, False)):
                seen.add(entry["question"])
                yield entry
            if len(seen) == count:
                return
    except (AssertionError, TypeError, ValueError) as error:
        raise UserError(f"{task.name}: {task.task} does not take these options ({error or 'out of range'})") from None


def _gym():
    try:
        import reasoning_gym
    except ImportError as error:
        raise UserError(f"tasks needs reasoning-gym ({error}): pip install 'openrlhf-unlearn[tasks]'") from None
    return reasoning_gym
