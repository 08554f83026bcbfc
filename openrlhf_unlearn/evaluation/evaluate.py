"""`openrlhf-unlearn evaluate`: sample N responses a prompt and grade them, so that every prompt has a pass@1.

    openrlhf-unlearn evaluate --run RUN --tag initial --model INITIAL              data and all else as RUN trained
    openrlhf-unlearn evaluate --run RUN --tag final --model TRAINED --adaptive     half of the samples, or fewer
    openrlhf-unlearn evaluate --run NEW --tag initial --model M --data D.jsonl --input-key prompt --label-key label

What no flag says comes from RUN/run.json. Writes RUN/evaluations/TAG.parquet (a row a sample) and TAG.json (what it was
made with). Samples are saved in parts: the same command goes on with the prompts that still lack samples, and with a
larger -n it adds to those that are there. The paper takes 32 samples at temperature 1. Next: openrlhf-unlearn classify
RUN.
"""

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.evaluation.settings import Settings, check_same, now, resolve, start_run, versions
from openrlhf_unlearn.grading.options import ANSWER_FORMAT, GRADING_WORKERS
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, check_name, read_object, write_json
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN, allow_remote_code

if TYPE_CHECKING:
    from openrlhf_unlearn.collect.prompts import Prompt
    from openrlhf_unlearn.evaluation.adaptive import Plan
    from openrlhf_unlearn.evaluation.engines import Pool
    from openrlhf_unlearn.evaluation.parts import Parts
    from openrlhf_unlearn.evaluation.rewards import Grade

