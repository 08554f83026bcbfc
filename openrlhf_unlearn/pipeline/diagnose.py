"""`openrlhf-unlearn diagnose`: why each hard prompt was not learned, how sure that is, and the remedy that fits.

    openrlhf-unlearn diagnose RUN [RUN …]                    causes, by what is there: evaluations, rollouts, rewards
    openrlhf-unlearn diagnose RUN --second OTHER_RUN MODEL   with other models: can any of them do it?
    openrlhf-unlearn diagnose RUN --export review.csv        suspicious labels, for a person to decide
    openrlhf-unlearn diagnose RUN --decisions review.csv --output corrected.jsonl   the data set as decided
    openrlhf-unlearn diagnose --data D.jsonl --input-key prompt --label-key label --model M [M …]   a label audit

Causes: right answers graded wrong; the label is wrong; rewarded by guessing; never rewarded; still rising; solved and
lost; beyond this model; no model asked reproduces the label. A cause is said from a probability of 0.6 on where the
evidence bears it out, else the prompt is undecided, with the likeliest two and what would settle it. RUNs are
repetitions of one run and need classify (or both evaluations); a second model is another run of the same data, the tag
of one of RUN's evaluations, or a model, which is then sampled. Writes causes.parquet, causes.json and a list of ids
for each cause into every RUN; `analyze` shows them.

The audit samples each model on every row (it goes on where it was stopped), keeps that in --output DIR, and lists the
rows whose label the models contradict, the surest first.
"""

import hashlib
import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openrlhf_unlearn import __version__
from openrlhf_unlearn.causes.diagnosis import Diagnosis
from openrlhf_unlearn.causes.label_review import check_review
from openrlhf_unlearn.errors import UsageError, UserError, command, counted
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.prompts import Causes, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_object, write_jsonl
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN, allow_remote_code


@dataclass(frozen=True)
class DiagnoseOptions(Options):
    """Which runs are diagnosed and with what; or a data set whose labels are audited; or decisions to apply."""

    runs: Sequence[str] = option(
        "run directories of one data set and one initial model", (), positional=True, nargs="*", metavar="RUN"
    )
    second: Sequence[str] = option(
        "a run of the same data, an evaluation's tag, or a model; default: those of last time; none: forget these",
        (),
        metavar="OTHER",
    )
    tau: float = option("where RUN is not classified: final pass@1 below which it is not learned", 0.1)
    easy: float = option("where RUN is not classified: initial pass@1 from which a prompt is easy", 0.1)
    n: int = option("samples a prompt of a model that is not evaluated yet", 16, flag="-n")
    show: int = option("prompts of each cause that are printed with their evidence", 5)
    export: Path | None = option("write the list of suspicious labels for a person to decide", None, metavar="CSV")
    decisions: Path | None = option("the decided list, or the file that the report's page saved", None, metavar="FILE")
    output: Path | None = option(
        "--decisions: the corrected data set (JSON lines); audit: folder of its evaluations", None
    )
    data: str | None = option(
        "audit: .json, .jsonl, .csv, .parquet or hub id; --decisions, --second MODEL: default: the run's", None
    )
    model: Sequence[str] = option("audit: models that answer every row; two are far better", (), metavar="M")
    input_key: str = option("which key of --data holds the prompt", "input")
    label_key: str | None = option("which key holds the label", None)
    input_template: str | None = option("--model, --second MODEL: as --data.input_template of OpenRLHF", None)
    apply_chat_template: bool = option("--model, --second MODEL: by the model's tokenizer", False)
    max_new_tokens: int | None = option("--model, --second MODEL: of an answer", None)
    answer_format: str | None = option(
        "--model, --second MODEL: how our grader finds answers; default: the run's, else auto", None
    )
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        if self.decisions:
            if len(self.runs) != 1 or not self.output:
                raise UsageError("--decisions FILE needs one RUN (or audit folder) and --output FILE.jsonl")
            if self.output.absolute() == self.decisions.absolute():
                raise UsageError(f"--output {self.output} would replace the decisions; choose another file")
            if self.export:
                raise UsageError("--export writes a list and --decisions reads one; call them one after the other")
        elif self.model:
            if not self.data or not self.label_key:
                raise UsageError("a label audit needs --data D and --label-key KEY beside --model M")
        elif not self.runs:
            raise UsageError("give a RUN, or for a label audit --data D --label-key KEY --model M")
        if NO_MODEL in self.second and len(self.second) > 1:
            raise UsageError(f"--second {NO_MODEL} stands alone: it forgets the models of last time")


