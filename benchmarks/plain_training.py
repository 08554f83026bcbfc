"""A run on a built-in world without Ray or vLLM: plain GRPO, minutes on one core, in the layout of a run directory.

    python benchmarks/plain_training.py WORLD RUN [--wrong 0.2] [--systematic] [--second]

For studies that need many runs; the quickstart's settings, its model and its prompts. --wrong puts wrong labels on that
share of the prompts of known and learnable letters, beside those of the world: the answer of another method, drawn anew
for each prompt or (--systematic) one and the same method a letter. RUN/truth.parquet has each prompt's planted cause.
--second trains nothing: RUN is then the evaluation of another model, warmed up on the answers of the world's `beyond`
prompts, which it therefore does (a stand-in for an abler model; on labels of no rule it is no better than the first).
"""

import argparse
import json
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import torch
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import (
    SCHEMA_VERSION,
    RunDir,
    prompt_id,
    read_table,
    write_json,
    write_table,
)
from openrlhf_unlearn.worlds import model as models
from openrlhf_unlearn.worlds import task
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer

STEPS, BATCH, K, MINI_BATCHES = 75, 64, 8, 2
LEARNING_RATE, BETAS, CLIP, KL = 3e-5, (0.9, 0.99), 0.2, 3e-3


def problems_of(world: Path, wrong: float, systematic: bool) -> list[task.Problem]:
    """The world's training problems, more of their labels wrong."""
    seed = json.loads((world / "world.json").read_text())["seed"]
    rng, found = random.Random(f"wrong {seed} {wrong} {systematic}"), []
    truth = {row["prompt_id"]: row["cause"] for row in read_table(world / "truth.parquet").to_pylist()}
    other = {
        letter: rng.choice([m for m in rule.methods if m != rule.right]) for letter, rule in task.rules(seed).items()
    }
    for line in (world / "train.jsonl").read_text().splitlines():
        row = json.loads(line)
        letter, digits = row["prompt"][0], tuple(map(int, row["prompt"][1:5]))
        cause = truth[prompt_id(row["prompt"], row["label"])]
        problem = replace(task.make_problem(letter, digits, seed, cause), label=row["label"])
        if cause in ("known", "learnable") and rng.random() < wrong:
            rule = task.rules(seed)[letter]
            method = other[letter] if systematic else rng.choice([m for m in rule.methods if m != rule.right])
            problem = replace(problem, cause="wrong_label", label=task.answer(method, digits))
        found.append(problem)
    return found


