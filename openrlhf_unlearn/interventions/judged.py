"""Judged rollouts of one evaluation: which are judged, the table of scores, and what it says."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.stats.agreement import krippendorff_alpha
from openrlhf_unlearn.stats.means import mean_interval
from openrlhf_unlearn.store.evaluations import Evaluations, Judgements
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, atomic_path, write_json
from openrlhf_unlearn.store.spreadsheet import check_unfilled, write_rows

HUMAN = "human:"
SCORES = range(6)
COLUMNS = ("item", "problem", "solution", "score", "remark")


class GroupScore(TypedDict):
    """The mean of a rater's scores over a group's prompts; its interval is null for one prompt or equal means."""

    prompts: int
    mean: float | None
    low: float | None
    high: float | None


class RaterScores(TypedDict):
    rollouts: int
    groups: dict[str, GroupScore]
    alpha: float | None  # agreement of a rater with itself


class RatersAgree(TypedDict):
    raters: list[str]
    rollouts: int  # that both scored
    alpha: float | None
    within_one_point: float | None


class Judged(TypedDict):
    """judgements/TAG.json."""

    raters: dict[str, RaterScores]
    between: list[RatersAgree]


@dataclass(frozen=True)
class JudgedRollout:
    """A correct response. `name` is all that a human rater sees of where it comes from."""

    tag: str
    prompt_id: str
    sample: int
    group: str
    problem: str
    response: str

    @property
    def name(self) -> str:
        return _digest(self.tag, self.prompt_id, self.sample)


def _digest(*parts) -> str:
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=6).hexdigest()


def select(run: RunDir, tag: str, groups: list[str], per_group: int, per_prompt: int, seed: int) -> list[JudgedRollout]:
    """Correct rollouts of `tag`, from up to `per_group` prompts a group.

    The seed fixes the order in which prompts are drawn, so that checkpoints are judged on the same ones where they can.
    """
    group_of, prompts = Learnability.groups(run), Prompts.texts(run)
    correct = defaultdict(list)
    columns = Evaluations.prompt_id, Evaluations.sample, Evaluations.response, Evaluations.reward, Evaluations.positive
    samples = Evaluations.read(run, tag, *columns)
    for row, right in zip(samples.rows(), samples.hits().tolist(), strict=True):
        if right and row.response and group_of.get(row.prompt_id) in groups:
            correct[row.prompt_id].append(row)
    taken: dict[str, int] = defaultdict(int)
    chosen = []
    for name in sorted(correct, key=lambda name: _digest(seed, name)):
        group = group_of[name]
        taken[group] += 1
        if taken[group] <= per_group:
            if (problem := prompts.get(name)) is None:
                raise UserError(f"{run.prompts} has no text of prompt {name}, and a judge must read it")
            rows = sorted(correct[name], key=lambda row: _digest(seed, name, row.sample))[:per_prompt]
            chosen += [JudgedRollout(tag, name, r.sample, group, problem, r.response) for r in rows]
    if not chosen:
        raise UserError(
            f"{run.evaluation(tag)} holds no correct response of {', '.join(groups)}, or was saved without text"
        )
    return chosen


def merge(run: RunDir, tag: str, rows: list) -> None:
    """Put a rater's scores (`Judgements.Row`) into the table of `tag`; those that the rater gave the same rollouts
    before are replaced."""
    given = {(row.prompt_id, row.sample, row.rater) for row in rows}
    old = Judgements.read(run, tag).rows() if run.judgements(tag).exists() else []
    old = [row for row in old if (row.prompt_id, row.sample, row.rater) not in given]
    table = sorted(old + rows, key=lambda row: (row.rater, row.prompt_id, row.sample, row.judgement))
    Judgements.of_rows(table).write(run, tag)


def summarize(run: RunDir, tag: str) -> Judged:
    """What the table of `tag` says, by rater: scores by group, agreement with itself and with the other raters."""
    rows = Judgements.read(run, tag).rows()
    group_of = Learnability.groups(run)
    raters = sorted({row.rater for row in rows})
    scores: dict[str, dict[tuple, list[int]]] = {rater: defaultdict(list) for rater in raters}
    for row in rows:
        scores[row.rater][row.prompt_id, row.sample].append(row.score)
    summary: dict[str, Any] = {
        "raters": {rater: _of_rater(scores[rater], group_of) for rater in raters},
        "between": [_between(a, b, scores[a], scores[b]) for i, a in enumerate(raters) for b in raters[i + 1 :]],
    }
    write_json(run.judgements_json(tag), summary)
    return cast(Judged, summary)


def _of_rater(scores: dict[tuple, list[int]], group_of: dict[str, str]) -> RaterScores:
    """Means are over prompts, of their rollouts' mean scores, so that a prompt counts once."""
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for (prompt, _), given in scores.items():
        by_prompt[prompt].append(float(np.mean(given)))
    groups: dict[str, GroupScore] = {}
    for group in sorted({group_of[name] for name in by_prompt if name in group_of}):
        means = [np.mean(given) for prompt, given in by_prompt.items() if group_of.get(prompt) == group]
        mean, interval = mean_interval(np.array(means))
        low, high = interval or (None, None)  # of one prompt, or of equal means, there is none
        groups[group] = {"prompts": len(means), "mean": mean, "low": low, "high": high}
    return {"rollouts": len(scores), "groups": groups, "alpha": krippendorff_alpha(_matrix(scores.values()))}


