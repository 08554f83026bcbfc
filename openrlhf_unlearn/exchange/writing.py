"""What rollouts become in a run directory: rewards by step and prompt, some of their texts, or one evaluation."""

from collections import defaultdict
from collections.abc import Generator, Hashable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

from openrlhf_unlearn.collect.tracker import rewards_of
from openrlhf_unlearn.errors import UserError, counted
from openrlhf_unlearn.evaluation.settings import now
from openrlhf_unlearn.exchange.formats import FORMATS, ImportedRollout
from openrlhf_unlearn.exchange.options import ImportOptions
from openrlhf_unlearn.exchange.paper_csv import read_stats
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.exchange.rule import PositiveRule
from openrlhf_unlearn.store.columns import flags, integers, numbers, texts
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import RunDir, all_or_none, write_json
from openrlhf_unlearn.store.spool import Spool
from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts

Kind = TypeVar("Kind", bound=Graded)
Rollouts: TypeAlias = Iterable[tuple[Path, ImportedRollout]]  # each with the file that it is from


class Sampled(Table):
    """As it was sampled; whether it is positive is known once all is read."""

    prompt_id = texts()
    sample = integers()
    response = texts()
    reward = numbers()
    said = flags()  # whether it is positive, by the framework


def import_training(
    run_dir: RunDir, options: ImportOptions, rollouts: Rollouts, reader: Reader, prompts: Prompts
) -> str:
    """Rewards (and some rollouts) of every step, from training rollouts; says what was written."""
    groups: dict[tuple[int, str, bool], list[tuple[float, bool | None]]] = defaultdict(list)
    rule = PositiveRule(run_dir, options.threshold, FORMATS[options.format].binary)
    with Spool(run_dir.path.absolute(), Sampled.schema) as kept:
        for path, rollout in rollouts:
            if rollout.step is None:
                raise UserError(f"{path} does not say its step; name the column: --columns step=COLUMN, or give --tag")
            name = prompts.add(rollout, options.format)
            group = groups[rollout.step, name, rollout.processed]
            if len(group) < options.save_rollouts and not rollout.processed:
                _keep(kept, rollout.step, name, len(group), rollout)
            assert rollout.reward is not None  # the reader leaves such out
            group.append((rollout.reward, rollout.positive))
            rule.see(rollout)
        if not groups:
            raise UserError(f"{options.source} has no rollouts{_why_none(reader)}")
        rule.settle(options.source)
        steps: dict[int, list] = defaultdict(list)
        for (step, name, processed), group in groups.items():
            rewards = [reward for reward, _ in group]
            n_positive = sum(rule.positive(*one) for one in group)
            steps[step].append(rewards_of(name, rewards, n_positive, processed))
        sampled = sum(len(group) for (_, _, processed), group in groups.items() if not processed)
        with _all_or_none(run_dir, options, prompts, rule, run_dir.path / Rewards.folder) as new:
            for step, rows in steps.items():
                Rewards.of_rows(rows).write(new, step)
                if options.save_rollouts:
                    parts = (_judged(Sampled(part), rule, TrainingRollouts, step) for part in kept.tables(step))
                    TrainingRollouts.save_all(new.step_file(TrainingRollouts.folder, step), parts)
    if not sampled:
        print("note: the files hold what trained, not all that was sampled: which prompts are `no_reward` is not known")
    total = sampled or sum(map(len, groups.values()))
    return f"{counted(len(steps), 'step')}, {counted(total, 'rollout')}, positive by {rule}"


def _keep(spool: Spool, key: Hashable, name: str, sample: int, rollout: ImportedRollout) -> None:
    size = len(rollout.response or "")
    spool.add(key, (name, sample, rollout.response, rollout.reward, rollout.positive), size)


def _judged(part: Sampled, rule: PositiveRule, kind: type[Kind], step: int | None = None) -> Kind:
    """The samples as the run directory has them: with verdicts, and whether each is positive."""
    positive = list(map(rule.positive, part.reward.tolist(), part.said.tolist()))
    steps = {} if step is None else dict(step=[step] * len(part))
    return kind.of(
        prompt_id=part[Sampled.prompt_id],
        sample=part[Sampled.sample],
        response=part[Sampled.response],
        reward=part[Sampled.reward],
        verdict=["correct" if right else "wrong" for right in positive],
        positive=positive,
        **steps,
    )


