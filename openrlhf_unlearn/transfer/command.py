"""`openrlhf-unlearn transfer`: what training on some prompts does to others, predicted by gradients, and checked.

    openrlhf-unlearn transfer RUN                        the map, from RUN's probe
    openrlhf-unlearn transfer RUN --verify 8             short trainings on 8 clusters: does the prediction hold?
    openrlhf-unlearn transfer RUN --trained RUN_A RUN_B  the same by runs that each trained on prompts of one cluster
    openrlhf-unlearn transfer RUN --clusters gradients   clusters found in the gradients, in place of datasources
    openrlhf-unlearn transfer RUN --preconditioner CKPT  the gradients scaled as Adam would, by a checkpoint's state
    openrlhf-unlearn transfer RUN --for hard.json --from pool.jsonl --budget 200 --output chosen

Needs a probe (openrlhf-unlearn probe). Writes RUN/transfer/PROBE.parquet, a row for each pair of clusters, and
PROBE.json. --for: a JSON list of prompt ids that were probed, or RUN/learnability.parquet:GROUP. --from: rows with
prompt and response, as sft-set writes them; without it the run's other probed prompts, each with a correct response.
Writes chosen.jsonl, best first, and as controls of as many rows random.jsonl and nearest.jsonl.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UserError, counted
from openrlhf_unlearn.options import takes
from openrlhf_unlearn.probe.rollouts import HARD, rollouts_that_train, source
from openrlhf_unlearn.probe.store import load
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.probes import read_states
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, refuse_links
from openrlhf_unlearn.store.trust import allow_remote_code
from openrlhf_unlearn.transfer.dataset import Chosen, choose
from openrlhf_unlearn.transfer.in_the_run import in_the_run, predicted_change
from openrlhf_unlearn.transfer.inputs import check_model, check_rollouts, clustered, default_probe, of_rollouts
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.output import check_kept, write
from openrlhf_unlearn.transfer.predict import transfer_map
from openrlhf_unlearn.transfer.vectors import Vectors, sketch_size, small, to_check, vectors

OPTIONS = TransferOptions


@dataclass(frozen=True)
class Transfer:
    """The map: its table's path, a row for each pair of clusters, and what PROBE.json says of it."""

    path: Path
    about: dict


def run(options: TransferOptions) -> None:
    found = transfer(options)
    if isinstance(found, Transfer):
        print("\n".join(found.about["sentences"]))
        print(found.path)
        return
    few = f"; only {found.rows} of {found.pool} have a score above 0" if found.rows < options.budget else ""
    print(f"{found.output}/chosen.jsonl: {counted(found.rows, 'row')} for {counted(found.targets, 'prompt')}{few}")
    print("random.jsonl and nearest.jsonl beside it are controls of as many rows")
    print("\n".join(found.said))


@takes(TransferOptions)
def transfer(options: TransferOptions) -> Transfer | Chosen:
    """Write the map, and where asked its check; with `targets` the chosen data in its place.

    Raises UserError for a run without a probe of correct rollouts, and where the inputs do not go together.
    """
    allow_remote_code(options.trust_remote_code)
    run_dir = RunDir.open(options.run)
    probe = options.probe or default_probe(run_dir)
    refuse_links(run_dir.transfer_table(probe).parent)
    with hold(run_dir.transfer_table(probe), f"transfer --probe {probe}"):
        if not options.targets:
            check_kept(run_dir, probe, options.verify, len(options.trained), options.objective)
        by_class, facts = load(run_dir.gradients(probe))
        if "correct" not in by_class:
            raise UserError(f"{run_dir.gradients(probe)} holds no gradients of correct rollouts; probe again")
        check_rollouts(run_dir, probe, facts["settings"])
        scale = None
        if options.preconditioner:
            from openrlhf_unlearn.transfer.preconditioner import preconditioner, scaled

            scale = preconditioner(options.preconditioner, facts["settings"])
            by_class = scaled(by_class, scale)
        if not options.model and (options.verify is not None or options.pool):
            check_model(probe, facts["settings"])
        rates, lengths = of_rollouts(run_dir, facts["settings"])
        k = rollouts_that_train(run_dir)
        exact = scale is not None or small(by_class["correct"])  # sketches cannot be scaled
        if options.targets:
            held = vectors(by_class, options.objective, rates, k, exact)
            return choose(run_dir, probe, held, facts, options, scale)
        found, clusters = clustered(run_dir, vectors(by_class, options.objective, rates, k), by_class, options)
        names = [clusters.get(prompt, "") for prompt in found.ids]
        size = sketch_size(found, facts)
        likelihood = transfer_map(found.train, found.feel, names, sketch=size)
        per_token = np.array([rates[prompt] * lengths[prompt] for prompt in found.ids], np.float32)
        pass_rate = transfer_map(found.train, found.feel, names, per_token, size)
        texts = {prompt: text or "" for prompt, text in Prompts.texts(run_dir).items()}
        runs = None
        if options.trained:  # before any training: what it refuses would be told too late
            from openrlhf_unlearn.transfer.trained_runs import compare, read

            trained = read(options.trained, clusters, facts["settings"])
            held = vectors(by_class, "grpo", rates, k, exact)
            runs = compare(trained, held, rates, lengths, clusters, texts, read_states(run_dir, probe))
        checked = None
        if options.verify is not None and likelihood.names:
            checked = short_trainings(run_dir, probe, to_check(by_class["correct"]), clusters, texts, facts, options)
        own = of_the_run(run_dir, vectors(by_class, "grpo", rates, k), rates, per_token, facts["settings"], names)
        about = write(run_dir, probe, likelihood, pass_rate, checked, runs, own, options, found)
    return Transfer(run_dir.transfer_table(probe), about)


