"""`openrlhf-unlearn models`: which base model to start from, on one run's prompts (paper, section 5.4 and Figure 11).

    openrlhf-unlearn models RUN base=Qwen/Qwen2.5-0.5B mid=path/to/mid-trained [NAME=MODEL …]

Of each model before RL: pass@1 by group of RUN's labels, and the gradient similarity of the same prompts, from the
model's own rollouts. Whether RL then learns what comes to lie with the others is not seen in this. Evaluations and
probes get the models' names (RUN/evaluations/NAME.parquet, RUN/probes/NAME/); what is there is not done again. Ends
with RUN's report, whose figure `similarity_over_models` sets them side by side.
"""

import argparse

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.store.run_dir import RunDir, check_name, update_summary
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run

TAKEN = ("initial", "final")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory with learnability.parquet")
    add("models", nargs="+", metavar="NAME=MODEL", help="hub id or Hugging Face folder, and what it is called here")
    add("--data", help="default: the run's")
    add("-n", type=int, default=32, help="samples a prompt; more of them give the probe more correct rollouts")
    add("--per-group", type=int, default=100, help="prompts of each group that are probed; 0: all")
    add_trust_run(parser)
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    from openrlhf_unlearn.pipeline.complete import call

    models = named(args.models)
    run_dir = RunDir.open(args.run)
    data = (["--data", args.data] if args.data else []) + (["--trust-run"] if args.trust_run else [])
    for name, model in models.items():
        if name not in run_dir.evaluation_tags():
            call("evaluate", ["--run", args.run, "--tag", name, "--model", model, "-n", str(args.n), *data])
    names = list(models)
    words = ["--run", args.run, "--model", *models.values(), "--tag", *names, "--per-group", str(args.per_group)]
    call("probe", words)
    update_summary(run_dir, "models", names)
    call("analyze", [args.run, "--offline"])
    return 0


def named(words: list[str]) -> dict[str, str]:
    """Name → model, of NAME=MODEL words. Raises UsageError at what is no such pair."""
    models: dict[str, str] = {}
    for word in words:
        name, _, model = word.partition("=")
        if not model or name in (*TAKEN, *models):
            raise UsageError(f"{word!r}: give NAME=MODEL, each name once, and not {' or '.join(TAKEN)}")
        models[check_name(name, "NAME=MODEL: the name")] = model
    if len(models) < 2:
        raise UsageError("give at least two models: base=MODEL mid=MODEL")
    return models
