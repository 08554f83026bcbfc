"""docs/real.md, every number of it read from the files of a run: `python examples/real_page.py FOLDER --output PAGE`.

FOLDER is that of examples/real.sh. What did not run is named as not run; figures are copied beside the page.
"""

import argparse
import json
import random
import shlex
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from progress import NUMBER, STEP
from scipy import stats

from openrlhf_unlearn.grading.data_check import rows_of
from openrlhf_unlearn.labels.counts import rates_by_prompt
from openrlhf_unlearn.labels.features import read_features
from openrlhf_unlearn.labels.forecast import AT_RISK, LABELS, better, model
from openrlhf_unlearn.stats.auc import auc
from openrlhf_unlearn.stats.means import Z, mean_interval, rate_interval
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import GROUPS, Causes, Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_object
from openrlhf_unlearn.store.training import Rewards
from openrlhf_unlearn.transfer.words import GRADIENT

FIGURES = {"reward_by_group": "Reward", "similarity": "Similarity of gradients", "transfer": "What teaches what"}
READ = 10  # prompts that are shown
ENOUGH = 8  # families from which intervals are taken over families
COMMAND = ("RUNS", "FAMILIES", "PROMPTS", "HELD_OUT", "EPISODES", "SAMPLES", "PROBED")  # settings that a user names
TAGS = ("initial", "halfway", "final")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    folder, page = args.folder, args.output
    runs = [RunDir(path) for path in sorted(folder.glob("run-*/run")) if (path / "learnability.parquet").exists()]
    if not (folder / "screen" / "run.json").exists():
        begin = shlex.join(["bash", "examples/real.sh", str(folder)])
        raise SystemExit(f"real_page.py: {folder} has no evaluation yet; begin with {begin}")
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


def settings_of(folder: Path) -> dict[str, str]:
    """What the script was called with; empty where it was not kept."""
    file = folder / "settings.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def family_of(run: RunDir) -> dict[str, str]:
    return {row.prompt_id: row.datasource for row in Prompts.read(run).rows()}


def by_family(values: dict[str, float], family: dict[str, str]) -> dict[str, np.ndarray]:
    """The values of the prompts of each family, families in order of their names."""
    found: dict[str, list[float]] = {name: [] for name in sorted({family[prompt] for prompt in values})}
    for prompt, value in values.items():
        found[family[prompt]].append(value)
    return {name: np.array(each) for name, each in found.items()}


def shown_rates(values: dict[str, float], family: dict[str, str]) -> dict[str, str]:
    """Mean rate of each family, with its interval over prompts."""
    return {name: shown(*rate_interval(each)) for name, each in by_family(values, family).items()}


def over_families(statistic, families: np.ndarray) -> list[float] | None:
    """95 % interval of `statistic` of a mask of prompts, by leaving out one family at a time; None for too few of them.

    families: (prompts,). Prompts of a family share what makes them hard, so they are no independent draws.
    """
    names = np.unique(families)
    if len(names) < ENOUGH:
        return None
    without = [statistic(families != name) for name in names]
    if None in without:
        return None
    n, whole = len(names), statistic(np.ones(len(families), bool))
    return mean_interval(np.array([n * whole - (n - 1) * each for each in without]))[1]


# Sections -------------------------------------------------------------------------------------------------------------


