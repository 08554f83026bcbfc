"""`openrlhf-unlearn probe`: the gradient of every chosen prompt, and how alike they are (paper, section 5).

    openrlhf-unlearn probe --model M --run RUN --tag initial                    before training
    openrlhf-unlearn probe --model M0 M1 M2 --run RUN --tag initial step50 final    several checkpoints, each on its own
    openrlhf-unlearn probe --model BASE MID --run RUN --tag initial --name base mid     several models, same rollouts

Rollouts are those of RUN/evaluations/TAG.parquet. Writes RUN/probes/NAME/: gradients.safetensors, similarity.parquet,
interference.parquet and, last, probe.json. A command that was killed goes on where it stopped; one that is done only
does the analysis again, for labels that have changed since.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.probe.words import against, say, trajectory
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.probes import ProbeNumbers, Variants
from openrlhf_unlearn.store.run_dir import RunDir, check_name, read_json, write_json
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, allow_remote_code, remote_code, why_not_loaded


@dataclass(frozen=True)
class ProbeOptions(Options):
    """Whose gradients are taken, of what, and how exactly; None: see the flag's help."""

    model: Sequence[str] = option("hub id, Hugging Face folder, or OpenRLHF's DeepSpeed checkpoint")
    run: str = option("run directory", metavar="RUN")
    tag: Sequence[str] = option("evaluation whose rollouts are taken; one for all models, or one each")
    name: Sequence[str] | None = option(
        "names of the probes; default: the tags, or TAG-1, TAG-2, … of several models", None
    )
    prompts: int = option("probed, drawn at random, three quarters of them hard; 0: all", 400)
    per_group: int | None = option("so many of each group of the labels instead; 0: all. Forecasts do not use it", None)
    max_rollouts: int = option("correct rollouts a prompt, and as many incorrect ones", 32)
    training_rollouts: bool = option("rollouts that training saved, not an evaluation's", False)
    lora_rank: int = option("of the random adapter whose B the gradient is taken of", 16)
    lora_alpha: float = option("as PEFT's", 32)
    target_modules: Sequence[str] | None = option(
        "modules that the adapter is on; default: PEFT's for this model", None
    )
    lora_seed: int = option("of the adapter, or of --full's projection", 42)
    adapter: str | None = option(
        "a trained PEFT adapter in place of the random one: gradients of A and B", None, metavar="FOLDER"
    )
    full: bool = option("all parameters, by random projection", False)
    project: int | None = option("numbers kept of a gradient; default: all, with --full 65536", None)
    compare_full: bool = option("probe with --full too, and print how both correlate", False)
    units: int = option(
        "gradients kept of a prompt and class, each of a rollout or, of more rollouts, of an equal part", 10
    )
    sketch: int = option("numbers kept of each of these, for intervals; 0: all", 4096)
    temperature: float | None = option("that logits are divided by; default: the run's", None)
    pack_tokens: int | None = option("tokens through the model at a time; default: 16384 on a GPU, else 1024", None)
    dtype: str | None = option(
        "default: bfloat16 on a GPU, else float32", None, choices=("float32", "bfloat16", "float64")
    )
    device: str | None = option("default: cuda where there is one, else cpu", None)
    attention: str | None = option(
        "default: flex (FlexAttention) on a GPU, else batches", None, choices=("flex", "batches")
    )
    workers: int = option("Ray workers, one a GPU or core; 0: this process", 0)
    variants_run: str | None = option(
        "run directory whose probe of the same name holds the variants", None, metavar="RUN"
    )
    variants: str | None = option(
        "originals and variants: a data set of augment, or a table of prompt_id and variant_id", None, metavar="FILE"
    )
    seed: int = option("of the choice of prompts and rollouts", 0)
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        least = {"max_rollouts": 1, "units": 1, "pack_tokens": 1, "lora_rank": 1}
        least |= dict.fromkeys(("prompts", "per_group", "project", "sketch", "workers", "seed"), 0)
        for name, smallest in least.items():
            if (value := getattr(self, name)) is not None and value < smallest:
                raise UsageError(f"--{name.replace('_', '-')} must be at least {smallest}")
        if self.temperature is not None and self.temperature <= 0:
            raise UsageError("--temperature must be above 0")
        if len(self.tag) not in (1, len(self.model)):
            raise UsageError(f"--tag: give one, or one for each of the {len(self.model)} models")
        if self.full and (self.adapter or self.compare_full):
            raise UsageError(f"--full and --{'adapter' if self.adapter else 'compare-full'} exclude each other")
        names = self.names()
        if len(names) != len(self.model) or len(set(names)) < len(names):
            raise UsageError(f"--name: give {len(self.model)} different ones, as many as models")
        for name in names:
            check_name(name, "--name")

    def names(self) -> tuple[str, ...]:
        """The probes' names: those given, else the tags, numbered where several models share one."""
        if self.name:
            return tuple(self.name)
        numbered = len(self.model) > 1 and len(set(self.tag)) < len(self.model)
        return tuple(f"{self.tag[0]}-{i + 1}" for i in range(len(self.model))) if numbered else tuple(self.tag)


OPTIONS = ProbeOptions


