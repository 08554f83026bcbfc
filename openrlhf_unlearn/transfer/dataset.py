"""`transfer --for`: the chosen data set and its two controls, as files."""

from pathlib import Path

from openrlhf_unlearn.collect.selection import read_ids
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, write_jsonl
from openrlhf_unlearn.transfer.vectors import Vectors


def choose(run: RunDir, found: Vectors, facts: dict, args) -> int:
    """Write chosen.jsonl, random.jsonl and nearest.jsonl into --output."""
    from openrlhf_unlearn.transfer.choose import choose_rows

    wanted = read_ids(args.targets)
    place = {name: i for i, name in enumerate(found.ids)}
    targets = [name for name in found.ids if name in wanted]
    if not targets:
        raise UserError(f"--for {args.targets}: none of its {len(wanted)} prompts has a gradient in the probe")
    prompts = Prompts.read(run).by_prompt()
    if args.pool:
        from openrlhf_unlearn.transfer.pool import gradients_of_pool, read_pool

        rows, model = read_pool(Path(args.pool)), args.model or facts["settings"]["model"]
        pool = gradients_of_pool(rows, model, facts["settings"], args.device, args.trust_remote_code, found.exact)
        texts = [f"{row['prompt']}{row['response']}" for row in rows]
    else:
        others = [name for name in found.ids if name not in wanted]
        if not others:
            raise UserError("every probed prompt is a target: name a pool with --from, or probe more prompts")
        kept = (prompts[name] for name in others)
        rows = [{"prompt": row.prompt, "label": row.label, "datasource": row.datasource} for row in kept]
        pool, texts = found.train[[place[name] for name in others]], [prompts[name].prompt for name in others]
    feel = found.feel[[place[name] for name in targets]]
    made = choose_rows(pool, feel, texts, [prompts[name].prompt for name in targets], args.budget, args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    for kind in ("chosen", "random", "nearest"):
        write_jsonl(args.output / f"{kind}.jsonl", ({**rows[i], "score": made.score[i]} for i in getattr(made, kind)))
    left = f"; only {len(made.chosen)} of {len(rows)} are predicted to help" if len(made.chosen) < args.budget else ""
    print(f"{args.output}/chosen.jsonl: {len(made.chosen)} rows for {len(targets)} prompts{left}")
    print("random.jsonl and nearest.jsonl beside it are controls of equal size")
    return 0
