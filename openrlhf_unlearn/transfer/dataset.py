"""`transfer --for`: the chosen data set and its two controls, as files."""

from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.collect.selection import read_ids
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.gradient_summary import pick
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, write_jsonl
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.vectors import Vectors


@dataclass(frozen=True)
class Chosen:
    """The folder with chosen.jsonl and its controls; rows of each, rows to choose from, and prompts chosen for."""

    output: Path
    rows: int
    pool: int
    targets: int


def choose(run: RunDir, found: Vectors, facts: dict, options: TransferOptions) -> Chosen:
    """Write chosen.jsonl, random.jsonl and nearest.jsonl into `output`."""
    from openrlhf_unlearn.transfer.choose import choose_rows

    assert options.targets and options.output  # the options ask for both
    wanted, output = read_ids(options.targets), options.output
    place = {name: i for i, name in enumerate(found.ids)}
    targets = [name for name in found.ids if name in wanted]
    if not targets:
        raise UserError(f"--for {options.targets}: none of its {len(wanted)} prompts has a gradient in the probe")
    prompts = Prompts.read(run).by_prompt()
    if options.pool:
        from openrlhf_unlearn.transfer.candidates import gradients_of_pool, read_pool

        rows, model = read_pool(Path(options.pool)), options.model or facts["settings"]["model"]
        pool = gradients_of_pool(rows, model, facts["settings"], options.device, options.trust_remote_code, found.exact)
        texts = [f"{row['prompt']}{row['response']}" for row in rows]
    else:
        others = [name for name in found.ids if name not in wanted]
        if not others:
            raise UserError("every probed prompt is a target: name a pool with --from, or probe more prompts")
        kept = (prompts[name] for name in others)
        rows = [{"prompt": row.prompt, "label": row.label, "datasource": row.datasource} for row in kept]
        pool, texts = pick(found.train, [place[name] for name in others]), [prompts[name].prompt for name in others]
    feel = pick(found.feel, [place[name] for name in targets])
    made = choose_rows(pool, feel, texts, [prompts[name].prompt for name in targets], options.budget, options.seed)
    output.mkdir(parents=True, exist_ok=True)
    for kind in ("chosen", "random", "nearest"):
        write_jsonl(output / f"{kind}.jsonl", ({**rows[i], "score": made.score[i]} for i in getattr(made, kind)))
    return Chosen(output, len(made.chosen), len(rows), len(targets))
