"""What the verb works on: which probe, its rollouts' rates and lengths, the clusters, the prompts to choose for."""

from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UsageError, UserError, command
from openrlhf_unlearn.evaluation.settings import fingerprint
from openrlhf_unlearn.probe.rollouts import graded, origin, source
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.transfer.clusters import by_datasource, by_file, by_gradients
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.vectors import Vectors


def default_probe(run: RunDir) -> str:
    names = run.probe_tags()
    if "initial" in names:
        return "initial"
    if len(names) == 1:
        return names[0]
    make = command("probe", "--model", "MODEL", "--run", run, "--tag", "initial")
    known = f"it has {', '.join(names)}" if names else f"make one: {make}"
    raise UserError(f"--probe: which probe of {run}? {known}")


def check_rollouts(run: RunDir, probe: str, settings: dict) -> None:
    """Raise UserError where the probe's evaluation was made again since: its pass rates are then of other rollouts."""
    table = source(run, settings["tag"], settings["training_rollouts"])
    if settings.get("rollouts") not in (None, origin(table)):
        what = "training" if settings["training_rollouts"] else settings["tag"]
        raise UserError(
            f"{run}: the rollouts of {what} are others than those of probe {probe}; probe again under another --name"
        )


def check_model(probe: str, settings: dict) -> None:
    """Raise UserError where the probe's model was trained on in its place since, or is gone."""
    if settings.get("model_fingerprint") not in (None, fingerprint(settings["model"])):
        raise UserError(
            f"{settings['model']} has changed since probe {probe}, or is gone; name with --model where that model is"
        )


def of_rollouts(run: RunDir, settings: dict) -> tuple[dict[str, float], dict[str, float]]:
    """By prompt id: the share of correct ones among the graded rollouts of the probe's evaluation, and the correct
    ones' mean length in tokens (1 where the table does not have it: pass rates are then per token, too)."""
    return of_table(source(run, settings["tag"], settings["training_rollouts"]))


def of_table(table: Graded) -> tuple[dict[str, float], dict[str, float]]:
    """The same of any table of rollouts."""
    known = graded(table)
    length = table.n_tokens.astype(float) if isinstance(table, Evaluations) else np.ones(len(table))
    length = np.where(np.nan_to_num(length) == 0, 1.0, length)[known]
    right = table.hits()[known].astype(float)
    names, place = np.unique(np.array(table.prompt_id)[known], return_inverse=True)
    hits = np.bincount(place, right)
    rates = hits / np.bincount(place)
    lengths = np.where(hits > 0, np.bincount(place, right * length) / np.maximum(hits, 1), 1.0)
    names = names.tolist()
    return dict(zip(names, rates.tolist(), strict=True)), dict(zip(names, lengths.tolist(), strict=True))


def clustered(run: RunDir, found: Vectors, by_class: dict, options: TransferOptions) -> tuple[Vectors, dict[str, str]]:
    """The vectors that the map is made of, and each prompt's cluster."""
    if options.clusters == "datasource":
        return found, by_datasource(run)
    if options.clusters != "gradients":
        names = by_file(Path(options.clusters))
        if not set(names) & set(found.ids):
            raise UserError(f"--clusters {options.clusters}: none of its {len(names)} prompt ids was probed")
        return found, names
    if options.objective != "likelihood":
        raise UsageError("--clusters gradients goes with --objective likelihood only")
    names, unseen = by_gradients(by_class["correct"], options.seed)
    whole = unseen.shape[1] == by_class["correct"].mean.shape[1]  # the sketches are no smaller
    return Vectors(found.ids, unseen, unseen, whole), dict(zip(found.ids, names, strict=True))
