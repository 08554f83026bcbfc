"""`openrlhf-unlearn diagnose`: why each hard prompt was not learned, how sure that is, and the remedy that fits.

    openrlhf-unlearn diagnose RUN [RUN …]                    causes, by what is there: evaluations, rollouts, rewards
    openrlhf-unlearn diagnose RUN --second OTHER_RUN MODEL   with other models: tells "beyond" from "no rule"
    openrlhf-unlearn diagnose RUN --export review.csv        suspicious labels, for a person to decide
    openrlhf-unlearn diagnose RUN --decisions review.csv --output mended.jsonl   the data set as decided
    openrlhf-unlearn diagnose --data D.jsonl --input-key prompt --label-key label --model M [M …]   a label audit

Causes: right answers graded wrong; the label is wrong; rewarded by guessing; never rewarded; still rising; solved and
lost; beyond this model; the label follows no rule. A cause is said from a probability of 0.7 on, else the prompt is
undecided, with the likeliest two and what would settle it. RUNs are repetitions of one run and need classify (or both
evaluations); a second model is another run of the same data, the tag of one of RUN's evaluations, or a model, which is
then sampled. Writes causes.parquet, causes.json and a list of ids for each cause into every RUN; `analyze` shows them.

The audit samples each model on every row (it goes on where it was stopped), keeps that in --output DIR, and lists the
rows whose label the models contradict, the surest first.
"""

import argparse
import hashlib
import shlex
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.prompts import Causes, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_object, write_jsonl
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help="run directories of one data set and one initial model")
    add(
        "--second",
        nargs="+",
        default=[],
        metavar="OTHER",
        help="a run of the same data, an evaluation's tag, or a model",
    )
    add(
        "--tau", type=float, default=0.1, help="where RUN is not classified: final pass@1 below which it is not learned"
    )
    add(
        "--easy",
        type=float,
        default=0.1,
        help="where RUN is not classified: initial pass@1 from which a prompt is easy",
    )
    add("-n", type=int, default=16, help="samples a prompt of a model that is not evaluated yet")
    add("--show", type=int, default=5, help="prompts of each cause that are printed with their evidence")
    add("--export", type=Path, metavar="CSV", help="write the list of suspicious labels for a person to decide")
    add("--decisions", type=Path, metavar="FILE", help="the decided list, or the file that the report's page saved")
    add("--output", type=Path, help="--decisions: the mended data set (JSON lines); audit: folder of its evaluations")
    add("--data", help="audit: .json, .jsonl, .csv, .parquet or hub id; --decisions: default: the run's")
    add("--model", nargs="+", default=[], metavar="M", help="audit: models that answer every row; two are far better")
    add("--input-key", default="input", help="audit: which key of the data holds the prompt")
    add("--label-key", help="audit: which key holds the label")
    add("--input-template", help="audit: as --data.input_template of OpenRLHF")
    add("--apply-chat-template", action="store_true", help="audit: by the first model's tokenizer")
    add("--max-new-tokens", type=int, help="audit: of an answer")
    add("--answer-format", help="audit: how our grader finds answers; default: auto")
    add_trust_run(parser)
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    if args.decisions:
        return mend(args)
    if args.model:
        return audit_data(args)
    if not args.runs:
        raise UsageError("give a RUN, or for a label audit --data D --label-key KEY --model M")
    from openrlhf_unlearn.causes.diagnosis import diagnose, save

    runs = [RunDir.open(path) for path in args.runs]
    seconds = [found for word in args.second for found in second_models(args.runs, word, args)]
    seconds = seconds or known_models(runs[0])
    with hold(runs[0].causes, "diagnose", wait_s=SHORT_S):
        result = diagnose(args.runs, seconds, tau=args.tau, easy=args.easy)
        save(result, args.runs, made_from(runs, seconds))
    print(report(result, args.show))
    export(result.table, RunDir(args.runs[0]), args.export)
    print(f"written: {', '.join(str(RunDir(path).causes) for path in args.runs)}")
    return 0


def second_models(runs: list[str], word: str, args: argparse.Namespace) -> list[tuple[str, Path]]:
    """(name, evaluation) of one --second: of another run the last evaluation, else a tag of the first, else a model."""
    first = RunDir.open(runs[0])
    if word in first.evaluation_tags():
        return [(word, first.evaluation(word))]
    if RunDir(word).run_json.exists():
        other = RunDir.open(word)
        tags = [tag for tag in ("final", "initial") if tag in other.evaluation_tags()]
        if not tags:
            raise UserError(f"--second {word} has no evaluation final or initial; make one: openrlhf-unlearn evaluate")
        return [(Path(word).name, other.evaluation(tags[0]))]
    return [sampled(first, word, n=args.n, trust_run=args.trust_run)]


