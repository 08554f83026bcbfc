"""`openrlhf-unlearn transfer`: what training on some prompts does to others, predicted by gradients, and checked.

    openrlhf-unlearn transfer RUN                        the map, from RUN's probe
    openrlhf-unlearn transfer RUN --verify 8             short trainings on 8 clusters: does the prediction hold?
    openrlhf-unlearn transfer RUN --clusters gradients   clusters found in the gradients, in place of datasources
    openrlhf-unlearn transfer RUN --for hard.json --from pool.jsonl --budget 200 --output chosen

Needs a probe (openrlhf-unlearn probe). Writes RUN/transfer/PROBE.parquet, a row for each pair of clusters, and
PROBE.json. --for: a JSON list of prompt ids that were probed, or RUN/learnability.parquet:GROUP. --from: rows with
prompt and response, as sft-set writes them; without it the run's other probed prompts. Writes chosen.jsonl, best first,
and as controls of equal size random.jsonl and nearest.jsonl.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.probe.rollouts import positive_rollouts, source
from openrlhf_unlearn.probe.store import load
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import SCHEMAS, RunDir, check_name, read_table, write_json, write_table
from openrlhf_unlearn.store.trust import add_remote_code
from openrlhf_unlearn.transfer.clusters import by_datasource, by_file, by_gradients
from openrlhf_unlearn.transfer.predict import Map, transfer_map
from openrlhf_unlearn.transfer.vectors import OBJECTIVES, Vectors, vectors
from openrlhf_unlearn.transfer.words import check_sentences, map_sentences

K = 8  # rollouts that train a prompt where run.json does not say (paper)
COLUMNS = ("value", "low", "high", "p")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory with a probe")
    add("--probe", help="name of the probe; default: initial if it is there, else the only one")
    add("--clusters", default="datasource", metavar="datasource|gradients|FILE.json", help="FILE: {prompt id: name}")
    add("--objective", choices=OBJECTIVES, default="likelihood", help="training on correct rollouts, or by GRPO")
    add("--verify", type=int, metavar="K", help="check by short trainings on the K largest clusters; 0: on all")
    add("--model", help="model of --verify and --from; default: the probe's")
    add("--steps", type=int, default=10, help="--verify: optimiser steps of each training")
    add("--batch", type=int, default=16, help="--verify: rollouts a step")
    add("--lr", type=float, default=1e-5, help="--verify: learning rate")
    add("--optimiser", choices=("adam", "sgd"), default="adam", help="--verify")
    add("--rollouts", type=int, default=4, help="--verify: correct rollouts of a prompt, at most")
    add("--for", dest="targets", metavar="IDS", help="choose data for these prompts: ids.json, or …parquet:GROUP")
    add("--from", dest="pool", metavar="POOL.jsonl", help="--for: rows to choose from, with prompt and response")
    add("--budget", type=int, default=100, help="--for: rows that are chosen")
    add("--output", type=Path, metavar="FOLDER", help="--for: where the three data sets go")
    add("--device", help="default: cuda where there is one, else cpu")
    add("--seed", type=int, default=0, help="of the halves, the trainings and the random control")
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    check(args)
    run_dir = RunDir.open(args.run)
    probe = args.probe or default_probe(run_dir)
    with hold(run_dir.transfer_table(probe), f"transfer --probe {probe}"):
        by_class, facts = load(run_dir.gradients(probe))
        if "correct" not in by_class:
            raise UserError(f"{run_dir.gradients(probe)} holds no gradients of correct rollouts; probe again")
        rates, lengths = of_rollouts(run_dir, facts["settings"])
        found = vectors(by_class, args.objective, rates, rollouts_that_train(run_dir))
        found, clusters = clustered(run_dir, found, by_class, args)
        if args.targets:
            return choose(run_dir, found, facts, args)
        names = [clusters.get(prompt, "") for prompt in found.ids]
        likelihood = transfer_map(found.train, found.feel, names)
        per_token = np.array([rates[prompt] * lengths[prompt] for prompt in found.ids], np.float32)
        pass_rate = transfer_map(found.train, found.feel * per_token[:, None], names)
        checked = None
        if args.verify is not None and likelihood.names:
            checked = short_trainings(run_dir, probe, found, clusters, facts, args)
        write(run_dir, probe, likelihood, pass_rate, checked, args, found)
    return 0


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for values that make no sense."""
    for name in ("steps", "batch", "rollouts", "budget"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name} must be at least 1")
    if args.lr <= 0 or (args.verify or 0) < 0:
        raise UsageError("--lr must be above 0, --verify at least 0")
    if args.pool and not args.targets:
        raise UsageError("--from is a pool to choose from: name with --for whom to choose for")
    if args.targets and not args.output:
        raise UsageError("--for needs --output, the folder for what is chosen")
    if args.probe:
        check_name(args.probe, "--probe")