def _between(first: str, second: str, a: dict[tuple, list[int]], b: dict[tuple, list[int]]) -> RatersAgree:
    """Agreement of two raters on the rollouts that both scored, each by the median of its scores."""
    shared = sorted(set(a) & set(b))
    pairs = np.array([[np.median(a[key]), np.median(b[key])] for key in shared]).reshape(-1, 2)
    within_one = float((np.abs(pairs[:, 0] - pairs[:, 1]) <= 1).mean()) if len(pairs) else None
    alpha = krippendorff_alpha(pairs)
    return {"raters": [first, second], "rollouts": len(shared), "alpha": alpha, "within_one_point": within_one}


def _matrix(lists: Iterable[list[int]]) -> np.ndarray:
    lists = list(lists)
    width = max(map(len, lists))
    return np.array([given + [np.nan] * (width - len(given)) for given in map(list, lists)])


# Human labels --------------------------------------------------------------------------------------------------------


def write_csv(path: Path, rollouts: list[JudgedRollout]) -> None:
    """A sheet for a human rater: nothing in it tells group, checkpoint or the judge's score.

    Raises UserError where a person has written into the file.
    """
    check_unfilled(path, COLUMNS, lambda row: not (row["score"] + row["remark"]).strip())
    with atomic_path(path) as aside, aside.open("w", newline="", encoding="utf-8") as lines:
        write_rows(lines, [COLUMNS])
        ordered = sorted(rollouts, key=lambda rollout: rollout.name)
        write_rows(lines, ([rollout.name, rollout.problem, rollout.response, "", ""] for rollout in ordered))


def read_csv(path: Path, rater: str, rollouts: dict[str, JudgedRollout]) -> dict[str, list]:
    """Evaluation tag → rows for `merge`, of a sheet that was filled in; empty scores are left out.

    rollouts: by `name`. Raises UserError at a score that is none, or an item of another run.
    """
    found = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            sheet = list(csv.DictReader(lines))
    except FileNotFoundError:
        raise UserError(f"--csv-in {path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--csv-in {path} cannot be read ({error}); save it as CSV in UTF-8") from None
    for number, row in enumerate(sheet, 2):
        score = (row.get("score") or "").strip()
        if not score:
            continue
        if row.get("item") not in rollouts:
            raise UserError(f"{path}: line {number}: item {row.get('item')!r} is no correct rollout of this run")
        if not score.isdigit() or int(score) not in SCORES:
            raise UserError(f"{path}: line {number}: score {score!r} is not a whole number from 0 to 5")
        rollout = rollouts[row["item"]]
        found[rollout.tag].append(
            Judgements.Row(
                prompt_id=rollout.prompt_id,
                sample=rollout.sample,
                rater=HUMAN + rater,
                judgement=0,
                score=int(score),
                reason=row.get("remark") or "",
            )
        )
    if not found:
        raise UserError(f"{path} holds no score; fill in the column score")
    return dict(found)
