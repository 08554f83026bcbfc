"""`openrlhf-unlearn evaluate`: sample N responses a prompt and grade them, so that every prompt has a pass@1.

    openrlhf-unlearn evaluate --run RUN --tag initial --model INITIAL              data and all else as RUN trained
    openrlhf-unlearn evaluate --run RUN --tag final --model TRAINED --adaptive     half of the samples, or fewer
    openrlhf-unlearn evaluate --run NEW --tag initial --model M --data D.jsonl --input-key prompt --label-key label

What no flag says comes from RUN/run.json. Writes RUN/evaluations/TAG.parquet (a row a sample) and TAG.json (what it was
made with). Samples are saved in parts: the same command goes on with the prompts that still lack samples, and with a
larger -n it adds to those that are there. The paper takes 32 samples at temperature 1. Next: openrlhf-unlearn classify
RUN.
"""

import argparse
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.evaluation.settings import Settings, check_same, now, resolve, start_run, versions
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, check_name, read_object, write_json
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run

DTYPES = ("auto", "bfloat16", "float16", "float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", required=True, help="hub id, Hugging Face folder, or OpenRLHF's DeepSpeed checkpoint folder")
    add("--run", required=True, metavar="RUN", help="run directory; made if it is not there")
    add("--tag", required=True, help="name of this evaluation: initial, final, step50, …")
    add("--data", help="hub id or .json, .jsonl, .csv, .parquet; default: the run's")
    add("-n", type=int, default=32, help="samples a prompt; with --adaptive the most of them")
    add("--adaptive", action="store_true", help="stop a prompt when more samples would hardly change its label")
    add(
        "--error-rate",
        type=float,
        default=0.04,
        help="--adaptive: at any pass rate, the largest chance that all n samples give another label",
    )
    add(
        "--settle",
        type=float,
        default=0.1,
        help="--adaptive: the pass rate that tells labels apart, as --tau and --easy of classify",
    )
    add("--temperature", type=float, help="default: the run's")
    add("--top-p", type=float, help="default: the run's")
    add("--max-new-tokens", type=int, help="default: the run's")
    add("--max-len", type=int, help="prompt and response together; default: the run's")
    add("--input-key", help="default: the run's")
    add("--label-key", help="default: the run's")
    add("--input-template", help="default: the run's")
    add("--apply-chat-template", action=argparse.BooleanOptionalAction, help="default: the run's")
    add("--prompt-split", help="split of the data set; default: the run's")
    add("--reward", help="Python file with reward_func; default: the run's, else our grader")
    add("--answer-format", help="how our grader finds answers; default: the run's, else auto")
    add("--seed", type=int, default=0, help="of the sampling")
    add("--engines", type=int, help="vLLM engines; default: one a GPU, or one without")
    add("--tensor-parallel", type=int, default=1, help="GPUs an engine")
    add("--dtype", default="bfloat16", choices=DTYPES, help="of the weights; as training's by default")
    add("--chunk", type=int, default=2048, help="responses between two saved parts")
    add("--grading-workers", type=int, default=2, help="processes that grade")
    add(
        "--save-responses",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep text and tokens; probe and regrade need them",
    )
    add_trust_run(parser)
    add_remote_code(parser)


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for values that make no sense."""
    check_name(args.tag, "--tag")
    for name in ("n", "chunk", "max_len", "max_new_tokens", "engines", "tensor_parallel", "grading_workers"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise UsageError(f"{'-n' if name == 'n' else '--' + name.replace('_', '-')} {value}: must be at least 1")
    for name in ("error_rate", "settle", "top_p"):
        if (value := getattr(args, name)) is not None and not 0 < value <= 1:
            raise UsageError(f"--{name.replace('_', '-')} {value}: must be above 0 and at most 1")
    if args.temperature is not None and args.temperature < 0:
        raise UsageError(f"--temperature {args.temperature}: must not be negative")


def run(args: argparse.Namespace) -> int:
    check(args)
    run_dir = RunDir.open(args.run) if RunDir(args.run).run_json.exists() else RunDir(args.run)
    from openrlhf_unlearn.evaluation.checkpoints import resolve_model

    with hold(run_dir.evaluation(args.tag), f"evaluate --tag {args.tag}"):
        settings = resolve(args, resolve_model(args.model, run_dir), run_dir)
        return evaluate_rest(run_dir, settings, args)


def evaluate_rest(run_dir: RunDir, settings: Settings, args: argparse.Namespace) -> int:
    """What is missing of the evaluation, if anything is."""
    done = run_dir.evaluation_json(args.tag)
    if done.exists() and run_dir.evaluation(args.tag).exists():
        from openrlhf_unlearn.evaluation.parts import grow

        before = read_object(done).get("settings", {})
        if not grow(run_dir, args.tag, settings, before):
            check_same(before, settings, done, "choose another --tag, or delete it")
            print(f"{run_dir.evaluation(args.tag)} is there already")
            return 0
    return evaluate(run_dir, args.tag, settings, args)


def evaluate(run_dir: RunDir, tag: str, settings: Settings, args: argparse.Namespace) -> int:
    """Sample, grade and save what is still missing of `tag`, then merge its parts."""
    from openrlhf_unlearn.evaluation.adaptive import Plan
    from openrlhf_unlearn.evaluation.engines import EngineConfig, engine_pool
    from openrlhf_unlearn.evaluation.parts import Parts
    from openrlhf_unlearn.evaluation.prompts import DataConfig, load_prompts, load_tokenizer, settle_prompts
    from openrlhf_unlearn.evaluation.rewards import reward_grader

    tokenizer = load_tokenizer(settings.model)
    fields = {name: getattr(settings, name) for name in DataConfig.__dataclass_fields__}
    prompts = load_prompts(DataConfig(**fields), tokenizer)
    start_run(run_dir, settings)
    prompts = settle_prompts(run_dir, prompts)
    parts = Parts(run_dir, tag, settings)
    plan = Plan(settings.n, settings.adaptive, settings.settle)
    started = time.monotonic()
    if any(plan.wanted(*parts.counts[prompt.id]) for prompt in prompts):
        config = EngineConfig(
            model=settings.model,
            max_len=settings.max_len,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            seed=settings.seed + 104729 * parts.number,  # a resume must not draw the same numbers again
            dtype=settings.dtype,
            tensor_parallel=args.tensor_parallel,
        )
        with (
            reward_grader(settings.reward, settings.answer_format, args.grading_workers) as grade,
            engine_pool(config, args.engines) as pool,
        ):
            sampling = Sampling(prompts, tokenizer, grade, parts, plan, config.max_len)
            sampling.run(pool, args.chunk)
    seconds = time.monotonic() - started
    finish(run_dir, tag, settings, parts, seconds)
    return 0


class Sampling:
    """Rounds of sampling until no prompt wants more; a chunk is graded and saved while the next one is sampled."""

    def __init__(self, prompts, tokenizer, grade, parts, plan, max_len: int):
        self.prompts, self.tokenizer, self.grade, self.parts, self.plan = prompts, tokenizer, grade, parts, plan
        self.token_ids = [tokenizer(text=p.text, add_special_tokens=False)["input_ids"] for p in prompts]
        longest = max(range(len(prompts)), key=lambda i: len(self.token_ids[i]))
        if len(self.token_ids[longest]) >= max_len:
            raise UserError(
                f"prompt {prompts[longest].id} has {len(self.token_ids[longest])} tokens, no room is left in --max-len "
                f"{max_len}; raise it"
            )

    def run(self, pool, chunk_size: int) -> None:
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


def finish(run_dir: RunDir, tag: str, settings: Settings, parts, seconds: float) -> None:
    """Merge the parts, write evaluations/TAG.json and say in a line what came out."""
    import numpy as np

    from openrlhf_unlearn.evaluation.adaptive import Plan

    drawn = parts.drawn
    verdicts: Counter = parts.merge()
    counts = list(parts.counts.values())
    samples = sum(n for n, _ in counts)
    plan = Plan(settings.n, settings.adaptive, settings.settle)
    mean = float(plan.rates(*np.array(counts).T).mean())  # unbiased after adaptive sampling
    write_json(
        run_dir.evaluation_json(tag),
        {
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
        },
    )
    run_dir.remove_parts(tag)
    print(
        f"{run_dir.evaluation(tag)}: {len(counts)} prompts, {samples} samples "
        f"({samples / len(counts):.1f} a prompt), mean pass@1 {mean:.3f}; "
        f"{drawn} samples in {seconds:.0f} s"
    )
    if verdicts["bad_label"]:
        print(f"note: {verdicts['bad_label']} samples belong to labels that cannot be graded (verdict bad_label)")