def what_ran(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    name = Path(read_json(folder / "source.json")["model"]).name
    lines = [
        "# A real language model",
        "",
        "What openrlhf-unlearn finds on a model that nobody built for it, from one command.",
        "This page is written by `examples/real_page.py`; every number is read from the run's files.",
        "",
    ]
    if not runs:
        return [*lines, f"Model: {name}. **No training has run to its end yet**: only the choice of tasks is shown."]
    report, args = read_object(runs[0].summary)["report"], runs[0].config().args
    a_step = f"{args['rollout']['batch_size']} prompts x {args['rollout']['n_samples_per_prompt']} rollouts a step"
    steps = ", ".join(str(len(run.steps())) for run in runs)
    evaluated = [f"{tag} ({e['samples'] / e['prompts']:.0f} samples)" for tag, e in report["evaluations"].items()]
    given = settings_of(folder)
    command = " ".join(f"{name}={shlex.quote(given[name])}" for name in COMMAND if name in given)
    flags = f" --model {given['MODEL']}" if given.get("MODEL", "smollm2") != "smollm2" else ""
    flags += f" {given['FLAGS']}" if given.get("FLAGS") else ""
    told = f"`{command} bash examples/real.sh{flags}`" if given else "The script's settings were not kept."
    penalty, filtered = args["algo"]["kl"]["init_coef"], args["unlearn"]["filter"]
    lines += [told, ""]
    lines += [
        f"Model: {name}. {report['prompts']} prompts, as completions of {given.get('SHOTS', 'some')} solved examples. "
        f"{len(runs)} training{'s' * (len(runs) > 1)} of {steps} steps, {a_step}, learning rate "
        f"{args['actor']['adam']['lr']:g}, {f'KL coefficient {penalty:g}' if penalty else 'no KL'}, "
        f"{'no filter' if filtered == 'none' else f'filter {filtered}'}. Evaluated: {', '.join(evaluated)}.",
        "",
        "The prompts that are evaluated below are those that were trained on"
        + (", but for those held out." if held_out(folder) else "; none was held out."),
    ]
    return lines if len(runs) > 2 else [*lines, "", f"**Only {len(runs)} of three trainings or more ran.**"]


def screened(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """pass@1 of every family that was tried, and which were taken."""
    run = RunDir(folder / "screen")
    found = by_family(rates_by_prompt(run, "initial"), family_of(run))
    kept = (folder / "families.txt").read_text(encoding="utf-8").split()
    rows = [
        [
            f"`{name}`",
            len(values),
            shown(*rate_interval(values)),
            f"{(values == 0).sum()}",
            "yes" if name in kept else "",
        ]
        for name, values in sorted(found.items(), key=lambda item: item[1].mean())
    ]
    samples = read_json(run.evaluation_json("initial"))["n"]
    text = f"A few prompts of each family, {samples} samples each; families are taken evenly over the range."
    return ["## Tasks", "", text, "", *table(["family", "prompts", "pass@1 (95 %)", "never solved", "taken"], rows)]


def groups(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """Each group's share of the hard, beside what luck alone would call learnable."""
    classify, rows = read_object(runs[0].summary)["classify"], []
    group, family = Learnability.groups(runs[0]), family_of(runs[0])
    hard = [name for name, kind in group.items() if kind not in ("easy", "ungradable")]
    kinds, of = np.array([group[name] for name in hard]), np.array([family[name] for name in hard])
    between = False
    for name in GROUPS:
        share = classify["hard"].get(name) or {}
        if count := classify["groups"].get(name):
            interval = over_families(lambda kept, name=name: float(np.mean(kinds[kept] == name)), of) if share else None
            between |= interval is not None
            shares = shown(share.get("share"), np.clip(interval, 0, 1) if interval else share.get("interval"))
            rows.append([name, count, shares, shown(share.get("expected_share"))])
    header = ["group", "prompts", "share of the hard (95 %)", "expected by the posteriors"]
    over = "families" if between else f"the prompts of these {len(set(family.values()))} families only"
    return ["## Who learned", "", *table(header, rows), "", f"Intervals are over {over}.", luck(classify)]


def luck(classify: dict) -> str:
    """From how many right answers on a prompt is learnable, and how many would be so without any learning."""
    tau, n = classify["tau"], classify["samples"]["final"]
    least = int(np.ceil(tau * n - 1e-9))
    guessed = float(stats.binom.sf(least - 1, n, 1 / 7)) ** len(classify["runs"])
    return (
        f"Learnable: {least} of {n} right after training, in every run. Had no pass rate changed, luck alone would "
        f"call {classify['learnable_by_chance']:.1f} of the {classify['hard']['n']} hard prompts so; one that is "
        f"guessed right once in seven, as a weekday, with probability {guessed:.2f}. True pass rates would change "
        f"about {classify['expected_label_errors']:.1f} labels."
    )


def held_out(folder: Path) -> RunDir | None:
    run = RunDir(folder / "held-out")
    return run if run.evaluation("initial").exists() else None


def mean_of(rates: list[dict[str, float]]) -> dict[str, float]:
    """Over evaluations of the same prompts."""
    return {name: float(np.mean([each[name] for each in rates])) for name in (rates[0] if rates else ())}


def families(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    family, group = family_of(runs[0]), Learnability.groups(runs[0])
    before, after = rates_by_prompt(runs[0], "initial"), mean_of([rates_by_prompt(run, "final") for run in runs])
    parts = [{name: rates[name] for name in group} for rates in (before, after)]
    apart = held_out(folder)
    if apart:
        tags = [f"final-{number}" for number in range(len(runs)) if apart.evaluation(f"final-{number}").exists()]
        unseen = rates_by_prompt(apart, "initial"), mean_of([rates_by_prompt(apart, tag) for tag in tags])
    columns = [shown_rates(each, family) for each in parts]
    columns += [shown_rates(each, family_of(apart)) for each in unseen] if apart else []
    rows = []
    for name in columns[0]:
        kinds = Counter(kind for prompt, kind in group.items() if family[prompt] == name)
        rates = [column.get(name, "—") for column in columns]
        rows.append([f"`{name}`", kinds.total(), *rates, *(kinds[kind] for kind in GROUPS[:5])])
    header = [
        "family",
        "prompts",
        "pass@1 before",
        "after",
        *(["held out, before", "held out, after"] if apart else []),
        *GROUPS[:5],
    ]
    lines = ["## Which families", "", "Means over prompts, 95 % intervals over them.", "", *table(header, rows)]
    return lines + by_heart(changes(before, after, family), changes(*unseen, family_of(apart))) if apart else lines


def changes(before: dict[str, float], after: dict[str, float], family: dict[str, str]) -> dict[str, float]:
    """By family, the mean over its prompts of the change of pass@1."""
    change = {name: after[name] - before[name] for name in before.keys() & after.keys()}
    return {name: float(each.mean()) for name, each in by_family(change, family).items()}


def by_heart(trained: dict[str, float], unseen: dict[str, float]) -> list[str]:
    """How much of what the trained prompts gained those gained that were held out; nothing from few families."""
    both = sorted(trained.keys() & unseen.keys())
    if len(both) < ENOUGH:
        return []
    mine, theirs = (np.array([each[name] for name in both]) for each in (trained, unseen))
    gains = [shown(*mean_interval(values)) for values in (mine, theirs, mine - theirs)]
    text = f"pass@1 of the prompts that were trained on changed by {gains[0]}, of those held out by {gains[1]}"
    _, apart = mean_interval(mine - theirs)
    if apart and apart[0] > 0:
        text += f": {gains[2]} of it is of the prompts themselves, learned by heart"
    return ["", f"{text}. Intervals are over the {len(both)} families."]


def curves(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    rows = []
    for number, run in enumerate(runs):
        steps = Rewards.read(run)
        sampled = steps.filter(~steps.processed)
        by_step = [sampled.mean_reward[sampled.step == step].mean() for step in np.unique(sampled.step)]
        thirds = [shown(float(np.mean(part)) if len(part) else None) for part in np.array_split(by_step, 3)]
        passed = [
            shown(float(np.mean(list(rates_by_prompt(run, tag).values())))) if run.evaluation(tag).exists() else "—"
            for tag in TAGS
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
        medians = [group["median_rollouts"] for group in found["groups"].values()]
        if max(medians) >= 2 * min(medians):
            text = f"from {min(medians):.0f} to {max(medians):.0f} rollouts a prompt, and noise lowers a cosine"
            lines += [f"The groups' plain cosines are not to be compared: they are of {text}."]
        for kind, entry in found["separation"].items():
            if isinstance(entry, dict):
                text = shown(entry["auc"], (entry["low"], entry["high"]))
                lines += [f"AUC of learnable against unlearnable by {kind} cosine: {text}."]
            else:
                lines += [f"At {e['rollouts']} rollouts each: {shown(e['auc'], (e['low'], e['high']))}." for e in entry]
        if not any(found["separation"].values()):
            lines += ["Fewer than ten prompts of one of both groups: no AUC of learnable against unlearnable."]
        if full := found.get("against_full"):
            inside = (full.get("within") or {}).get("all")
            within = f"within groups {correlated(inside)}" if inside else "too few a group to say within them"
            text = f"LoRA against all parameters, mean cosines of {full['prompts']} prompts: "
            lines += ["", f"{text}r = {correlated(full)}, {within}. Intervals are over prompts."]
    return lines + figure(runs[0], "similarity", page)


def correlated(found: dict) -> str:
    """r with Fisher's interval over its prompts."""
    r, n = found["correlation"], found["prompts"]
    if r is None or n < 4 or abs(r) >= 1:
        return shown(r)
    ends = np.tanh(np.arctanh(r) + np.array([-1, 1]) * Z / np.sqrt(n - 3))
    return shown(r, tuple(map(float, ends)))


def forecast(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    found = read_object(runs[0].summary).get("forecast")
    if not found:
        return ["## Forecast", "", "No forecast: it needs ten hard prompts that were learned and ten that were not."]
    rows = [["forecast", shown(found["auc"], found["auc_interval"])]]
    rows += [[each["name"], shown(each["auc"], (each["low"], each["high"]))] for each in found["baselines"]]
    lines = ["## Forecast", "", f"Of {found['prompts']} hard prompts, {found['at_risk']} were not learned.", ""]
    lines += table(["by what is known before training", "AUC (95 %)"], rows)
    best = max(found["baselines"], key=lambda each: each["auc"])
    gain = shown(best["gain"]["difference"], (best["gain"]["low"], best["gain"]["high"]))
    lines += ["", f"The forecast is {better(best['gain'])} than {best['name']} alone, the best of these: {gain}."]
    lines += [f"Intervals are over the prompts of these {len(set(family_of(runs[0]).values()))} families only."]
    lines += other_families(runs[0])
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


def other_families(run: RunDir) -> list[str]:
    """The forecast's area where each family is forecast by the others."""
    given, group, family = read_features(run, "initial"), Learnability.groups(run), family_of(run)
    known = np.array([group.get(name) in LABELS for name in given.names])
    names = np.array(given.names)[known]
    x, labels = given.table(given.answers)[known], np.array([group[name] in AT_RISK for name in names])
    of, risk = np.array([family[name] for name in names]), np.full(len(names), np.nan)
    for held in np.unique(of):
        rest = of != held
        if len(set(labels[rest])) == 2:
            risk[~rest] = model().fit(x[rest], labels[rest]).predict_proba(x[~rest])[:, 1]

    def of_these(kept: np.ndarray) -> float | None:
        return auc(risk[kept & ~labels], risk[kept & labels])

    interval = over_families(of_these, of)
    found = shown(of_these(np.ones(len(of), bool)), np.clip(interval, 0, 1) if interval else None)
    sure = "an interval over families" if interval else "too few families for an interval"
    return [f"Each family forecast by the others alone: AUC {found}; {sure}."]


def transfer(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    path = runs[0].transfer_json("initial")
    if not path.exists():
        return ["## What teaches what", "", "`openrlhf-unlearn transfer` was not run."]
    found = read_json(path)
    lines = ["## What teaches what", "", *found["sentences"]]
    if "agreement" in found:
        rows = [
            [name, *(shown(e[key]["value"], (e[key]["low"], e[key]["high"])) for key in ("all", "between"))]
            for name, e in found["agreement"].items()
        ]
        lines += ["", *table(["prediction of the measured change", "r (95 %)", "between families (95 %)"], rows)]
        lines += as_good(found["agreement"])
    return lines + figure(runs[0], "transfer", page)


def as_good(agreement: dict) -> list[str]:
    """A sentence on the controls that agree with what was measured at least as well as the gradients do."""
    value = {name: each["all"]["value"] for name, each in agreement.items() if each["all"]["value"] is not None}
    rest = [name for name in value if name != GRADIENT and value[name] >= value.get(GRADIENT, np.inf)]
    return ["", f"A control was as good as the gradients' inner product, or better: {', '.join(rest)}."] if rest else []


def prompts(folder: Path, runs: list[RunDir], page: Path) -> list[str]:
    """READ prompts drawn at random among the hard, with a sampled answer before and after."""
    found, rows = Learnability.read(runs[0]).by_prompt(), Prompts.read(runs[0]).by_prompt()
    before, after = rates_by_prompt(runs[0], "initial"), rates_by_prompt(runs[0], "final")
    hard = sorted(name for name, row in found.items() if row.group not in ("easy", "ungradable"))
    causes = said_causes(runs[0])
    answers = {tag: answers_of(runs[0], tag) for tag in ("initial", "final")}
    lines = []
    for name in random.Random(0).sample(hard, min(READ, len(hard))):
        question, label = rows[name].prompt.split("\n")[-1], json.loads(rows[name].label)["answer"]
        said = [" / ".join(f"`{text}`" for text in answers[tag].get(name, [])[:3]) for tag in answers]
        line = [
            f"`{question}`",
            f"`{label}`",
            found[name].group,
            shown(found[name].label_confidence),
            *said,
            shown(before[name]),
            shown(after[name]),
        ]
        lines.append(line + ([causes.get(name, "—")] if causes else []))
    header = ["question", "right", "group", "P(group)", "said before", "after", "pass@1 before", "after"] + [
        "diagnosis"
    ] * bool(causes)
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
    for row in Evaluations.read(run, tag, Evaluations.prompt_id, Evaluations.response).rows():
        text = row.response.strip().split("\n")[0].replace("|", "\\|").replace("`", "'")
        found.setdefault(row.prompt_id, []).append(text or " ")
    return found


def said_causes(run: RunDir) -> dict[str, str]:
    """By prompt id the cause that `diagnose` found; empty where it was not run."""
    if not run.causes.exists():
        return {}
    return {row.prompt_id: row.cause for row in Causes.read(run, Causes.prompt_id, Causes.cause).rows()}


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
        sampled, a_group = rate["sampling"], runs[0].config().args["rollout"]["n_samples_per_prompt"]
        worked = {"sampling": [r * read_tokens(s, a_group) for r, s in zip(sampled, steps, strict=True)]}
        for name, operations in (("sampling", 2), ("training", 6)):
            found, work = float(np.median(rate[name])), float(np.median(worked.get(name, rate[name])))
            rows.append(
                [f"{name}, median of {len(steps)} steps", f"{found:.0f}", shown(operations * size * work / 1e9)]
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
    note = f"{can}({machine['threads']} threads, measured as the script began). Sampled tokens are those of responses; "
    note += "GFLOP/s of sampling are of these and of each prompt once."
    return ["## Speed", "", note, "", *table(header, rows), *stages(folder)]


def read_tokens(step: dict[str, float], a_group: int) -> float:
    """Tokens that the engine computes for each sampled one: a prompt is read once for its `a_group` rollouts."""
    return 1 + (step["total_length"] - step["response_length"]) / a_group / step["response_length"]


def stages(folder: Path) -> list[str]:
    """Wall time and most memory of each stage; what was stopped and went on is one stage."""
    file = folder / "stages.jsonl"
    if not file.exists():
        return []
    found: dict[str, list[float]] = {}
    for line in (row for _, row in rows_of(file)):
        stage = found.setdefault(line["stage"], [0.0, 0.0])
        stage[:] = stage[0] + line["seconds"], max(stage[1], line["peak_gb"])
    rows = [[name, f"{seconds / 60:.1f}", f"{peak:.1f}"] for name, (seconds, peak) in found.items()]
    rows.append(["all", f"{sum(s for s, _ in found.values()) / 60:.1f}", f"{max(p for _, p in found.values()):.1f}"])
    return ["", *table(["stage", "minutes", "most memory, GB"], rows)]


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
