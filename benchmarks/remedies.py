"""What the remedies do on the built-in world: rollouts of the posterior sampler, and who is solved without hints.

    python benchmarks/remedies.py FOLDER [--seeds 0 1 2] [--arms posterior hinted …] [--episodes 6] [--samples 64]
    python benchmarks/remedies.py FOLDER --plain                  without Ray, vLLM and DeepSpeed: minutes a training

For each seed: `dynamic` and --repeats times the same with another run seed (what seeds differ in), then each arm, by
the scripts of examples/ with the filter of `dynamic`. `posterior` trains for half of the episodes, hence half of the
rollouts, `posterior_2_3` for two thirds, `posterior_all` for all. `openrlhf-unlearn compare` sets each arm against
`dynamic`. Stopped half-way, the same command goes on. A training takes about 10 minutes on two idle cores, an
evaluation 2. With --plain filters, samplers and hints are the same ones, and the trainer is plain PyTorch
(plain_stack.py); of the arms it has those of PLAIN.

Of `posterior`, and of its other shares under `shares`: `ratio`: rollouts over those of `dynamic`, the mean over seeds;
`same`: whether the mean pass@1 over all prompts is not below that of `dynamic`, by the paired interval over the prompts
of all seeds; `lost`: learnable prompts lost, and by the repeated runs. The table: solved without hints, all seeds;
`apart`: of how many seeds `compare` finds more, and fewer, than repeated runs give. `raised`: mean final pass@1 less
that of the repeated runs, by group, mean over seeds, with an interval by how repeated runs differ.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.report.interventions import final_rate
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.stats.means import mean_interval, wilson
from openrlhf_unlearn.store.run_dir import RunDir, write_jsonl

ROOT = Path(__file__).parents[1]
BAR = 0.5
REPEATS = ("repeat", "repeat_2", "repeat_3", "repeat_4", "repeat_5")
# script, share of the episodes, flags; hints and traces are of the prompts that `dynamic` did not learn
ARMS = {
    "dynamic": ("baseline", 1.0, "--unlearn.filter dynamic"),
    **dict.fromkeys(REPEATS, ("baseline", 1.0, "--unlearn.filter dynamic")),
    "posterior": ("posterior", 0.5, ""),
    "posterior_2_3": ("posterior", 2 / 3, ""),
    "posterior_all": ("posterior", 1.0, ""),
    "hinted": ("hinted", 1.0, ""),
    "hinted_one": ("hinted", 1.0, "--unlearn.hint_trains one"),
    "expert": ("expert", 1.0, ""),
    "maxrl": ("maxrl", 1.0, "--unlearn.filter dynamic"),
    "review": ("review", 1.0, "--unlearn.filter review --unlearn.review_instead --unlearn.review_every 1"),
    "review_late": ("review", 1.0, "--unlearn.filter review --unlearn.review_instead --unlearn.review_every 10"),
}

PLAIN: dict[str, dict] = {
    **dict.fromkeys(("dynamic", *REPEATS), {}),
    **dict.fromkeys(("posterior", "posterior_2_3", "posterior_all"), {"sampler": "posterior"}),
    "hinted": {"filter": "hinted"},
    "hinted_one": {"filter": "hinted", "hint_trains": "one"},
    "expert": {"filter": "oversample_replay"},
    "review": {"filter": "review", "review_every": 1, "instead": True},
    "review_late": {"filter": "review", "review_every": 10, "instead": True},
}


def train_plain(folder: Path, seed: int, arm: str, args: argparse.Namespace) -> RunDir:
    """The same without the host."""
    from benchmarks.plain_stack import run_arm
    from benchmarks.plain_training import problems_of
    from openrlhf_unlearn import cli

    here, share, given = folder / f"seed-{seed}", ARMS[arm][1], dict(PLAIN[arm])
    run, world = RunDir(here / arm / "run"), here / "world"
    if run.learnability.exists():
        return run
    shutil.rmtree(run.path, ignore_errors=True)
    assert cli.main(["microworld", str(world), "--seed", str(seed)]) == 0
    problems = problems_of(world, 0.0, False)
    if arm.startswith("hinted"):
        given["hints"] = hints_of(here, world)
    elif arm == "expert":
        given["traces"] = {row["prompt_id"]: row["response"] for row in solutions(world, here / "dynamic" / "run")}
    episodes = max(1, round(share * args.episodes))
    run_arm(world, run, problems, run_seed(seed, arm, args), episodes, args.samples, **given)
    assert cli.main(["classify", str(run.path)]) == 0
    return run


def run_seed(seed: int, arm: str, args: argparse.Namespace) -> int:
    return args.run_seed + seed + 100 * (REPEATS.index(arm) + 1 if arm in REPEATS else 0)


def solutions(world: Path, run: Path | None = None) -> list[dict]:
    """By examples/world_solutions.py: of all prompts, or of those that the run did not learn."""
    words = [sys.executable, ROOT / "examples" / "world_solutions.py", world, *(["--run", run] if run else [])]
    done = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def hints_of(here: Path, world: Path) -> dict[str, tuple[str, ...]]:
    """Hinted prompts of those that `dynamic` did not learn, by `openrlhf-unlearn hints`, least first."""
    from openrlhf_unlearn import cli

    made = here / "hints"
    if not (made / "schedule.json").exists():
        write_jsonl(here / "solutions.jsonl", solutions(world))
        flags = ["--output", made, "--solutions", here / "solutions.jsonl", "--frame", "{question}{hint}"]
        assert cli.main(["hints", str(here / "dynamic" / "run"), *map(str, flags)]) == 0
    found: dict[str, list] = {}
    for share in (25, 50, 75):
        for line in (made / f"hint_{share}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["hint"]:
                found.setdefault(row["origin"], []).append((row["hint"], row["prompt"]))
    return {name: tuple(text for _, text in sorted(hints)) for name, hints in found.items()}


def train(folder: Path, seed: int, arm: str, args: argparse.Namespace) -> RunDir:
    """The arm's run, trained and evaluated unless it is there."""
    if args.plain:
        return train_plain(folder, seed, arm, args)
    script, share, flags = ARMS[arm]
    here = folder / f"seed-{seed}"
    run = RunDir(here / arm / "run")
    if not run.evaluation("final").exists() or not run.learnability.exists():
        environment = {
            **os.environ,
            "SEED": str(seed),
            "RUN_SEED": str(run_seed(seed, arm, args)),
            "EPISODES": str(max(1, round(share * args.episodes))),
            "SAMPLES": str(args.samples),
            "WORLD": str(here / "world"),
            "BEFORE": str(here / "dynamic"),
        }
        words = ["bash", ROOT / "examples" / f"{script}.sh", "world", here / arm, *flags.split()]
        subprocess.run(list(map(str, words)), env=environment, check=True, stdout=sys.stderr)
    return run


