"""`openrlhf-unlearn forecast RUN [--to NEW]`: before training, how probable is it that a hard prompt stays unlearned?

    openrlhf-unlearn forecast runs/done                       what the forecast is worth, on the run it learns from
    openrlhf-unlearn forecast runs/done --to runs/planned     the same, and the risk of every hard prompt of a new run

Learns from a classified run (a hard prompt is at risk if it ended `unlearnable` or `no_reward`) with features of the
initial evaluation, which is there before training. A logistic regression; its risks for the run itself come from
five-fold cross-validation, so no prompt is judged by a model that saw it. They are never shown without the
cross-validated AUC and calibration, and with what skipping the riskiest prompts would have saved and cost; beside them
simpler forecasts, on the same prompts. A forecast across data sets or models is an extrapolation that these numbers do
not vouch for. Writes forecast.parquet (prompt_id, risk, risk_with_gradients) and "forecast" in summary.json, of NEW
where given.

Gradients of the initial probe are held against the forecast without them, on the prompts that were probed and on these
alone: who has a gradient depends on who has a correct rollout, so that a missing one must not be a feature, and a
verdict on gradients is one on prompts with a correct rollout. A probe that drew its prompts by label is not used. On
the same prompts the forecast, with gradients and without, is held against one from the hidden state alone, which the
probe keeps.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import UserError, command, counted
from openrlhf_unlearn.labels.features import feature_names, read_features
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.stats.auc import Area, AreaDifference, area, area_difference, placements
from openrlhf_unlearn.stats.means import Z
from openrlhf_unlearn.store.prompts import Learnability, Risks
from openrlhf_unlearn.store.run_dir import RunDir, update_summary

AT_RISK = ("unlearnable", "no_reward")
LABELS = (*AT_RISK, "learnable")  # `mixed` is neither: it does not teach the model and is not forecast from
FOLDS, REPEATS = 5, 3
FEWEST = 2 * FOLDS  # prompts of either kind that a forecast is learned from
PRIOR = 10.0  # variance of the log odds that a hidden state may make, before it is fitted; 1 to 100 are about as good
WIDER = 1.3  # the spread of cross-validated areas over that of one model's: the folds' models share their prompts


@dataclass(frozen=True)
class ForecastOptions(Options):
    """The run to learn from and the one to forecast."""

    run: str = option("a classified run to learn from", positional=True, metavar="RUN")
    to: str | None = option("a run with an initial evaluation, to forecast", None, metavar="NEW")
    initial: str = option("evaluation, and probe, before training", "initial", metavar="TAG")
    easy: float = option("initial pass@1 from which a prompt of NEW is easy", 0.1)


OPTIONS = ForecastOptions


def run(options: ForecastOptions) -> None:
    found = forecast(options)
    print(describe(found.quality))
    save(found)
    print(f"written: {found.of.forecast}")
    if options.to:
        expected = found.quality["expected_at_risk"]
        print(
            f"{found.of}: {counted(len(found.names), 'hard prompt')}, of which about {expected:.0f} will not be learned"
        )


@dataclass(frozen=True)
class Forecast:
    """Of the run `of`: names (prompts,) of those that were forecast, risk and with_gradients (prompts,) P(not learned),
    the latter nan where nothing was probed; quality: what the forecast is worth, as summary.json keeps it."""

    of: RunDir
    names: np.ndarray
    risk: np.ndarray
    with_gradients: np.ndarray
    quality: dict


@takes(ForecastOptions)
def forecast(options: ForecastOptions) -> Forecast:
    """Learn from one run, and forecast it or another; reads files and writes none. Raises UserError for too little."""
    source = RunDir.open(options.run)
    target = RunDir.open(options.to) if options.to else None
    if not source.learnability.exists():
        raise UserError(f"{source.learnability} is missing; make it: {command('classify', source)}")
    given, group = read_features(source, options.initial), Learnability.groups(source)
    known = np.array([group.get(name) in LABELS for name in given.names])
    labels = np.array([group.get(name) in AT_RISK for name in given.names])[known]
    _check_enough(source, labels)
    new = read_features(target, options.initial) if target else None
    answers = all(one.answers for one in (given, new) if one)
    x, y = given.table(answers)[known], given.gradients[known]
    unseen, quality = cross_validated(x, labels)
    quality |= {"features": feature_names(answers), "skipping": skipping(unseen.risk, labels)}
    quality["baselines"] = baselines(x, labels, unseen, answers)
    quality["gradients"], with_gradients = compare_gradients(x, y, labels, given.probe)
    quality["hidden_state"] = compare_hidden_state(x, y, given.states[known], labels, given.probe)
    if target is None or new is None:
        return Forecast(source, np.array(given.names)[known], unseen.risk, with_gradients, quality)
    new_x = new.table(answers)
    hard = new_x[:, 0] < options.easy
    if not hard.any():
        raise UserError(f"{target} has no prompt with initial pass@1 below --easy {options.easy}: nothing to forecast")
    risk = model().fit(x, labels).predict_proba(new_x[hard])[:, 1]
    probed, both = np.isfinite(y).all(axis=1), np.full(len(new_x), np.nan)
    if (seen := hard & np.isfinite(new.gradients).all(axis=1)).any() and "with" in quality["gradients"]:
        fitted = model().fit(np.hstack([x, y])[probed], labels[probed])
        both[seen] = fitted.predict_proba(np.hstack([new_x, new.gradients])[seen])[:, 1]
    quality |= {"learned_from": str(source), "expected_at_risk": float(risk.sum())}
    return Forecast(target, np.array(new.names)[hard], risk, both[hard], quality)


def save(found: Forecast) -> None:
    """Write forecast.parquet and the summary's "forecast" into the run that was forecast."""
    risks = Risks.of(prompt_id=found.names, risk=found.risk, risk_with_gradients=found.with_gradients)
    risks.write(found.of)
    update_summary(found.of, "forecast", found.quality)


