"""What the verb writes: the table of pairs of clusters and, beside it, PROBE.json with what came out in words."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.probes import TransferMap
from openrlhf_unlearn.store.run_dir import RunDir, read_object, write_json
from openrlhf_unlearn.transfer.in_the_run import InTheRun, sentences
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.predict import Map
from openrlhf_unlearn.transfer.vectors import Vectors
from openrlhf_unlearn.transfer.words import GRADIENT, check_sentences, map_sentences, sign_sentence

if TYPE_CHECKING:
    from openrlhf_unlearn.transfer.check import Check

SETTINGS = (
    "clusters",
    "objective",
    "preconditioner",
    "verify",
    "steps",
    "batch",
    "lr",
    "optimiser",
    "rollouts",
    "seed",
)


def check_kept(run: RunDir, probe: str, verify: int | None, runs: int = 0, objective: str = "likelihood") -> None:
    """Raise UserError where a map with a check by more trainings is there, which this one would take the place of.
    runs: of --trained."""
    path, table = run.transfer_json(probe), run.transfer_table(probe)
    about = read_object(path) if path.exists() else {}
    trained, by_runs = about.get("trained"), about.get("by_runs") or {}
    if runs < len(by_runs.get("runs", ())):
        raise UserError(
            f"{path} holds a check by {len(by_runs['runs'])} runs, which would be lost; give them with --trained, or "
            f"move that file and {table.name} away"
        )
    checked = len(trained) if isinstance(trained, list) else 0
    again = f"give --verify {checked} with its flags, which trains nothing again, or " * (objective == "likelihood")
    if checked and (verify is None or 0 < verify < checked):
        raise UserError(
            f"{path} holds a check by trainings on {checked} clusters, which would be lost; {again}move that file and "
            f"{table.name} away"
        )
    if verify is not None or path.exists() or not table.exists():
        return
    measured = TransferMap.read(run, probe, TransferMap.measured)[TransferMap.measured]
    if measured.null_count < len(measured):
        raise UserError(f"{table} holds what trainings measured, which would be lost; move it away, too")


def write(
    run: RunDir,
    probe: str,
    likelihood: Map,
    pass_rate: Map,
    checked: "Check | None",
    by_runs: "Check | None",
    own: InTheRun | None,
    options: TransferOptions,
    found: Vectors,
) -> dict:
    """Write the table and PROBE.json; returns what that holds, in words what came out among it."""
    rows = rows_of(likelihood, pass_rate, checked, by_runs)
    run.transfer_json(probe).unlink(missing_ok=True)  # killed in between, no JSON is there of another table
    TransferMap.of_rows(rows).write(run, probe)
    said, result = map_sentences(likelihood), {}
    if checked:
        result = checked.summary()
        result["trained"] = checked.trained
        if checked.left_out:
            said.append(f"{checked.left_out} prompts with no second rollout are left out of the trainings.")
        said += check_sentences(result["agreement"][GRADIENT], result["advantage"], len(checked.trained))
        said += sign_sentence(rows)
    if by_runs:
        summary = by_runs.summary()
        result["by_runs"] = {**summary, "trained": by_runs.trained, "runs": list(options.trained)}
        best = summary["agreement"][by_runs.mine], summary["advantage"]
        what = "runs that trained single clusters by GRPO"
        said += check_sentences(*best, len(by_runs.trained), what, by_runs.mine)
    said += sentences(own)
    if own:
        result["in_the_run"] = asdict(own)
    settings = {name: getattr(options, name) for name in SETTINGS}
    about = {"clusters": likelihood.names, "exact": found.exact, "sentences": said, **result, "settings": settings}
    write_json(run.transfer_json(probe), about)
    return about


def rows_of(likelihood: Map, pass_rate: Map, checked: "Check | None" = None, by_runs: "Check | None" = None) -> list:
    """A `TransferMap.Row` for each pair of clusters."""
    rows, told = [], likelihood.told
    for i, trained in enumerate(likelihood.names):
        for j, changed in enumerate(likelihood.names):
            predicted, measured, low, high = _measured(checked, trained, changed)
            reward_predicted, reward_measured, reward_low, reward_high = _measured(by_runs, trained, changed)
            row = TransferMap.Row(
                trained=trained,
                changed=changed,
                prompts_trained=int(likelihood.sizes[i]),
                prompts_changed=int(likelihood.sizes[j]),
                value=_number(likelihood.value[i, j]),
                low=_number(likelihood.low[i, j]),
                high=_number(likelihood.high[i, j]),
                p=_number(likelihood.p[i, j]),
                told=bool(told[i, j]),
                pass_rate=_number(pass_rate.value[i, j]),
                pass_rate_low=_number(pass_rate.low[i, j]),
                pass_rate_high=_number(pass_rate.high[i, j]),
                predicted=predicted,
                measured=measured,
                measured_low=low,
                measured_high=high,
                reward_predicted=reward_predicted,
                reward_measured=reward_measured,
                reward_low=reward_low,
                reward_high=reward_high,
            )
            rows.append(row)
    return rows


def _measured(check: "Check | None", trained: str, changed: str) -> list[float | None]:
    """What a check says of this pair: predicted, measured, and its interval; None where it has none of it."""
    if check is None or trained not in check.trained or changed not in check.names:
        return [None] * 4
    entry = check.trained.index(trained), check.names.index(changed)
    matrices = check.predicted[check.mine], check.measured, check.low, check.high
    return [_number(matrix[entry]) for matrix in matrices]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