def run(options: ProbeOptions) -> None:
    run_dir = RunDir(options.run)
    results = {}
    for name, result in each_probe(options):
        results[name] = result
        print(say(run_dir, name, result))
        if "against_full" in result:
            print(say(run_dir, f"{name}-full", read_json(run_dir.probe_json(f"{name}-full"))))
            print(against(result["against_full"]))
        if options.variants:
            pairs = len(Variants.read(run_dir, name, Variants.prompt_id))
            print(f"{run_dir.probe_table('variants', name)}: {pairs} pairs of original and variant")
    if len(results) > 1:
        print(trajectory(results))


@takes(ProbeOptions)
def probe(options: ProbeOptions) -> dict[str, ProbeNumbers]:
    """Probe every model; returns each probe's name with what its probe.json holds.

    Raises UserError for a run, model or evaluation that cannot be used, or gradients none of which is finite.
    """
    return dict(each_probe(options))


def each_probe(options: ProbeOptions) -> Iterator[tuple[str, ProbeNumbers]]:
    """(name, probe.json's content) of one model after the other."""
    allow_remote_code(options.trust_remote_code)
    run_dir = RunDir.open(options.run)
    tags = tuple(options.tag) * (len(options.model) if len(options.tag) == 1 else 1)
    for model, tag, name in zip(options.model, tags, options.names(), strict=True):
        with hold(run_dir.probe(name), f"probe --name {name}"):
            result = _probe_one(run_dir, model, tag, name, options)
            if options.compare_full:
                result = _against_full(run_dir, model, tag, name, options, result)
            if options.variants:
                from openrlhf_unlearn.probe.two_probes import compare_variants

                compare_variants(run_dir, name, options.variants, options.variants_run)
        yield name, result


def _probe_one(run_dir: RunDir, model: str, tag: str, name: str, options: ProbeOptions) -> ProbeNumbers:
    """One model's probe: what is missing of its gradients, then the analysis; returns probe.json's content."""
    import transformers

    from openrlhf_unlearn.evaluation.checkpoints import resolve_model
    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.probe.gather import gather
    from openrlhf_unlearn.probe.rollouts import choose, source

    transformers.utils.logging.disable_progress_bar()
    model = resolve_model(model, run_dir)
    config = run_dir.config()
    table = source(run_dir, tag, options.training_rollouts)
    vocabulary = _vocabulary(model)
    longest = config.flag("rollout.max_new_tokens")
    tokenizer = load_tokenizer(model)
    amounts = options.prompts, options.per_group, options.max_rollouts
    sample = choose(run_dir, table, tokenizer, vocabulary, *amounts, options.seed, longest)
    work = _work(options, model, config)
    chosen = {key: getattr(options, key) for key in ("per_group", "max_rollouts", "training_rollouts", "seed")}
    chosen |= {"tag": tag, "prompts": options.prompts if options.per_group is None else None}
    gradients, facts = gather(run_dir, name, work, sample, chosen, options.workers)
    return _finish(run_dir, name, sample, gradients, facts)


def _against_full(
    run_dir: RunDir, model: str, tag: str, name: str, options: ProbeOptions, result: ProbeNumbers
) -> ProbeNumbers:
    """Probe all parameters too, as NAME-full; the result with how both probes' mean cosines correlate."""
    from openrlhf_unlearn.probe.two_probes import correlation

    full = replace(options, full=True, adapter=None, compare_full=False)
    with hold(run_dir.probe(f"{name}-full"), f"probe --name {name}"):
        _probe_one(run_dir, model, tag, f"{name}-full", full)
    found: dict[str, Any] = {**result, "against_full": correlation(run_dir, name, f"{name}-full")}
    write_json(run_dir.probe_json(name), found)
    return cast(ProbeNumbers, found)


def _work(options: ProbeOptions, model: str, config: RunConfig):
    import torch

    from openrlhf_unlearn.probe.engine.gradients import default_tokens
    from openrlhf_unlearn.probe.work import Work

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    temperature = options.temperature or config.flag("rollout.temperature") or 1.0
    return Work(
        model=model,
        dtype=options.dtype or ("bfloat16" if device.startswith("cuda") else "float32"),
        device=device,
        rank=options.lora_rank,
        alpha=options.lora_alpha,
        targets=list(options.target_modules) if options.target_modules else None,
        lora_seed=options.lora_seed,
        adapter=options.adapter,
        full=options.full,
        project=(65536 if options.full else 0) if options.project is None else options.project,
        units=options.units,
        sketch=options.sketch,
        tokens=options.pack_tokens or default_tokens(device),
        temperature=temperature,
        attention=options.attention,
    )


def _finish(run_dir: RunDir, name: str, sample, gradients, facts: dict) -> ProbeNumbers:
    """Analyse, and write probe.json last."""
    from openrlhf_unlearn.evaluation.settings import now, versions
    from openrlhf_unlearn.probe.analysis import analyse
    from openrlhf_unlearn.probe.rollouts import rollouts_that_train

    if "correct" not in gradients:
        raise UserError(f"all {len(facts['left_out'])} gradients are not finite; try --dtype float32")
    started = time.monotonic()
    k = rollouts_that_train(run_dir)
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
    return cast(ProbeNumbers, result)


def _vocabulary(model: str) -> int:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=remote_code()).get_text_config().vocab_size
    except (OSError, ValueError) as error:
        raise UserError(f"--model {model} cannot be loaded: {why_not_loaded(error)}") from None