DTYPES = ("auto", "bfloat16", "float16", "float32")


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """What one evaluation is made with; None: as the run says."""

    model: str = option("hub id, Hugging Face folder, or OpenRLHF's DeepSpeed checkpoint folder")
    run: str = option("run directory; made if it is not there", metavar="RUN")
    tag: str = option("name of this evaluation: initial, final, step50, …")
    data: str | None = option(
        "hub id or .json, .jsonl, .csv, .parquet; default: the run's, of an imported one its prompts as they stand",
        None,
    )
    n: int = option("samples a prompt; with --adaptive the most of them", 32, flag="-n")
    adaptive: bool = option("stop a prompt when more samples would hardly change its label", False)
    error_rate: float = option(
        "--adaptive: at any pass rate, the largest chance that all n samples give another label", 0.04
    )
    settle: float = option("--adaptive: the pass rate that separates the labels, as --tau and --easy of classify", 0.1)
    temperature: float | None = option("default: the run's", None)
    top_p: float | None = option("default: the run's", None)
    max_new_tokens: int | None = option("default: the run's", None)
    max_len: int | None = option("prompt and response together; default: the run's", None)
    input_key: str | None = option("default: the run's", None)
    label_key: str | None = option("default: the run's", None)
    input_template: str | None = option("default: the run's", None)
    image_key: str | None = option("column with a prompt's images; default: the run's, else images", None)
    apply_chat_template: bool | None = option("default: the run's", None)
    prompt_split: str | None = option("split of the data set; default: the run's", None)
    reward: str | None = option("Python file with reward_func; default: the run's, else our grader", None)
    positive_above: float | None = option(
        "a sample is correct if its score, or else its reward, is above this; default: that of classify --threshold, "
        "else the run's, else 0.5",
        None,
    )
    answer_format: str | None = ANSWER_FORMAT
    seed: int = option("of the sampling", 0)
    engines: int | None = option("vLLM engines; default: one a GPU, or one without", None)
    tensor_parallel: int = option("GPUs an engine", 1)
    dtype: str = option("of the weights; as training's by default", "bfloat16", choices=DTYPES)
    chunk: int = option("responses between two saved parts", 2048)
    grading_workers: int = GRADING_WORKERS
    save_responses: bool = option("keep text and tokens; probe and regrade need them", True)
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        check_name(self.tag, "--tag")
        for name in ("n", "chunk", "max_len", "max_new_tokens", "engines", "tensor_parallel", "grading_workers"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UsageError(
                    f"{'-n' if name == 'n' else '--' + name.replace('_', '-')} {value}: must be at least 1"
                )
        for name in ("error_rate", "settle", "top_p"):
            if (value := getattr(self, name)) is not None and not 0 < value <= 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be above 0 and at most 1")
        if self.temperature is not None and self.temperature < 0:
            raise UsageError(f"--temperature {self.temperature}: must not be negative")


OPTIONS = EvaluateOptions


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation: its table, a row a sample, and what TAG.json says of it. drawn: samples by this call."""

    path: Path
    about: dict
    drawn: int


def run(options: EvaluateOptions) -> None:
    found = evaluate(options)
    if not found.drawn:
        print(f"{found.path} is there already")
        return
    prompts, samples = found.about["prompts"], found.about["samples"]
    print(
        f"{found.path}: {counted(prompts, 'prompt')}, {counted(samples, 'sample')} ({samples / prompts:.1f} a prompt), "
        f"mean pass@1 {found.about['mean_pass_rate']:.3f}; {counted(found.drawn, 'sample')} in "
        f"{found.about['seconds']:.0f} s"
    )
    rewards = Evaluations.open(found.path, Evaluations.reward)[Evaluations.reward].unique().to_pylist()
    if not set(rewards) <= {0.0, 1.0}:
        print(
            f"note: rewards (scores, where there are any) run from {min(rewards):g} to {max(rewards):g}; those above "
            f"--positive-above {found.about['settings']['positive_above']:g} count as correct"
        )
    if bad := found.about["verdicts"].get("bad_label"):
        print(f"note: {bad} samples belong to labels that cannot be graded (verdict bad_label)")


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> Evaluation:
    """Sample and grade what is still missing of the evaluation, and write its table.

    Raises UserError where a model, data or label cannot be used, or what is there was made with other settings.
    """
    from openrlhf_unlearn.evaluation.checkpoints import resolve_model

    allow_remote_code(options.trust_remote_code)
    run_dir = RunDir.open(options.run) if RunDir(options.run).run_json.exists() else RunDir(options.run)
    with hold(run_dir.evaluation(options.tag), f"evaluate --tag {options.tag}"):
        settings = resolve(options, resolve_model(options.model, run_dir), run_dir)
        return _finished(run_dir, options.tag, settings) or _sample(run_dir, settings, options)


def _finished(run_dir: RunDir, tag: str, settings: Settings) -> Evaluation | None:
    """The evaluation, if it is there whole; None where samples are missing, or more are asked for than it has."""
    from openrlhf_unlearn.evaluation.parts import grow

    done = run_dir.evaluation_json(tag)
    if not (done.exists() and run_dir.evaluation(tag).exists()):
        return None
    about = read_object(done)
    before = about.get("settings", {})
    if grow(run_dir, tag, settings, before):
        return None
    check_same(before, settings, done, "choose another --tag, or delete it")
    return Evaluation(run_dir.evaluation(tag), about, 0)


def _sample(run_dir: RunDir, settings: Settings, options: EvaluateOptions) -> Evaluation:
    """Sample, grade and save what is still missing, then merge its parts."""
    from openrlhf_unlearn.evaluation.adaptive import Plan
    from openrlhf_unlearn.evaluation.engines import EngineConfig, engine_pool
    from openrlhf_unlearn.evaluation.parts import Parts
    from openrlhf_unlearn.evaluation.prompts import (
        DataConfig,
        check_no_images,
        load_prompts,
        load_tokenizer,
        own_prompts,
        settle_prompts,
    )
    from openrlhf_unlearn.evaluation.rewards import reward_grader

    tokenizer = load_tokenizer(settings.model)
    fields = {name: getattr(settings, name) for name in DataConfig.__dataclass_fields__}
    config = DataConfig(**fields)
    prompts = load_prompts(config, tokenizer) if settings.data else own_prompts(run_dir, config, tokenizer)
    check_no_images(prompts, settings.image_key)
    start_run(run_dir, settings)
    prompts = settle_prompts(run_dir, prompts)
    parts = Parts(run_dir, options.tag, settings)
    plan = Plan(settings.n, settings.adaptive, settings.settle)
    started = time.monotonic()
    if any(plan.wanted(*parts.counts[prompt.id]) for prompt in prompts):
        engine = EngineConfig(
            model=settings.model,
            max_len=settings.max_len,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed + 104729 * parts.number,  # a resume must not draw the same numbers again
            dtype=settings.dtype,
            tensor_parallel=options.tensor_parallel,
            log=run_dir.log(f"evaluate-{options.tag}"),
        )
        with (
            reward_grader(
                settings.reward, settings.answer_format, options.grading_workers, settings.positive_above
            ) as grade,
            engine_pool(engine, options.engines) as pool,
        ):
            sampling = Sampling(prompts, tokenizer, grade, parts, plan, engine.max_len)
            sampling.run(pool, options.chunk)
    seconds = time.monotonic() - started
    return _finish(run_dir, options.tag, settings, parts, seconds)


class Sampling:
    """Rounds of sampling until no prompt wants more; a chunk is graded and saved while the next one is sampled."""

    def __init__(
        self, prompts: list["Prompt"], tokenizer: Any, grade: "Grade", parts: "Parts", plan: "Plan", max_len: int
    ):
        self.prompts, self.tokenizer, self.grade, self.parts, self.plan = prompts, tokenizer, grade, parts, plan
        self.token_ids = [tokenizer(text=p.text, add_special_tokens=False)["input_ids"] for p in prompts]
        longest = max(range(len(prompts)), key=lambda i: len(self.token_ids[i]))
        if len(self.token_ids[longest]) >= max_len:
            raise UserError(
                f"prompt {prompts[longest].id} has {len(self.token_ids[longest])} tokens, no room is left in --max-len "
                f"{max_len}; raise it"
            )

    def run(self, pool: "Pool", chunk_size: int) -> None:
        from tqdm import tqdm

        have = sum(n for n, _ in self.parts.counts.values())
        total = len(self.prompts) * self.plan.n
        with tqdm(total=total, initial=have, desc="samples", unit="sample") as bar, ThreadPoolExecutor(1) as grader:
            while requests := self._requests():
                size = max(1, min(chunk_size, -(-sum(r.n for r in requests) // pool.size)))
                pending: Future | None = None
                for chunk, responses in pool.sample(_chunks(requests, size), bar.update):
                    if pending:
                        pending.result()
                    pending = grader.submit(self._save, chunk, responses)
                assert pending  # where there are requests there is a chunk
                pending.result()
                settled = sum(not self.plan.wanted(*self.parts.counts[p.id]) for p in self.prompts)
                bar.set_postfix(settled=f"{settled}/{len(self.prompts)}")

    def _requests(self) -> list:
        from openrlhf_unlearn.evaluation.engines import Request

        wanted = [self.plan.wanted(*self.parts.counts[prompt.id]) for prompt in self.prompts]
        return [Request(i, self.token_ids[i], n) for i, n in enumerate(wanted) if n]

    def _save(self, chunk: list, responses: list[list[list[int]]]) -> None:
        """Grade one chunk's responses and write them as a part."""
        flat = [
            (self.prompts[r.key], tokens) for r, samples in zip(chunk, responses, strict=True) for tokens in samples
        ]
        texts = [self.tokenizer.decode(tokens, skip_special_tokens=False) for _, tokens in flat]
        graded = self.grade([p.text for p, _ in flat], texts, [p.label for p, _ in flat])
        rows = [
            (prompt.id, text, tokens, *grade) for (prompt, tokens), text, grade in zip(flat, texts, graded, strict=True)
        ]
        self.parts.write(rows)


def _chunks(requests: list, size: int):
    """Split requests into lists of about `size` responses."""
    chunk, n = [], 0
    for request in requests:
        chunk.append(request)
        n += request.n
        if n >= size:
            yield chunk
            chunk, n = [], 0
    if chunk:
        yield chunk


def _finish(run_dir: RunDir, tag: str, settings: Settings, parts: "Parts", seconds: float) -> Evaluation:
    """Merge the parts and write evaluations/TAG.json."""
    import numpy as np

    from openrlhf_unlearn.evaluation.adaptive import Plan

    drawn = parts.drawn
    verdicts: Counter = parts.merge()
    counts = list(parts.counts.values())
    samples = sum(n for n, _ in counts)
    plan = Plan(settings.n, settings.adaptive, settings.settle)
    mean = float(plan.rates(*np.array(counts).T).mean())  # unbiased after adaptive sampling
    about = {
        "model": settings.model,
        "data": settings.data,
        "n": settings.n,
        "temperature": settings.temperature,
        "adaptive": settings.adaptive,
        "prompts": len(counts),
        "samples": samples,
        "mean_pass_rate": mean,
        "verdicts": dict(verdicts),
        "seconds": round(seconds, 1),  # of the last command, which drew `samples_drawn` of the samples
        "samples_drawn": drawn,
        "created": now(),
        "versions": versions(),
        "settings": asdict(settings),
    }
    write_json(run_dir.evaluation_json(tag), about)
    run_dir.remove_parts(tag)
    return Evaluation(run_dir.evaluation(tag), about, drawn)
