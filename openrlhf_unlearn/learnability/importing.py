"""`openrlhf-unlearn import FORMAT SOURCE --run RUN`: other frameworks' rollouts become a run directory.

    openrlhf-unlearn import verl rollouts/ --run RUN                         training rollouts: rewards of every step
    openrlhf-unlearn import verl validation/0.jsonl --run RUN --tag initial  an evaluation
    openrlhf-unlearn import trl OUTPUT_DIR/ --run RUN --columns reward=accuracy_reward
    openrlhf-unlearn import prime-rl OUTPUT_DIR/rollouts/ --run RUN
    openrlhf-unlearn import paper prompt_reward_stats.csv --run RUN
    openrlhf-unlearn import paper 'results/*.json' --run RUN --tag final
    openrlhf-unlearn import jsonl samples.jsonl --run RUN --tag final --columns prompt=question,reward=correct,id=qid

Without --tag the files are training rollouts, which tell `no_reward` from `unlearnable`; with --tag one evaluation.
After an initial and a final one: openrlhf-unlearn classify RUN. A prompt's id comes from its text and label, or, where
the files name their prompts (`id`), from that name: so runs imported in any order agree. Everything is read before
anything is written.
"""

import argparse
import csv
import statistics
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.learnability.formats import FORMATS, Rollout, find_files, read_rollouts
from openrlhf_unlearn.learnability.settings import now
from openrlhf_unlearn.locks import SHORT_S, hold
from openrlhf_unlearn.run_dir import (
    POSITIVE_THRESHOLD,
    SCHEMA_VERSION,
    SCHEMAS,
    RunDir,
    check_name,
    holds_files,
    prompt_id,
    read_table,
    write_json,
    write_table,
)

# `source_id`: what the imported files call the prompt.
PROMPTS = SCHEMAS["prompts"].append(pa.field("source_id", pa.string()))
COLUMNS = ("prompt", "response", "reward", "label", "step", "id")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("format", choices=sorted(FORMATS), help="whose files they are; jsonl: any, with --columns")
    add("source", help="file, folder or glob")
    add("--run", required=True, metavar="RUN", help="run directory to write into; made if it is not there")
    add("--tag", help="the files are the evaluation of this name, not training rollouts")
    add("--columns", default="", help="NAME=COLUMN,… for prompt, response, reward, label, step, id")
    add("--threshold", type=float, help="reward above which a rollout is positive; needed if rewards are not binary")
    add("--save-rollouts", type=int, default=0, help="rollouts a prompt and step kept with their text")
    add("--model", help="the model that training started from, if known: runs of different ones never mix")


def run(args: argparse.Namespace) -> None:
    columns = _columns(args.columns)
    run_dir = RunDir(args.run)
    if args.tag:
        check_name(args.tag, "--tag")
    with ExitStack() as locks:  # of what is written: steps or an evaluation, and the prompts
        locks.enter_context(hold(run_dir.evaluation(args.tag) if args.tag else run_dir.path, "import"))
        locks.enter_context(hold(run_dir.prompts, "import", wait_s=SHORT_S))
        import_files(_open(run_dir, args), columns, args)


def import_files(run_dir: RunDir, columns: dict, args: argparse.Namespace) -> None:
    prompts = Prompts(run_dir)
    source = Path(args.source)
    if args.format == "paper" and source.suffix == ".csv":
        if args.tag:
            raise UsageError("--tag: a prompt_reward_stats.csv holds training rewards, no evaluation")
        written = import_csv(run_dir, source, prompts)
    else:
        form = FORMATS[args.format]
        files = find_files(args.source, form)
        if args.tag:
            written = import_evaluation(run_dir, args, files, columns, prompts)
        else:
            written = import_training(run_dir, args, files, columns, prompts)
    print(f"{run_dir}: {written}; {len(prompts.rows)} prompts known")


def _columns(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(",") if item]
    for name, equals, column in pairs:
        if name not in COLUMNS or not equals or not column:
            raise UsageError(f"--columns {text}: write NAME=COLUMN with NAME of {', '.join(COLUMNS)}")
    return {name: column for name, _, column in pairs}


