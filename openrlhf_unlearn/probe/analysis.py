"""From gradients to what the report reads: similarity.parquet, interference.parquet and the numbers of probe.json."""

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.cosines import Similarity, similarity
from openrlhf_unlearn.probe.measures.interference import interference
from openrlhf_unlearn.probe.measures.neighbours import neighbours
from openrlhf_unlearn.probe.measures.outliers import RATE, SHARE, Outliers, outliers
from openrlhf_unlearn.probe.measures.pooled import Pooled
from openrlhf_unlearn.probe.measures.separation import separation
from openrlhf_unlearn.probe.measures.spectrum import captured, spectra
from openrlhf_unlearn.probe.rollouts import HARD
from openrlhf_unlearn.store.probes import Interference
from openrlhf_unlearn.store.probes import Similarity as SimilarityTable
from openrlhf_unlearn.store.run_dir import RunDir

ORDER = ("easy", "learnable", "unlearnable")
MEANS = Interference.within, Interference.within_corrected, Interference.correct_batch, Interference.incorrect_batch


def analyse(
    run: RunDir,
    tag: str,
    by_class: dict[str, Gradients],
    groups: dict[str, str],
    rate: dict[str, float],
    weight: dict[str, float] | None = None,
    k: int = 8,
) -> dict:
    """Write both tables; returns the numbers for probe.json. weight: for how many prompts each stands, default 1 each;
    k: rollouts that train a prompt."""
    correct = by_class["correct"]
    names = [groups.get(name, "") for name in correct.ids]
    found = similarity(correct, names)
    hard = np.array([rate[name] < HARD for name in correct.ids])
    odd = outliers(correct, hard)
    similarity_table(correct, found, names, odd).write(run, tag)
    aligned = interference(by_class, rate, weight, k)
    rows = [row._replace(group=groups.get(row.prompt_id, "")) for row in aligned]
    Interference.of_rows(rows).write(run, tag)
    pooled = Pooled(correct, names)
    return {
        "prompts": len(correct.ids),
        "enough_rollouts": int(found.enough.sum()),
        "groups": summary(found, names),
        "group_matrix": pooled.matrix,
        "group_to_all": pooled.to_all,
        "order": order(pooled.to_all),
        "outliers": outlier_summary(odd, names),
        "separation": separation(correct, found, names),
        "spectrum": spectra(correct, names),
        "captured": captured(correct, names),
        "interference": _interference(rows),
    }


def similarity_table(gradients: Gradients, found: Similarity, groups: list[str], odd: Outliers) -> SimilarityTable:
    """One row a prompt, and a column of plain and corrected mean cosine for each group."""
    ids, (nearest, farthest) = found.ids, neighbours(gradients)
    table = SimilarityTable.of(
        prompt_id=ids,
        group=groups,
        n_correct=found.n.tolist(),
        mean_cosine=_nullable(found.plain[:, 0]),
        mean_cosine_corrected=_nullable(found.corrected[:, 0]),
        low=_nullable(found.low[:, 0]),
        high=_nullable(found.high[:, 0]),
        word=found.words.tolist(),
        outlier_p=_nullable(odd.p),
        outlier=[bool(called) if np.isfinite(p) else None for called, p in zip(odd.called, odd.p, strict=True)],
        nearest=[[ids[i] for i, _ in row] for row in nearest],
        nearest_cosine=[[cosine for _, cosine in row] for row in nearest],
        farthest=[[ids[i] for i, _ in row] for row in farthest],
        farthest_cosine=[[cosine for _, cosine in row] for row in farthest],
    )
    for column, name in enumerate(found.groups, 1):
        plain, corrected = (_nullable(values[:, column]) for values in (found.plain, found.corrected))
        table = table.with_group(name, plain, corrected)
    return table


def outlier_summary(odd: Outliers, groups: list[str]) -> dict:
    """How many hard prompts were tested and are called outliers, by group, and what the test holds to."""
    tested, mine = np.isfinite(odd.p), np.array(groups)
    by_group = {
        name or "all": {
            "tested": int((tested & (mine == name)).sum()),
            "outliers": int((odd.called & (mine == name)).sum()),
        }
        for name in sorted(set(groups))
        if (tested & (mine == name)).any()
    }
    return {"false_discovery_rate": RATE, "share_of_typical_cosine": SHARE, "by_group": by_group}


def summary(found: Similarity, groups: list[str]) -> dict[str, dict]:
    """By group: prompts, those with enough rollouts and, of these, with hardly any different ones, median number of
    rollouts, mean of the mean cosines."""
    groups_, result = np.array(groups), {}
    for name in sorted(set(groups)):
        mine = groups_ == name
        result[name or "all"] = {
            "prompts": int(mine.sum()),
            "enough_rollouts": int(found.enough[mine].sum()),
            "identical_rollouts": int((found.words[mine] == "identical rollouts").sum()),
            "median_rollouts": float(np.median(found.n[mine])),
            "plain": _finite_mean(found.plain[mine, 0]),
            "corrected": _finite_mean(found.corrected[mine, 0]),
        }
    return result


def order(to_all: dict[str, dict]) -> str:
    """Whether easy > learnable > unlearnable in the pooled, noise-corrected similarity to all others, in words."""
    rows = [row for name in ORDER if (row := to_all.get(name)) and row["corrected"] is not None]
    if len(rows) < len(ORDER):
        return "too few rollouts or prompts to say"
    shown = " > ".join(ORDER)
    separated = all(row["low"] < row["high"] for row in rows)  # without width, an interval separates nothing
    if separated and all(high["low"] > low["high"] for high, low in zip(rows, rows[1:], strict=False)):
        return f"{shown}: holds, with separated intervals"
    if all(high["corrected"] > low["corrected"] for high, low in zip(rows, rows[1:], strict=False)):
        return f"{shown}: holds, but the intervals overlap"
    return f"{shown}: does not hold"


def _interference(rows: list) -> dict[str, dict]:
    """By group: mean within-prompt cosine, plain and corrected, and against the batch."""
    result = {}
    for name in sorted({row.group for row in rows}):
        mine = Interference.of_rows(row for row in rows if row.group == name)
        result[name or "all"] = {"prompts": len(mine)} | {
            column.name: _finite_mean(mine.values(column).astype(float)) for column in MEANS
        }
    return result


def _finite_mean(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _nullable(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
