"""`openrlhf-unlearn regrade RUN`: grade saved responses again and show what another verdict would change.

    openrlhf-unlearn regrade runs/seed0 [--answer-format boxed | my_grader.py:Mine] [--out runs/seed0-regraded]

Every response in evaluations/ and rollouts/ gets the verdict of another grader or format beside its own. The run is
classified twice, as it is and as it would be, and the prompts whose group changes are listed. Prompts with answers of
the same value in another form that were graded wrong are listed apart: the verifier's share in "unlearnable" (TinyV,
arXiv 2505.14625, found that over a third of the wrong were right). What looks right is judged by the format `lenient`.

The training rewards count every rollout, the texts only those saved: a saved one that turns counts into its step.
Writes "regrade" into summary.json; with --out, a run directory with the new verdicts, which every command can read.
"""

import errno
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.grade import Grade
from openrlhf_unlearn.grading.options import TIMEOUT_S, WORKERS
from openrlhf_unlearn.grading.pool import MathGrader, load_grader
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD, RunDir, update_summary
from openrlhf_unlearn.store.training import STEP_KINDS, Rewards, TrainingRollouts

CHUNK = 512


@dataclass(frozen=True)
class RegradeOptions(Options):
    """The second opinion, and where the groups part."""

    run_dir: str = option("run directory with saved rollouts or evaluations", positional=True, metavar="RUN")
    answer_format: str = option("the second opinion: a format's name or path.py:Name", "auto")
    out: str | None = option("write a run directory with the new verdicts; must not exist", None, metavar="DIR")
    tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)
    easy: float = option("initial pass@1 from which a prompt is easy", 0.1)
    threshold: float | None = option("reward above which a sample of RUN is positive, as in classify", None)
    workers: int = WORKERS
    timeout_s: float = TIMEOUT_S
    show: int = option("rows of each list that are printed", 10)


OPTIONS = RegradeOptions


@dataclass(frozen=True)
class Regrading:
    """What another verdict changes, as summary.json keeps it."""

    summary: dict


def run(options: RegradeOptions) -> None:
    print(report(regrade(options).summary, options.show))
    if options.out:
        print(f"written: {options.out}")


@takes(RegradeOptions)
def regrade(options: RegradeOptions) -> Regrading:
    """Grade every saved response again; writes "regrade" into summary.json and, where asked, a run of new verdicts.

    A sample whose text was not kept keeps its verdict. Raises UserError for a run without saved responses, or a folder
    that is there already.
    """
    run_dir = RunDir.open(options.run_dir)
    if options.out and Path(options.out).exists():
        raise UserError(f"--out {options.out} exists; choose another folder or remove it")
    if not run_dir.evaluation_tags() and not run_dir.steps(TrainingRollouts.folder):
        raise UserError(
            f"{run_dir} has no evaluations and no rollouts: evaluate it, or train with --unlearn.save_rollouts"
        )
    beside = Path(options.out).absolute().parent if options.out else None
    if beside:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".regrade-", dir=beside) as scratch:
        shadow = RunDir(Path(scratch) / "run")
        summary = regrade_into(shadow, run_dir, options)
        if options.out:
            _appear(shadow.path, Path(options.out))
    update_summary(run_dir, "regrade", summary)
    return Regrading(summary)


def _appear(made: Path, out: Path) -> None:
    """Whole, or not there; another command may have put its own there meanwhile."""
    try:
        made.rename(out)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise UserError(f"--out {out} exists; choose another folder or remove it") from None


def regrade_into(shadow: RunDir, run_dir: RunDir, options: RegradeOptions) -> dict:
    """Write `shadow`, the run with new verdicts, and return what changes (the summary's "regrade")."""
    prompts = Prompts.read(run_dir, Prompts.prompt_id, Prompts.label)  # once: another command may add to it meanwhile
    labels = dict(zip(prompts.prompt_id, prompts.label, strict=True))
    _copy_rest(run_dir, shadow)
    how = {"workers": options.workers, "timeout_s": options.timeout_s}
    lenient_grader = load_grader("lenient", warm=False, **how)  # asked of what was called wrong alone
    with load_grader(options.answer_format, **how) as grader, lenient_grader as lenient:
        seen, saved = [], {}
        for tag in run_dir.evaluation_tags():
            table = Evaluations.read(run_dir, tag)
            seen += (rows := _graded(f"evaluation {tag}", table, labels, grader, lenient))
            _with_grades(table, rows).write(shadow, tag)
        for step in run_dir.steps(TrainingRollouts.folder):
            table = TrainingRollouts.read_step(run_dir, step)
            seen += (rows := _graded(f"rollouts of step {step}", table, labels, grader, lenient))
            _with_grades(table, rows).write(shadow, step)
            saved[step] = rows
    if not any(row.response is not None for row in seen):
        raise UserError(f"{run_dir} kept no response's text, and without texts nothing can be graded again")
    lowest = min((row.reward for rows in saved.values() for row in rows if row.reward < 0), default=0.0)
    for step in saved.keys() & set(run_dir.steps()):
        _correct_rewards(shadow, step, saved[step], lowest)
    groups = {"before": _groups(run_dir, options, options.threshold), "after": _groups(shadow, options)}
    return _summary(seen, groups, options.answer_format, labels)


