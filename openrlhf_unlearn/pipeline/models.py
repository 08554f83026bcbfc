"""`openrlhf-unlearn models`: which base model to start from, on one run's prompts (paper, section 5.4 and Figure 11).

    openrlhf-unlearn models RUN base=Qwen/Qwen2.5-0.5B mid=path/to/mid-trained [NAME=MODEL …]

Of each model before RL: pass@1 by group of RUN's labels, and the gradient similarity of the same prompts, from the
model's own rollouts. Whether RL then learns what comes to lie with the others is not seen in this. Evaluations and
probes get the models' names (RUN/evaluations/NAME.parquet, RUN/probes/NAME/); what is there is not done again. Ends
with RUN's report, whose figure `similarity_over_models` sets them side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.run_dir import RunDir, check_name, update_summary
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN

TAKEN = ("initial", "final")


@dataclass(frozen=True)
class ModelsOptions(Options):
    """The run whose prompts are sampled, and the models."""

    run: str = option("run directory with learnability.parquet", positional=True, metavar="RUN")
    models: Sequence[str] = option(
        "hub id or Hugging Face folder, and what it is called here", positional=True, metavar="NAME=MODEL"
    )
    data: str | None = option("default: the run's", None)
    n: int = option("samples a prompt; more of them give the probe more correct rollouts", 32, flag="-n")
    per_group: int = option("prompts of each group that are probed; 0: all", 100)
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE


OPTIONS = ModelsOptions


def run(options: ModelsOptions) -> None:
    from openrlhf_unlearn.pipeline import analyze

    models(options)
    analyze.run(analyze.AnalyzeOptions((options.run,), offline=True))


@takes(ModelsOptions)
def models(options: ModelsOptions) -> list[str]:
    """Evaluate and probe every model on the run's prompts; returns the names of their evaluations and probes."""
    from openrlhf_unlearn.evaluation.evaluate import evaluate
    from openrlhf_unlearn.probe.command import probe

    chosen = named(options.models)
    run_dir = RunDir.open(options.run)
    trust, code = options.trust_run, options.trust_remote_code
    for name, model in chosen.items():
        if name not in run_dir.evaluation_tags():
            n, data = options.n, options.data
            evaluate(model, options.run, name, data=data, n=n, trust_run=trust, trust_remote_code=code)
    names = tuple(chosen)
    probe(tuple(chosen.values()), options.run, names, per_group=options.per_group, trust_remote_code=code)
    update_summary(run_dir, "models", list(names))
    return list(names)


def named(words: Sequence[str]) -> dict[str, str]:
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
