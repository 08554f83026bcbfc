"""The transfer map: seconds and memory at 10,000 prompts; on worlds and runs, predicted against measured change.

    python benchmarks/transfer.py                            10,000 prompts x 4,096 numbers, generated
    python benchmarks/transfer.py --worlds w0 w1 w2 …        built-in worlds (openrlhf-unlearn microworld w0 --seed 0)
    python benchmarks/transfer.py --grpo w0 w1 w2 …          the same with GRPO on each letter, change of the pass rate
    python benchmarks/transfer.py --choose w0 w1 w2 …        after --grpo: the chosen data set against its two controls
    python benchmarks/transfer.py --runs RUN …               runs with a probe: whom the training taught

The last line is one JSON object. Without worlds or runs its ratio is the process's own seconds, of all its threads,
over the bar of 60 s; peak_gigabytes has a bar of 4. Else it is the smallest r of prediction and short trainings, with a
bar of 0.8; the lines before have each world's, the baselines', and by how much the gradient is ahead, with intervals.

A world's clusters are its letters. 32 answers to each prompt are sampled; a letter trains on the correct ones of half
of its prompts, STEPS steps at the learning rate of the world's own training; the other halves are measured. `taught`
are the letters that are predicted to teach their own other prompts, `planted` those that can be learned.

--grpo trains by GRPO without Ray or vLLM (plain_training.py), GRPO_STEPS steps on half of a letter's prompts, each once
a step, and reads the runs by `openrlhf-unlearn transfer --trained`. They stay in WORLD/grpo; stopped, it goes on.

--choose takes as targets all prompts that are hard and were once solved, and as pool one sampled correct response to
each other prompt of the world that has one (rejection sampling). `transfer --for` chooses BUDGET rows; the model is
fine-tuned on them, and on as many of both controls, FINE_TUNED steps, with SEEDS seeds. The figures are the change of
pass@1 of the targets, and by how much the choice is ahead of each control, paired by world, with
intervals over worlds.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from anywhere, without an installation

SECONDS, GIGABYTES, R = 60.0, 4.0, 0.8
SAMPLES, STEPS, LR = 32, 20, 3e-5
GRPO_STEPS, GRADED = 30, 64  # GRADED: answers to each prompt before and after
BUDGET, FINE_TUNED, FINE_TUNED_LR, SEEDS = 64, 40, 1e-4, 3


def scale(prompts: int, dim: int, kinds: int, units: int = 4) -> dict:
    """Seconds and peak memory of reading the sketches from a file as the verb does, and of both its maps."""
    from openrlhf_unlearn.probe.gradient_summary import Gradients
    from openrlhf_unlearn.probe.store import Rows
    from openrlhf_unlearn.transfer.predict import transfer_map
    from openrlhf_unlearn.transfer.vectors import means

    rng = np.random.default_rng(0)
    centres = rng.standard_normal((kinds, dim), dtype=np.float32)
    with tempfile.NamedTemporaryFile() as file:
        for i in range(prompts):  # written row by row: the file is larger than what the map may use
            (centres[i % kinds] + 3 * rng.standard_normal((units, dim), dtype=np.float32)).tofile(file)
        file.flush()
        shape = [prompts, units, dim]
        sketches = Rows(file.name, 0, {"dtype": "F32", "shape": shape, "data_offsets": [0, prompts * units * dim * 4]})
        counts = np.ones((prompts, units), np.int32)
        empty = np.zeros((prompts, units))
        gradients = Gradients([str(i) for i in range(prompts)], sketches, counts, empty, empty, sketches, counts.sum(1))
        clusters = [f"kind {i % kinds}" for i in range(prompts)]
        started, cpu = time.perf_counter(), time.process_time()
        vectors = means(gradients, exact=False)
        found = transfer_map(vectors, vectors, clusters)
        transfer_map(vectors, vectors, clusters, rng.random(prompts, dtype=np.float32))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    own = float(np.diag(found.told).mean())
    return {
        "ratio": round(cpu / SECONDS, 3), "bar": 1.0, "better": "lower", "prompts": prompts, "dim": dim,
        "clusters": kinds, "cpu_seconds": round(cpu, 1), "seconds": round(seconds, 1), "peak_gigabytes": round(peak, 2),
        "peak_gigabytes_bar": GIGABYTES, "own_entries_told": own,
    }  # fmt: skip


def rollouts_of_world(folder: Path) -> tuple[list, dict[str, str], dict[str, str]]:
    """The prompts with a correct rollout among SAMPLES sampled ones, and these; letters and texts by prompt id."""
    from types import SimpleNamespace

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from openrlhf_unlearn.probe import Rollouts
    from openrlhf_unlearn.store.run_dir import prompt_id
    from openrlhf_unlearn.worlds.model import sample_answers
    from openrlhf_unlearn.worlds.task import is_correct

    problems = [SimpleNamespace(**json.loads(line)) for line in (folder / "train.jsonl").read_text().splitlines()]
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    tokens = lambda text: tokenizer(text=text, add_special_tokens=False)["input_ids"]  # noqa: E731
    rollouts, letters, texts = [], {}, {}
    for problem, answers in zip(problems, sample_answers(model, tokenizer, problems, SAMPLES, 0), strict=True):
        if right := [answer for answer in answers if is_correct(answer, problem.label)]:
            name = prompt_id(problem.prompt, problem.label)
            rollouts.append(Rollouts(name, tokens(problem.prompt), {"correct": list(map(tokens, right))}))
            letters[name], texts[name] = problem.prompt[0], problem.prompt
    return rollouts, letters, texts


def checked_world(folder: Path, rollouts: list, letters: dict[str, str], texts: dict[str, str]):
    """(the map, the `Check` by short trainings, into how many units rollouts are dealt)."""
    from transformers import AutoModelForCausalLM

    from openrlhf_unlearn.probe import lora, prompt_gradients
    from openrlhf_unlearn.transfer.check import verify
    from openrlhf_unlearn.transfer.predict import transfer_map
    from openrlhf_unlearn.transfer.vectors import to_check
    from openrlhf_unlearn.transfer.verify import Recipe, held_out

    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    found = prompt_gradients(model, rollouts, lora(model))["correct"]
    likelihood = transfer_map(found.mean, found.mean, [letters[name] for name in found.ids])
    model.set_attn_implementation("sdpa")
    held = [held_out(prompt, found.counts.shape[1]) for prompt in rollouts]
    with tempfile.TemporaryDirectory() as parts:
        recipe = Recipe(steps=STEPS, lr=LR)
        checked = verify(model, held, texts, to_check(found), letters, 0, recipe, 0, Path(parts))
    return likelihood, checked, found.counts.shape[1]


def of_world(folder: Path) -> dict:
    """r of prediction and short trainings in one world, of the baselines, and which letters teach themselves."""
    from openrlhf_unlearn.store.run_dir import read_json

    likelihood, checked, _ = checked_world(folder, *rollouts_of_world(folder))
    own = zip(likelihood.names, np.diag(likelihood.told), np.diag(likelihood.value), strict=True)
    causes = read_json(folder / "world.json")["letters"]
    return {
        "of": str(folder),
        **agreed(checked.summary()),
        "taught": "".join(name for name, told, value in own if told and value > 0),
        "planted": "".join(sorted(name for name in causes if causes[name] in ("known", "learnable"))),
    }


def grpo_of_world(folder: Path) -> dict:
    """r of prediction and the change of the pass rate that GRPO on each letter makes on the other prompts."""
    import plain_training as plain

    from openrlhf_unlearn import cli
    from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, read_json, write_json
    from openrlhf_unlearn.transfer.verify import split

    problems, base = plain.problems_of(folder, 0.0, False), RunDir(folder / "grpo" / "base")
    by_id = {prompt_id(problem.prompt, problem.label): problem for problem in problems}
    letters, clusters = {name: problem.letter for name, problem in by_id.items()}, folder / "grpo" / "letters.json"
    model = str(folder / "model")
    if not base.gradients("initial").exists():
        plain.start(base, problems)
        write_json(clusters, letters)
        plain.evaluate(base, plain.Policy(folder / "model", 0), problems, "initial", GRADED)
        flags = ["--model", model, "--run", str(base), "--tag", "initial", "--prompts", "0", "--dtype", "float32"]
        assert cli.main(["probe", *flags]) == 0
    train, measured = split(letters, 0)
    others = [by_id[name] for names in measured.values() for name in names]
    runs = [RunDir(folder / "grpo" / letter) for letter in train]
    for i, (run, names) in enumerate(zip(runs, train.values(), strict=True), start=1):
        if run.evaluation("final").exists():
            continue
        shutil.rmtree(run.path, ignore_errors=True)
        plain.start(run, problems)
        policy = plain.Policy(folder / "model", i)
        if i == 1:  # once: all runs start from the same model
            plain.evaluate(run, policy, others, "initial", GRADED)
        plain.train(run, policy, [by_id[name] for name in names], i, GRPO_STEPS, len(names))
        plain.evaluate(run, policy, others, "final", GRADED)
    words = ["transfer", str(base.path), "--clusters", str(clusters), "--trained", *(str(run.path) for run in runs)]
    assert cli.main(words) == 0
    found = read_json(base.transfer_json("initial"))
    return {"of": str(folder), **agreed(found["by_runs"]), "sentences": found["sentences"]}


def chosen_of_world(folder: Path) -> dict[str, np.ndarray]:
    """By data set, (targets,) the change of pass@1 that fine-tuning on it makes, mean over seeds."""
    import plain_training as plain

    from openrlhf_unlearn import cli
    from openrlhf_unlearn.store.evaluations import Evaluations
    from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, write_json, write_jsonl
    from openrlhf_unlearn.transfer.dataset import KINDS
    from openrlhf_unlearn.worlds.model import pass_rates, sample_answers
    from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, is_correct

    base, problems = RunDir(folder / "grpo" / "base"), plain.problems_of(folder, 0.0, False)
    evaluation = Evaluations.read(base, "initial")
    hits, ids = evaluation.hits(), np.array(evaluation.prompt_id)
    names = [prompt_id(problem.prompt, problem.label) for problem in problems]
    before = np.array([hits[ids == name].mean() for name in names])
    hard = (before > 0) & (before < 0.1)
    targets = [problem for problem, chosen in zip(problems, hard, strict=True) if chosen]
    place = folder / "choose"
    if not (place / "data").exists():
        shutil.rmtree(place, ignore_errors=True)
        policy = plain.Policy(folder / "model", 0)
        about = json.loads((folder / "world.json").read_text())
        others = draw_prompts(SETTINGS[about["setting"]], about["seed"])[1]
        sampled = sample_answers(policy.model, policy.tokenizer, others, SAMPLES, 1)
        right = [[a for a in answers if is_correct(a, p.label)][:1] for p, answers in zip(others, sampled, strict=True)]
        place.mkdir()
        pool = [{"prompt": p.prompt, "response": a} for p, found in zip(others, right, strict=True) for a in found]
        write_jsonl(place / "pool.jsonl", pool)
        write_json(place / "targets.json", [name for name, chosen in zip(names, hard, strict=True) if chosen])
        flags = ["--for", str(place / "targets.json"), "--from", str(place / "pool.jsonl"), "--budget", str(BUDGET)]
        assert cli.main(["transfer", str(base.path), *flags, "--output", str(place / "data")]) == 0
    changes = {}
    for kind in KINDS:
        rows = [json.loads(line) for line in (place / "data" / f"{kind}.jsonl").read_text().splitlines()]
        after = []
        for seed in range(SEEDS):
            policy = plain.Policy(folder / "model", seed)
            plain.fine_tune(policy, [(row["prompt"], row["response"]) for row in rows], FINE_TUNED, FINE_TUNED_LR, seed)
            after.append(pass_rates(policy.model, policy.tokenizer, targets, GRADED, 2 + seed))
        changes[kind] = np.mean(after, 0) - before[hard]
    return changes


def choices(folders: list[Path]) -> dict:
    """The change of the targets' pass@1 by data set, and how far the choice is ahead of each control, with intervals
    over worlds (all prompts of one share their trainings)."""
    from openrlhf_unlearn.stats.means import mean_interval

    each = []
    for folder in folders:
        changes = chosen_of_world(folder)
        each.append({kind: float(values.mean()) for kind, values in changes.items()})
        print(json.dumps({"of": str(folder), "targets": len(changes["chosen"]), **each[-1]}), flush=True)
    change = {kind: mean_interval(np.array([found[kind] for found in each])) for kind in each[0]}
    ahead = {
        kind: mean_interval(np.array([found["chosen"] - found[kind] for found in each]))
        for kind in ("random", "nearest")
    }
    return {"ratio": ahead["nearest"][0], "bar": 0.0, "better": "higher", "change": change, "ahead_of": ahead}


def of_run(run: str, flags: list[str]) -> dict:
    """What `openrlhf-unlearn transfer RUN` with these flags finds: short trainings, and the run itself."""
    from openrlhf_unlearn.store.run_dir import RunDir, read_json
    from openrlhf_unlearn.transfer.inputs import default_probe

    subprocess.run([sys.executable, "-m", "openrlhf_unlearn.cli", "transfer", run, *flags], check=True)
    result = read_json(RunDir(run).transfer_json(default_probe(RunDir(run))))
    return {"of": run, "in_the_run": result.get("in_the_run"), **(agreed(result) if "agreement" in result else {})}


def agreed(checked: dict) -> dict:
    """r by predictor, over all pairs and between different clusters; by how much the gradient is ahead of each."""
    return {
        "r": {name: rounded(entry["all"]) for name, entry in checked["agreement"].items()},
        "between": {name: rounded(entry["between"]) for name, entry in checked["agreement"].items()},
        "ahead": {name: rounded(entry) for name, entry in checked["advantage"].items()},
    }


def rounded(entry: dict) -> list[float | None]:
    return [value if value is None else round(value, 3) for value in entry.values()]


def measured(each: Iterable[dict], predictor: str = "gradient") -> dict:
    """Every world or run on its own line as it is done; the smallest r of them, or rank correlation in the run; by how
    much r is ahead of each baseline's, with intervals over worlds."""
    from openrlhf_unlearn.stats.means import mean_interval

    mine, ahead = [], defaultdict(list)
    for found in each:
        print(json.dumps(found), flush=True)
        own = found.get("in_the_run") or {"predicted": [None]}  # None: too few prompts or clusters
        mine.append(found["r"][predictor][0] if "r" in found else own["predicted"][0])
        for name, entry in found.get("ahead", {}).items():
            ahead[name].append(entry[0])
    over = {name: mean_interval(np.array(values, float)) for name, values in ahead.items()}
    least = min((r for r in mine if r is not None), default=None)
    return {"ratio": least, "bar": R, "better": "higher", "r": mine, "ahead_over_worlds": over}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    add = parser.add_argument
    add("--prompts", type=int, default=10_000)
    add("--dim", type=int, default=4096)
    add("--kinds", type=int, default=24, help="clusters of the generated prompts")
    add("--worlds", nargs="+", type=Path, help="folders of openrlhf-unlearn microworld")
    add("--grpo", nargs="+", type=Path, help="the same")
    add("--choose", nargs="+", type=Path, help="the same, after --grpo")
    add("--runs", nargs="+", help="run directories with a probe; other flags go to openrlhf-unlearn transfer")
    args, flags = parser.parse_known_args()
    if args.worlds:
        result = measured(of_world(folder) for folder in args.worlds)
    elif args.grpo:
        result = measured((grpo_of_world(folder) for folder in args.grpo), "direction of the gradient")
    elif args.choose:
        result = choices(args.choose)
    elif args.runs:
        result = measured(of_run(run, flags) for run in args.runs)
    else:
        result = scale(args.prompts, args.dim, args.kinds)
    print(json.dumps({"benchmark": "transfer", **result}))


if __name__ == "__main__":
    main()