def _copy_rest(run_dir: RunDir, shadow: RunDir) -> None:
    """All but the graded rows, whose rewards are the new grader's: 0 and 1."""
    shadow.path.mkdir(parents=True)
    positive = {"by": "reward", "threshold": POSITIVE_THRESHOLD, "given": False}
    run_dir.config().changed(regraded_from=str(run_dir), positive=positive).write(shadow.run_json)
    shutil.copy(run_dir.prompts, shadow.prompts)
    for kind in STEP_KINDS:
        for step in run_dir.steps(kind.folder) if kind is not TrainingRollouts else ():
            copy = shadow.step_file(kind.folder, step)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(run_dir.step_file(kind.folder, step), copy)
    for tag in run_dir.evaluation_tags():
        if run_dir.evaluation_json(tag).exists():
            shadow.evaluation_json(tag).parent.mkdir(exist_ok=True)
            shutil.copy(run_dir.evaluation_json(tag), shadow.evaluation_json(tag))


Kind = TypeVar("Kind", bound=Graded)


@dataclass
class Regraded:
    """verdict, reward, positive: as before. look_alike: called wrong by both graders, or before, and right to a lenient
    eye."""

    prompt_id: str
    response: str | None
    verdict: str
    reward: float
    positive: bool
    new: Grade
    look_alike: bool

    @property
    def new_positive(self) -> bool:
        return self.positive if self.response is None else self.new.verdict == "correct"


def _graded(name: str, table: Graded, labels: dict, grader: MathGrader, lenient: MathGrader) -> list[Regraded]:
    before = list(
        zip(table.prompt_id, table.response, table.verdict, table.reward.tolist(), table.hits().tolist(), strict=True)
    )
    rows: list[Regraded] = []
    for start in tqdm(range(0, len(before), CHUNK), name, leave=False, disable=None):
        chunk = before[start : start + CHUNK]
        responses, gold = [text or "" for _, text, *_ in chunk], [labels.get(name) for name, *_ in chunk]
        doubtful = []
        for known, grade in zip(chunk, grader.grade(responses, gold), strict=True):
            if known[1] is None:
                rows.append(Regraded(*known, Grade(known[2], known[3], None, "its text was not kept"), False))
                continue
            wrong = known[2] != "correct"
            row = Regraded(*known, grade, wrong and grade.verdict == "correct")
            rows.append(row)
            if wrong and grade.verdict != "correct":
                doubtful.append(row)
        seconds = lenient.grade(
            [row.response or "" for row in doubtful], [labels.get(row.prompt_id) for row in doubtful]
        )
        for row, grade in zip(doubtful, seconds, strict=True):
            row.look_alike = grade.verdict == "correct"
    return rows


def _with_grades(table: Kind, rows: list[Regraded]) -> Kind:
    verdicts = [row.new.verdict for row in rows]
    positive = [row.new_positive for row in rows]
    return table.replacing(reward=[row.new.reward for row in rows], verdict=verdicts, positive=positive)


def _correct_rewards(shadow: RunDir, step: int, rows: list[Regraded], lowest: float) -> None:
    """Add what the saved rollouts gained or lost to the counts of the step as sampled; lowest: the run's reward of a
    wrong one, such as -1."""
    gained, reward = defaultdict(int), defaultdict(float)
    for row in rows:
        right = row.new_positive
        if right != row.positive:
            gained[row.prompt_id] += right - row.positive
            reward[row.prompt_id] += (1.0 if right else lowest) - row.reward
    table = Rewards.read_step(shadow, step)
    sampled, n = ~table.processed.astype(bool), np.maximum(table.n, 1)
    change, change_of_reward = (np.array([c[name] for name in table.prompt_id]) * sampled for c in (gained, reward))
    table.replacing(
        n_positive=np.where(change == 0, table.n_positive, np.clip(table.n_positive + change, 0, table.n)),
        mean_reward=table.mean_reward + change_of_reward / n,
        pass_rate=table.pass_rate + change / n,
    ).write(shadow, step)