def compared(before: RunDir, after: RunDir, repeats: list[RunDir]) -> dict:
    words = [sys.executable, "-m", "openrlhf_unlearn.cli", "compare", before.path, after.path, "--repeat"]
    words += [run.path for run in repeats]
    done = subprocess.run([*map(str, words), "--format", "json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def rates_of(runs: list[RunDir]) -> tuple[np.ndarray, np.ndarray]:
    """(groups of the first run, (prompts,); final pass@1 of each run, (runs, prompts))."""
    material = Material(runs[:1], compared=runs)
    return material.groups, np.array([final_rate(single) for single in material.interventions])


def raised(arm: str, rates: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, dict]:
    """Group → difference and its interval; printed. rates: one a seed, of `dynamic`, the arm and the repeated runs.

    The interval is Student's, by how the repeated runs of each seed differ, pooled; none where each has one alone.
    """
    found = {}
    for group in ("no_reward", "unlearnable", "learnable"):
        means = np.array([rate[1:, groups == group].mean(axis=1) for groups, rate in rates])
        arm_s, repeats = means[:, 0], means[:, 1:]
        difference, (seeds, n), half = float((arm_s - repeats.mean(axis=1)).mean()), repeats.shape, np.nan
        if n > 1:
            error = np.sqrt(repeats.var(axis=1, ddof=1).mean() * (1 + 1 / n) / seeds)
            half = float(stats.t.ppf(0.975, seeds * (n - 1)) * error)
        found[group] = {"difference": difference, "interval": [difference - half, difference + half] if n > 1 else None}
        between = f"{difference - half:+.3f} to {difference + half:+.3f}"
        print(f"{arm:<14}{group:<13} mean pass@1 less the repeated: {difference:+.3f} ({between})")
    return found


def show(found: dict[str, list[dict]]) -> dict[str, dict]:
    """Print arm x group: solved without hints of all seeds' prompts, its interval, and what the repeated runs solve."""
    table = {}
    print(f"{'arm':<14}{'group':<13}{'prompts':>8}{'solved':>8}   {'share':<22}{'by luck':>8}{'repeat':>8}   apart")
    for arm, comparisons in found.items():
        for group in ("no_reward", "unlearnable", "learnable"):
            rows = [row for one in comparisons for row in one["solved"] if row["group"] == group]
            n, solved = (sum(row[name] for row in rows) for name in ("prompts", "solved"))
            if not n:
                continue
            luck = sum(row["by_luck"] or 0 for row in rows)
            low, high = wilson(solved / n, n)
            repeat = sum(row["repeat"] or 0 for row in rows)
            between = [row["difference_interval"] for row in rows if row["difference_interval"]]
            apart = [sum(one[0] > 0 for one in between), sum(one[1] < 0 for one in between)]
            table[f"{arm}/{group}"] = {"prompts": n, "solved": solved, "interval": [low, high], "repeat": repeat}
            table[f"{arm}/{group}"]["apart"] = apart
            share = f"{solved / n:.3f} ({low:.3f} to {high:.3f})"
            null = f"{luck:>8.1f}{repeat:>8.1f}   {apart[0]} more, {apart[1]} fewer"
            print(f"{arm:<14}{group:<13}{n:>8}{solved:>8}   {share:<22}{null}")
    return table


def cost(comparisons: list[dict], gaps: list[np.ndarray]) -> dict:
    """What an arm spent of the rollouts of `dynamic`, and lost for it; comparisons, gaps: one a seed."""
    spent = [[row["rollouts"] for row in one["spent"]] for one in comparisons]
    mean, interval = mean_interval(np.concatenate(gaps))
    lost = [row for one in comparisons for row in one["solved"] if row["group"] == "learnable"]
    return {
        "ratio": round(float(np.mean([after / before for before, after, *_ in spent])), 3),
        "same": interval is None or interval[1] >= 0,
        "difference": mean,
        "difference_interval": interval,
        "lost": {name: sum(row["prompts"] - row[name] for row in lost) for name in ("solved", "repeat")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where trainings go, and are found again")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arms = list(ARMS)[1 + len(REPEATS) :]
    parser.add_argument("--arms", nargs="+", choices=arms, default=["posterior", "hinted", "hinted_one"])
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--repeats", type=int, choices=range(1, len(REPEATS) + 1), default=1)
    parser.add_argument("--run-seed", type=int, default=0, help="added to every training's seed; another folder each")
    parser.add_argument("--plain", action="store_true", help="plain PyTorch in place of the host's stack")
    args = parser.parse_args()

    found: dict[str, list[dict]] = {arm: [] for arm in args.arms}
    rates: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {arm: [] for arm in args.arms}
    for seed in args.seeds:
        dynamic, *repeats = (train(args.folder, seed, arm, args) for arm in ("dynamic", *REPEATS[: args.repeats]))
        for arm in args.arms:
            run = train(args.folder, seed, arm, args)
            found[arm].append(compared(dynamic, run, repeats))
            rates[arm].append(rates_of([dynamic, run, *repeats]))
    result = {"benchmark": "remedies", "bar": BAR, "better": "lower", "seeds": args.seeds, "table": show(found)}
    result["raised"] = {arm: raised(arm, rates[arm]) for arm in args.arms}
    gaps = {arm: [rate[1] - rate[0] for _, rate in rates[arm]] for arm in args.arms}
    shares = {arm: cost(found[arm], gaps[arm]) for arm in args.arms if arm.startswith("posterior")}
    result |= shares.pop("posterior", {}) | {"shares": shares}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
