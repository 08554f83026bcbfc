"""docs/real.md, every number of it read from the files of a run: `python examples/real_page.py FOLDER --output PAGE`.

FOLDER is that of examples/real.sh. What did not run is named as not run; figures are copied beside the page.
"""

import argparse
import json
import random
import shutil
from pathlib import Path

import numpy as np
from progress import NUMBER, STEP

from openrlhf_unlearn.stats.means import rate_interval
from openrlhf_unlearn.store.run_dir import GROUPS, RunDir, read_json, read_object, read_table
from openrlhf_unlearn.store.training import Rewards

FIGURES = {"reward_by_group": "Reward", "similarity": "Similarity of gradients", "transfer": "What teaches what"}
READ = 10  # prompts that are shown
TAGS = ("initial", "halfway", "final")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    folder, page = args.folder, args.output
    runs = [RunDir(path) for path in sorted(folder.glob("run-*/run")) if (path / "learnability.parquet").exists()]
    if not (folder / "screen" / "run.json").exists():
        raise SystemExit(f"real_page.py: {folder} has no evaluation yet; begin with bash examples/real.sh {folder}")
    sections = (what_ran, screened, groups, families, curves, gradients, forecast, transfer, prompts, speed)
    sections = sections if runs else (what_ran, screened)
    text = "\n\n".join("\n".join(section(folder, runs, page)) for section in sections)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text + "\n", encoding="utf-8")
    print(page)


# Words and tables -----------------------------------------------------------------------------------------------------


def shown(value: float | None, interval=None, digits: int = 2) -> str:
    """`0.31 (0.22 to 0.41)`; a dash where there is none."""
    if value is None:
        return "—"
    text = f"{value:.{digits}f}"
    if interval is not None and None not in interval:
        text += f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"
    return text.replace("-", "−")