def _groups(run_dir: RunDir, options: RegradeOptions, threshold: float | None = None) -> dict[str, str] | None:
    """Each prompt's group; None if the run lacks what classify needs."""
    from openrlhf_unlearn.labels.classify import classify

    if not {"initial", "final"} <= set(run_dir.evaluation_tags()):
        return None
    found = classify([str(run_dir.path)], options.tau, options.easy, threshold=threshold, allow_uneven=True)
    table = Learnability(found.table)
    return dict(zip(table.prompt_id, table.group, strict=True))


def _summary(rows: list[Regraded], groups: dict, answer_format: str, labels: dict) -> dict:
    read = [row for row in rows if row.response is not None]
    changes = Counter(f"{row.verdict} -> {row.new.verdict}" for row in read)
    before, after = groups["before"] or {}, groups["after"] or {}
    moved = [
        {"prompt_id": prompt, "before": group, "after": after.get(prompt, "ungradable")}
        for prompt, group in before.items()
        if after.get(prompt) != group
    ]
    disputed = _disputed([row for row in rows if row.look_alike], before, labels)
    unlearnable = [prompt for prompt, group in before.items() if group == "unlearnable"]
    hit = {item["prompt_id"] for item in disputed}
    wrong = sum(row.verdict != "correct" for row in read)
    return {
        "answer_format": answer_format,
        "responses": len(read),
        "without_text": len(rows) - len(read),
        "graded_not_correct": wrong,
        "look_right": sum(row.look_alike for row in rows),
        "verdicts": dict(changes.most_common()),
        "groups_before": dict(Counter(before.values())) if groups["before"] else None,
        "groups_after": dict(Counter(after.values())) if groups["after"] else None,
        "moved": moved,
        "disputed": disputed,
        "unlearnable_disputed": {"prompts": len(unlearnable), "disputed": len(hit.intersection(unlearnable))},
    }


def _disputed(rows: list[Regraded], groups: dict, labels: dict) -> list[dict]:
    """One item a prompt, most disputed answers first, with one answer as an example."""
    count = Counter(row.prompt_id for row in rows)
    example = {row.prompt_id: row.new.answer or (row.response or "")[-60:] for row in rows}
    return [
        {"prompt_id": p, "group": groups.get(p), "answers": n, "label": labels.get(p), "example": example[p]}
        for p, n in count.most_common()
    ]


def report(summary: dict, show: int = 10) -> str:
    """The summary as the tables that the command prints."""
    lines = [f"{summary['responses']} responses graded again with {summary['answer_format']}"]
    if summary["without_text"]:
        lines.append(f"{summary['without_text']} whose text was not kept keep their verdict")
    for change, n in summary["verdicts"].items():
        old, new = change.split(" -> ")
        lines.append(f"{n:>8}  {change}{'' if old == new else '   changed'}")
    if summary["groups_before"] is None:
        lines.append("not classified: that needs the evaluations initial and final")
    else:
        lines.append(f"{'group':<14}{'before':>8}{'after':>8}")
        for group in sorted(summary["groups_before"].keys() | summary["groups_after"].keys()):
            before, after = (summary[key].get(group, 0) for key in ("groups_before", "groups_after"))
            lines.append(f"{group:<14}{before:>8}{after:>8}")
        lines.append(f"{len(summary['moved'])} prompts change their group")
        lines += [f"  {item['prompt_id']}  {item['before']} -> {item['after']}" for item in summary["moved"][:show]]
    share = summary["unlearnable_disputed"]
    lines.append(
        f"{summary['look_right']} of {summary['graded_not_correct']} answers not graded correct look right to "
        f"{summary['answer_format']} or lenient: the label's value in another form; they touch {share['disputed']} of "
        f"{share['prompts']} unlearnable prompts"
    )
    for item in summary["disputed"][:show]:
        example = f"such as {item['example']!r} for the label {item['label']!r}"
        lines.append(f"  {item['prompt_id']}  {item['group'] or '-':<12}{item['answers']:>5} answers, {example}")
    return "\n".join(lines)