OPTIONS = DiagnoseOptions
NO_MODEL = "none"  # of --second


def run(options: DiagnoseOptions) -> None:
    if options.decisions:
        done = apply_decisions(options)
        rows, as_it_was = sum(done.values()) - done["dropped"], done.keys() <= {"not reviewed"}
        told = ", ".join(f"{n} {what}" for what, n in sorted(done.items()))
        told = "the data as it is: the list is empty" if as_it_was else told
        print(f"{options.output}: {counted(rows, 'row')}; {told}")
    elif options.model:
        found = audit_labels(options)
        print(audit_report(found.diagnosis, found.counts, options.show))
        print(_review_line(found.diagnosis, found.run, found.review, audit=True))
    else:
        result = diagnose(options)
        print(report(result, options.show))
        if options.export:
            print(_review_line(result, RunDir(options.runs[0]), options.export))
        print(f"written: {', '.join(str(RunDir(path).causes) for path in options.runs)}")


@takes(DiagnoseOptions)
def diagnose(options: DiagnoseOptions) -> Diagnosis:
    """Why prompts were not learned; writes the causes into every run, and with `export` the list for review.

    Samples what of `second` is a model that was not evaluated yet. Raises UserError for runs that cannot be used.
    """
    allow_remote_code(options.trust_remote_code)
    runs = [RunDir.open(path) for path in options.runs]
    if options.export:
        check_review(options.export)
    if options.second == (NO_MODEL,):
        seconds = compared_models(runs[0])
    elif options.second:
        seconds = [found for word in options.second for found in second_models(runs[0], word, options)]
        check_others(runs[0], seconds)
    else:
        seconds = known_models(runs[0])
    result = _diagnose(runs, seconds, options.tau, options.easy)
    if options.export:
        _write_review(options.export, result, runs[0])
    return result


def _diagnose(
    runs: Sequence[RunDir], seconds: list[tuple[str, Path]], tau: float = 0.1, easy: float = 0.1
) -> Diagnosis:
    from openrlhf_unlearn.causes.diagnosis import diagnose, save

    paths = [run.path for run in runs]
    with ExitStack() as locks:  # in one order, so that two commands never wait for each other
        for run in sorted(runs, key=str):
            locks.enter_context(hold(run.causes, "diagnose", wait_s=SHORT_S))
        result = diagnose(paths, seconds, tau=tau, easy=easy)
        save(result, paths, made_from(runs, seconds))
    return result


def second_models(first: RunDir, word: str, options: DiagnoseOptions) -> list[tuple[str, Path]]:
    """(name, evaluation) of one --second: of another run the last evaluation, else a tag of the first, else a model."""
    if word in first.evaluation_tags():
        return [(word, first.evaluation(word))]
    if RunDir(word).run_json.exists():
        other = RunDir.open(word)
        tags = [tag for tag in ("final", "initial") if tag in other.evaluation_tags()]
        if not tags:
            made = command("evaluate", "--run", word, "--tag", "final", "--model", "TRAINED_MODEL")
            raise UserError(f"--second {word} has no evaluation final or initial; make one: {made}")
        return [(called(word), other.evaluation(tags[0]))]
    from openrlhf_unlearn.evaluation.settings import fingerprint

    mark = fingerprint(word)
    for tag in ("initial", "final"):  # before it is sampled for nothing
        if mark != "hub" and mark == _model_of(first.evaluation(tag)):
            raise _confirms(word, tag)
    return [sampled(first, word, trust_run=options.trust_run, **_sampling(options))]


def called(run: str) -> str:
    """A run's name in sentences: that of its folder, with the one around it where that says nothing."""
    path = Path(run).resolve()
    return f"{path.parent.name}/{path.name}" if path.name == "run" and path.parent.name else path.name


def bring_up_to_date(runs: Sequence[RunDir]) -> None:
    """Diagnose `runs` again, with the second models of last time, where what that was made from has changed."""
    seconds = known_models(runs[0])
    there = runs[0].causes.exists() and runs[0].causes_json.exists()
    if not there or read_object(runs[0].causes_json).get("made_from") != made_from(runs, seconds):
        _diagnose(runs, seconds)