def default_probe(run: RunDir) -> str:
    names = sorted(path.parent.name for path in run.path.glob("probes/*/probe.json"))
    if "initial" in names:
        return "initial"
    if len(names) == 1:
        return names[0]
    known = f"it has {', '.join(names)}" if names else "make one with openrlhf-unlearn probe"
    raise UserError(f"--probe: which probe of {run}? {known}")


def of_rollouts(run: RunDir, settings: dict) -> tuple[dict[str, float], dict[str, float]]:
    """By prompt id: the share of correct rollouts of the probe's evaluation, and the correct ones' mean length in
    tokens (1 where the table does not have it: pass rates are then per token, too)."""
    table = source(run, settings["tag"], settings["training_rollouts"])
    right, ids = positive_rollouts(table), np.array(table.column("prompt_id").to_pylist())
    length = table.column("n_tokens").to_pylist() if "n_tokens" in table.column_names else [1] * len(ids)
    length = np.array([n or 1 for n in length], float)
    order = {name: np.flatnonzero(ids == name) for name in np.unique(ids).tolist()}
    rates = {name: float(right[rows].mean()) for name, rows in order.items()}
    lengths = {
        name: float(length[rows][right[rows]].mean()) if right[rows].any() else 1.0 for name, rows in order.items()
    }
    return rates, lengths


def rollouts_that_train(run: RunDir) -> int:
    return ((run.config().get("args") or {}).get("rollout") or {}).get("n_samples_per_prompt") or K


def clustered(run: RunDir, found: Vectors, by_class: dict, args) -> tuple[Vectors, dict[str, str]]:
    """The vectors that the map is made of, and each prompt's cluster."""
    if args.clusters == "datasource":
        return found, by_datasource(run)
    if args.clusters != "gradients":
        return found, by_file(Path(args.clusters))
    if args.objective != "likelihood":
        raise UsageError("--clusters gradients goes with --objective likelihood only")
    names, unseen = by_gradients(by_class["correct"], args.seed)
    return Vectors(found.ids, unseen, unseen, False), dict(zip(found.ids, names, strict=True))


def short_trainings(run: RunDir, probe: str, found: Vectors, clusters: dict[str, str], facts: dict, args):
    """The check of --verify, by the probe's own model and rollouts of the prompts that it took."""
    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.probe.command import _vocabulary
    from openrlhf_unlearn.probe.rollouts import choose as choose_rollouts
    from openrlhf_unlearn.transfer.check import verify
    from openrlhf_unlearn.transfer.verify import Recipe

    settings = facts["settings"]
    model, name = load_probed(settings, args)
    table = source(run, settings["tag"], settings["training_rollouts"])
    every = (0, None, settings["max_rollouts"], settings["seed"], None)
    sample = choose_rollouts(run, table, load_tokenizer(name), _vocabulary(name), *every)
    rollouts = [r for r in sample.rollouts if r.id in set(found.ids)]
    prompts = read_table(run.prompts, ["prompt_id", "prompt"])
    texts = dict(zip(prompts.column(0).to_pylist(), prompts.column(1).to_pylist(), strict=True))
    recipe = Recipe(args.steps, args.batch, args.lr, args.optimiser, args.rollouts, settings["temperature"])
    parts = run.transfer_parts(probe)
    return verify(model, rollouts, texts, found, clusters, args.verify, recipe, args.seed, parts)


def load_probed(settings: dict, args):
    """The probe's model in float32, and where it is."""
    import torch

    from openrlhf_unlearn.probe.work import load_model

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    name = args.model or settings["model"]
    return load_model(name, "float32", device, args.trust_remote_code), name


def write(run: RunDir, probe: str, likelihood: Map, pass_rate: Map, checked, args, found: Vectors) -> None:
    """The table, PROBE.json, and in words what came out."""
    rows = rows_of(likelihood, pass_rate, checked)
    write_table(run.transfer_table(probe), pa.Table.from_pylist(rows, schema=SCHEMAS["transfer"]))
    said, result = map_sentences(likelihood), {}
    if checked:
        result = checked.summary()
        result["trained"] = checked.trained
        said += check_sentences(result["agreement"]["gradient"], result["advantage"], len(checked.trained))
    kept = ("clusters", "objective", "verify", "steps", "batch", "lr", "optimiser", "rollouts", "seed")
    settings = {name: getattr(args, name) for name in kept}
    write_json(
        run.transfer_json(probe),
        {"clusters": likelihood.names, "exact": found.exact, "sentences": said, **result, "settings": settings},
    )
    print("\n".join(said))
    print(run.transfer_table(probe))