def _open(run_dir: RunDir, args: argparse.Namespace) -> RunDir:
    if run_dir.run_json.exists():
        run_dir = RunDir.open(run_dir.path)
        if not args.tag and run_dir.steps():
            raise UserError(f"{run_dir} already holds training steps; import these into another --run")
        known = run_dir.config().get("model")
        if args.model and known and args.model != known:
            raise UserError(f"{run_dir} is a run of model {known!r}, not {args.model!r}; choose another --run")
    elif holds_files(run_dir.path):
        raise UserError(f"{run_dir} is not empty and no run directory; choose another --run")
    return run_dir


class Prompts:
    """The run's prompts so far, by what the files call them; `save` writes them with what an import added."""

    def __init__(self, run_dir: RunDir):
        self.run = run_dir
        self.rows: dict[str, dict] = {}
        if run_dir.prompts.exists():
            for row in read_table(run_dir.prompts).to_pylist():
                self.rows[row["prompt_id"]] = {"source_id": None, **row}

    def add(self, rollout: Rollout, source: str) -> str:
        """The prompt's id. One that was known by its name only takes the text that comes now."""
        if rollout.id is not None:
            name = prompt_id(rollout.id, None)
        else:
            name = prompt_id(rollout.prompt, rollout.label)
        row = self.rows.setdefault(
            name, {"prompt_id": name, "prompt": None, "label": None, "datasource": source, "source_id": rollout.id}
        )
        row["prompt"] = rollout.prompt if row["prompt"] is None else row["prompt"]
        row["label"] = rollout.label if row["label"] is None else row["label"]
        return name

    def save(self) -> None:
        write_table(self.run.prompts, pa.Table.from_pylist(list(self.rows.values()), schema=PROMPTS))


def _threshold(rewards: set[float], threshold: float | None, where) -> float:
    if threshold is None and not rewards <= {0.0, 1.0} and not rewards <= {-1.0, 1.0}:
        other = min(rewards - {0.0, 1.0})
        raise UserError(
            f"{where} has rewards other than 0 and 1 (such as {other:g}); say above which one is positive: --threshold"
        )
    return POSITIVE_THRESHOLD if threshold is None else threshold


def import_training(run_dir: RunDir, args, files: list[Path], columns: dict, prompts: Prompts) -> str:
    """Rewards (and some rollouts) of every step, from files of training rollouts; says what was written."""
    from tqdm import tqdm

    rewards: dict[tuple[int, str], list[float]] = defaultdict(list)
    kept: dict[int, list[dict]] = defaultdict(list)
    for path in tqdm(files, desc="reading", unit="file", disable=len(files) < 5):
        for rollout in read_rollouts(path, FORMATS[args.format], columns):
            if rollout.step is None:
                raise UserError(f"{path} does not say its step; name the column: --columns step=COLUMN, or give --tag")
            name = prompts.add(rollout, args.format)
            group = rewards[rollout.step, name]
            if len(group) < args.save_rollouts:
                kept[rollout.step].append(
                    {"prompt_id": name, "sample": len(group), "response": rollout.response, "reward": rollout.reward}
                )
            group.append(rollout.reward)
    cut = _threshold({r for group in rewards.values() for r in group}, args.threshold, args.source)
    steps: dict[int, list[dict]] = defaultdict(list)
    for (step, name), group in rewards.items():
        steps[step].append(_reward_row(name, len(group), sum(r > cut for r in group), group))
    for row in (row for rows in kept.values() for row in rows):
        row["verdict"] = "correct" if row["reward"] > cut else "wrong"
    _finish(run_dir, args, prompts)
    for step, rows in sorted(steps.items()):
        run_dir.write_step("rewards", step, rows)
        if args.save_rollouts:
            run_dir.write_step("rollouts", step, kept[step])
    return f"{len(steps)} steps, {sum(map(len, rewards.values()))} rollouts"


def _reward_row(name: str, n: int, n_positive: int, rewards: list[float], processed: bool = False) -> dict:
    return {
        "prompt_id": name,
        "processed": processed,
        "n": n,
        "n_positive": n_positive,
        "mean_reward": statistics.fmean(rewards),
        "std_reward": statistics.pstdev(rewards),
        "n_replayed": None,
        "n_no_answer": None,
        "n_timeout": None,
        "n_error": None,
        "accepted": None,
        "reason": None,
    }