def import_evaluation(
    run_dir: RunDir, options: ImportOptions, rollouts: Rollouts, reader: Reader, prompts: Prompts
) -> str:
    """evaluations/TAG from files of sampled responses; says what was written."""
    assert options.tag  # without it they are of training
    if run_dir.evaluation(options.tag).exists():
        raise UserError(f"{run_dir.evaluation(options.tag)} is there already; choose another --tag, or delete it")
    drawn: dict[str, int] = defaultdict(int)
    rule, steps = PositiveRule(run_dir, options.threshold, FORMATS[options.format].binary), set()
    with Spool(run_dir.path.absolute(), Sampled.schema) as kept:
        for _, rollout in rollouts:
            if rollout.processed or (options.step is not None and rollout.step != options.step):
                continue
            name = prompts.add(rollout, options.format)
            _keep(kept, options.tag, name, drawn[name], rollout)
            drawn[name] += 1
            steps.add(rollout.step)
            rule.see(rollout)
        if not drawn:
            raise UserError(f"{options.source} has no rollouts{_why_none(reader)}")
        if len(steps) > 1:
            raise UserError(
                f"{options.source} holds {len(steps)} steps; an evaluation is of one: give its file alone, or --step"
            )
        rule.settle(options.source)
        with _all_or_none(run_dir, options, prompts, rule, run_dir.evaluation(options.tag)) as new:
            parts = (_judged(Sampled(part), rule, Evaluations) for part in kept.tables(options.tag))
            Evaluations.save_all(new.evaluation(options.tag), parts, Evaluations.positive)
            about = {
                "model": options.model if options.tag == "initial" else None,
                "data": str(options.source),
                "n": max(drawn.values()),
                "temperature": None,
                "adaptive": None,
                "positive": rule.as_json(),
                "imported_from": options.format,
                "created": now(),
            }
            write_json(new.evaluation_json(options.tag), about)
    samples, known = counted(sum(drawn.values()), "sample"), counted(len(drawn), "prompt")
    return f"evaluation {options.tag}: {samples} of {known}, positive by {rule}"


def _why_none(reader: Reader) -> str:
    return (
        f": {reader.first_left_out}, and no other row has one; rewards must be finite numbers"
        if reader.first_left_out
        else ""
    )


def import_csv(run_dir: RunDir, path: Path, prompts: Prompts) -> str:
    """The paper's prompt_reward_stats.csv as rewards/."""
    steps: dict[int, list] = defaultdict(list)
    rows = read_stats(path)
    for row in rows:
        name = prompts.add(ImportedRollout(None, None, row.mean_reward, id=row.prompt_id), "paper")
        steps[row.step].append(row._replace(prompt_id=name))
    options, rule = ImportOptions("paper", str(path), str(run_dir)), PositiveRule(run_dir, None)
    with _all_or_none(run_dir, options, prompts, rule, run_dir.path / Rewards.folder) as new:
        for step, of_step in steps.items():
            Rewards.of_rows(of_step).write(new, step)
    return f"{counted(len(steps), 'step')}, {counted(len(rows), 'row')}"


@contextmanager
def _all_or_none(
    run_dir: RunDir, options: ImportOptions, prompts: Prompts, rule: PositiveRule, last: Path
) -> Generator[RunDir]:
    """Yield a run directory to write into; it becomes part of `run_dir` as a whole, or not at all, with the prompts and
    run.json, where there is none. last: the part by which it is known that an import has been."""
    about = RunConfig.new(
        created_by=f"import {options.format}",
        created=now(),
        model=options.model,
        data=str(options.source),
        seed=None,
        positive=rule.as_json(),
        args={},
    )
    with hold(run_dir.run_json, "import", wait_s=SHORT_S), all_or_none(run_dir.path, last) as folder:
        new = RunDir(folder)
        if not run_dir.run_json.exists():
            about.write(new.run_json)
        elif rule.given is not None and not (known := run_dir.config()).says_positive:
            known.changed(positive=rule.as_json()).write(new.run_json)
        prompts.save(new)
        yield new