def rows_of(likelihood: Map, pass_rate: Map, checked=None) -> list[dict]:
    """A row for each pair of clusters, as in SCHEMAS["transfer"]."""
    rows, told = [], likelihood.told
    for i, trained in enumerate(likelihood.names):
        for j, changed in enumerate(likelihood.names):
            row = {"trained": trained, "changed": changed, "told": bool(told[i, j])}
            row |= {"prompts_trained": int(likelihood.sizes[i]), "prompts_changed": int(likelihood.sizes[j])}
            row |= {name: _number(getattr(likelihood, name)[i, j]) for name in COLUMNS}
            row |= {"pass_rate": _number(pass_rate.value[i, j])}
            row |= {f"pass_rate_{end}": _number(getattr(pass_rate, end)[i, j]) for end in ("low", "high")}
            if checked and trained in checked.trained and changed in checked.names:
                a, b = checked.trained.index(trained), checked.names.index(changed)
                row |= {"predicted": _number(checked.predicted["gradient"][a, b])}
                ends = {"measured": "measured", "measured_low": "low", "measured_high": "high"}
                row |= {column: _number(getattr(checked, name)[a, b]) for column, name in ends.items()}
            rows.append(row)
    return rows


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# Choosing data ------------------------------------------------------------------------------------------------------


def choose(run: RunDir, found: Vectors, facts: dict, args) -> int:
    """Write chosen.jsonl, random.jsonl and nearest.jsonl into --output."""
    from openrlhf_unlearn.transfer.choose import choose_rows
    from openrlhf_unlearn.transfer.pool import gradients_of_pool, read_pool

    wanted = set(target_ids(args.targets))
    place = {name: i for i, name in enumerate(found.ids)}
    targets = [name for name in found.ids if name in wanted]
    if not targets:
        raise UserError(f"--for {args.targets}: none of its {len(wanted)} prompts has a gradient in the probe")
    prompts = {row["prompt_id"]: row for row in read_table(run.prompts).to_pylist()}
    if args.pool:
        rows, model = read_pool(Path(args.pool)), args.model or facts["settings"]["model"]
        pool = gradients_of_pool(rows, model, facts["settings"], args.device, args.trust_remote_code, found.exact)
        texts = [f"{row['prompt']}{row['response']}" for row in rows]
    else:
        others = [name for name in found.ids if name not in wanted]
        if not others:
            raise UserError("every probed prompt is a target: name a pool with --from, or probe more prompts")
        rows = [{key: prompts[name][key] for key in ("prompt", "label", "datasource")} for name in others]
        pool, texts = found.train[[place[name] for name in others]], [prompts[name]["prompt"] for name in others]
    feel = found.feel[[place[name] for name in targets]]
    made = choose_rows(pool, feel, texts, [prompts[name]["prompt"] for name in targets], args.budget, args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    for kind in ("chosen", "random", "nearest"):
        lines = [json.dumps({**rows[i], "score": made.score[i]}, ensure_ascii=False) for i in getattr(made, kind)]
        write_lines(args.output / f"{kind}.jsonl", lines)
    left = f"; only {len(made.chosen)} of {len(rows)} are predicted to help" if len(made.chosen) < args.budget else ""
    print(f"{args.output}/chosen.jsonl: {len(made.chosen)} rows for {len(targets)} prompts{left}")
    print("random.jsonl and nearest.jsonl beside it are controls of equal size")
    return 0


def target_ids(spec: str) -> list[str]:
    """Prompt ids from a JSON list, or those of a group: FILE.parquet:GROUP."""
    path, _, group = spec.rpartition(":")
    if path.endswith(".parquet"):
        return [row["prompt_id"] for row in read_table(Path(path)).to_pylist() if row["group"] == group]
    from openrlhf_unlearn.store.run_dir import read_json

    found = read_json(Path(spec))
    if not isinstance(found, list):
        raise UserError(f"--for {spec}: wanted a JSON list of prompt ids")
    return list(map(str, found))


def write_lines(path: Path, lines: list[str]) -> None:
    from openrlhf_unlearn.store.run_dir import atomic_path

    with atomic_path(path) as aside:
        aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
