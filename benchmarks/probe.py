"""The gradient probe's speed: side by side with one backward pass per rollout, and with the floor.

    python benchmarks/probe.py [--prompts 1] [--rollouts 20] [--layers 4] [--rounds 3] [--device cpu]
    python benchmarks/probe.py --shape 0.5b --prompts 4
    python benchmarks/probe.py --model FOLDER --run RUN --prompts 100 --rollouts 4 --rounds 1
    python benchmarks/probe.py --growth
    python benchmarks/probe.py --many 10000

A random Qwen2 in the proportions of Qwen2.5-0.5B, scaled down (`--shape 0.5b`: in its size), with prompts as long as
responses; or, with --model, a real one, with --run on a run's own prompts and correct rollouts. PyTorch and
transformers are enough, beside what the probe itself imports. Three ways, in turn:

- ours: as `openrlhf-unlearn probe` runs, rollouts in packs, one weighted backward a pack.
- per rollout: PEFT's adapter, batches of two padded rollouts, one backward a rollout over the retained graph.
- floor: a bare forward and backward of the frozen base over the very packs that ours makes, head on responses only.

Ours and the per-rollout gradients are compared too: a fast wrong answer would not count. On a CPU the seconds are the
process's own (of all its threads), so that what else the machine does changes little; on a GPU they are the clock's,
after a round that compiles. Tokens a second are those that go through the model our way, prompts once a pack.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from anywhere, without an installation

RANK, ALPHA, SEED = 16, 32, 42
SHAPES = {
    "small": {"hidden": 448, "intermediate": 2432, "layers": 4, "heads": 7, "kv_heads": 1, "vocabulary": 16000},
    "0.5b": {"hidden": 896, "intermediate": 4864, "layers": 24, "heads": 14, "kv_heads": 2, "vocabulary": 151936},
}


def build(args):
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    if args.model:
        dtype = torch.bfloat16 if args.device.startswith("cuda") else torch.float32
        return AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).to(args.device).eval()
    shape = SHAPES[args.shape]
    config = Qwen2Config(
        vocab_size=args.vocabulary,
        hidden_size=shape["hidden"],
        intermediate_size=shape["intermediate"],
        num_hidden_layers=args.layers,
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        tie_word_embeddings=True,
        pad_token_id=0,
    )
    dtype = torch.bfloat16 if args.device.startswith("cuda") else torch.float32
    with torch.device(args.device):  # weights are drawn where they stay
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def sample(args):
    """Prompts of `--length` tokens and responses of that length on average, from half to one and a half; with --run the
    run's own, of prompts with at least two correct ones."""
    from openrlhf_unlearn.probe import Rollouts

    if args.run:
        return of_run(args)
    rng, n = random.Random(0), args.length
    tokens = lambda size: [rng.randrange(1, args.vocabulary) for _ in range(size)]  # noqa: E731
    return [
        Rollouts(
            f"p{i}", tokens(n), {"correct": [tokens(rng.randint(n // 2, 3 * n // 2)) for _ in range(args.rollouts)]}
        )
        for i in range(args.prompts)
    ]


def of_run(args):
    from transformers import AutoTokenizer

    from openrlhf_unlearn.probe.rollouts import choose, source
    from openrlhf_unlearn.store.run_dir import RunDir

    run = RunDir.open(args.run)
    table, tokenizer = source(run, "initial", False), AutoTokenizer.from_pretrained(args.model)
    found = choose(run, table, tokenizer, args.vocabulary, 0, None, args.rollouts, 0, None).rollouts
    found = [type(r)(r.id, r.prompt, {"correct": r.responses["correct"]}) for r in found]
    return [r for r in found if len(r.responses["correct"]) > 1][: args.prompts]


def ours(model, rollouts, args) -> np.ndarray:
    """(prompts, dim) mean gradients."""
    from openrlhf_unlearn.probe import lora, prompt_gradients

    subspace = lora(model, RANK, ALPHA, None, SEED)
    return prompt_gradients(model, rollouts, subspace, tokens=args.pack_tokens, units=args.units)["correct"].mean


def per_rollout(model, rollouts, args) -> np.ndarray:
    """(prompts, dim) mean gradients, two rollouts to a batch, one backward pass each."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(SEED)
    model.set_attn_implementation("sdpa")
    adapted = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA))
    parameters = [p for name, p in adapted.named_parameters() if "lora_B" in name]
    means = []
    for prompt in rollouts:
        responses, total = prompt.responses["correct"], 0
        for start in range(0, len(responses), 2):
            batch = responses[start : start + 2]
            longest = max(map(len, batch))
            ids = torch.tensor([[*prompt.prompt, *r, *[0] * (longest - len(r))] for r in batch], device=model.device)
            mask = torch.tensor(
                [[1] * (len(prompt.prompt) + len(r)) + [0] * (longest - len(r)) for r in batch], device=model.device
            )
            logits = adapted(input_ids=ids, attention_mask=mask).logits
            for row, response in enumerate(batch):
                predicted = logits[row, len(prompt.prompt) - 1 : len(prompt.prompt) + len(response) - 1]
                loss = cross_entropy(predicted.float(), torch.tensor(response, device=model.device))
                found = torch.autograd.grad(loss, parameters, retain_graph=True)
                total = total + torch.cat([g.flatten() for g in found])
        means.append((total / len(responses)).float().cpu().numpy())
    adapted.unload()
    return np.stack(means)


def pieces_of(rollouts, args) -> list:
    """The pieces that `ours` packs."""
    from openrlhf_unlearn.probe.engine.packing import Piece, cut, deal

    pieces = []
    for prompt in rollouts:
        responses = prompt.responses["correct"]
        for members in deal(len(responses), args.units):
            piece = Piece(0, prompt.prompt, [responses[i] for i in members], [1.0] * len(members))
            pieces += cut(piece, args.pack_tokens)
    return pieces


def floor(model, rollouts, args) -> None:
    """Forward and backward of the frozen base alone, over the packs that `ours` makes."""
    from openrlhf_unlearn.probe.engine import attention
    from openrlhf_unlearn.probe.engine.layout import Layout
    from openrlhf_unlearn.probe.engine.packing import packs

    model.requires_grad_(False)
    model.set_attn_implementation(attention.NAME)
    for pack in packs(pieces_of(rollouts, args), args.pack_tokens):
        layout = Layout.of(pack, model.device, attention.KINDS[attention.choose(model)])
        embedded = model.get_input_embeddings()(layout.input_ids).requires_grad_()
        output = model.base_model(
            inputs_embeds=embedded, position_ids=layout.position_ids, use_cache=False, layout=layout
        )
        logits = model.lm_head(output.last_hidden_state[0, layout.rows]).float()
        (cross_entropy(logits, layout.targets, reduction="none") * layout.weights.float()).sum().backward()


def timed(function, *arguments) -> tuple[float, object]:
    """(seconds, result): the process's own on a CPU, the clock's on a GPU."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    started = clock()
    result = function(*arguments)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - started, result


def similarity_seconds(prompts: int = 300, dim: int = 393216, units: int = 10, sketch: int = 4096) -> float:
    """Seconds for the similarity of so many prompts with the gradients of a 0.5 B model at rank 16."""
    from openrlhf_unlearn.probe import Gradients, similarity

    rng = np.random.default_rng(0)
    mean = rng.standard_normal((prompts, dim), dtype=np.float32)
    sketches = rng.standard_normal((prompts, units, sketch), dtype=np.float32)
    counts = np.ones((prompts, units), np.int32)
    norms2 = np.full((prompts, units), float(dim))
    dots = norms2 * units
    gradients = Gradients([str(i) for i in range(prompts)], mean, counts, norms2, dots, sketches, counts.sum(1))
    groups = [("easy", "learnable", "unlearnable")[i % 3] for i in range(prompts)]
    started = time.perf_counter()
    similarity(gradients, groups)
    return time.perf_counter() - started


def many(prompts: int, dim: int = 393216, units: int = 10, sketch: int = 4096) -> None:
    """Print seconds and peak memory of the similarity of so many prompts, their gradients in a (sparse) file."""
    from openrlhf_unlearn.probe import Gradients, similarity
    from openrlhf_unlearn.probe.measures.neighbours import neighbours
    from openrlhf_unlearn.probe.measures.pooled import Pooled
    from openrlhf_unlearn.probe.store import Rows

    with tempfile.NamedTemporaryFile() as file:
        ends = np.cumsum([prompts * dim * 4, prompts * units * sketch * 4])
        file.truncate(int(ends[1]))
        mean = Rows(file.name, 0, {"dtype": "F32", "shape": [prompts, dim], "data_offsets": [0, ends[0]]})
        shape = [prompts, units, sketch]
        sketches = Rows(file.name, 0, {"dtype": "F32", "shape": shape, "data_offsets": [int(ends[0]), int(ends[1])]})
        norms2 = np.random.default_rng(0).uniform(0.9, 1.1, (prompts, units))
        counts = np.ones((prompts, units), np.int32)
        gradients = Gradients(
            [str(i) for i in range(prompts)], mean, counts, norms2, norms2 * units, sketches, counts.sum(1)
        )
        groups = [("easy", "learnable", "unlearnable")[i % 3] for i in range(prompts)]
        started = time.perf_counter()
        for step in (similarity, Pooled):
            step(gradients, groups)
        neighbours(gradients)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "benchmark": "probe_many",
                "prompts": prompts,
                "gradients_gigabytes": round(ends[1] / 1e9, 1),
                "seconds": round(time.perf_counter() - started, 1),
                "ratio": round(peak / 4096, 3),
                "bar": 1.0,
                "better": "lower",
                "peak_megabytes": round(peak),
            }
        )
    )


def growth(args: argparse.Namespace) -> None:
    """Print seconds at one, two and four times as many prompts, rollouts or tokens, and the power that they grow by."""
    base, times = {"prompts": 1, "rollouts": 10, "length": 64}, (1, 2, 4)
    model, seconds = build(args), {}
    ours(model, sample(argparse.Namespace(**{**vars(args), **base})), args)  # the first call is slower
    for name, size in base.items():
        each = [sample(argparse.Namespace(**{**vars(args), **base, name: size * k})) for k in times]
        rounds = [[timed(ours, model, rollouts, args)[0] for rollouts in each] for _ in range(args.rounds)]
        seconds[name] = [round(min(values), 3) for values in zip(*rounds, strict=True)]
        print(f"{name} {[size * k for k in times]}: {seconds[name]} s", flush=True)
    powers = {name: round(float(np.log(t[-1] / t[0]) / np.log(times[-1])), 2) for name, t in seconds.items()}
    print(json.dumps({"benchmark": "probe_growth", "from": base, "seconds": seconds, "power": powers}))


def arguments(description: str) -> argparse.Namespace:
    from openrlhf_unlearn.probe.engine.gradients import default_tokens

    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    add = parser.add_argument
    add("--prompts", type=int, default=1)
    add("--rollouts", type=int, default=20, help="correct ones of each prompt, the paper's most")
    add("--length", type=int, default=128, help="tokens of a prompt, and of a response on average")
    add("--shape", choices=sorted(SHAPES), default="small", help="of the model; 0.5b: that of Qwen2.5-0.5B")
    add("--model", metavar="FOLDER", help="a real model in place of the random one")
    add("--run", metavar="RUN", help="with --model: a run directory whose evaluation `initial` gives the rollouts")
    add("--layers", type=int, help="default: the shape's")
    add("--vocabulary", type=int, help="default: the shape's")
    add("--units", type=int, default=10)
    add("--pack-tokens", type=int, help="default: the probe's own")
    add("--rounds", type=int, default=3)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--many", type=int, metavar="PROMPTS", help="only the memory of the similarity of so many prompts: 10000")
    add("--growth", action="store_true", help="only how time grows with prompts, rollouts and length")
    args = parser.parse_args()
    args.pack_tokens = args.pack_tokens or default_tokens(args.device)
    if args.run and not args.model:
        parser.error("--run goes with --model, the one that sampled it")
    if args.model:
        from transformers import AutoConfig

        args.vocabulary, args.shape = AutoConfig.from_pretrained(args.model).vocab_size, args.model
    for name in ("layers", "vocabulary") if not args.model else ():
        setattr(args, name, getattr(args, name) or SHAPES[args.shape][name])
    return args


def main() -> None:
    args = arguments(__doc__)
    if args.many:
        return many(args.many)
    if args.growth:
        return growth(args)
    model, rollouts = build(args), sample(args)
    ways = {"ours": ours, "per_rollout": per_rollout, "floor": floor}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    first = 0 if args.device == "cpu" else -1  # a GPU compiles in a round of its own
    for number in range(first, args.rounds):
        for name, way in ways.items():
            spent, results[name] = timed(way, model, rollouts, args)
            print(f"{name}: {spent:.2f} s{', not counted' * (number < 0)}", flush=True)
            if number >= 0:
                seconds[name].append(spent)
    a, b = results["ours"], results["per_rollout"]
    error = float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())
    median = {name: statistics.median(values) for name, values in seconds.items()}
    tokens = sum(piece.n_tokens for piece in pieces_of(rollouts, args))
    pairs = [[x / y for x, y in zip(seconds[n], seconds["ours"], strict=True)] for n in ("per_rollout", "floor")]
    print(
        json.dumps(
            {
                "benchmark": "probe",
                "ratio": round(statistics.median(pairs[0]), 2),
                "bar": 2.0 if args.device == "cpu" else 10.0,
                "better": "higher",
                "over_floor": round(1 / statistics.median(pairs[1]), 3),
                "over_floor_bar": 1.15,
                "seconds": {name: round(value, 3) for name, value in median.items()},
                "prompts": len(rollouts),
                "tokens": tokens,
                "tokens_a_second": round(tokens / median["ours"]),
                "shape": args.shape,
                "parameters": sum(p.numel() for p in model.parameters()),
                "relative_difference": error,
                "similarity_of_300_s": round(similarity_seconds(), 3),
                "similarity_of_300_bar_s": 1.0,
                "megabytes_per_prompt": round((a.shape[1] + args.units * min(4096, a.shape[1])) * 4 / 1e6, 2),
                "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "device": args.device,
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