def made_from(runs: Sequence[RunDir], seconds: list[tuple[str, Path]]) -> dict:
    """What a diagnosis depends on: groups, evaluations by size and time, steps, second models, tables, version."""
    from openrlhf_unlearn.causes.diagnosis import groups_of
    from openrlhf_unlearn.causes.posterior import FILE

    files = [run.evaluation(tag) for run in runs for tag in ("initial", "final")] + [path for _, path in seconds]
    stats = {_place(runs[0], path): path.stat() for path in files if path.exists()}
    groups = sorted(groups_of(runs).items())
    return {
        "groups": hashlib.blake2b(repr(groups).encode(), digest_size=8).hexdigest(),
        "files": {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()},
        "threshold": Summary.read(runs[0]).threshold,
        "steps": [len(run.steps()) for run in runs],
        "seconds": [[name, _place(runs[0], path)] for name, path in seconds],
        "tables": hashlib.blake2b(FILE.read_bytes(), digest_size=8).hexdigest(),
        "version": __version__,
    }


def _place(run: RunDir, path: Path) -> str:
    """A file's place, from wherever it is read: in the run by its place there, else its absolute path."""
    whole, folder = path.absolute(), run.path.absolute()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def last_seconds(run: RunDir) -> list[tuple[str, str]]:
    """(name, path of its evaluation) of the second models of the last diagnosis."""
    try:
        kept = [(str(name), Path(path)) for name, path in read_object(run.causes_json)["made_from"]["seconds"]]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{run.causes_json} does not say what it was made from; delete it and diagnose again") from None
    inside = [run.path / path for _, path in kept]  # older versions kept paths from where they were called
    return [(name, str(own if own.exists() else path)) for (name, path), own in zip(kept, inside, strict=True)]


def known_models(run: RunDir) -> list[tuple[str, Path]]:
    """Second models of the last diagnosis, and those that `openrlhf-unlearn models` sampled.

    Raises UserError where one is gone: a diagnosis without it would be another.
    """
    last = last_seconds(run) if run.causes_json.exists() else []
    for name, path in last:
        if not Path(path).exists():
            raise UserError(
                f"the second model {name} of the last diagnosis is gone ({path}); name those to use with --second, or "
                f"--second {NO_MODEL}"
            )
    kept = {Path(path).absolute(): name for name, path in last}
    known = [(name, path) for path, name in kept.items()]
    return known + [(name, path) for name, path in compared_models(run) if path.absolute() not in kept]


def compared_models(run: RunDir) -> list[tuple[str, Path]]:
    """Models that `openrlhf-unlearn models` has sampled on this run, but for the one that it started from."""
    names = [name for name in Summary.read(run).models if run.evaluation(name).exists()]
    about = {name: read_object(run.evaluation_json(name)) for name in names if run.evaluation_json(name).exists()}
    start = run.config().model
    return [(name, run.evaluation(name)) for name in names if about.get(name, {}).get("model") != start]


def check_others(run: RunDir, seconds: list[tuple[str, Path]]) -> None:
    """Raise UserError where a model is the run's own, or stands there twice: it would confirm itself.

    By file, and by the state of the model's folder where the evaluation names it.
    """
    known = [(tag, run.evaluation(tag)) for tag in ("initial", "final") if run.evaluation(tag).exists()]
    for name, path in seconds:
        for other, its in known:
            if path.resolve() == its.resolve() or (_model_of(path) is not None and _model_of(path) == _model_of(its)):
                raise _confirms(name, other)
        known.append((name, path))


def _confirms(name: str, other: str) -> UserError:
    if name == other:
        return UserError(f"{name} is in the diagnosis already and would confirm itself; give another model")
    return UserError(f"{name} is the same model as {other} and would confirm it; give another one")


def _model_of(evaluation: Path) -> tuple[str, str] | str | None:
    """What tells the evaluated model from others, None where that is not known; hub ids have no fingerprint."""
    about = evaluation.with_suffix(".json")
    settings = read_object(about).get("settings", {}) if about.exists() else {}
    mark = settings.get("model_fingerprint")
    return (mark, str(settings.get("model"))) if mark == "hub" else mark


def _sampling(options: DiagnoseOptions) -> dict[str, Any]:
    """What `evaluate` is told; None: as the run says."""
    names = ("data", "n", "input_key", "label_key", "input_template", "max_new_tokens", "answer_format")
    how = {name: getattr(options, name) for name in names}
    if not options.data:
        how["input_key"] = None
    return {**how, "apply_chat_template": options.apply_chat_template or None}


