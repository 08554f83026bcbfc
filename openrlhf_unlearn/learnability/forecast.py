"""`openrlhf-unlearn forecast RUN [--to NEW]`: before training, how probable is it that a hard prompt stays unlearned?

    openrlhf-unlearn forecast runs/done                       what the forecast is worth, on the run it learns from
    openrlhf-unlearn forecast runs/done --to runs/planned     the same, and the risk of every hard prompt of a new run

Learns from a classified run (a hard prompt is at risk if it ended `unlearnable` or `no_reward`) with features that are
there before training: the initial evaluation and, where both runs have it, the initial probe. A logistic regression;
its risks for the run itself come from five-fold cross-validation, so no prompt is judged by a model that saw it. They
are never shown without the cross-validated AUC and calibration, and with what skipping the riskiest prompts would have
saved and cost. A forecast across data sets or models is an extrapolation that these numbers do not vouch for.
Writes forecast.parquet (prompt_id, risk) and "forecast" in summary.json, of NEW where given.
"""

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.run_dir import POSITIVE_THRESHOLD, RunDir, read_table, update_summary, write_table

AT_RISK = ("unlearnable", "no_reward")
LABELS = (*AT_RISK, "learnable")  # `mixed` is neither: it does not teach the model and is not forecast from
FOLDS = 5
_PROBE = ("mean_cosine", "n_correct")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="a classified run to learn from")
    add("--to", metavar="NEW", help="a run with an initial evaluation, to forecast")
    add("--initial", default="initial", metavar="TAG", help="evaluation, and probe, before training")
    add("--easy", type=float, default=0.1, help="initial pass@1 from which a prompt of NEW is easy")


def run(args: argparse.Namespace) -> None:
    source = RunDir.open(args.run)
    target = RunDir.open(args.to) if args.to else None
    if not source.learnability.exists():
        raise UserError(f"{source.learnability} is missing; make it: openrlhf-unlearn classify {source}")
    with_probe = all(_probe_columns(r, args.initial) for r in (source, target) if r)
    names, x, labels = _training_set(source, args.initial, with_probe)
    risk, quality = cross_validated(x, labels)
    quality["features"] = feature_names(with_probe)
    quality["skipping"] = skipping(risk, labels)
    print(describe(quality))
    if target is None:
        write_table(source.path / "forecast.parquet", pa.table({"prompt_id": names, "risk": risk}))
        update_summary(source, "forecast", quality)
        print(f"written: {source.path / 'forecast.parquet'}")
        return
    new_names, new_x = _features(target, args.initial, with_probe)
    hard = new_x[:, 0] < args.easy
    if not hard.any():
        raise UserError(f"{target} has no prompt with initial pass@1 below --easy {args.easy}: nothing to forecast")
    new_risk = model().fit(x, labels).predict_proba(new_x[hard])[:, 1]
    table = pa.table({"prompt_id": np.array(new_names)[hard], "risk": new_risk})
    write_table(target.path / "forecast.parquet", table)
    update_summary(
        target, "forecast", {**quality, "learned_from": str(source), "expected_at_risk": float(new_risk.sum())}
    )
    print(f"{target}: {hard.sum()} hard prompts, of which about {new_risk.sum():.0f} will not be learned")
    print(f"written: {target.path / 'forecast.parquet'}")


def feature_names(with_probe: bool) -> list[str]:
    names = ["initial pass rate", "log odds of it", "share without an answer", "mean response length", "its spread"]
    return [*names, "prompt length", *(_PROBE if with_probe else ())]


def _probe_columns(run: RunDir, tag: str) -> bool:
    return (run.probe(tag) / "similarity.parquet").exists()


def _features(run: RunDir, tag: str, with_probe: bool) -> tuple[list[str], np.ndarray]:
    """Prompt ids and their features, (prompts, features), in the order of `feature_names`; nan where unknown."""
    path = run.evaluation(tag)
    if not path.exists():
        raise UserError(f"{path} is missing; make it: openrlhf-unlearn evaluate --run {run} --tag {tag} --model MODEL")
    table = read_table(path, ["prompt_id", "reward", "verdict", "n_tokens"])
    table = table.append_column("hit", pc.greater(table.column("reward"), POSITIVE_THRESHOLD).cast(pa.float64()))
    table = table.append_column("silent", pc.equal(table.column("verdict"), "no_answer").cast(pa.float64()))
    by_prompt = table.group_by("prompt_id").aggregate(
        [("hit", "mean"), ("hit", "count"), ("silent", "mean"), ("n_tokens", "mean"), ("n_tokens", "stddev")]
    )
    names = by_prompt.column("prompt_id").to_pylist()
    rate, n, silent, length, spread = (
        by_prompt.column(name).to_numpy()
        for name in ("hit_mean", "hit_count", "silent_mean", "n_tokens_mean", "n_tokens_stddev")
    )
    prompts = read_table(run.prompts, ["prompt_id", "prompt"]).to_pylist()
    size = {row["prompt_id"]: len(row["prompt"] or "") for row in prompts}
    odds = np.log((rate * n + 0.5) / (n - rate * n + 0.5))
    columns = [rate, odds, silent, length, spread, np.array([size.get(name, np.nan) for name in names], dtype=float)]
    if with_probe:
        similarity = read_table(run.probe(tag) / "similarity.parquet", ["prompt_id", *_PROBE]).to_pylist()
        probed = {row["prompt_id"]: [row[name] for name in _PROBE] for row in similarity}
        columns += list(np.array([probed.get(name, [np.nan] * len(_PROBE)) for name in names], dtype=float).T)
    return names, np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)