def table(header: list[str], rows: list[list]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def figure(run: RunDir, name: str, page: Path) -> list[str]:
    """The report's figure copied beside the page, and the line that shows it; nothing where it was not drawn."""
    source, target = run.path / "report" / f"{name}.svg", page.with_suffix("") / f"{name}.svg"
    if not source.exists():
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return ["", f"![{FIGURES[name]}]({target.relative_to(page.parent)})"]


def rates(run: RunDir, tag: str) -> dict[str, float]:
    """By prompt id, the share of correct answers."""
    found: dict[str, list] = {}
    for row in read_table(run.evaluation(tag), ["prompt_id", "reward"]).to_pylist():
        found.setdefault(row["prompt_id"], []).append(row["reward"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def label_of(run: RunDir) -> dict[str, str]:
    return {row["prompt_id"]: row["group"] for row in read_table(run.learnability).to_pylist()}


# Sections -------------------------------------------------------------------------------------------------------------


def what_ran(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    model = Path(read_json(folder / "source.json")["model"]).name
    lines = [
        "# A real language model",
        "",
        "What openrlhf-unlearn finds on a model that nobody built for it, from one command.",
        "This page is written by `examples/real_page.py`; every number is read from the run's files.",
        "",
    ]
    if not runs:
        return [*lines, f"Model: {model}. **No training has run to its end yet**: only the choice of tasks is shown."]
    report, args = read_object(runs[0].summary)["report"], runs[0].config().args
    a_step = f"{args['rollout']['batch_size']} prompts x {args['rollout']['n_samples_per_prompt']} rollouts a step"
    steps = ", ".join(str(len(run.steps())) for run in runs)
    evaluated = [f"{tag} ({e['samples'] / e['prompts']:.0f} samples)" for tag, e in report["evaluations"].items()]
    families = len((folder / "families.txt").read_text(encoding="utf-8").split())
    settings = (
        f"RUNS={len(runs)} FAMILIES={families} PROMPTS={report['prompts']} EPISODES={args['train']['num_episodes']}"
    )
    lines += [f"`{settings} bash examples/real.sh`, of which samples and probed prompts are named below.", ""]
    lines += [
        f"Model: {model}. {report['prompts']} prompts, as completions of three solved examples. "
        f"{len(runs)} training{'s' * (len(runs) > 1)} of {steps} steps, {a_step}, learning rate "
        f"{args['actor']['adam']['lr']:g}, no KL, no filter. Evaluated: {', '.join(evaluated)}."
    ]
    return lines if len(runs) > 2 else [*lines, "", f"**Only {len(runs)} of the script's three trainings ran.**"]


def screened(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """pass@1 of every family that was tried, and which were taken."""
    run = RunDir(folder / "screen")
    rate, kept = rates(run, "initial"), (folder / "families.txt").read_text(encoding="utf-8").split()
    family = {row["prompt_id"]: row["datasource"] for row in read_table(run.prompts).to_pylist()}
    by_family = {name: np.array([rate[p] for p in rate if family[p] == name]) for name in sorted(set(family.values()))}
    rows = [
        [
            f"`{name}`",
            len(values),
            shown(*rate_interval(values)),
            f"{(values == 0).sum()}",
            "yes" if name in kept else "",
        ]
        for name, values in sorted(by_family.items(), key=lambda item: item[1].mean())
    ]
    samples = read_json(run.evaluation_json("initial"))["n"]
    text = f"A few prompts of each family, {samples} samples each; families are taken evenly over the range."
    return ["## Tasks", "", text, "", *table(["family", "prompts", "pass@1 (95 %)", "never solved", "taken"], rows)]


def groups(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    classify = read_object(runs[0].summary)["classify"]
    rows, hard = [], classify["hard"]
    for name in GROUPS:
        share = hard.get(name) or {}
        if count := classify["groups"].get(name):
            rows.append([name, count, shown(share.get("share"), share.get("interval"))])
    return ["## Who learned", "", *table(["group", "prompts", "share of the hard (95 %)"], rows)]


def families(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    prompts = read_table(runs[0].prompts).to_pylist()
    before, group = rates(runs[0], "initial"), label_of(runs[0])
    after = [rates(run, "final") for run in runs]
    rows = []
    for family in sorted({row["datasource"] for row in prompts}):
        mine = [row["prompt_id"] for row in prompts if row["datasource"] == family and row["prompt_id"] in group]
        counts = [sum(group[name] == kind for name in mine) for kind in GROUPS[:5]]
        first = shown(*rate_interval(np.array([before[name] for name in mine])))
        last = shown(*rate_interval(np.array([np.mean([each[name] for each in after]) for name in mine])))
        rows.append([f"`{family}`", len(mine), first, last, *counts])
    header = ["family", "prompts", "pass@1 before", "after", *GROUPS[:5]]
    return ["## Which families", "", "Means over prompts, 95 % intervals over them.", "", *table(header, rows)]


def curves(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    rows = []
    for number, run in enumerate(runs):
        steps = Rewards.read(run).arrow.to_pylist()
        sampled = [row for row in steps if not row["processed"]]
        by_step = [
            np.mean([r["mean_reward"] for r in sampled if r["step"] == s]) for s in sorted({r["step"] for r in sampled})
        ]
        thirds = [shown(float(np.mean(part))) for part in np.array_split(by_step, 3)]
        passed = [
            shown(float(np.mean(list(rates(run, t).values())))) if run.evaluation(t).exists() else "—" for t in TAGS
        ]
        rows.append([number, *thirds, *passed])
    header = ["run", "reward, first third", "second", "last", *(f"pass@1 {tag}" for tag in TAGS)]
    return ["## Reward while training", "", *table(header, rows), *figure(runs[0], "reward_by_group", page)]


def gradients(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    lines = ["## Gradients"]
    for tag in ("initial", "final"):
        if not runs[0].probe_json(tag).exists():
            lines += ["", f"The probe of the {tag} model was not run."]
            continue
        found = read_json(runs[0].probe_json(tag))
        rows = []
        for name, group in found["groups"].items():
            pooled = found["group_to_all"].get(name) or dict.fromkeys(("plain", "corrected", "low", "high"))
            corrected = shown(pooled["corrected"], (pooled["low"], pooled["high"]))
            count = f"{group['enough_rollouts']} of {group['prompts']}"
            rows.append([name, count, f"{group['median_rollouts']:.0f}", shown(pooled["plain"]), corrected])
        header = ["group", "enough rollouts alone", "median rollouts", "plain cosine to all", "corrected (95 %)"]
        lines += ["", f"Before training ({found['subspace']}):" if tag == "initial" else "After training:", ""]
        lines += [*table(header, rows), "", f"Easy > learnable > unlearnable: {found['order']}."]
        for kind, entry in found["separation"].items():
            if isinstance(entry, dict):
                text = shown(entry["auc"], (entry["low"], entry["high"]))
                lines += [f"AUC of learnable against unlearnable by {kind} cosine: {text}."]
            else:
                lines += [f"At {e['rollouts']} rollouts each: {shown(e['auc'], (e['low'], e['high']))}." for e in entry]
        if not found["separation"]:
            lines += ["Fewer than ten prompts of one of both groups: no AUC of learnable against unlearnable."]
        if full := found.get("against_full"):
            inside = (full.get("within") or {}).get("all")
            within = f"within groups {shown(inside['correlation'])}" if inside else "too few a group to say within them"
            text = f"LoRA against all parameters, mean cosines of {full['prompts']} prompts: "
            lines += ["", f"{text}r = {shown(full['correlation'])}, {within}."]
    return lines + figure(runs[0], "similarity", page)


def forecast(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    found = read_object(runs[0].summary).get("forecast")
    if not found:
        return ["## Forecast", "", "No forecast: it needs ten hard prompts that were learned and ten that were not."]
    rows = [["forecast", shown(found["auc"], found["auc_interval"])]]
    rows += [[each["name"], shown(each["auc"], (each["low"], each["high"]))] for each in found["baselines"]]
    lines = ["## Forecast", "", f"Of {found['prompts']} hard prompts, {found['at_risk']} were not learned.", ""]
    lines += table(["by what is known before training", "AUC (95 %)"], rows)
    added = found.get("gradients") or {}
    if "why_not" in added:
        lines += ["", f"Nothing is said of gradients: {added['why_not']}."]
    elif added:
        both = [shown(added[key]["auc"], (added[key]["low"], added[key]["high"])) for key in ("with", "without")]
        gain = shown(added["gain"]["difference"], (added["gain"]["low"], added["gain"]["high"]))
        text = (
            f"Of the {added['prompts']} with a gradient: AUC {both[0]} with it, {both[1]} without, difference {gain}."
        )
        lines += ["", text]
    return lines


def transfer(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    path = runs[0].transfer_json("initial")
    if not path.exists():
        return ["## What teaches what", "", "`openrlhf-unlearn transfer` was not run."]
    found = read_json(path)
    lines = ["## What teaches what", "", *found["sentences"]]
    if "agreement" in found:
        rows = [
            [name, shown(e["all"]["value"], (e["all"]["low"], e["all"]["high"])), shown(e["between"]["value"])]
            for name, e in found["agreement"].items()
        ]
        lines += ["", *table(["prediction of the measured change", "r (95 %)", "between families"], rows)]
    return lines + figure(runs[0], "transfer", page)


def prompts(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """READ prompts drawn at random among the hard, with a sampled answer before and after."""
    group, rows = label_of(runs[0]), {row["prompt_id"]: row for row in read_table(runs[0].prompts).to_pylist()}
    before, after = rates(runs[0], "initial"), rates(runs[0], "final")
    hard = sorted(name for name, kind in group.items() if kind not in ("easy", "ungradable"))
    causes = said_causes(runs[0])
    answers = {tag: answers_of(runs[0], tag) for tag in ("initial", "final")}
    lines = []
    for name in random.Random(0).sample(hard, min(READ, len(hard))):
        question, label = rows[name]["prompt"].split("\n")[-1], json.loads(rows[name]["label"])["answer"]
        said = [" / ".join(f"`{text}`" for text in answers[tag].get(name, [])[:3]) for tag in answers]
        line = [f"`{question}`", f"`{label}`", group[name], *said, shown(before[name]), shown(after[name])]
        lines.append(line + ([causes.get(name, "—")] if causes else []))
    header = ["question", "right", "group", "said before", "after", "pass@1 before", "after"] + ["diagnosis"] * bool(
        causes
    )
    wrong = sum(cause == "wrong_label" for cause in causes.values())
    text = f"The labels are the task's own, and right: of the {len(causes)} prompts that were diagnosed"
    closing = f"{text}, a wrong one is found on {wrong} all the same." if causes else "`diagnose` was not run."
    return [
        "## Ten prompts",
        "",
        "Drawn at random among the hard, each with three of its answers.",
        "",
        *table(header, lines),
        "",
        closing,
    ]


def answers_of(run: RunDir, tag: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_table(run.evaluation(tag), ["prompt_id", "response"]).to_pylist():
        text = row["response"].strip().split("\n")[0].replace("|", "\\|").replace("`", "'")
        found.setdefault(row["prompt_id"], []).append(text or " ")
    return found


def said_causes(run: RunDir) -> dict[str, str]:
    """By prompt id the cause that `diagnose` found; empty where it was not run."""
    if not run.causes.exists():
        return {}
    return {row["prompt_id"]: row["cause"] for row in read_table(run.causes, ["prompt_id", "cause"]).to_pylist()}


def speed(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """Tokens a second beside what the machine multiplies: a token costs 2 operations a parameter forward, 4 back."""
    machine, size = read_json(folder / "machine.json"), read_json(folder / "source.json")["parameters"]
    rows, peak = [], machine["gigaflops"]
    steps = logged_steps(folder / "run-0" / "train.log")
    if steps:
        rate = {
            "sampling": [s["rollout/num_samples"] * s["response_length"] / s["timing/generation"] for s in steps],
            "training": [s["rollout/num_samples"] * s["total_length"] / s["timing/ppo_train"] for s in steps],
        }
        for name, operations in (("sampling", 2), ("training", 6)):
            found = float(np.median(rate[name]))
            rows.append(
                [f"{name}, median of {len(steps)} steps", f"{found:.0f}", shown(operations * size * found / 1e9)]
            )
        rows.append(["a whole step, seconds", f"{np.median([s['timing/step_total'] for s in steps]):.0f}", ""])
    if runs[0].probe_json("initial").exists():
        probe = read_json(runs[0].probe_json("initial"))
        found = probe["tokens"] / probe["seconds"]
        rows.append(["probe, float32", f"{found:.0f}", shown(4 * size * found / 1e9)])
    header = ["work", "tokens a second", "GFLOP/s of it"]
    can = (
        "As the machine stood, with whatever else it had to do. "
        f"It multiplies {peak['bfloat16']} GFLOP/s in bfloat16 and {peak['float32']} in float32 "
    )
    note = f"{can}({machine['threads']} threads, measured as the script began). Sampled tokens are those of responses."
    return ["## Speed", "", note, "", *table(header, rows)]


def logged_steps(log: Path) -> list[dict[str, float]]:
    """The host's own numbers of every step that train.log has."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [
        {name: float(value) for name, value in NUMBER.findall(found[2])}
        for line in lines
        if (found := STEP.search(line))
    ]


if __name__ == "__main__":
    main()
