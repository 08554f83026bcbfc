"""From run directories to what a diagnosis needs: the hard prompts that were not learned, as `Observed` has them.

Texts are read of these prompts alone, a batch at a time. Where evaluations kept no text the answers of the rollouts
that training saved stand in for theirs, its first third for before and its last third for after, and without these the
answers that the tracker counted. What was right and what failed is always counted in the evaluations.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.causes.kin import kin_rate, nearest
from openrlhf_unlearn.causes.observed import Observed, Samples, Visits
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.adaptive import plan_at, pooled_rates
from openrlhf_unlearn.grading.answer_key import answer_of, key, number_of
from openrlhf_unlearn.grading.formats import four_digits
from openrlhf_unlearn.labels.counts import missing
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.probes import Interference
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_object
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts

DIAGNOSED = ("unlearnable", "no_reward")
FAILED = ("no_answer", "timeout", "error")
GUESSES, GUESSED = 8, 8000  # samples of each prompt, and prompts, that say how common an answer is among others
_DECIMAL = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")


@dataclass(frozen=True)
class Cases:
    """The prompts to diagnose, in the order of the first run, and what is known of them.

    texts: key of an answer → the answer as a sample has it. seconds: what the other models are called; independent:
    whether one of them began elsewhere, so that it need not share this one's mistakes. when: words on the final
    samples, of which model or from when they are. hinted: (2, prompts), training's rollouts with a hint and the right
    ones of them; None where hints were not counted.
    """

    runs: list[RunDir]
    ids: list[str]
    prompts: list[str]
    labels: list[str]
    groups: list[str]
    observed: Observed
    texts: dict[str, str] = field(default_factory=dict)
    seconds: list[str] = field(default_factory=list)
    when: str = "after training"
    independent: bool = False
    hinted: np.ndarray | None = None


@dataclass
class _Gathered:
    """Of the wanted prompts, (prompts,) each: samples, positives, failures, wrong answers; `lenient` to be asked."""

    n: np.ndarray
    positive: np.ndarray
    failed: np.ndarray
    answers: list[Counter]
    lenient: list[Counter]  # writings that a lenient grader may take
    texts: dict[str, str]
    any_text: bool = False  # or answers that the tracker counted
    written: bool = False  # any text
    unbiased: np.ndarray | None = None  # pass rates, where sampling was adaptive
    third: np.ndarray | None = None  # rollouts of training whose answers stand in

    @classmethod
    def empty(cls, size: int) -> "_Gathered":
        n, positive, failed = (np.zeros(size, dtype=np.int64) for _ in range(3))
        return cls(n, positive, failed, [Counter() for _ in range(size)], [Counter() for _ in range(size)], {})

    def add(self, row: int, response: str | None, positive: bool, verdict: str) -> None:
        self.n[row] += 1
        self.positive[row] += positive
        self.failed[row] += verdict in FAILED and not positive
        if response is None:
            return
        self.any_text = self.written = True
        if positive:
            return
        answer = answer_of(response)
        if answer:
            name = key(answer)
            self.answers[row][name] += 1
            self.texts.setdefault(name, answer)
        if written := answer or number_of(response):
            self.lenient[row][written] += 1

    def samples(self, disputed: np.ndarray | None = None) -> Samples:
        answers = self.answers if self.any_text else None
        return Samples(self.n, self.positive, self.failed, answers, disputed, self.unbiased, self.third)


def read_cases(
    runs: Sequence[RunDir],
    groups: dict[str, str],
    seconds: Sequence[tuple[str, Path]] = (),
    initial: str = "initial",
    final: str = "final",
    wanted: Iterable[str] = DIAGNOSED,
    when: str = "after training",
) -> Cases:
    """Read `runs`, repetitions of one run. groups: prompt id → group; seconds: name and evaluation file of a model."""
    prompts = Prompts.read(runs[0])
    ids = prompts[Prompts.prompt_id].combine_chunks()
    names, texts = prompts.prompt_id, [text or "" for text in prompts.prompt]
    wanted = set(wanted)
    rows = np.array([i for i, name in enumerate(names) if groups.get(name) in wanted], dtype=int)
    mine = ids.take(pa.array(rows))
    labels = [answer_in(str(prompts.label[row])) for row in rows]
    finals = [run.evaluation(final) for run in runs if run.evaluation(final).exists()]
    if not finals:
        raise missing(runs[0], final, "TRAINED_MODEL")
    late, early = _ends(runs, finals, initial, mine)
    others = [gathered([path], mine) for _, path in seconds]
    for (name, path), other in zip(seconds, others, strict=True):
        if len(rows) and not other.n.any():
            raise UserError(f"--second {name}: {path} has no sample of these prompts; is it of other data or template?")
    near = nearest(texts, rows) if len(rows) else []
    rate = pass_rates(finals, ids)
    second_rates = [pass_rates([path], ids) for _, path in seconds]
    observed = Observed(
        final=late.samples(looks_right(late, labels)),
        early=early.samples() if early else None,
        seconds=[other.samples() for other in others],
        visits=read_visits(runs, mine),
        kin=kin_rate(near, rate),
        kin_second=np.array([kin_rate(near, r) for r in second_rates]) if second_rates else None,
        guess=guess_rates(finals, ids, rows, labels) if late.any_text else None,
        opposed=opposed(runs[0], mine),
    )
    known = {name: text for source in (*others, early, late) if source for name, text in source.texts.items()}
    chosen = [texts[i] for i in rows]
    of = [groups[names[i]] for i in rows]
    called, free = [name for name, _ in seconds], not all(_began_alike(runs[0], path) for _, path in seconds)
    return Cases(
        list(runs), [names[i] for i in rows], chosen, labels, of, observed, known, called, when, free,
        read_hinted(runs, mine),
    )  # fmt: skip


def _began_alike(run: RunDir, evaluation: Path) -> bool:
    """Whether an evaluation is of another training of the run's base, or of a checkpoint that lies beside the run."""
    other, start = RunDir(evaluation.absolute().parents[1]), Path(run.config().model or "").name
    if other.path != run.path.absolute():
        return bool(start) and other.run_json.exists() and Path(other.config().model or "").name == start
    about = read_object(evaluation.with_suffix(".json")) if evaluation.with_suffix(".json").exists() else {}
    model = Path(str(about.get("model") or "")).absolute()
    return model.exists() and model.is_relative_to(run.path.absolute().parent)


