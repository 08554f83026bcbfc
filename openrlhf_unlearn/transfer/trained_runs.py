"""Does GRPO on single clusters change the rewards as the gradients say? By runs that each trained prompts of one.

Which prompts a run trained, its tables of rewards say. Prompts that trained in any of the runs are never measured, so
what a run does to its own cluster is generalisation. Measured is the change of the pass rate, from the evaluations
`initial` of all runs, which start from one model, to `final` of the cluster's own. None of `initial` may be of the
rollouts that the probe read: these predict, and their noise would be on both sides.

Predicted is the change of a correct response's log-likelihood, t_a / |t_a| · mean_q L_q m_q, with t_a the mean GRPO
gradient of the prompts that trained, m_q the gradient a token of a measured prompt's correct rollouts and L_q their
length. t_a is divided by its length because the steps of Adam are of one size whatever the gradient's. To first order
the pass rate p_q moves by p_q times that, but in a training of many steps a rare answer rises as far as a common one:
that is among the baselines. Noise of the evaluations draws every r toward 0.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.evaluation.settings import fingerprint
from openrlhf_unlearn.labels.counts import missing
from openrlhf_unlearn.probe.rollouts import origin
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Rewards
from openrlhf_unlearn.transfer.check import Check, means_of, predictions, shown
from openrlhf_unlearn.transfer.inputs import of_table
from openrlhf_unlearn.transfer.predict import LEAST
from openrlhf_unlearn.transfer.vectors import Vectors
from openrlhf_unlearn.transfer.words import DIRECTION


@dataclass(frozen=True)
class TrainedRuns:
    """trained: by cluster, the prompts that its runs trained. after: by cluster, the pass rate of each prompt at the
    end of its runs; before: at their start."""

    trained: dict[str, set[str]]
    after: dict[str, dict[str, float]]
    before: dict[str, float]


def read(paths: Sequence[str], clusters: dict[str, str], settings: dict) -> TrainedRuns:
    """settings: the probe's. Raises UserError for runs that did not train on one cluster, or have no evaluations."""
    trained: dict[str, set[str]] = defaultdict(set)
    after, before, seen = defaultdict(list), [], {settings.get("rollouts")}
    for run in map(RunDir.open, paths):
        name, prompts = _cluster(run, clusters)
        trained[name] |= prompts
        model = run.config().flag("actor.model_name_or_path")
        if model and settings.get("model_fingerprint") not in (None, "hub", fingerprint(model)):
            raise UserError(f"{run} trained {model}, which is not the model that was probed, or has changed since")
        if not run.evaluation("final").exists():
            raise missing(run, "final", "TRAINED_MODEL")
        after[name].append(of_table(Evaluations.read(run, "final"))[0])
        if run.evaluation("initial").exists():
            table = Evaluations.read(run, "initial")
            if (which := origin(table)) not in seen:
                seen.add(which)
                before.append(of_table(table)[0])
    if not before:
        raise UserError(
            "--trained: none of the runs has an evaluation initial of other rollouts than the probe's; make one: "
            + command("evaluate", "--run", paths[0], "--tag", "initial", "--model", "INITIAL_MODEL", "--seed", 1)
        )
    return TrainedRuns(dict(trained), {name: _mean(rates) for name, rates in after.items()}, _mean(before))


def _cluster(run: RunDir, clusters: dict[str, str]) -> tuple[str, set[str]]:
    """The one cluster that the run trained on, and which of its prompts."""
    prompts = set(Rewards.read(run, Rewards.prompt_id).prompt_id)
    names = sorted({clusters.get(prompt, "") for prompt in prompts})
    if len(names) != 1 or not names[0]:
        found = ", ".join(name or "prompts of none" for name in names[:4]) or "no prompt"
        raise UserError(f"{run} must have trained on prompts of one cluster (--unlearn.only_prompts); it has {found}")
    return names[0], prompts


def _mean(each: list[dict[str, float]]) -> dict[str, float]:
    """Over the evaluations that have a prompt."""
    found = defaultdict(list)
    for rates in each:
        for name, rate in rates.items():
            found[name].append(rate)
    return {name: float(np.mean(values)) for name, values in found.items()}


def compare(
    runs: TrainedRuns, found: Vectors, rates: dict[str, float], lengths: dict[str, float], clusters: dict[str, str],
    texts: dict[str, str], states: dict[str, np.ndarray],
) -> Check:  # fmt: skip
    """found: GRPO's gradients; rates, lengths: of the probe's rollouts, pass rates and tokens of the correct ones;
    states: by prompt, empty where the probe kept none."""
    known, used = set(found.ids), set.union(*runs.trained.values())
    both = set(runs.before).intersection(*runs.after.values()) & known - used
    measured = {name: sorted(p for p in both if clusters.get(p) == name) for name in sorted(set(clusters.values()))}
    measured = {name: prompts for name, prompts in measured.items() if name and len(prompts) >= LEAST}
    trained = {name: sorted(runs.trained[name] & known) for name in measured if name in runs.trained}
    trained = {name: prompts for name, prompts in trained.items() if prompts}
    if not trained:
        raise UserError(
            f"--trained: no cluster has a prompt with a gradient that trained and {LEAST} others in every evaluation"
        )
    changes = [
        [np.array([runs.after[name][p] - runs.before[p] for p in prompts]) for prompts in measured.values()]
        for name in trained
    ]
    whole, tokens = slice(0, len(found.ids)), np.array([lengths[p] for p in found.ids], np.float32)
    held = Vectors(found.ids, found.train[whole], found.feel[whole] * tokens[:, None], found.exact)
    predicted = predictions(held, trained, measured, texts, states)
    rate = np.array([rates[p] for p in found.ids], np.float32)
    gives, takes = means_of(held.train, held.ids, trained), means_of(held.feel * rate[:, None], held.ids, measured)
    spread = np.array([np.mean([rates[p] * (1 - rates[p]) for p in prompts]) for prompts in measured.values()])
    predicted["first order in the pass rate"] = (gives @ takes.T).astype(float)
    predicted["same cluster, by pass rate"] = predicted["same cluster"] * spread
    mean, low, high = shown(changes)
    left_out = len(known - both - used)
    return Check(list(trained), list(measured), mean, low, high, predicted, left_out, DIRECTION)