def _check_enough(run: RunDir, labels: np.ndarray) -> None:
    if min(labels.sum(), (~labels).sum()) < FEWEST:
        raise UserError(
            f"{run} has {labels.sum()} hard prompts that were not learned and {(~labels).sum()} that were; a forecast "
            f"needs at least {FEWEST} of each"
        )


def model(c: float = 1.0):
    """Missing values to the median, with nothing that says so; standardised; logistic regression with penalty 1/c."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(fill, StandardScaler(), LogisticRegression(C=c, max_iter=1000))


@dataclass(frozen=True)
class Unseen:
    """Risks by models that did not see the prompt, (prompts,), mean over REPEATS ways to fold. places: (not at risk, at
    risk), each prompt's mean share of the other kind that it is on the right side of, within its own fold."""

    risk: np.ndarray
    places: tuple[np.ndarray, np.ndarray]


def out_of_fold(x: np.ndarray, labels: np.ndarray, c: float = 1.0) -> Unseen:
    """x: (prompts, features), c: of `model`.

    Prompts are compared within a fold only: who of a feature's value is held out lowers what the others' model says of
    that value, so that compared between folds even noise would improve on equal values.
    """
    from sklearn.model_selection import StratifiedKFold

    risk, places = np.zeros(len(labels)), np.zeros(len(labels))
    for seed in range(REPEATS):
        for rest, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, labels):
            found, mine = model(c).fit(x[rest], labels[rest]).predict_proba(x[held])[:, 1], labels[held]
            risk[held] += found / REPEATS
            of_low, of_high = placements(found[~mine], found[mine])
            places[held[~mine]] += of_low / REPEATS
            places[held[mine]] += of_high / REPEATS
    return Unseen(risk, (places[~labels], places[labels]))


def unseen_area(unseen: Unseen) -> Area:
    """The area under these risks, with the interval of a model that is learned from other such prompts."""
    return area(*unseen.places, z=WIDER * Z)


def unseen_gain(first: Unseen, second: Unseen) -> AreaDifference:
    """By how much the area of the first's risks is larger, with an interval as that of `unseen_area`."""
    return area_difference(first.places, second.places, z=WIDER * Z)


def cross_validated(x: np.ndarray, labels: np.ndarray) -> tuple[Unseen, dict]:
    """`out_of_fold`, and how good these risks are."""
    from sklearn.metrics import brier_score_loss

    unseen, bins = out_of_fold(x, labels), []
    risk = unseen.risk
    for chosen in np.array_split(np.argsort(risk, kind="stable"), min(5, len(risk))):
        bins.append(
            {"prompts": len(chosen), "forecast": float(risk[chosen].mean()), "happened": float(labels[chosen].mean())}
        )
    error = sum(b["prompts"] * abs(b["forecast"] - b["happened"]) for b in bins) / len(risk)
    found = unseen_area(unseen)
    return unseen, {
        "prompts": len(risk),
        "at_risk": int(labels.sum()),
        "auc": found["auc"],
        "auc_interval": [found["low"], found["high"]],
        "brier": float(brier_score_loss(labels, risk)),
        "brier_of_the_share_alone": float(labels.mean() * (1 - labels.mean())),
        "calibration_error": float(error),
        "calibration": bins,
    }


def baselines(x: np.ndarray, labels: np.ndarray, forecast: Unseen, answers: bool) -> list[dict]:
    """Simpler forecasts, cross-validated the same way: auc, and by how much the forecast's is larger (`gain`)."""
    columns = {"initial pass rate": [0], "log odds of it with response length": [1, 3]}
    if answers:
        columns["answer entropy"] = [6]
    rows = []
    for name, chosen in columns.items():
        simple = out_of_fold(x[:, chosen], labels)
        rows.append({"name": name, **unseen_area(simple), "gain": unseen_gain(forecast, simple)})
    return rows


