"""What the map says, in sentences; each is said only where the numbers carry it."""

import numpy as np

from openrlhf_unlearn.transfer.predict import LEAST, Map

SHOWN = 3
GRADIENT = "gradient"  # the map's own prediction, among the predictors of a check
DIRECTION = "direction of the gradient"  # the same, as if all clusters' gradients were of one length
SUBJECTS = {GRADIENT: "The gradients' inner product", DIRECTION: "The direction of the gradient"}


def map_sentences(found: Map) -> list[str]:
    """What is predicted: which clusters teach themselves, each other, and which harm."""
    if not found.names:
        return [f"No cluster has {LEAST} prompts with gradients: there is nothing to map."]
    told, names = found.told, found.names
    if not told.any():
        said = f"None of the map's {told.size} entries differs significantly from 0"
        return [f"{said}: alone it gives no reason to choose any data."]
    own, sure = np.diag(found.value), np.diag(told)
    said = []
    for which, verb in (
        (sure & (own > 0), "are predicted to teach their own other prompts"),
        (sure & (own < 0), "are predicted to harm their own other prompts"),
        (~sure, "have no significant effect, either way, on their own other prompts"),
    ):
        if which.any():
            listed = f": {', '.join(np.array(names)[which])}" if not which.all() or verb.startswith("have no") else ""
            said.append(f"{which.sum()} of {len(names)} clusters {verb}{listed}.")
    both = np.allclose(found.value, found.value.T, rtol=1e-3)  # of the likelihood itself, the map is symmetric
    arrow = "↔" if both else "→"
    apart = [(i, j) for i, j in zip(*np.nonzero(told), strict=True) if (i < j if both else i != j)]
    for sign, verb in ((1, "to teach others"), (-1, "to harm others")):
        pairs = sorted((ij for ij in apart if sign * found.value[ij] > 0), key=lambda ij: -sign * found.value[ij])
        if pairs:
            shown = ", ".join(f"{names[i]} {arrow} {names[j]}" for i, j in pairs[:SHOWN])
            more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
            said.append(f"Predicted {verb}: {shown}{more}.")
    return said


def check_sentences(
    agreed: dict, advantages: dict[str, dict], trained: int, what: str = "short trainings", mine: str = GRADIENT
) -> list[str]:
    """What `trained` trainings of this kind say of the prediction `mine`, and of it against each baseline."""
    found = agreed["all"]
    if found["value"] is None:
        return [f"The {trained} {what} cannot be compared with the prediction: one of both does not vary."]
    if found["low"] is None:
        return [f"Over {trained} {what} r = {found['value']:.2f}: too few clusters to say how sure that is."]
    shown = f"r = {found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f}) over {trained} trainings"
    if found["low"] <= 0:
        return [f"The {what} do not bear the prediction out: {shown}. Do not choose data by this map."]
    said = [f"{what[0].upper()}{what[1:]} bear the prediction out: {shown}."]
    apart = agreed["between"]
    if apart["low"] is not None:
        if apart["low"] > 0:
            said.append(f"So they do between different clusters: r = {apart['value']:.2f}.")
        else:
            said.append(f"Between different clusters alone they do not (r = {apart['value']:.2f}).")
    better = [name for name, gap in advantages.items() if gap["low"] is not None and gap["low"] > 0]
    worse = [name for name, gap in advantages.items() if gap["high"] is not None and gap["high"] < 0]
    if better:
        said.append(f"{SUBJECTS[mine]} predicts better than: {', '.join(better)}.")
    if worse:
        said.append(f"{SUBJECTS[mine]} predicts worse than: {', '.join(worse)}.")
    if rest := [name for name in advantages if name not in better + worse]:
        said.append(f"{SUBJECTS[mine]} is neither significantly better nor worse than: {', '.join(rest)}.")
    return said


def sign_sentence(rows: list) -> list[str]:
    """Of the table's `TransferMap.Row`s: those that differ from 0, by whether the predicted sign was measured."""
    told = [row for row in rows if row.told and row.measured is not None]
    if not told:
        return []
    right = sum(row.value * row.measured > 0 for row in told)
    return [f"Of {len(told)} entries that differ from 0, {right} were measured with the predicted sign."]
