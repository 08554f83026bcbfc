"""Makes what a report still lacks: evaluations, labels, the probe, the forecast.

What cannot be made is named with its command.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from openrlhf_unlearn.errors import UserError, command, one_line
from openrlhf_unlearn.evaluation.evaluate import evaluate
from openrlhf_unlearn.labels import classify, forecast
from openrlhf_unlearn.probe.command import probe
from openrlhf_unlearn.report.causes import Causes
from openrlhf_unlearn.report.material import Material, Missing
from openrlhf_unlearn.report.options import AnalyzeOptions
from openrlhf_unlearn.report.probes import Probe, outdated
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.prompts import Causes as CauseTable
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.trust import is_own


def complete(runs: Sequence[RunDir], options: AnalyzeOptions):
    """Evaluate, classify, probe, forecast and diagnose, as far as it is not there and `options` allows.

    Returns what is missing, and the Classification, None without one; with --output nothing is written into the runs.
    """
    missing = [item for run in runs for item in _evaluations(run, options)]
    groups_of = runs[:1] if options.compare else runs
    lacking, labels = _labels(groups_of, options)
    missing += lacking + _probe(runs[0], options)
    return missing + ([] if options.output else _forecast(runs[0]) + _causes(groups_of)), labels


def _evaluations(run: RunDir, options: AnalyzeOptions) -> list[Missing]:
    config = run.config()
    models = {"initial": config.initial_model, "final": config.flag("ckpt.output_dir")}
    missing = (_evaluation(run, config, tag, model, options) for tag, model in models.items())
    return [item for item in missing if item]


def _evaluation(run: RunDir, config: RunConfig, tag: str, model: str | None, options: AnalyzeOptions) -> Missing | None:
    if tag in run.evaluation_tags():
        return None
    words = ["--model", model or "MODEL", "--tag", tag, "--run", str(run), "-n", str(options.n)]
    made = command("evaluate", *words)
    what = f"pass@1 {'before' if tag == 'initial' else 'after'} training"
    if not model:
        return Missing(what, "run.json does not say which model that is", made)
    if tag == "final" and not Path(model).is_dir():
        return Missing(what, "the trained model is not there (training has not finished, or it was moved)", made)
    if Path(model).is_dir() and not (Path(model) / "config.json").exists() and not _trusted(run, options):
        return Missing(what, "a received run names a checkpoint, which can hold code; --trust-run loads it", made)
    if not options.samples:
        return Missing(what, "not sampled, as asked (--no-evaluate)", made)
    if not config.flag("data.prompt_dataset"):  # imported: perhaps without the template that the model was asked in
        return Missing(what, "run.json names no data; an imported run is sampled where you ask for it", made)
    if run.evaluation_parts(tag).exists():
        print(f"the {tag} evaluation was interrupted; it goes on", file=sys.stderr)
    try:
        trust, code = options.trust_run, options.trust_remote_code
        evaluate(model, str(run), tag, n=options.n, trust_run=trust, trust_remote_code=code)
    except (UserError, ImportError) as error:
        return Missing(what, one_line(error), made)
    return None


def _trusted(run: RunDir, options: AnalyzeOptions) -> bool:
    return options.trust_run or is_own(run.run_json)


def _labels(runs: Sequence[RunDir], options: AnalyzeOptions):
    """Classify; without both evaluations, or where classify refuses, the labels of an earlier time stay."""
    threshold = [] if options.threshold is None else ["--threshold", options.threshold]
    made = command("classify", *runs, "--tau", options.tau, "--easy", options.easy, *threshold)
    initial = any("initial" in run.evaluation_tags() for run in runs)
    if not (initial and all("final" in run.evaluation_tags() for run in runs)):
        why = "it needs the evaluations before and after training; groups are provisional until then"
        there = runs[0].learnability.exists()
        return [] if there else [Missing("groups with their confidence", why, made)], None
    try:
        paths = list(map(str, runs))
        labels = classify.classify(
            paths, options.tau, options.easy, threshold=options.threshold, allow_uneven=options.allow_uneven
        )
        for note in labels.summary["notes"]:
            print(f"note: {note}", file=sys.stderr)
        if not options.output:
            classify.save(labels, paths)
    except UserError as error:
        older = "; the groups shown are of an earlier classify" if runs[0].learnability.exists() else ""
        return [Missing("groups with their confidence", str(error) + older, made)], None
    return [], labels


def _probe(run: RunDir, options: AnalyzeOptions) -> list[Missing]:
    model = run.config().initial_model or "MODEL"
    made = command("probe", "--model", model, "--run", run, "--tag", "initial")
    if run.probe_tags():
        return _outdated(run, options)
    if not options.probes:
        return [Missing("gradient similarity", "not probed, as asked (--no-probe)", made)]
    if "initial" not in run.evaluation_tags():
        return [Missing("gradient similarity", "it needs the rollouts of an evaluation", made)]
    try:
        probe(model, str(run), "initial", trust_remote_code=options.trust_remote_code)
    except (UserError, ImportError) as error:
        return [Missing("gradient similarity", one_line(error), made)]
    return []


def _forecast(run: RunDir) -> list[Missing]:
    """The risk of being unlearnable from before training; made anew each time, since labels and probe may be new."""
    if not run.learnability.exists():
        return []
    try:
        forecast.save(forecast.forecast(str(run)))
    except UserError as error:
        return [Missing("a forecast from before training", str(error), command("forecast", run))]
    return []


def _causes(runs: Sequence[RunDir]) -> list[Missing]:
    """Why prompts were not learned; made anew where what it was made from has changed."""
    if not runs[0].learnability.exists() or not any(run.evaluation("final").exists() for run in runs):
        return []
    from openrlhf_unlearn.pipeline.diagnose import bring_up_to_date

    try:
        bring_up_to_date(runs)
    except UserError as error:
        return [Missing("why prompts were not learned", str(error), command("diagnose", *runs))]
    return []


def diagnosed(runs: Sequence[RunDir], material: Material) -> Causes | None:
    """The causes of `runs`, written nowhere; None where they cannot be diagnosed."""
    from openrlhf_unlearn.causes.diagnosis import diagnose
    from openrlhf_unlearn.pipeline.diagnose import known_models

    try:
        found = diagnose([run.path for run in runs], known_models(runs[0]))
    except UserError:
        return None
    return Causes.of(CauseTable(found.table), found.summary, material)


def _outdated(run: RunDir, options: AnalyzeOptions) -> list[Missing]:
    """Probes whose numbers by group are of other labels than learnability.parquet has now."""
    material = Material([run], options.tau, options.easy)
    why = "labels changed since it was made; the same command again makes its analysis anew, not its gradients"
    return [
        Missing(
            f"the probe {name} by today's groups",
            why,
            command(
                *("probe", "--model", str(probe.model), "--run", run, "--tag", str(probe.tag), "--name", name),
                *_amount(probe),
            ),
        )
        for name, probe in outdated(material).items()
    ]


def _amount(probe: Probe) -> list[str]:
    """The flag that the probe's prompts were chosen by, where it is not the default."""
    settings = probe.numbers.get("settings") or {}
    found = {name: settings[name] for name in ("per_group", "prompts") if settings.get(name) is not None}
    return [word for name, value in found.items() for word in (f"--{name.replace('_', '-')}", str(value))]
