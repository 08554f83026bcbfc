"""`openrlhf-unlearn probe`: the gradient of every chosen prompt, and how alike they are (paper, section 5).

    openrlhf-unlearn probe --model M --run RUN --tag initial                    before training
    openrlhf-unlearn probe --model M0 M1 M2 --run RUN --tag initial step50 final    several checkpoints, each on its own
    openrlhf-unlearn probe --model BASE MID --run RUN --tag initial --name base mid     several models, same rollouts

Rollouts are those of RUN/evaluations/TAG.parquet. Writes RUN/probes/NAME/: gradients.safetensors, similarity.parquet,
interference.parquet and, last, probe.json. A command that was killed goes on where it stopped; one that is done only
does the analysis again, for labels that have changed since.
"""

import argparse
import time

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.probe.words import against, say, trajectory
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, check_name, write_json
from openrlhf_unlearn.store.trust import add_remote_code, remote_code, why_not_loaded

K = 8  # rollouts that train a prompt where run.json does not say (paper)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", required=True, nargs="+", help="hub id, Hugging Face folder, or OpenRLHF's DeepSpeed checkpoint")
    add("--run", required=True, metavar="RUN", help="run directory")
    add("--tag", required=True, nargs="+", help="evaluation whose rollouts are taken; one for all models, or one each")
    add("--name", nargs="+", help="names of the probes; default: the tags, or TAG-1, TAG-2, … of several models")
    add("--prompts", type=int, default=400, help="probed, drawn at random, three quarters of them hard; 0: all")
    add("--per-group", type=int, help="so many of each group of the labels instead; 0: all. Forecasts do not use it")
    add("--max-rollouts", type=int, default=32, help="correct rollouts a prompt, and as many incorrect ones")
    add("--training-rollouts", action="store_true", help="rollouts that training saved, not an evaluation's")
    add("--lora-rank", type=int, default=16, help="of the random adapter whose B the gradient is taken of")
    add("--lora-alpha", type=float, default=32, help="as PEFT's")
    add("--target-modules", nargs="+", help="modules that the adapter is on; default: PEFT's for this model")
    add("--lora-seed", type=int, default=42, help="of the adapter, or of --full's projection")
    add("--adapter", metavar="FOLDER", help="a trained PEFT adapter in place of the random one: gradients of A and B")
    add("--full", action="store_true", help="all parameters, by random projection")
    add("--project", type=int, help="numbers kept of a gradient; default: all, with --full 65536")
    add("--compare-full", action="store_true", help="probe with --full too, and print how both correlate")
    add("--units", type=int, default=10, help="rollouts, or equal lots of them, a prompt and class told apart")
    add("--sketch", type=int, default=4096, help="numbers kept of each of these, for intervals; 0: all")
    add("--temperature", type=float, help="that logits are divided by; default: the run's")
    add("--pack-tokens", type=int, help="tokens through the model at a time; default: 16384 on a GPU, else 1024")
    add("--dtype", choices=("float32", "bfloat16", "float64"), help="default: bfloat16 on a GPU, else float32")
    add("--device", help="default: cuda where there is one, else cpu")
    add("--attention", choices=("flex", "batches"), help="default: flex (FlexAttention) on a GPU, else batches")
    add("--workers", type=int, default=0, help="Ray workers, one a GPU or core; 0: this process")
    add("--variants-run", metavar="RUN", help="run directory whose probe of the same name holds the variants")
    add(
        "--variants",
        metavar="FILE",
        help="originals and variants: a data set of augment, or a table of prompt_id and variant_id",
    )
    add("--seed", type=int, default=0, help="of the choice of prompts and rollouts")
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    check(args)
    run_dir = RunDir.open(args.run)
    pairs = list(zip(args.model, args.tag * (len(args.model) if len(args.tag) == 1 else 1), strict=True))
    results = {}
    for (model, tag), name in zip(pairs, args.name, strict=True):
        with hold(run_dir.probe(name), f"probe --name {name}"):
            results[name] = probe(run_dir, model, tag, name, args)
            if args.compare_full:
                against_full(run_dir, model, tag, name, args, results[name])
            if args.variants:
                _variants(run_dir, name, args)
    if len(results) > 1:
        print(trajectory(results))
    return 0


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for values that make no sense; settles the probes' names."""
    least = {"max_rollouts": 1, "units": 1, "pack_tokens": 1, "lora_rank": 1}
    least |= dict.fromkeys(("prompts", "per_group", "project", "sketch", "workers", "seed"), 0)
    for name, smallest in least.items():
        if (value := getattr(args, name)) is not None and value < smallest:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {smallest}")
    if args.temperature is not None and args.temperature <= 0:
        raise UsageError("--temperature must be above 0")
    if len(args.tag) not in (1, len(args.model)):
        raise UsageError(f"--tag: give one, or one for each of the {len(args.model)} models")
    if args.full and (args.adapter or args.compare_full):
        raise UsageError(f"--full and --{'adapter' if args.adapter else 'compare-full'} exclude each other")
    if not args.name:
        numbered = len(args.model) > 1 and len(set(args.tag)) < len(args.model)
        args.name = [f"{args.tag[0]}-{i + 1}" for i in range(len(args.model))] if numbered else args.tag
    if len(args.name) != len(args.model) or len(set(args.name)) < len(args.name):
        raise UsageError(f"--name: give {len(args.model)} different ones, as many as models")
    for name in args.name:
        check_name(name, "--name")