def answer_in(label: str) -> str:
    """The answer itself, where a label is a task's JSON object that holds it (reasoning-gym)."""
    if not label.startswith("{"):
        return label
    try:
        return str(json.loads(label)["answer"])
    except (ValueError, KeyError, TypeError):
        return label


def _ends(runs: Sequence[RunDir], finals: list[Path], initial: str, mine: pa.Array) -> tuple:
    """(after, before), the latter None without an evaluation and without training's own rollouts."""
    late = gathered(finals, mine)
    initials = [run.evaluation(initial) for run in runs if run.evaluation(initial).exists()][:1]
    early = gathered(initials, mine) if initials else None
    if not late.any_text:
        late = _stood_in(late, trained_third(runs, mine, last=True))
    if early is None or not early.any_text:
        early = _stood_in(early, trained_third(runs, mine, last=False))
    return late, early


def _stood_in(own: _Gathered | None, third: _Gathered | None) -> _Gathered | None:
    """An evaluation with the answers of a third of training; the counts stay its own: training's are in its visits."""
    if third is None:
        return own
    known = {name: getattr(third, name) for name in ("answers", "lenient", "texts", "any_text", "written")}
    return replace(own or _Gathered.empty(len(third.n)), **known, third=third.n)


def trained_third(runs: Sequence[RunDir], mine: pa.Array, last: bool) -> _Gathered | None:
    """Answers of the first or the last third of training: by the rollouts saved, or as the tracker counted them."""
    found = _Gathered.empty(len(mine))
    for run in runs:
        folder = TrainingRollouts.folder
        paths = [run.step_file(folder, step) for step in _third(run.steps(folder), last)]
        for part in (gathered([path], mine) for path in paths):
            _merge(found, part)
    if found.any_text:
        return found
    for run in runs:
        for step in _third(run.steps(), last):
            _add_counted(found, Rewards.read_step(run, step, *_COUNTED), mine)
    return found if found.any_text else None


