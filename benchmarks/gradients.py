"""What the gradients reach on the built-in world, against the planted truth and beside what is seen without them.

    python benchmarks/gradients.py FOLDER [FOLDER ...]      folders of examples/quickstart.sh, each with world/ and run/

Nothing of the training is used but the initial evaluation: the labels are the planted ones. For each world a probe of
all prompts is made in FOLDER/planted; printed, as tables for the documentation, are each group's mean cosine to all
others, the AUC of learnable against unlearnable prompts of everything that could tell them, and who is called an
outlier, by planted cause. The last line is one JSON object: its ratio is the lowest AUC at equal numbers of rollouts.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn import cli
from openrlhf_unlearn.labels.features import read_features
from openrlhf_unlearn.labels.forecast import out_of_fold
from openrlhf_unlearn.stats.auc import area, area_difference, auc_with_interval
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from openrlhf_unlearn.worlds.task import CAUSES, GROUPS

BAR = 0.5  # a coin
SCORES = {"initial pass rate": 0, "its log odds": 1, "answer entropy": 6}
FITTED = {"log odds with response length, fitted": [1, 3], "all of these, fitted": [0, 1, 2, 3, 4, 5, 6]}


def planted(folder: Path) -> RunDir:
    """A run directory of the initial evaluation alone, whose labels are the planted ones, probed whole."""
    run, given = RunDir(folder / "planted"), RunDir.open(folder / "run")
    if not run.probe_json("initial").exists():
        shutil.rmtree(run.path, ignore_errors=True)
        run.evaluation("initial").parent.mkdir(parents=True)
        for source in (given.run_json, given.prompts, given.evaluation("initial"), given.evaluation_json("initial")):
            shutil.copy(source, run.path / source.relative_to(given.path))
        shutil.copy(folder / "world" / "truth.parquet", run.learnability)
        model = folder / "world" / "model"
        if cli.main(["probe", "--run", str(run), "--model", str(model), "--tag", "initial", "--prompts", "0"]):
            sys.exit(1)
    return run


def shown(found: dict | None) -> str:
    return "-" if found is None else f"{found['auc']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def text_cosines(run: RunDir, names: list[str]) -> np.ndarray:
    """What texts tell where gradients are not looked at: which character of a prompt and its correct responses stands
    where, mean over the responses, less the mean of all prompts; its mean cosine to all others, nan without any."""
    prompt_of = {row["prompt_id"]: row["prompt"] for row in read_table(run.prompts).to_pylist()}
    seen: dict[str, Counter] = {name: Counter() for name in names}
    for row in read_table(run.evaluation("initial"), ["prompt_id", "response", "verdict"]).to_pylist():
        if row["verdict"] == "correct":
            seen[row["prompt_id"]].update(enumerate(prompt_of[row["prompt_id"]] + row["response"]))
    known = np.array([bool(seen[name]) for name in names])
    x = DictVectorizer(sparse=False).fit_transform([{str(k): n for k, n in seen[name].items()} for name in names])[
        known
    ]
    x = x / x.sum(1, keepdims=True)
    x -= x.mean(0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = np.full(len(names), np.nan)
    found[known] = (x @ x.sum(0) - 1) / (len(x) - 1)
    return found


def areas(run: RunDir, truth: dict[str, dict]) -> dict[str, str]:
    """AUC of learnable (the higher) against unlearnable by each score, then of fitted ones, with its 95 % interval."""
    given = read_features(run, "initial")
    group = np.array([truth[name]["group"] for name in given.names])
    judged = np.isin(group, ("learnable", "unlearnable"))
    learnable, x = (group == "learnable")[judged], given.table(True)[judged]
    found = {name: shown(auc_with_interval(x[~learnable, i], x[learnable, i])) for name, i in SCORES.items()}
    for name, columns in FITTED.items():
        found[name] = shown(area(*out_of_fold(x[:, columns], learnable).places))
    texts = text_cosines(run, given.names)[judged]
    found["mean cosine of texts"] = shown(auc_with_interval(texts[~learnable], texts[learnable]))
    about = read_json(run.probe_json("initial"))["separation"]
    found |= {f"mean cosine, {kind}": shown(about.get(kind)) for kind in ("plain", "corrected")}
    found |= {f"mean cosine, plain, {row['rollouts']} rollouts each": shown(row) for row in about["equal"]}
    probed = np.isfinite(given.gradients[judged]).all(axis=1)
    both = out_of_fold(np.hstack([x, given.gradients[judged]])[probed], learnable[probed]).places
    gain = area_difference(both, out_of_fold(x[probed], learnable[probed]).places)
    found["all of these with the gradients, fitted"] = shown(area(*both))
    found["what the gradients add"] = f"{gain['difference']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
    return found


def cosines(run: RunDir) -> dict[str, str]:
    """Each group's mean cosine to all others: plain, and corrected and pooled with its interval."""
    about, found = read_json(run.probe_json("initial")), {}
    for group in (name for name in GROUPS if name in about["groups"]):
        plain, pooled = about["groups"][group], about["group_to_all"].get(group) or {}
        corrected = "too few rollouts or prompts to say"
        if pooled.get("corrected") is not None:
            corrected = f"{pooled['corrected']:.3f} ({pooled['low']:.3f} to {pooled['high']:.3f})"
        found[group] = f"{plain['plain']:.3f}; {corrected}"
    return found


def called(run: RunDir, truth: dict[str, dict]) -> dict[str, str]:
    """By planted cause, how many hard prompts are called gradient outliers, of how many tested."""
    tested, odd = Counter(), Counter()
    for row in read_table(run.probe_table("similarity", "initial"), ["prompt_id", "outlier"]).to_pylist():
        tested[truth[row["prompt_id"]]["cause"]] += row["outlier"] is not None
        odd[truth[row["prompt_id"]]["cause"]] += bool(row["outlier"])
    return {cause: f"{odd[cause]} of {tested[cause]}" for cause in CAUSES if tested[cause]}


def table(title: str, worlds: list[str], columns: list[dict[str, str]]) -> None:
    names = list(dict.fromkeys(name for column in columns for name in column))
    print(f"\n| {title} | {' | '.join(worlds)} |\n| --- |{' --- |' * len(worlds)}")
    for name in names:
        print(f"| {name} | {' | '.join(column.get(name, '-') for column in columns)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    folders = parser.parse_args().folders
    runs = [planted(folder) for folder in folders]
    truths = [
        {row["prompt_id"]: row for row in read_table(folder / "world" / "truth.parquet").to_pylist()}
        for folder in folders
    ]
    worlds = [f"seed {read_json(folder / 'world' / 'world.json')['seed']}" for folder in folders]
    table("mean cosine to all others: plain; corrected", worlds, [cosines(run) for run in runs])
    pairs = list(zip(runs, truths, strict=True))
    table("AUC, learnable against unlearnable", worlds, [areas(*pair) for pair in pairs])
    table("called outliers, of those tested", worlds, [called(*pair) for pair in pairs])
    equal = [row["auc"] for run in runs for row in read_json(run.probe_json("initial"))["separation"]["equal"]]
    least = round(min(equal), 3) if equal else None
    print(json.dumps({"benchmark": "gradients", "worlds": worlds, "ratio": least, "bar": BAR, "better": "higher"}))


if __name__ == "__main__":
    main()