def probe(run_dir: RunDir, model: str, tag: str, name: str, args: argparse.Namespace) -> dict:
    """One model's probe: what is missing of its gradients, then the analysis; returns probe.json's content."""
    import transformers

    from openrlhf_unlearn.evaluation.checkpoints import resolve_model
    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.probe.gather import gather
    from openrlhf_unlearn.probe.rollouts import choose, source

    transformers.utils.logging.disable_progress_bar()
    model = resolve_model(model, run_dir)
    config = _config(run_dir)
    table = source(run_dir, tag, args.training_rollouts)
    vocabulary = _vocabulary(model)
    longest = (config.get("rollout") or {}).get("max_new_tokens")
    tokenizer = load_tokenizer(model)
    amounts = args.prompts, args.per_group, args.max_rollouts
    sample = choose(run_dir, table, tokenizer, vocabulary, *amounts, args.seed, longest)
    work = _work(args, model, config)
    chosen = {key: getattr(args, key) for key in ("per_group", "max_rollouts", "training_rollouts", "seed")}
    chosen |= {"tag": tag, "prompts": args.prompts if args.per_group is None else None}
    gradients, facts = gather(run_dir, name, work, sample, chosen, args.workers)
    return finish(run_dir, name, sample, gradients, facts)


def against_full(run_dir: RunDir, model: str, tag: str, name: str, args, result: dict) -> None:
    """Probe all parameters too, as NAME-full, and write into probe.json how both probes' mean cosines correlate."""
    from openrlhf_unlearn.probe.compare import correlation

    full = argparse.Namespace(**{**vars(args), "full": True, "adapter": None})
    with hold(run_dir.probe(f"{name}-full"), f"probe --name {name}"):
        probe(run_dir, model, tag, f"{name}-full", full)
    found = correlation(run_dir, name, f"{name}-full")
    write_json(run_dir.probe_json(name), {**result, "against_full": found})
    print(against(found))


def _variants(run_dir: RunDir, name: str, args) -> None:
    from openrlhf_unlearn.probe.compare import compare_variants

    count = compare_variants(run_dir, name, args.variants, args.variants_run)
    print(f"{run_dir.probe_table('variants', name)}: {count} pairs of original and variant")


def _work(args: argparse.Namespace, model: str, config: dict):
    import torch

    from openrlhf_unlearn.probe.engine.gradients import default_tokens
    from openrlhf_unlearn.probe.work import Work

    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    temperature = args.temperature or (config.get("rollout") or {}).get("temperature") or 1.0
    return Work(
        model=model,
        dtype=args.dtype or ("bfloat16" if device.startswith("cuda") else "float32"),
        device=device,
        rank=args.lora_rank,
        alpha=args.lora_alpha,
        targets=args.target_modules,
        lora_seed=args.lora_seed,
        adapter=args.adapter,
        full=args.full,
        project=(65536 if args.full else 0) if args.project is None else args.project,
        units=args.units,
        sketch=args.sketch,
        tokens=args.pack_tokens or default_tokens(device),
        temperature=temperature,
        attention=args.attention,
    )


def finish(run_dir: RunDir, name: str, sample, gradients, facts: dict) -> dict:
    """Analyse, write probe.json last, and say what came out."""
    from openrlhf_unlearn.evaluation.settings import now, versions
    from openrlhf_unlearn.probe.analysis import analyse

    if "correct" not in gradients:
        raise UserError(f"all {len(facts['left_out'])} gradients are not finite; try --dtype float32")
    started = time.monotonic()
    k = (_config(run_dir).get("rollout") or {}).get("n_samples_per_prompt") or K
    numbers = analyse(run_dir, name, gradients, sample.groups, sample.pass_rate, sample.weight, k)
    size = run_dir.gradients(name).stat().st_size
    result = {
        "tag": facts["settings"]["tag"],
        "created": now(),
        "versions": versions(),
        **{key: facts[key] for key in ("subspace", "dim", "tokens", "seconds", "wall_seconds", "left_out")},
        "bytes_per_prompt": round(size / len(gradients["correct"].ids)),
        "analysis_seconds": round(time.monotonic() - started, 2),
        **numbers,
        "settings": facts["settings"],
    }
    write_json(run_dir.probe_json(name), result)
    print(say(run_dir, name, result))
    return result


def _config(run_dir: RunDir) -> dict:
    return run_dir.config().get("args") or {}


def _vocabulary(model: str) -> int:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=remote_code()).get_text_config().vocab_size
    except (OSError, ValueError) as error:
        raise UserError(f"--model {model} cannot be loaded: {why_not_loaded(error)}") from None
