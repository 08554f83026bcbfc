"""Makes what a report still lacks: evaluations, labels, the probe, the forecast.

What cannot be made is named with its command.
"""

import argparse
import importlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from openrlhf_unlearn.errors import UserError, one_line
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.missing import Missing
from openrlhf_unlearn.report.probes import outdated
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.trust import is_own

MODULES = {
    "analyze": "openrlhf_unlearn.pipeline.analyze",
    "classify": "openrlhf_unlearn.labels.classify",
    "evaluate": "openrlhf_unlearn.evaluation.evaluate",
    "forecast": "openrlhf_unlearn.labels.forecast",
    "probe": "openrlhf_unlearn.probe.command",
}


def call(verb: str, argv: Sequence[str]) -> None:
    """Run a verb of the command line. Raises UserError where the verb would end with one line."""
    module = importlib.import_module(MODULES[verb])
    parser = argparse.ArgumentParser(prog=f"openrlhf-unlearn {verb}")
    module.add_arguments(parser)
    if module.run(parser.parse_args(list(argv))):
        raise UserError(f"{verb} failed; see above")


def complete(runs: Sequence[RunDir], args: argparse.Namespace):
    """Evaluate, classify, probe and forecast, as far as it is not there and `args` allows.

    Returns what is missing, and the Classification, None without one; with --output nothing is written into the runs.
    """
    missing = [item for run in runs for item in _evaluations(run, args)]
    groups_of = runs[:1] if args.compare else runs
    lacking, labels = _labels(groups_of, args)
    missing += lacking + _probe(runs[0], args)
    return missing + ([] if args.output else _forecast(runs[0])), labels


def _evaluations(run: RunDir, args) -> list[Missing]:
    config = run.config().get("args") or {}
    models = {
        "initial": (config.get("actor") or {}).get("model_name_or_path") or run.config().get("model"),
        "final": (config.get("ckpt") or {}).get("output_dir"),
    }
    missing = (_evaluation(run, tag, model, args) for tag, model in models.items())
    return [item for item in missing if item]


def _evaluation(run: RunDir, tag: str, model: str | None, args) -> Missing | None:
    if tag in run.evaluation_tags():
        return None
    argv = ["--model", model or "MODEL", "--tag", tag, "--run", str(run), "-n", str(args.n)]
    command = shlex.join(["openrlhf-unlearn", "evaluate", *argv])
    what = f"pass@1 {'before' if tag == 'initial' else 'after'} training"
    if not model:
        return Missing(what, "run.json does not say which model that is", command)
    if tag == "final" and not Path(model).is_dir():
        return Missing(what, "the trained model is not there (training has not finished, or it was moved)", command)
    if Path(model).is_dir() and not (Path(model) / "config.json").exists() and not _trusted(run, args):
        return Missing(what, "a received run names a checkpoint, which can hold code; --trust-run loads it", command)
    if args.no_evaluate:
        return Missing(what, "not sampled, as asked (--no-evaluate)", command)
    if run.evaluation_parts(tag).exists():
        print(f"the {tag} evaluation was interrupted; it goes on", file=sys.stderr)
    try:
        call("evaluate", [*argv, *(["--trust-run"] if args.trust_run else [])])
    except (UserError, ImportError) as error:
        return Missing(what, one_line(error), command)
    return None


def _trusted(run: RunDir, args) -> bool:
    return args.trust_run or is_own(run.run_json)


def _labels(runs: Sequence[RunDir], args):
    """Classify; without both evaluations, or where classify refuses, the labels of an earlier time stay."""
    words = ["openrlhf-unlearn", "classify", *map(str, runs), "--tau", str(args.tau), "--easy", str(args.easy)]
    command = shlex.join(words)
    initial = any("initial" in run.evaluation_tags() for run in runs)
    if not (initial and all("final" in run.evaluation_tags() for run in runs)):
        why = "it needs the evaluations before and after training; groups are provisional until then"
        there = runs[0].learnability.exists()
        return [] if there else [Missing("groups with their confidence", why, command)], None
    from openrlhf_unlearn.labels.classify import classify, save

    try:
        paths = [run.path for run in runs]
        labels = classify(paths, args.tau, args.easy, threshold=args.threshold, allow_uneven=args.allow_uneven)
        if not args.output:
            save(labels, paths)
    except UserError as error:
        older = "; the groups shown are of an earlier classify" if runs[0].learnability.exists() else ""
        return [Missing("groups with their confidence", str(error) + older, command)], None
    return [], labels


def _probe(run: RunDir, args) -> list[Missing]:
    config = run.config().get("args") or {}
    model = (config.get("actor") or {}).get("model_name_or_path") or run.config().get("model") or "MODEL"
    argv = ["--model", model, "--run", str(run), "--tag", "initial"]
    command = shlex.join(["openrlhf-unlearn", "probe", *argv])
    if run.probe_tags():
        return _outdated(run, args)
    if args.no_probe:
        return [Missing("gradient similarity", "not probed, as asked (--no-probe)", command)]
    if "initial" not in run.evaluation_tags():
        return [Missing("gradient similarity", "it needs the rollouts of an evaluation", command)]
    try:
        call("probe", argv)
    except (UserError, ImportError) as error:
        return [Missing("gradient similarity", one_line(error), command)]
    return []


def _forecast(run: RunDir) -> list[Missing]:
    """The risk of being unlearnable from before training; made anew each time, since labels and probe may be new."""
    if not run.learnability.exists():
        return []
    try:
        call("forecast", [str(run)])
    except UserError as error:
        return [
            Missing(
                "a forecast from before training", str(error), shlex.join(["openrlhf-unlearn", "forecast", str(run)])
            )
        ]
    return []


def _outdated(run: RunDir, args) -> list[Missing]:
    """Probes whose numbers by group are of other labels than learnability.parquet has now."""
    material = Material([run], args.tau, args.easy)
    why = "labels changed since it was made; the same command again makes its analysis anew, not its gradients"
    return [
        Missing(
            f"the probe {name} by today's groups",
            why,
            shlex.join(
                ["openrlhf-unlearn", "probe", "--model", str(probe.model), "--run", str(run), "--tag", str(probe.tag)]
                + ["--name", name, *_amount(probe)]
            ),
        )
        for name, probe in outdated(material).items()
    ]


def _amount(probe) -> list[str]:
    """The flag that the probe's prompts were chosen by, where it is not the default."""
    settings = probe.numbers.get("settings") or {}
    found = {name: settings[name] for name in ("per_group", "prompts") if settings.get(name) is not None}
    return [word for name, value in found.items() for word in (f"--{name.replace('_', '-')}", str(value))]