class Policy:
    """The world's model with its tokenizer: samples, log-probs, GRPO steps."""

    def __init__(self, folder: Path, seed: int):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.tokenizer = build_tokenizer()
        self.model, self.reference = (
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for _ in range(2)
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=0.0)

    @torch.no_grad()
    def sample(self, prompts: list[str], n: int) -> torch.Tensor:
        """Token ids of prompt and answer, (prompts * n, tokens), padded on the right; prompts have one length."""
        ids = self.tokenizer(prompts, return_tensors="pt")["input_ids"]
        mask = torch.ones_like(ids)
        return self.model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=models.MAX_NEW_TOKENS, num_return_sequences=n
        )

    def texts(self, tokens: torch.Tensor, start: int) -> list[str]:
        return [text.replace(self.tokenizer.pad_token, "") for text in self.tokenizer.batch_decode(tokens[:, start:])]

    @staticmethod
    def log_probs(model, tokens: torch.Tensor, start: int) -> torch.Tensor:
        """(rows, answer tokens) of the answers."""
        logits = model(input_ids=tokens[:, :-1]).logits[:, start - 1 :]
        return torch.log_softmax(logits, -1).gather(-1, tokens[:, start:, None])[..., 0]

    def train(self, tokens: torch.Tensor, start: int, rewards: torch.Tensor) -> None:
        """One GRPO step; rewards: (prompts, k)."""
        centred = rewards - rewards.mean(1, keepdim=True)
        advantage = (centred / (rewards.std(1, keepdim=True) + 1e-6)).flatten()
        ended = torch.cumsum(tokens[:, start:] == self.tokenizer.eos_token_id, 1)
        mask = ((ended == 0) | ((ended == 1) & (tokens[:, start:] == self.tokenizer.eos_token_id))).float()
        with torch.no_grad():
            old, ref = (self.log_probs(model, tokens, start) for model in (self.model, self.reference))
        for rows in torch.randperm(len(tokens)).chunk(MINI_BATCHES):
            new = self.log_probs(self.model, tokens[rows], start)
            self.update(new, old[rows], ref[rows], advantage[rows, None], mask[rows])

    def update(
        self, new: torch.Tensor, old: torch.Tensor, ref: torch.Tensor, advantage: torch.Tensor, mask: torch.Tensor
    ) -> None:
        """An optimiser step on (rows, tokens) log-probs; advantage: (rows, 1)."""
        ratio, gap = torch.exp(new - old), ref - new
        gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
        loss = -gain + KL * (torch.exp(gap) - gap - 1)
        loss = ((loss * mask).sum(1) / mask.sum(1)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def evaluate(run: RunDir, policy: Policy, problems: list[task.Problem], tag: str, n: int = 64) -> None:
    rows = []
    for at in range(0, len(problems), 64):
        part = problems[at : at + 64]
        tokens = policy.sample([p.prompt for p in part], n)
        for i, text in enumerate(policy.texts(tokens, len(part[0].prompt))):
            rows.append(_row(part[i // n], i % n, text))
    Evaluations.of_rows(Evaluations.Row(**row) for row in rows).write(run, tag)
    write_json(run.evaluation_json(tag), {"model": "microworld", "n": n, "temperature": 1.0, "adaptive": None})


def _row(problem: task.Problem, sample: int, text: str) -> dict:
    right = task.is_correct(text, problem.label)
    verdict = "correct" if right else "wrong" if text.endswith(f"}}{task.EOS}") else "no_answer"
    name = prompt_id(problem.prompt, problem.label)
    values = (name, sample, text, float(right), verdict, len(text))
    return dict(zip(Evaluations.schema.names, values, strict=True))


def start(run: RunDir, problems: list[task.Problem]) -> None:
    ids = [prompt_id(p.prompt, p.label) for p in problems]
    write_json(
        run.run_json, {"schema_version": SCHEMA_VERSION, "model": "microworld", "args": {"train": {"num_episodes": 15}}}
    )
    prompts, labels = [p.prompt for p in problems], [p.label for p in problems]
    Prompts.of(prompt_id=ids, prompt=prompts, label=labels, datasource=["microworld"] * len(ids)).write(run)
    truth = [{"prompt_id": i, "group": p.group, "cause": p.cause} for i, p in zip(ids, problems, strict=True)]
    write_table(run.path / "truth.parquet", pa.Table.from_pylist(truth))


def train(
    run: RunDir, policy: Policy, problems: list[task.Problem], seed: int, steps: int = STEPS, size: int = BATCH
) -> None:
    """size: prompts a step."""
    from openrlhf_unlearn.collect.judgement import Judgement
    from openrlhf_unlearn.collect.tracker import Sampled, Tracker
    from openrlhf_unlearn.grading.answer_key import answer_of, key

    tracker, rng, waiting = Tracker(run), random.Random(seed), []
    for step in range(1, steps + 1):
        while len(waiting) < size:
            waiting += rng.sample(problems, len(problems))
        batch, waiting = waiting[:size], waiting[size:]
        length = len(batch[0].prompt)
        tokens = policy.sample([p.prompt for p in batch], K)
        texts = policy.texts(tokens, length)
        rewards = torch.tensor([float(task.is_correct(t, batch[i // K].label)) for i, t in enumerate(texts)])
        for i, p in enumerate(batch):
            mine = slice(i * K, i * K + K)
            judged = [
                Judgement(r, None, r > 0.5, "correct" if r > 0.5 else "wrong", {}) for r in rewards[mine].tolist()
            ]
            given = [key(found) if (found := answer_of(text)) else None for text in texts[mine]]
            tracker.observe(Sampled(prompt_id(p.prompt, p.label), judged, answers=given), True, "accepted")
        tracker.finish_step(step)
        policy.train(tokens, length, rewards.view(size, K))
        print(f"step {step}: {rewards.mean():.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("world", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--wrong", type=float, default=0.0)
    parser.add_argument("--systematic", action="store_true")
    parser.add_argument("--second", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    run, problems = RunDir(args.run), problems_of(args.world, args.wrong, args.systematic)
    start(run, problems)
    shutil.copy(args.world / "world.json", run.path)  # benchmarks/planted.py asks which world it was
    policy = Policy(args.world / "model", args.seed)
    if args.second:
        teach(policy, problems, args.world)
    else:
        evaluate(run, policy, problems, "initial", 32)
        train(run, policy, problems, args.seed)
    evaluate(run, policy, problems, "final")
    write_json(run.path / "done.json", {"wrong": args.wrong, "systematic": args.systematic})


def teach(policy: Policy, problems: list[task.Problem], world: Path, steps: int = 300) -> None:
    """Supervised steps on right answers of all rules, those of the `beyond` prompts by heart."""
    seed, rng = json.loads((world / "world.json").read_text())["seed"], random.Random("teach")
    texts = []
    for p in problems:
        if p.cause in ("known", "learnable", "beyond", "wrong_label", "verifier"):
            texts.append((p.prompt, task.draw_text(task.make_problem(p.letter, p.digits, seed).method, p.digits, rng)))
    fine_tune(policy, texts, steps, 1e-3, "teach")


def fine_tune(policy: Policy, texts: list[tuple[str, str]], steps: int, lr: float, seed: int | str) -> None:
    """Supervised steps of up to 64 (prompt, answer)."""
    rng, optimizer = random.Random(seed), torch.optim.AdamW(policy.model.parameters(), lr=lr, betas=(0.9, 0.98))
    for _ in range(steps):
        loss = models._answer_loss(policy.model, policy.tokenizer, rng.sample(texts, min(64, len(texts))))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
        optimizer.step()


if __name__ == "__main__":
    main()
