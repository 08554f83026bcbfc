"""All gradients of one probe: from its file, or part by part, going on from the parts that are there."""

import math
import shutil
import time

from tqdm import tqdm

from openrlhf_unlearn.evaluation.settings import fingerprint
from openrlhf_unlearn.probe.rollouts import ChosenRollouts, digest
from openrlhf_unlearn.probe.store import Parts, check_same, load, merge
from openrlhf_unlearn.probe.words import note
from openrlhf_unlearn.probe.work import Work, compute
from openrlhf_unlearn.store.run_dir import RunDir

PART = 16  # prompts between two saved parts


def gather(run_dir: RunDir, name: str, work: Work, sample: ChosenRollouts, chosen: dict, workers: int):
    """(Gradients by class, facts), from the file if it is there, else part by part.

    chosen: what the rollouts were chosen by. A file stays good where labels, and so the choice, have changed since.
    """
    target = run_dir.gradients(name)
    settings = {**work.settings(), "model_fingerprint": fingerprint(work.model), "rollouts": sample.origin, **chosen}
    if target.exists():
        gradients, facts = load(target)
        check_same(facts["settings"], settings, target, "choose another --name, or delete that folder")
        return gradients, facts
    choice = [[r.id, r.prompt, {k: list(map(list, v)) for k, v in r.responses.items()}] for r in sample.rollouts]
    parts = Parts(run_dir, name, {**settings, "choice": digest(choice), "states": True})
    chunks = {n: sample.rollouts[n * PART : (n + 1) * PART] for n in range(math.ceil(len(sample.rollouts) / PART))}
    missing = {n: chunk for n, chunk in chunks.items() if not parts.path(n).exists()}
    if len(missing) < len(chunks):
        note(f"{len(chunks) - len(missing)} of {len(chunks)} parts are there; going on")
    started = time.monotonic()
    with tqdm(total=len(sample.rollouts), desc=f"gradients {name}", unit="prompt") as bar:
        bar.update(sum(len(chunks[n]) for n in chunks if n not in missing))
        for number, gradients, facts in compute(work, missing, workers) if missing else ():
            parts.write(number, gradients, facts)
            if workers and facts["pack_tokens"] < work.tokens:  # what a worker itself says is not seen
                note(f"part {number}: out of memory; went on with packs of {facts['pack_tokens']} tokens")
            bar.update(len(chunks[number]))
    every = parts.facts(list(chunks))
    facts = {
        "settings": settings,
        "subspace": every[0]["subspace"],
        "dim": every[0]["dim"],
        "tokens": sum(f["tokens"] for f in every),
        "seconds": round(sum(f["seconds"] for f in every), 2),  # in all workers together, loading not counted
        "wall_seconds": round(time.monotonic() - started, 2),  # of the last command
        "left_out": sorted({prompt for f in every for prompt in f["dropped"]}),
    }
    merge([parts.path(n) for n in chunks], target, facts)
    shutil.rmtree(parts.folder, ignore_errors=True)
    return load(target)