def sampled(run: RunDir, model: str, **how) -> tuple[str, Path]:
    """(name, evaluation in `run`) of a model, sampled now where that was not done yet."""
    from openrlhf_unlearn.causes.audit import evaluation_tag
    from openrlhf_unlearn.evaluation.evaluate import evaluate

    tag = evaluation_tag(model)
    evaluate(model, str(run), tag, **how)
    return tag, run.evaluation(tag)


@dataclass(frozen=True)
class Audit:
    """What is found of the doubted rows, counts of all rows, and where the evaluations and the list for review are."""

    diagnosis: Diagnosis
    counts: dict
    run: RunDir
    review: Path


@takes(DiagnoseOptions)
def audit_labels(options: DiagnoseOptions) -> Audit:
    """Audit the labels of `data` by what each `model` answers; writes its samples and the list for review."""
    from openrlhf_unlearn.causes.audit import audit

    allow_remote_code(options.trust_remote_code)
    run = RunDir(options.output or f"{Path(options.data or '').stem}_audit")
    review = options.export or run.path / "review.csv"
    check_review(review)  # before anything is sampled
    check_names(options.model)
    how = _sampling(replace(options, data=data_of_audit(run, options.data)))
    tags = [sampled(run, model, **how)[0] for model in options.model]
    check_others(run, [(tag, run.evaluation(tag)) for tag in tags])
    found = Audit(*audit(run, tags), run, review)
    _write_review(found.review, found.diagnosis, run, audit=True)
    return found


def data_of_audit(run: RunDir, data: str | None) -> str | None:
    """By its whole path, as the decisions may come back elsewhere; an audit that was begun with another goes on so."""
    from openrlhf_unlearn.host.identity import whole_paths

    begun = run.config(required=False).data
    return data if data == begun else whole_paths(data)


def check_names(models: Sequence[str]) -> None:
    """Raise UserError where two models would share a name, before any is sampled."""
    from openrlhf_unlearn.causes.audit import evaluation_tag

    names: dict[str, str] = {}
    for model in models:
        first = names.setdefault(evaluation_tag(model), model)
        if first != model:
            raise UserError(
                f"--model {first} and {model} would both be called {evaluation_tag(model)}; give one by a link of "
                "another name"
            )


def _write_review(path: Path, result: Diagnosis, run: RunDir, audit: bool = False) -> None:
    from openrlhf_unlearn.causes.label_review import suspicious, write_review

    prompts = Prompts.read(run, Prompts.prompt_id, Prompts.prompt, Prompts.label)
    texts, labels = (dict(zip(prompts.prompt_id, of, strict=True)) for of in (prompts.prompt, prompts.label))
    write_review(path, suspicious(result.table, audit), texts, labels)


def _review_line(result: Diagnosis, run: RunDir, path: Path, audit: bool = False) -> str:
    from openrlhf_unlearn.causes.label_review import suspicious

    labels = len(suspicious(result.table, audit))
    if not labels:
        return f"{path}: no label to review"
    then = command("diagnose", run, "--decisions", path, "--output", "corrected.jsonl")
    return f"{path}: {counted(labels, 'label')} to review; fill in `decision` (label_wrong, drop, keep), then: {then}"


@takes(DiagnoseOptions)
def apply_decisions(options: DiagnoseOptions) -> Counter[str]:
    """Write the run's data set as a person decided, to `output`; returns how many were corrected, dropped, kept."""
    from openrlhf_unlearn.causes.label_review import corrected
    from openrlhf_unlearn.evaluation.prompts import identified_rows, named_data, own_rows

    assert options.decisions and options.output  # the options ask for both
    run, decided = RunDir.open(options.runs[0]), read_decided(options.decisions)
    source = options.data or named_data(run)
    if options.output.resolve() in [Path(one.strip()).resolve() for one in source.split(",")]:
        raise UserError(f"--output {options.output} would replace the data set; choose another file")
    rows = identified_rows(run, options.data, "leave --data out") if source else own_rows(run)
    unknown = decided.keys() - {name for name, _ in rows}
    if unknown and len(unknown) == len(decided):
        raise UserError(f"--decisions {options.decisions}: no prompt of it is in the data set of {run}")
    if unknown:
        print(f"note: not in the data set: {counted(len(unknown), 'decided prompt')}: {', '.join(sorted(unknown))}")
    kept, done = corrected(rows, decided, run.config().flag("data.label_key", Prompts.label.name))
    write_jsonl(options.output, kept)
    return done


