"""A framework's files → rollouts, one by one; what had to be left out is counted, and told at the end."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.files import ending
from openrlhf_unlearn.exchange.formats.base import Format, ImportedRollout
from openrlhf_unlearn.exchange.values import (
    NOTHING,
    as_label,
    as_number,
    as_step,
    as_text,
    as_truth,
    is_messages,
    split_messages,
    untyped,
)
from openrlhf_unlearn.store.nested import get, has


class Reader:
    """Reads files of one format. `columns` go before the format's own; `left_out`: how many rows have no reward."""

    def __init__(
        self,
        form: Format,
        columns: dict[str, str],
        evaluation: bool = False,
        decode: Callable[[list[int]], str] | None = None,
    ):
        """`decode`: from a list of token ids to text, or None."""
        self.form, self.columns, self.evaluation, self.decode = form, columns, evaluation, decode
        self.left_out = Counter()
        self.first_left_out = None
        self.empty: list[Path] = []  # files without a row
        self.repeated = 0  # rows that a file repeats of the one before
        self.logged: list[int | None] = []
        self._last = self._sample = None

    def read(self, path: Path) -> Iterator[ImportedRollout]:
        """The rollouts of one file. Raises UserError that names file and row."""
        rows = self._rows(path)
        if self.form.once:
            rows = self._unless_repeated(path, list(rows))
        step_of_file, processed = self.form.step_of(path), self.form.processed(path)
        is_csv = ending(path) in (".csv", ".tsv")
        wanted = None
        for where, row in rows:
            if not isinstance(row, dict):
                raise UserError(f"{path}: {where} is no object with keys but {type(row).__name__}")
            if row.get("_kind") and (row["_kind"] == "eval") != self.evaluation:
                self.left_out["of training" if self.evaluation else "of evaluations"] += 1
                continue
            if wanted is None:
                wanted = self._wanted(path, where, row)
            for one in self._expand(path, where, row, wanted):
                try:
                    rollout = self._rollout(path, where, one, wanted, step_of_file, is_csv)
                except _Wrong as wrong:
                    raise UserError(f"{path}: {where} has {wrong}") from None
                if rollout.reward is None:
                    self.left_out["without a reward"] += 1
                    if self.first_left_out is None:
                        value = get(one, wanted["reward"])
                        self.first_left_out = f"{path}: {where} has the reward {'null' if value is None else value}"
                    continue
                if processed or row.get("_processed"):
                    rollout = _processed(rollout)
                yield rollout

    def _rows(self, path: Path) -> Iterator[tuple[str, object]]:
        """Raises UserError where a row is of another make than the format's module expects."""
        rows, where, row = self.form.rows(path), "its beginning", None
        while True:
            try:
                where, row = next(rows)
            except StopIteration:
                if row is None:
                    self.empty.append(path)
                return
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise UserError(
                    f"{path}: what follows {where} is not as {self.form.name} writes it ({error}); fix or remove it"
                ) from error
            yield where, row

    def _unless_repeated(self, path: Path, rows: list) -> list:
        step = self.form.step_of(path)
        self.logged.append(step)
        content = [{k: v for k, v in row.items() if k != "step"} for _, row in rows if isinstance(row, dict)]
        again = _overlap(self._last or [], content)
        self.repeated += again
        self._last = self._sample = content
        return rows[again:]

    def _wanted(self, path: Path, where: str, row: dict) -> dict[str, str]:
        """Which column is what, by a file's first row."""
        wanted = {**self.form.columns, **self.columns}
        for name, column in wanted.items():
            if "|" in column:
                choices = column.split("|")
                wanted[name] = next((choice for choice in choices if has(row, choice)), choices[0])
        if "reward" not in wanted:
            wanted["reward"] = (
                "reward" if "reward" in row else _only_reward(path, self._sample or [row], self.form, wanted)
            )
        wanted = {name: column for name, column in wanted.items() if column}
        for name in ("prompt", "reward", *filter(wanted.get, self.columns)):
            if not (name == "prompt" and "id" in wanted) and not has(row, wanted[name]):
                raise UserError(
                    f"{path}: {where} has no column {wanted[name]!r}; it has {', '.join(map(str, row))}; name it: "
                    f"--columns {name}=COLUMN"
                )
        return wanted

    def _expand(self, path: Path, where: str, row: dict, wanted: dict) -> Iterator[dict]:
        """The row itself, or, where its rewards are a list, a row for each of them."""
        rewards = get(row, wanted["reward"])
        response = wanted.get("response")
        if not isinstance(rewards, list):
            if rewards is not None and _is_texts(answers := get(row, response)):
                raise UserError(f"{path}: {where} has {len(answers)} responses in {response!r}, but one reward")
            yield row
        elif self.form.token_rewards:
            yield {**row, wanted["reward"]: _total(rewards)}
        else:
            n, lists = len(rewards), {}
            for name, column in wanted.items():
                value = get(row, column)
                whole = is_messages(value) or (name in ("prompt", "response") and _is_tokens(value))
                if isinstance(value, list) and len(value) == n and not whole:
                    lists[column] = value
            if not {wanted.get("prompt"), wanted.get("id")} & lists.keys():  # then a list is one prompt's label, whole
                labels = lists.get(wanted.get("label"), [])
                if any(label != labels[0] for label in labels):
                    del lists[wanted["label"]]
            if n > 1 and response not in lists and get(row, response) is not None:
                raise UserError(f"{path}: {where} has {n} rewards, but not as many responses in {response!r}")
            for i in range(n):
                yield {**row, **{column: value[i] for column, value in lists.items()}}

    def _rollout(
        self, path: Path, where: str, row: dict, wanted: dict, step_of_file: int | None, is_csv: bool
    ) -> ImportedRollout:
        reward = get(row, wanted["reward"])
        try:
            reward = as_number(reward)
        except (TypeError, ValueError):
            if isinstance(reward, dict):
                names = ", ".join(map(str, reward))
                raise _Wrong(
                    f"an object as reward, with the keys {names}; name the one: --columns reward={wanted['reward']}.KEY"
                ) from None
            raise _Wrong(
                f"the reward {reward!r}, which is no number; rewards must be finite: fix or remove it"
            ) from None
        label, name = get(row, wanted.get("label")), get(row, wanted.get("id"))
        if is_csv:
            label, name = untyped(label), untyped(name)
        try:
            label = as_label(label)
        except ValueError:
            raise _Wrong(
                f"an object as label, with the keys {', '.join(label)}; name the one: --columns "
                f"label={wanted['label']}.KEY"
            ) from None
        if "id" in wanted and as_text(name) in NOTHING and has(row, wanted["id"]):
            raise _Wrong(f"no value in {wanted['id']!r}; every row must name its prompt")
        asked, answered = get(row, wanted.get("prompt")), get(row, wanted.get("response"))
        alone = "response" not in wanted or not has(row, wanted["response"])
        if alone and is_messages(asked) and asked[-1].get("role") == "assistant":
            asked, answered = split_messages(asked)  # a whole conversation in one column
        prompt = self._text(asked)
        if prompt is None and name is None and reward is not None:
            raise _Wrong(f"no prompt in {wanted.get('prompt')!r}")
        said = get(row, wanted.get("positive"))
        positive = as_truth(said)
        if positive is None and as_text(said) not in NOTHING and "positive" in self.columns:
            raise _Wrong(f"{said!r} in {wanted['positive']!r}, which is neither true nor false")
        return ImportedRollout(
            prompt,
            self._text(answered),
            reward,
            label,
            self._step(get(row, wanted.get("step")), step_of_file),
            as_text(name),
            positive=positive,
        )

    def _text(self, value: Any) -> str | None:
        return self.decode(value) if self.decode and _is_tokens(value) else as_text(value)

    def _step(self, step: Any, of_file: int | None) -> int | None:
        if step in NOTHING or (self.form.step_first == "path" and of_file is not None):
            return of_file
        try:
            return as_step(step)
        except (TypeError, ValueError):
            raise _Wrong(f"the step {step!r}, which is no whole number from 0 on") from None

    def told(self) -> Iterator[str]:
        """A line for everything that was left out, and for what the files do not say."""
        yield from self.form.notes
        for why, n in self.left_out.items():
            yield f"rollouts {why}, left out: {n}" + (f" (first: {self.first_left_out})" if "reward" in why else "")
        if self.empty:
            yield f"files without a row: {len(self.empty)} (first: {self.empty[0]})"
        if self.repeated:
            yield f"rows that a log repeats of the log before it, counted once: {self.repeated}"
        steps = {step for step in self.logged if step}
        if steps and not self.evaluation and len(steps) < max(steps):
            yield (
                f"the logs hold {len(steps)} of {max(steps)} steps ({len(steps) / max(steps):.0%}): a prompt that "
                "never shows a reward here may have had one in another step; train with logging_steps=1"
            )