def _training_set(run: RunDir, tag: str, with_probe: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, features and labels (True: at risk) of the hard prompts of a classified run."""
    names, x = _features(run, tag, with_probe)
    table = read_table(run.learnability, ["prompt_id", "group"]).to_pylist()
    group = {row["prompt_id"]: row["group"] for row in table}
    chosen = np.array([group.get(name) in LABELS for name in names])
    labels = np.array([group.get(name) in AT_RISK for name in names])[chosen]
    fewest = min(labels.sum(), (~labels).sum())
    if fewest < 2 * FOLDS:
        raise UserError(
            f"{run} has {labels.sum()} hard prompts that were not learned and {(~labels).sum()} that were; a forecast "
            f"needs at least {2 * FOLDS} of each"
        )
    return np.array(names)[chosen], x[chosen], labels


def model():
    """Missing values to the median, with a flag that says so; standardised; logistic regression."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(fill, StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))


def cross_validated(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, dict]:
    """Each prompt's risk by a model that did not see it, (prompts,), and how good these risks are."""
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    risk = cross_val_predict(model(), x, labels, cv=folds, method="predict_proba")[:, 1]
    bins = []
    for chosen in np.array_split(np.argsort(risk, kind="stable"), min(5, len(risk))):
        bins.append(
            {"prompts": len(chosen), "forecast": float(risk[chosen].mean()), "happened": float(labels[chosen].mean())}
        )
    error = sum(b["prompts"] * abs(b["forecast"] - b["happened"]) for b in bins) / len(risk)
    return risk, {
        "prompts": len(risk),
        "at_risk": int(labels.sum()),
        "auc": float(roc_auc_score(labels, risk)),
        "auc_interval": _bootstrap_auc(labels, risk),
        "brier": float(brier_score_loss(labels, risk)),
        "brier_of_the_share_alone": float(labels.mean() * (1 - labels.mean())),
        "calibration_error": float(error),
        "calibration": bins,
    }


def _bootstrap_auc(labels: np.ndarray, risk: np.ndarray, times: int = 300) -> list[float]:
    """The 95 % interval of the AUC over prompts."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    values = []
    for _ in range(times):
        chosen = np.concatenate([rng.choice(part, len(part)) for part in (positive, negative)])
        values.append(roc_auc_score(labels[chosen], risk[chosen]))
    return [float(v) for v in np.quantile(values, (0.025, 0.975))]


def skipping(risk: np.ndarray, labels: np.ndarray) -> list[dict]:
    """What leaving out the riskiest tenth, quarter or half of the hard prompts would have saved and cost."""
    order = np.argsort(-risk, kind="stable")
    rows = []
    for share in (0.1, 0.25, 0.5):
        skipped = order[: round(share * len(order))]
        lost = int((~labels[skipped]).sum())
        rows.append(
            {
                "share_of_hard_prompts": share,
                "prompts": len(skipped),
                "learnable_lost": lost,
                "share_of_learnable_lost": lost / int((~labels).sum()),
            }
        )
    return rows


def describe(quality: dict) -> str:
    low, high = quality["auc_interval"]
    lines = [
        f"{quality['prompts']} hard prompts, {quality['at_risk']} of them not learned; cross-validated AUC "
        f"{quality['auc']:.3f} (95 % interval {low:.3f} - {high:.3f}), Brier score {quality['brier']:.3f} "
        f"({quality['brier_of_the_share_alone']:.3f} without features), calibration error "
        f"{quality['calibration_error']:.3f}",
        f"features: {', '.join(quality['features'])}",
        "calibration, by fifths of the risk:",
    ]
    for row in quality["calibration"]:
        lines.append(f"  {row['prompts']:>6} prompts: forecast {row['forecast']:.2f}, happened {row['happened']:.2f}")
    for row in quality["skipping"]:
        lines.append(
            f"skipping the riskiest {row['share_of_hard_prompts']:.0%} ({row['prompts']} prompts) saves their rollouts "
            f"and loses {row['learnable_lost']} learnable prompts ({row['share_of_learnable_lost']:.0%} of those)"
        )
    return "\n".join(lines)
