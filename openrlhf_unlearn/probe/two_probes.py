"""One probe held against another: LoRA against full gradients, and prompts against their own variants (5.3)."""

from pathlib import Path

import numpy as np
from scipy import stats

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import rows_of
from openrlhf_unlearn.probe.measures.interference import align, within
from openrlhf_unlearn.probe.store import load
from openrlhf_unlearn.probe.words import note
from openrlhf_unlearn.store.probes import Similarity, Variants
from openrlhf_unlearn.store.run_dir import RunDir

SMALLEST = 10  # prompts of a group that a correlation within it needs


def correlation(run: RunDir, name: str, full: str) -> dict:
    """Pearson and rank correlation over prompts of the mean cosines of two probes of the same rollouts.

    Groups that lie apart correlate whatever happens inside them, so `within` has both correlations of the differences
    to the mean of the prompt's own group, over all groups and for each of at least SMALLEST prompts.
    """
    columns = Similarity.prompt_id, Similarity.mean_cosine, Similarity.group
    tables = [Similarity.read(run, probe, *columns).by_prompt() for probe in (name, full)]
    values = [{key: row.mean_cosine for key, row in table.items()} for table in tables]
    shared = [key for key in values[0] if None not in (values[0][key], values[1].get(key))]
    if len(shared) < 3:
        raise UserError(f"{name} and {full} share {len(shared)} prompts, too few for a correlation")
    x, y = (np.array([one[key] for key in shared]) for one in values)
    groups = np.array([tables[0][key].group or "" for key in shared])
    names = [name for name in np.unique(groups).tolist() if (groups == name).sum() >= SMALLEST]
    inside = np.isin(groups, names)
    result = {"probe": full, **_correlations(x, y)}
    if len(names) > 1:
        parts = [[(groups == name) * (v - v[groups == name].mean()) for name in names] for v in (x, y)]
        centred = [np.sum(part, axis=0)[inside] for part in parts]
        result["within"] = {"all": _correlations(*centred)}
        result["within"] |= {name: _correlations(x[groups == name], y[groups == name]) for name in names}
    return result


def _correlations(x: np.ndarray, y: np.ndarray) -> dict:
    """None where one of both does not vary."""
    varied = np.ptp(x) > 0 and np.ptp(y) > 0
    return {
        "prompts": len(x),
        "correlation": float(stats.pearsonr(x, y)[0]) if varied else None,
        "rank_correlation": float(stats.spearmanr(x, y)[0]) if varied else None,
    }


def compare_variants(run: RunDir, name: str, file: str, other: str | None) -> int:
    """Write variants.parquet of the pairs in `file`, variants' gradients being this probe's or, with `other`, those of
    the probe of the same name in that run; returns how many pairs have both. Raises UserError for none, or a file that
    is not what it should be."""
    pairs = _pairs(Path(file), RunDir(other or run.path))
    gradients, facts = load(run.gradients(name))
    theirs, their_facts = load(RunDir.open(other).gradients(name)) if other else (gradients, facts)
    for key in ("subspace", "dim"):
        if facts[key] != their_facts[key]:
            raise UserError(f"--variants-run {other}: its probe has {key} {their_facts[key]}, not {facts[key]}")
    there, mine = (set(by_class["correct"].ids) for by_class in (theirs, gradients))
    known = [(a, b) for a, b in pairs if a in mine and b in there]
    if not known:
        raise UserError(f"--variants {file}: none of its {len(pairs)} pairs has gradients of both; raise --per-group")
    if len(known) < len(pairs):
        note(f"{len(pairs) - len(known)} of {len(pairs)} pairs lack a gradient; left out")
    originals = align(gradients["correct"], [a for a, _ in known])
    variants = align(theirs["correct"], [b for _, b in known])
    cosine = np.einsum("pd,pd->p", _unit(originals.mean), _unit(variants.mean))
    corrected, low, high = within(originals, variants)
    probed = Similarity.read(run, name, Similarity.prompt_id, Similarity.group, Similarity.mean_cosine).by_prompt()
    Variants.of(
        prompt_id=[a for a, _ in known],
        variant_id=[b for _, b in known],
        group=[probed[a].group for a, _ in known],
        cosine=cosine.astype(float),
        cosine_corrected=_finite(corrected),
        low=_finite(low),
        high=_finite(high),
        mean_cosine=[probed[a].mean_cosine for a, _ in known],
    ).write(run, name)
    return len(known)


def _pairs(file: Path, run: RunDir) -> list[tuple[str, str]]:
    """(original, variant) ids: named in the file, or, in a data set that `augment` made, those that its rows, being
    prompts of `run`, have there."""
    try:
        rows = [row for _, row in rows_of(file)]
        if rows and "origin" in rows[0]:
            from openrlhf_unlearn.evaluation.prompts import identified_rows

            named = identified_rows(run, str(file), "name each pair: rows of prompt_id and variant_id")
            made = [(row["origin"], name) for name, row in named]
            return [(original, name) for original, name in made if original != name]
        return [(row["prompt_id"], row["variant_id"]) for row in rows]
    except OSError as error:
        raise UserError(f"--variants {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"--variants {file}: every row needs prompt_id and variant_id, or origin ({error})") from None


def _finite(values: np.ndarray) -> np.ndarray:
    """Nan, which a table has as null, for what is not finite."""
    return np.where(np.isfinite(values), values, np.nan).astype(float)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
