"""The rollouts that the page shows: of the hardest prompts, correct and wrong, the newest first, long ones cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.turns import Turns, shorten, turns_of
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.run_dir import read_object
from openrlhf_unlearn.store.training import TrainingRollouts

PROMPTS, EACH, HEAD, TAIL = 2000, 8, 650, 350  # prompts with rollouts, rollouts a prompt, characters of start and end


class Sample(NamedTuple):
    """One sample of the final evaluation, for what is counted over all of a prompt's samples."""

    row: int
    response: str
    verdict: str
    right: bool = False
    n_tokens: int | None = None


@dataclass(frozen=True)
class ShownRollout:
    source: str  # "final", "step 12", …
    file: str  # of the run, for what was cut
    sample: int
    reward: float
    verdict: str
    response: str
    correct: bool
    reason: str = ""  # the grader's rule, where the evaluation kept it
    run: int = 0  # of the compared runs

    def shown(self) -> list:
        """What the page holds: source, file, sample, reward, verdict, start, end, characters left out, reason, run,
        correct (0 or 1). The start is text, or of a conversation a list of [role, text], and the end then "".
        """
        head: str | Turns
        if turns := turns_of(self.response):
            (head, cut), tail = shorten(turns, HEAD + TAIL), ""
        else:
            cut = max(0, len(self.response) - HEAD - TAIL)
            head, tail = (self.response[:HEAD], self.response[-TAIL:]) if cut else (self.response, "")
        reward = self.reward if isfinite(self.reward) else None
        about = [self.source, self.file, self.sample, reward, self.verdict]
        return [*about, head, tail, cut, self.reason, self.run, int(self.correct)]


def hardest(material: Material, most: int = PROMPTS, before: np.ndarray | None = None) -> np.ndarray:
    """Rows of the prompts that rollouts are shown of: unlearnable first, then the other hard ones, then the rest.

    before: (prompts,) of bool, those that come before all.
    """
    order = {
        group: i for i, group in enumerate(("unlearnable", "mixed", "no_reward", "learnable", "ungradable", "easy"))
    }
    rank = np.array([order.get(group, len(order)) for group in material.groups])
    final = material.tally(material.final)
    rate = np.nan_to_num(final.rate, nan=2.0) if final else np.zeros(material.size)
    return np.lexsort((rate, rank, np.zeros(len(rank)) if before is None else ~before))[:most]


def shown_rollouts(
    material: Material, before: np.ndarray | None = None
) -> tuple[dict[int, list[ShownRollout]], list[Sample]]:
    """Rollouts of the hardest prompts, of every compared run, and the first one's samples of them at the end."""
    rows = hardest(material, before=before)
    each = max(2, EACH // max(1, len(material.compared)))
    found, samples = read_rollouts(material, rows, each=each)
    for number, single in enumerate(material.interventions[1:], 1):
        for row, rollouts in read_rollouts(single, rows, number, each)[0].items():
            found.setdefault(row, []).extend(rollouts)
    return found, samples


def token_limit(material: Material) -> int | None:
    """The limit of new tokens of the final evaluation, where it was one number for all prompts and all runs."""
    paths = [path for run in material.runs if (path := run.evaluation_json(material.final)).exists()]
    limits = {(read_object(path).get("settings") or {}).get("max_new_tokens") for path in paths}
    return limits.pop() if len(limits) == 1 else None


def read_rollouts(
    material: Material, rows: np.ndarray, run: int = 0, each: int = EACH
) -> tuple[dict[int, list[ShownRollout]], list[Sample]]:
    """The rollouts of these prompts, at most `each` a prompt, and all of their samples of the final evaluation.

    Read in batches, so that of the texts only what is kept stays in memory, and the final evaluation's.
    """
    found: dict[int, tuple[list, list]] = {}
    final = []
    wanted = material.ids.take(pa.array(rows))
    for source, path, relative in _sources(material):
        found_rows = _rows(path, source, wanted, material)
        for row, sample, response, reward, verdict, correct, step, reason, n_tokens in found_rows:
            if source == material.final:
                final.append(Sample(row, response or "", verdict, correct, n_tokens))
            name = source or f"step {step}"
            kept = found.setdefault(row, ([], []))[correct]
            if len(kept) < each and response is not None:
                kept.append(ShownRollout(name, relative, sample, reward, verdict, response, correct, reason, run))
    return {row: _balanced(*both, each) for row, both in found.items()}, final


def _balanced(wrong: list[ShownRollout], right: list[ShownRollout], each: int) -> list[ShownRollout]:
    """Half of each where there are as many; else the other side fills up."""
    n_right = min(len(right), max(each // 2, each - len(wrong)))
    return right[:n_right] + wrong[: each - n_right]


def _sources(material: Material) -> Iterator[tuple[str, Path, str]]:
    """(tag or "", file, its name in the run): the final evaluation, training from its end, the other evaluations."""
    for run in material.runs:
        tags = [tag for tag in reversed(material.tags) if run.evaluation(tag).exists()]
        late = [tag for tag in tags if tag == material.final]
        early = [tag for tag in tags if tag != material.final]
        paths = [(tag, run.evaluation(tag)) for tag in late]
        folder = TrainingRollouts.folder
        paths += [("", run.step_file(folder, step)) for step in reversed(run.steps(folder))]
        paths += [(tag, run.evaluation(tag)) for tag in early]
        for tag, path in paths:
            yield tag, path, str(path.relative_to(run.path))


_SHOWN = Graded.prompt_id, Graded.sample, Graded.response, Graded.reward, Graded.verdict
_OF_EVALUATION = *_SHOWN, Evaluations.positive, Evaluations.reason, Evaluations.n_tokens
_OF_TRAINING = *_SHOWN, TrainingRollouts.positive, TrainingRollouts.step


def _rows(path: Path, tag: str, wanted: pa.Array, material: Material) -> Iterator[tuple]:
    """(row, sample, response, reward, verdict, positive, step, reason, tokens) of the wanted prompts in one file."""
    kind, columns = (Evaluations, _OF_EVALUATION) if tag else (TrainingRollouts, _OF_TRAINING)
    for part in kind.scan(path, *columns, wanted=wanted):
        if not part.has(Graded.response):
            return
        nothing = [None] * len(part)
        if tag:
            more = nothing, part[Evaluations.reason].to_pylist(), part[Evaluations.n_tokens].to_pylist()
        else:
            more = part[TrainingRollouts.step].to_pylist(), nothing, nothing
        samples = part.places(material.ids).tolist(), part.sample.tolist(), part.response, part.reward.tolist()
        for row, sample, response, reward, verdict, correct, step, reason, n_tokens in zip(
            *samples, part.verdict, part.hits(material.threshold if tag else None).tolist(), *more, strict=True
        ):
            yield row, sample, response, reward, verdict or "", correct, step, reason or "", n_tokens