def _third(steps: list[int], last: bool) -> list[int]:
    size = -(-len(steps) // 3)
    return steps[-size:] if last else steps[:size]


def _merge(into: _Gathered, part: _Gathered) -> None:
    into.n += part.n
    into.any_text |= part.any_text
    into.written |= part.written
    into.texts.update(part.texts)
    for mine, other in zip(into.answers + into.lenient, part.answers + part.lenient, strict=True):
        mine.update(other)


_COUNTED = Rewards.prompt_id, Rewards.processed, Rewards.n, Rewards.wrong_answers, Rewards.wrong_counts


def _add_counted(into: _Gathered, table: Rewards, mine: pa.Array) -> None:
    """What the tracker counted in one step's `rewards`: keys of the commonest wrong answers of each visit."""
    if not table.has(Rewards.wrong_answers):
        return
    table = table.filter((table.places(mine) >= 0) & ~table.processed.astype(bool))
    for row, visit in zip(table.places(mine).tolist(), table.rows(), strict=True):
        if visit.wrong_answers is None:
            continue
        into.any_text = True
        into.n[row] += visit.n
        into.answers[row].update(dict(zip(visit.wrong_answers, visit.wrong_counts, strict=True)))


def gathered(paths: Sequence[Path], mine: pa.Array) -> _Gathered:
    """Every sample of these prompts in evaluations or rollouts."""
    found, counts = _Gathered.empty(len(mine)), [np.zeros((2, len(mine)), dtype=np.int64)]
    columns = (
        Evaluations.prompt_id, Evaluations.response, Evaluations.reward, Evaluations.verdict, Evaluations.positive,
    )  # fmt: skip
    for path in paths:
        for part in Evaluations.scan(path, *columns, wanted=mine):
            rows, right = part.places(mine).tolist(), part.hits().tolist()
            for item in zip(rows, part.response, right, part.verdict, strict=True):
                found.add(*item)
        counts.append(np.stack([found.n, found.positive]))
    plans = [plan_at(path) for path in paths]
    if any(plans):
        found.unbiased = pooled_rates(plans, *np.diff(counts, axis=0).transpose(1, 0, 2))
    return found


def pass_rates(paths: Sequence[Path], ids: pa.Array) -> np.ndarray:
    """Pass rate of every prompt of the run over these evaluations, (all prompts,), nan where not sampled."""
    counts = []
    for path in paths:
        table = Evaluations.open(path, Evaluations.prompt_id, Evaluations.reward, Evaluations.positive)
        rows, hit = table.places(ids), table.hits()
        counts.append([np.bincount(rows[known], minlength=len(ids)) for known in (rows >= 0, (rows >= 0) & hit)])
    return pooled_rates([plan_at(path) for path in paths], *np.array(counts).transpose(1, 0, 2))


def guess_rates(paths: Sequence[Path], ids: pa.Array, rows: np.ndarray, labels: list[str]) -> np.ndarray:
    """How often each label is the answer to other prompts, (prompts,): what a guess would earn."""
    given, own = Counter(), [Counter() for _ in range(len(ids))]
    asked = ids.take(pa.array(np.random.default_rng(0).permutation(len(ids))[:GUESSED]))
    for path in paths[:1]:
        columns = Evaluations.prompt_id, Evaluations.sample, Evaluations.response
        for part in Evaluations.scan(path, *columns, wanted=asked):
            first = part.filter(part.sample < GUESSES)
            for place, response in zip(first.places(ids).tolist(), first.response, strict=True):
                answer = answer_of(response) if response and place >= 0 else None
                if answer:
                    given[key(answer)] += 1
                    own[place][key(answer)] += 1
    total, found = given.total(), np.full(len(rows), np.nan)
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        others = total - own[row].total()
        if others:
            found[i] = (given[key(label)] - own[row][key(label)]) / others
    return found


def looks_right(late: _Gathered, labels: list[str], most: int = 24) -> np.ndarray | None:
    """Samples graded wrong that the format `lenient` takes for the label, (prompts,); None where no writing was kept.

    Of each prompt its `most` commonest writings are asked.
    """
    if not late.written:
        return None
    from openrlhf_unlearn.grading.pool import MathGrader

    asked = [(row, text, times) for row, given in enumerate(late.lenient) for text, times in given.most_common(most)]
    same = [same_number(text, labels[row]) for row, text, _ in asked]
    open_ones = [i for i, known in enumerate(same) if known is None]
    if open_ones:
        with MathGrader(2, timeout_s=5.0, answer_format="lenient", warm=False) as grader:
            texts = [f"\\boxed{{{asked[i][1]}}}" for i in open_ones]
            for i, grade in zip(open_ones, grader.grade(texts, [labels[asked[i][0]] for i in open_ones]), strict=True):
                same[i] = grade.verdict == "correct"
    found = np.zeros(len(labels), dtype=np.int64)
    for (row, _, times), right in zip(asked, same, strict=True):
        found[row] += times * bool(right)
    return found


def same_number(answer: str, label: str) -> bool | None:
    """Whether two plain decimal numbers are one as `lenient` has it; None where one is no such number."""
    if not (_DECIMAL.fullmatch(answer.strip()) and _DECIMAL.fullmatch(label.strip())):
        return None
    return four_digits(Fraction(answer.strip()), Fraction(label.strip()))


def read_visits(runs: Sequence[RunDir], mine: pa.Array) -> Visits:
    """Rows of rewards/ as sampled, of these prompts, all runs, in the order of steps."""
    columns = Rewards.step, Rewards.n, Rewards.n_positive
    parts = [(row, of.step, of.n, of.n_positive) for row, of in _as_sampled(runs, mine, *columns)]
    row, step, n, positive = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    order = np.argsort(step, kind="stable")
    return Visits(row[order], step[order], n[order], positive[order])


def read_hinted(runs: Sequence[RunDir], mine: pa.Array) -> np.ndarray | None:
    """Rollouts with a hint of these prompts as sampled, and the right ones of them, (2, prompts); None without any."""
    found = np.zeros((2, len(mine)), dtype=np.int64)
    for row, table in _as_sampled(runs, mine, Rewards.n_hinted, Rewards.n_hinted_positive):
        for of, column in zip(found, (table.n_hinted, table.n_hinted_positive), strict=True):
            np.add.at(of, row, np.nan_to_num(column.astype(float)).astype(np.int64))
    return found if found.any() else None


def _as_sampled(runs: Sequence[RunDir], mine: pa.Array, *columns) -> Iterator[tuple[np.ndarray, Rewards]]:
    """Of each run (the place of each row's prompt, its rows of rewards/ as sampled), of these prompts."""
    for run in runs:
        table = Rewards.read(run, Rewards.prompt_id, Rewards.processed, *columns)
        rows = table.places(mine)
        kept = (rows >= 0) & ~table.processed.astype(bool)
        yield rows[kept], table.filter(kept)


def opposed(run: RunDir, mine: pa.Array) -> np.ndarray | None:
    """Cosine of each prompt's correct with its incorrect rollouts' gradient, of the last probe that has it."""
    for tag in reversed(run.probe_tags()):
        if Interference.path(run, tag).exists():
            table = Interference.read(run, tag, Interference.prompt_id, Interference.within_corrected)
            rows = table.places(mine)
            found = np.full(len(mine), np.nan)
            found[rows[rows >= 0]] = table.within_corrected.astype(float)[rows >= 0]
            return found
    return None