def compare_gradients(x: np.ndarray, y: np.ndarray, labels: np.ndarray, why: str) -> tuple[dict, np.ndarray]:
    """What gradients add to the forecast, on the prompts that have one; and these prompts' risks, nan for the others.

    `why`: why they are not used, or "".
    """
    probed, risk = np.isfinite(y).all(axis=1), np.full(len(labels), np.nan)
    fewest = min(labels[probed].sum(), (~labels[probed]).sum())
    if why or fewest < FEWEST:
        return {"why_not": why or f"fewer than {FEWEST} probed prompts were learned, or were not"}, risk
    both = out_of_fold(np.hstack([x, y])[probed], labels[probed])
    simple = out_of_fold(x[probed], labels[probed])
    risk[probed] = both.risk
    gain = unseen_gain(both, simple)
    areas = {"with": unseen_area(both), "without": unseen_area(simple)}
    return {"prompts": int(probed.sum()), **areas, "gain": gain, "add": gain["low"] > 0}, risk


def compare_hidden_state(
    x: np.ndarray, y: np.ndarray, states: np.ndarray, labels: np.ndarray, why: str
) -> dict[str, Any]:
    """A forecast from the hidden state alone, (prompts, hidden), on the prompts that have one: its area, and by how
    much that of the features (`gain`), and of features and gradients (`gradients_gain`), is larger.

    The penalty grows with the size of a state, so that before it is fitted a state says as much whatever its size.
    """
    there = np.isfinite(states).all(axis=1) & np.isfinite(y).all(axis=1) & (states.shape[1] > 0)
    fewest = min(labels[there].sum(), (~labels[there]).sum())
    if why or not there.any() or fewest < FEWEST:
        unkept = "" if there.any() else "the initial probe keeps none"
        return {"why_not": why or unkept or f"fewer than {FEWEST} prompts that have one were learned, or were not"}
    labels = labels[there]
    alone = out_of_fold(states[there], labels, PRIOR / states.shape[1])
    features, both = (out_of_fold(columns[there], labels) for columns in (x, np.hstack([x, y])))
    gains = {"gain": unseen_gain(features, alone), "gradients_gain": unseen_gain(both, alone)}
    return {**unseen_area(alone), **gains}


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
        *_beside(quality),
        "calibration, by fifths of the risk:",
    ]
    for row in quality["calibration"]:
        lines.append(f"  {row['prompts']:>6} prompts: forecast {row['forecast']:.2f}, happened {row['happened']:.2f}")
    for row in quality["skipping"]:
        lines.append(
            f"skipping the riskiest {row['share_of_hard_prompts']:.0%} ({counted(row['prompts'], 'prompt')}) saves "
            f"their rollouts and loses {counted(row['learnable_lost'], 'learnable prompt')} "
            f"({row['share_of_learnable_lost']:.0%} of those)"
        )
    return "\n".join(lines)


def _beside(quality: dict) -> list[str]:
    """Lines on the simpler forecasts, on the gradients, and on what is not compared."""
    lines = ["beside it, on the same prompts and cross-validated the same way:"]
    for row in quality["baselines"]:
        than = f"the forecast is {better(row['gain'])} than this alone ({_gain(row['gain'])})"
        lines.append(f"  {row['name']}: AUC {row['auc']:.3f}; {than}")
    found = quality["gradients"]
    if "with" not in found:
        lines.append(f"  gradients: not used, {found['why_not']}")
    else:
        word = "add to the forecast" if found["add"] else "add nothing to the forecast that these prompts show"
        lines.append(
            f"  gradients {word}: on the {found['prompts']} prompts that have one, AUC {found['with']['auc']:.3f} with "
            f"them and {found['without']['auc']:.3f} without ({_gain(found['gain'])})"
        )
    if "answer entropy" not in quality["features"]:
        lines.append("  answer entropy: left out, the evaluation saved no responses")
    state = quality["hidden_state"]
    if "why_not" in state:
        return [*lines, f"  hidden state of the prompt: not used, {state['why_not']}"]
    lines.append(
        f"  hidden state of the prompt: on the {sum(state['prompts'])} prompts that have one, AUC {state['auc']:.3f}; "
        f"the forecast is {better(state['gain'])} than this alone ({_gain(state['gain'])}), with gradients "
        f"{better(state['gradients_gain'])} than it ({_gain(state['gradients_gain'])})"
    )
    return lines


def better(gain: AreaDifference) -> str:
    """What the whole interval says of the first of two forecasts."""
    return "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "not shown to be better"


def _gain(gain: dict) -> str:
    return f"difference {gain['difference']:+.3f}, 95 % interval {gain['low']:+.3f} to {gain['high']:+.3f}"