def bring_up_to_date(runs: list[RunDir]) -> None:
    """Diagnose `runs` again, with the second models of last time, where what that was made from has changed."""
    from openrlhf_unlearn.causes.diagnosis import diagnose, save

    seconds = known_models(runs[0])
    made = made_from(runs, seconds)
    there = runs[0].causes.exists() and runs[0].causes_json.exists()
    if there and read_object(runs[0].causes_json).get("made_from") == made:
        return
    paths = [run.path for run in runs]
    with hold(runs[0].causes, "diagnose", wait_s=SHORT_S):
        save(diagnose(paths, seconds), paths, made)


def made_from(runs: list[RunDir], seconds: list[tuple[str, Path]]) -> dict:
    """What a diagnosis depends on: the groups, evaluations by size and time, steps, second models, fitted tables."""
    from openrlhf_unlearn.causes.diagnosis import groups_of
    from openrlhf_unlearn.causes.posterior import FILE

    files = [run.evaluation(tag) for run in runs for tag in ("initial", "final")] + [path for _, path in seconds]
    stats = {str(path): path.stat() for path in files if path.exists()}
    groups = sorted(groups_of(runs).items())
    return {
        "groups": hashlib.blake2b(repr(groups).encode(), digest_size=8).hexdigest(),
        "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
        "steps": [len(run.steps()) for run in runs],
        "seconds": [[name, str(path)] for name, path in seconds],
        "tables": hashlib.blake2b(FILE.read_bytes(), digest_size=8).hexdigest(),
    }


def known_models(run: RunDir) -> list[tuple[str, Path]]:
    """Second models of the last diagnosis that are still there, and those that `openrlhf-unlearn models` sampled."""
    last = read_object(run.causes_json)["made_from"]["seconds"] if run.causes_json.exists() else []
    kept = [(name, Path(path)) for name, path in last if Path(path).exists()]
    return kept + [found for found in compared_models(run) if found not in kept]


def compared_models(run: RunDir) -> list[tuple[str, Path]]:
    """Models that `openrlhf-unlearn models` has sampled on this run, but for the one that it started from."""
    names = [name for name in Summary.read(run).models if run.evaluation(name).exists()]
    about = {name: read_json(run.evaluation_json(name)) for name in names if run.evaluation_json(name).exists()}
    start = run.config().model
    return [(name, run.evaluation(name)) for name in names if about.get(name, {}).get("model") != start]


def sampled(run: RunDir, model: str, **how) -> tuple[str, Path]:
    """(name, evaluation in `run`) of a model, sampled now where that was not done yet."""
    from openrlhf_unlearn.causes.audit import evaluation_tag
    from openrlhf_unlearn.evaluation.evaluate import evaluate

    tag = evaluation_tag(model)
    evaluate(model, str(run), tag, **how)
    return tag, run.evaluation(tag)


def audit_data(args: argparse.Namespace) -> int:
    if not args.data or not args.label_key:
        raise UsageError("a label audit needs --data D and --label-key KEY beside --model M")
    from openrlhf_unlearn.causes.audit import audit

    run = RunDir(args.output or f"{Path(args.data).stem}_audit")
    names = ("data", "n", "input_key", "label_key", "input_template", "max_new_tokens", "answer_format")
    how = {name: getattr(args, name) for name in names} | {"apply_chat_template": args.apply_chat_template or None}
    tags = [sampled(run, model, **how)[0] for model in args.model]
    result, counts = audit(run, tags)
    print(audit_report(result, counts, args.show))
    export(result.table, run, args.export or run.path / "review.csv")
    return 0


def export(table, run: RunDir, path: Path | None) -> None:
    if path is None:
        return
    from openrlhf_unlearn.causes.review import write_review

    prompts = Prompts.read(run, Prompts.prompt_id, Prompts.prompt, Prompts.label)
    texts, labels = (dict(zip(prompts.prompt_id, of, strict=True)) for of in (prompts.prompt, prompts.label))
    n = write_review(path, table, texts, labels)
    print(
        f"{path}: {n} labels to review; fill in `decision` (label_wrong, drop, keep), then: openrlhf-unlearn diagnose "
        f"{run} --decisions {path} --output mended.jsonl"
    )