def of_the_run(
    run: RunDir, found: Vectors, rates: dict[str, float], per_token: np.ndarray, settings: dict, clusters: list[str]
):
    """What the run itself says of the prediction, where it has an evaluation `final` after the probe's `initial`."""
    if settings["tag"] != "initial" or settings["training_rollouts"] or not run.evaluation("final").exists():
        return None
    after, _ = of_rollouts(run, {**settings, "tag": "final"})
    hard = np.array([rates[name] < HARD and name in after for name in found.ids], bool)
    names = [name for name, chosen in zip(found.ids, hard, strict=True) if chosen]
    before = np.array([rates[name] for name in names])
    predicted = predicted_change(found.train, found.feel, per_token)[hard]
    return in_the_run(predicted, before, np.array([after[name] for name in names]), np.array(clusters)[hard].tolist())


def short_trainings(
    run: RunDir, probe: str, found: Vectors, clusters: dict[str, str], texts: dict[str, str], facts: dict,
    options: TransferOptions,
):  # fmt: skip
    """The check of --verify, by the probe's own model and rollouts of the prompts that it took."""
    import torch

    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.evaluation.settings import fingerprint
    from openrlhf_unlearn.probe.rollouts import choose as choose_rollouts
    from openrlhf_unlearn.probe.work import load_model
    from openrlhf_unlearn.transfer.check import verify
    from openrlhf_unlearn.transfer.verify import Recipe, held_out

    settings = facts["settings"]
    if settings.get("adapter"):
        raise UserError(
            f"--verify trains a model without adapter, and probe {probe} is of {settings['adapter']}; merge it and "
            "probe that"
        )
    name = options.model or settings["model"]
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(name, "float32", device, options.trust_remote_code)
    table = source(run, settings["tag"], settings["training_rollouts"])
    amounts = settings["prompts"] or 0, settings["per_group"], settings["max_rollouts"], settings["seed"]
    longest = run.config().flag("rollout.max_new_tokens")
    vocabulary = model.config.get_text_config().vocab_size
    sample = choose_rollouts(run, table, load_tokenizer(name), vocabulary, *amounts, longest)
    probed = set(found.ids)
    if not probed <= {rollout.id for rollout in sample.rollouts} <= probed | set(facts["left_out"]):
        raise UserError(
            f"{run}: labels have changed since probe {probe}, so its rollouts are not known; give them another probe"
        )
    rollouts = [held_out(rollout, settings["units"]) for rollout in sample.rollouts if rollout.id in probed]
    how = options.steps, options.batch, options.lr, options.optimiser, options.rollouts
    recipe = Recipe(*how, settings["temperature"])
    parts = run.transfer_parts(probe)
    about = {"rollouts": sample.origin, "model_fingerprint": fingerprint(name)}
    return verify(model, rollouts, texts, found, clusters, options.verify or 0, recipe, options.seed, parts, about)