def read_decided(path: Path) -> dict:
    """Prompt id → what a person decided, by the list for review (CSV) or the file that the report's page saved."""
    from openrlhf_unlearn.causes.label_review import Decided, read_decisions

    if path.suffix != ".json":
        return read_decisions(path)
    from openrlhf_unlearn.report.decisions import read_decisions as of_page

    found = {name: Decided(one.decision, one.label) for name, one in of_page(path).items() if one.decision}
    if not found:
        raise UserError(f"--decisions {path}: no prompt of it has a decision; give it one in the report's page")
    return found


def report(result: Diagnosis, show: int) -> str:
    """What the command prints: the causes, their remedies, and prompts with their evidence."""
    from openrlhf_unlearn.causes.words import NAMES
    from openrlhf_unlearn.report.causes import is_told
    from openrlhf_unlearn.report.numbers import Say

    summary, rows = result.summary, Causes(result.table).rows()
    hard = Say("{n:count} hard {n:prompt was|prompts were} not learned", {"n": summary["prompts"]}, "prompts")
    lines = [hard.text + ("; why:" if rows else "")]
    if rows and not summary["texts"]:
        lines.append("no answers were kept (evaluate saves them by default): little can be said without them")
    if summary["seconds"]:
        lines.append(f"with {', '.join(summary['seconds'])} as second model{'s' * (len(summary['seconds']) > 1)}")
    for cause, counts in summary["causes"].items():
        if not counts["prompts"]:
            continue
        expected = f"   {counts['expected']:6.1f} expected" if is_told(cause, summary) else ""
        word = "prompt " if counts["prompts"] == 1 else "prompts"
        lines.append(f"  {NAMES[cause]:<32}{counts['prompts']:>6} {word}{expected}")
    for i, cure in enumerate(result.remedies):
        say = Say(cure.template, cure.numbers, f"remedies.{i}")
        ways = filled(cure.command, summary["runs"][0], cure.cause).split("\n")
        lines += [f"{cure.title}: {say.text}", *(f"    {way}" for way in ways)]
    for cause in summary["causes"]:
        chosen = sorted((r for r in rows if r.cause == cause), key=lambda r: -r.probability)[:show]
        for row in chosen:
            chance = f" ({row.probability:.2f})" if is_told(cause, summary) else ""
            lines.append(f"{row.prompt_id}  {NAMES[cause]}{chance}")
            lines += [f"    {line}" for line in row.evidence]
            lines.append(f"    to settle it: {row.settle}" if cause != "undecided" else f"    {row.settle}")
            lines.append(f"        {row.command}")
    return "\n".join(lines)


def filled(template: str, run: str, cause: str) -> str:
    """A remedy's command with the run and the list of its prompts."""
    return template.format(run=shlex.quote(run), list=shlex.quote(str(RunDir(run).cause_list(cause))))


def audit_report(result: Diagnosis, counts: dict, show: int) -> str:
    rows = sorted(Causes(result.table).rows(), key=lambda row: -row.p_wrong_label)
    wrong = [row for row in rows if row.cause == "wrong_label"]
    unread = [row for row in rows if row.cause == "verifier"]
    if result.summary["seconds"]:
        expected = sum(row.p_wrong_label for row in rows)
        said = f"probably wrong (about {expected:.1f} of all expected to be)"
    else:
        said = "whose samples agree on another answer; whether the label is wrong or the model, one model cannot tell"
    lines = [
        f"{counted(counts['rows'], 'row')}, of which {counts['rows'] - counts['doubted']} with a label that "
        f"{counts['ablest']} often says, {counts['doubted']} without:",
        f"  {len(wrong):>6} {said}",
        f"  {len(unread):>6} right answers that the grader refuses",
        f"  {len(rows) - len(wrong) - len(unread):>6} that these models cannot tell: too hard for them, or of no rule",
    ]
    if counts["unsampled"]:
        lines.insert(0, f"{counted(counts['unsampled'], 'row')} without a sample of {counts['ablest']} left out")
    for row in wrong[:show]:
        lines.append(f"{row.prompt_id}  {row.p_wrong_label:.2f}  proposed: {row.proposed}")
        lines += [f"    {line}" for line in row.evidence]
    return "\n".join(lines)