def import_evaluation(run_dir: RunDir, args, files: list[Path], columns: dict, prompts: Prompts) -> str:
    """evaluations/TAG from files of sampled responses; says what was written."""
    if run_dir.evaluation(args.tag).exists():
        raise UserError(f"{run_dir.evaluation(args.tag)} is there already; choose another --tag, or delete it")
    rows, drawn = [], defaultdict(int)
    steps = set()
    for path in files:
        for rollout in read_rollouts(path, FORMATS[args.format], columns):
            name = prompts.add(rollout, args.format)
            rows.append((name, drawn[name], rollout.response, rollout.reward))
            drawn[name] += 1
            steps.add(rollout.step)
    if not rows:
        raise UserError(f"{args.source} has no rollouts")
    if len(steps) > 1:
        raise UserError(f"{args.source} holds {len(steps)} steps; an evaluation is of one: give its file alone")
    names, samples, responses, rewards = zip(*rows, strict=True)
    cut = _threshold(set(rewards), args.threshold, args.source)
    table = pa.table(
        {
            "prompt_id": names,
            "sample": samples,
            "response": responses,
            "reward": rewards,
            "verdict": ["correct" if reward > cut else "wrong" for reward in rewards],
            "n_tokens": pa.nulls(len(rows), pa.int32()),
        },
        schema=SCHEMAS["evaluations"],
    )
    _finish(run_dir, args, prompts)
    write_table(run_dir.evaluation(args.tag), table)
    about = {"model": args.model if args.tag == "initial" else None, "data": str(args.source), "n": max(drawn.values())}
    write_json(
        run_dir.evaluation_json(args.tag),
        {**about, "temperature": None, "adaptive": None, "imported_from": args.format, "created": now()},
    )
    return f"evaluation {args.tag}: {len(rows)} samples of {len(drawn)} prompts"


def import_csv(run_dir: RunDir, path: Path, prompts: Prompts) -> str:
    """The paper's prompt_reward_stats.csv as rewards/; a step that stands twice there (a resume) is read last."""
    wanted = ("step", "prompt_id", "mean_reward", "std_reward", "n", "processed")
    found: dict[tuple, dict] = {}
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in wanted if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path} has no column {missing[0]!r}; it has {', '.join(reader.fieldnames or ())}")
            for row in reader:
                values = _csv_row(path, reader.line_num, row)
                name = prompts.add(Rollout(None, None, values["mean_reward"], None, None, row["prompt_id"]), "paper")
                found[values["step"], name, values["processed"]] = {"prompt_id": name, **values}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); convert it") from None
    if not found:
        raise UserError(f"{path} has no rows")
    steps: dict[int, list[dict]] = defaultdict(list)
    for (step, _, _), row in found.items():
        steps[step].append({key: value for key, value in row.items() if key != "step"})
    _finish(run_dir, argparse.Namespace(format="paper", source=str(path), model=None), prompts)
    for step, rows in sorted(steps.items()):
        run_dir.write_step("rewards", step, rows)
    return f"{len(steps)} steps, {len(found)} rows"


def _csv_row(path: Path, line: int, row: dict) -> dict:
    try:
        step, n = int(float(row["step"])), int(float(row["n"]))
        mean, std = float(row["mean_reward"]), float(row["std_reward"])
        processed = {"true": True, "false": False, "1": True, "0": False}[row["processed"].strip().lower()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path}: line {line} cannot be read ({','.join(map(str, row.values()))}); is it cut?"
        ) from None
    if mean != mean:
        raise UserError(f"{path}: line {line} has the mean reward nan; mend or remove it")
    positives = min(n, max(round(mean * n), int(mean > 0)))
    values = _reward_row("", n, positives, [mean], processed)
    del values["prompt_id"]
    return {**values, "step": step, "std_reward": 0.0 if std != std else std}


def _finish(run_dir: RunDir, args, prompts: Prompts) -> None:
    """Write run.json, where there is none, and the prompts."""
    about = {
        "schema_version": SCHEMA_VERSION,
        "created_by": f"import {args.format}",
        "created": now(),
        "model": args.model,
        "data": str(args.source),
        "seed": None,
        "args": {},
    }
    with hold(run_dir.run_json, "import", wait_s=SHORT_S):
        if not run_dir.run_json.exists():
            write_json(run_dir.run_json, about)
    prompts.save()