class _Wrong(Exception):
    """What is wrong with a row; its place is added where it is known."""


def _overlap(before: list[dict], now: list[dict]) -> int:
    """How many rows `now` begins with that `before` ended with: all of `before`, or at least half of it.

    The half begins and ends with whole groups of at least two prompts: fewer rows are alike by chance.
    """

    def whole_groups(n: int) -> bool:
        asked, then = [row.get("prompt") for row in now[: n + 1]], before[-n - 1].get("prompt")
        return asked[0] != then and asked[0] != asked[n - 1] and (n == len(now) or asked[n] != asked[n - 1])

    longest = range(min(len(before), len(now)), (len(before) - 1) // 2, -1)
    return next((n for n in longest if before[-n:] == now[:n] and (n == len(before) or whole_groups(n))), 0)


def _total(rewards: list) -> float | list | None:
    """The sum over a rollout's tokens; None where one has no reward, the list itself where one is no number."""
    try:
        numbers = [number for number in map(as_number, rewards) if number is not None]
    except (TypeError, ValueError):
        return rewards
    return sum(numbers) if numbers and len(numbers) == len(rewards) else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) for text in value)


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and bool(value) and type(value[0]) is int


def _processed(rollout: ImportedRollout) -> ImportedRollout:
    values = {name: getattr(rollout, name) for name in ImportedRollout.__slots__}
    return ImportedRollout(**{**values, "processed": True})


def _only_reward(path: Path, rows: list[dict], form: Format, wanted: dict) -> str:
    """The one numeric column that can be the reward, where a trainer names it after the user's function."""
    taken = form.not_rewards | set(wanted.values())
    found = {name: None for row in rows for name, v in row.items() if name not in taken and isinstance(v, (int, float))}
    if len(found) != 1:
        what = f"columns {', '.join(found)} could each be the reward" if found else "no column could be the reward"
        raise UserError(f"{path}: {what}; name it: --columns reward=COLUMN")
    return next(iter(found))
