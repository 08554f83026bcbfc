"""`transfer --for`: the chosen data set and its two controls, as files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openrlhf_unlearn.collect.selection import read_ids
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.gradient_summary import pick
from openrlhf_unlearn.probe.rollouts import source
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_object, write_jsonl
from openrlhf_unlearn.transfer.choose import Choice, choose_rows
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.vectors import Vectors
from openrlhf_unlearn.transfer.words import GRADIENT

KINDS = ("chosen", "random", "nearest")


@dataclass(frozen=True)
class Chosen:
    """The folder with chosen.jsonl and its controls; rows of each, rows to choose from, and prompts chosen for. said:
    what else is to be known of them, in words."""

    output: Path
    rows: int
    pool: int
    targets: int
    said: list[str]


def choose(
    run: RunDir, probe: str, found: Vectors, facts: dict, options: TransferOptions, scale: np.ndarray | None
) -> Chosen:
    """Write chosen.jsonl, random.jsonl and nearest.jsonl into `output`. scale: of `found`'s numbers."""
    assert options.targets and options.output  # the options ask for both
    wanted, output = read_ids(options.targets), options.output
    if there := [f"{kind}.jsonl" for kind in KINDS if (output / f"{kind}.jsonl").exists()]:
        raise UserError(f"--output {output} holds {there[0]} already; name another folder, or move it away")
    place = {name: i for i, name in enumerate(found.ids)}
    targets = [name for name in found.ids if name in wanted]
    if not targets:
        raise UserError(f"--for {options.targets}: none of its {len(wanted)} prompts has a gradient in the probe")
    texts = Prompts.texts(run)
    said = failed_check(run, probe) + absent(wanted, set(targets), set(texts))
    settings = facts["settings"]
    if options.pool:
        from openrlhf_unlearn.transfer.candidates import distinct, gradients_of_pool, read_pool

        rows = read_pool(Path(options.pool), run.config().flag("data.input_key"))
        rows, left = distinct(rows, {name: texts.get(name) for name in wanted})
        if not rows:
            raise UserError(f"--from {options.pool}: every row is of a target prompt; add others")
        how = options.model or settings["model"], settings, options.device, options.trust_remote_code, found.exact
        pool, tokens = gradients_of_pool(rows, run, *how)
        pool = pool if scale is None else pool * scale
        said += left
    else:
        others = [name for name in found.ids if name not in wanted]
        if not others:
            raise UserError("every probed prompt is a target: name a pool with --from, or probe more prompts")
        rows, tokens = rows_of_run(run, others, settings)
        pool = pick(found.train, [place[name] for name in others])
    made = choose_rows(
        pool,
        pick(found.feel, [place[name] for name in targets]),
        [f"{row['prompt']}{row['response'] if options.pool else ''}" for row in rows],
        [texts[name] or "" for name in targets],
        options.budget,
        options.seed,
    )
    said += controls(made, tokens, options.budget)
    output.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        write_jsonl(output / f"{kind}.jsonl", (scored(rows[i], made, i) for i in getattr(made, kind)))
    return Chosen(output, len(made.chosen), len(rows), len(targets), said)


def scored(row: dict, made: Choice, i: int) -> dict:
    """The row with what is predicted of it; a `score` of its own is kept."""
    score = float(made.score[i])
    ours = {"transfer_score": score, "transfer_told": bool(made.told[i]), "transfer_helps": float(made.helps[i])}
    return {"score": score, **row, **ours}


def rows_of_run(run: RunDir, names: list[str], settings: dict) -> tuple[list[dict], list[int] | None]:
    """Each prompt as the run stored it, with its first correct response; tokens of these, None where not saved."""
    table = source(run, settings["tag"], settings["training_rollouts"])
    first: dict[str, int] = {}
    for i, (name, right, text) in enumerate(zip(table.prompt_id, table.hits(), table.response, strict=True)):
        if right and text:
            first.setdefault(name, i)
    prompts, rows = Prompts.read(run).by_prompt(), []
    for name in names:
        own, answer = prompts[name], table.response[first[name]] if name in first else None
        row = {"prompt": own.prompt, "response": answer, "label": own.label, "datasource": own.datasource}
        rows.append({**row, "prompt_id": name})
    if not isinstance(table, Evaluations) or not set(names) <= set(first):
        return rows, None
    lengths = np.nan_to_num(table.n_tokens.astype(float))[[first[name] for name in names]].astype(int).tolist()
    return rows, lengths if all(lengths) else None


def failed_check(run: RunDir, probe: str) -> list[str]:
    """A warning where short trainings did not bear this probe's predictions out."""
    path = run.transfer_json(probe)
    agreed = read_object(path).get("agreement") if path.exists() else None
    r = ((agreed or {}).get(GRADIENT) or {}).get("all") or {}
    if r.get("low") is None or r["low"] > 0:
        return []
    return [f"warning: short trainings did not bear the predictions of probe {probe} out (r = {r['value']:.2f})"]


def absent(wanted: set[str], targets: set[str], known: set[str]) -> list[str]:
    """Which targets nothing can be chosen for."""
    counts = (len(wanted & known - targets), "without a gradient"), (len(wanted - known), "not in the run")
    said = [f"{n} {what}" for n, what in counts if n]
    return [f"{len(targets)} of the {len(wanted)} prompts are chosen for: {', '.join(said)}"] if said else []


def controls(made: Choice, tokens: list[int] | None, budget: int) -> list[str]:
    """How far the controls differ from the choice."""
    chosen = set(made.chosen)
    told = int(made.told[made.chosen].sum()) if made.chosen else 0
    said = [f"{told} of the {len(chosen)} chosen rows score significantly above 0, at a false discovery rate of 5 %"]
    if 2 * budget > len(made.score):
        said.append(f"--budget {budget} is over half of the {len(made.score)} rows: the sets are much the same")
    same = ", ".join(f"{len(chosen & set(getattr(made, kind)))} in {kind}" for kind in KINDS[1:])
    said.append(f"of the chosen rows are also {same}")
    if tokens:
        sums = ", ".join(f"{kind} {sum(tokens[i] for i in getattr(made, kind)):,}" for kind in KINDS)
        said.append(f"tokens of responses: {sums}")
    return said