def mend(args: argparse.Namespace) -> int:
    if len(args.runs) != 1 or not args.output:
        raise UsageError("--decisions FILE needs one RUN (or audit folder) and --output FILE.jsonl")
    from openrlhf_unlearn.causes.review import mended
    from openrlhf_unlearn.evaluation.prompts import identified_rows

    run, decided = RunDir.open(args.runs[0]), read_decided(args.decisions)
    rows = identified_rows(run, args.data)
    unknown = decided.keys() - {name for name, _ in rows}
    if len(unknown) == len(decided):
        raise UserError(f"--decisions {args.decisions}: none of its {len(decided)} prompts is in the data set of {run}")
    kept, done = mended(rows, decided, run.config().flag("data.label_key"))
    write_jsonl(args.output, kept)
    print(f"{args.output}: {len(kept)} rows; {', '.join(f'{n} {what}' for what, n in sorted(done.items()))}")
    return 0


def read_decided(path: Path) -> dict:
    """Prompt id → what a person decided, by the list for review (CSV) or the file that the report's page saved."""
    from openrlhf_unlearn.causes.review import Decided, read_decisions

    if path.suffix != ".json":
        return read_decisions(path)
    from openrlhf_unlearn.report.decisions import read_decisions as of_page

    return {name: Decided(one.decision, one.label) for name, one in of_page(path).items() if one.decision}


def report(result, show: int) -> str:
    """What the command prints: the causes, their remedies, and prompts with their evidence."""
    from openrlhf_unlearn.causes.words import NAMES
    from openrlhf_unlearn.report.numbers import Say

    summary, rows = result.summary, Causes(result.table).rows()
    lines = [f"{summary['prompts']} hard prompts were not learned" + ("; why:" if rows else "")]
    if rows and not summary["texts"]:
        lines.append("no answers were kept (evaluate saves them by default): little can be told without")
    if summary["seconds"]:
        lines.append(f"with {', '.join(summary['seconds'])} as second model")
    for cause, counts in summary["causes"].items():
        if not counts["prompts"]:
            continue
        expected = "" if counts["expected"] is None else f"   {counts['expected']:6.1f} expected"
        lines.append(f"  {NAMES[cause]:<28}{counts['prompts']:>6} prompts{expected}")
    for i, cure in enumerate(result.remedies):
        say = Say(cure.template, cure.numbers, f"remedies.{i}")
        lines += [f"{cure.title}: {say.text}", f"    {filled(cure.command, summary['runs'][0], cure.cause)}"]
    for cause in summary["causes"]:
        chosen = sorted((r for r in rows if r.cause == cause), key=lambda r: -r.probability)[:show]
        for row in chosen:
            lines.append(f"{row.prompt_id}  {NAMES[cause]} ({row.probability:.2f})")
            lines += [f"    {line}" for line in row.evidence]
            lines.append(f"    to settle it: {row.settle}" if cause != "undecided" else f"    {row.settle}")
    return "\n".join(lines)


def filled(command: str, run: str, cause: str) -> str:
    """A remedy's command with the run and the list of its prompts."""
    return command.format(run=shlex.quote(run), list=shlex.quote(str(RunDir(run).cause_list(cause))))


def audit_report(result, counts: dict, show: int) -> str:
    rows = sorted(Causes(result.table).rows(), key=lambda row: -row.p_wrong_label)
    wrong = [row for row in rows if row.cause == "wrong_label"]
    unread = [row for row in rows if row.cause == "verifier"]
    expected = sum(row.p_wrong_label for row in rows)
    lines = [
        f"{counts['rows']} rows; {counts['rows'] - counts['doubted']} labels are what {counts['ablest']} often says, "
        f"{counts['doubted']} are not:",
        f"  {len(wrong):>6} probably wrong (about {expected:.1f} of all expected to be)",
        f"  {len(unread):>6} right answers that the grader refuses",
        f"  {len(rows) - len(wrong) - len(unread):>6} that these models cannot tell: too hard for them, or of no rule",
    ]
    for row in wrong[:show]:
        lines.append(f"{row.prompt_id}  {row.p_wrong_label:.2f}  proposed: {row.proposed}")
        lines += [f"    {line}" for line in row.evidence]
    return "\n".join(lines)
