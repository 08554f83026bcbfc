"""The chosen prompts of a run as the user's data holds them: the question alone, and rows for the same template.

A run knows a prompt as the model sees it, template and all. New problems and stronger models need the question, and
what comes of them must fit the user's data, so that the same flags train on it.
"""

from dataclasses import dataclass

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.labels.counts import check_classified
from openrlhf_unlearn.options import option
from openrlhf_unlearn.store.nested import get
from openrlhf_unlearn.store.prompts import GROUPS, Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir

# Options of the verbs that ask an endpoint about them.
DATA = option("default: the run's", None)
QUESTION_KEY = option("column of the data with the question alone, where the prompt holds a template too", None)


@dataclass(frozen=True)
class Question:
    """One prompt. `text` is its question alone, `row` its row of the data, nested keys as columns besides."""

    prompt_id: str
    text: str
    label: str
    group: str | None
    row: dict
    input_key: str
    label_key: str

    def asking(self, question: str) -> str | list:
        """The row's input with another question in its frame (a chat, or a template that the data holds)."""
        held = self.row[self.input_key]
        if isinstance(held, str):
            return held.replace(self.text, question)
        last = max(i for i, message in enumerate(held) if message["role"] == "user")
        content = held[last]["content"].replace(self.text, question)
        return [{**message, "content": content} if i == last else message for i, message in enumerate(held)]


def load_questions(run: RunDir, data: str | None = None, question_key: str | None = None) -> dict[str, Question]:
    """Prompt id → question, in the order of the data. `question_key`: a column that holds the question alone.

    Raises UserError where a row's input does not hold its question. An imported run has its prompts only, no template.
    """
    groups = {}
    if run.learnability.exists():
        groups = Learnability.groups(run)
    rows, input_key, label_key = _rows(run, data)
    found = {}
    for name, row in rows:
        text = get(row, question_key) if question_key else _last_user_text(row[input_key])
        if not isinstance(text, str):
            raise UserError(f"prompt {name}: its row has no text {question_key!r}; give another --question-key")
        question = Question(name, text, str(row[label_key]), groups.get(name), row, input_key, label_key)
        if question_key and question.asking("") == row[input_key]:
            raise UserError(
                f"prompt {name}: its {input_key!r} does not hold its {question_key!r}; leave --question-key out"
            )
        found.setdefault(name, question)
    return found


def _rows(run: RunDir, data: str | None) -> tuple[list[tuple[str, dict]], str, str]:
    from openrlhf_unlearn.evaluation.prompts import identified_rows, own_rows

    keys = run.config().flag("data", {})
    if "input_key" not in keys and data is None:
        held = (Prompts.prompt.name, Prompts.label.name, Prompts.datasource.name)
        return [(name, {key: row[key] for key in held}) for name, row in own_rows(run)], *held[:2]
    if not keys.get("label_key"):
        raise UserError(f"{run.run_json}: the run has no label key; without answers there is nothing to check against")
    known = set(Prompts.ids(run).to_pylist())
    flat = (keys["input_key"], keys["label_key"])
    rows = [
        (name, row | {key: get(row, key) for key in flat})
        for name, row in identified_rows(run, data, "leave --data out")
        if name in known
    ]
    if not rows:
        raise UserError(f"no row of {data or keys['prompt_dataset']} is a prompt of {run}; give --data of the run")
    return rows, *flat


def _last_user_text(held: str | list) -> str:
    if isinstance(held, str):
        return held
    said = [message.get("content") for message in held if message.get("role") == "user"]
    if not said or not isinstance(said[-1], str):
        raise UserError("a prompt of the data holds no text of a user; name the column of the question: --question-key")
    return said[-1]


def choose(questions: dict[str, Question], spec: str | None, run: RunDir) -> list[Question]:
    """Those that `spec` names: a JSON list of ids, a group of the run, or a learnability.parquet:group, the run's
    where no folder is named; None: the run's unlearnable."""
    from openrlhf_unlearn.collect.selection import read_ids

    path, _, group = (spec or "unlearnable").rpartition(":")
    where = spec or group
    if path == run.learnability.name or (not path and group in GROUPS):
        check_classified(run)
        where = f"{run.learnability}:{group}"
    ids = read_ids(where)
    chosen = [question for name, question in questions.items() if name in ids]
    if not chosen:
        raise UserError(f"{where} names no prompt of the run's data; give other --prompts")
    return chosen
