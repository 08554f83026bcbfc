"""The real collector, filters and samplers on a built-in world, with plain PyTorch in place of Ray, vLLM and DeepSpeed.

What trains is what the filter says, with the prompt that it was sampled with; a hinted rollout that trains beside plain
ones (`hint_trains` one) is put behind the plain prompt, with log-probs computed there, as by --unlearn.replay_log_probs
recomputed. An optimiser step takes MINI_BATCH rollouts, as in examples/settings.sh.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

os.environ.setdefault("TQDM_DISABLE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.plain_training import K, Policy, evaluate, start
from openrlhf_unlearn.collect.collector import Collector, Sizes
from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.collect.prompts import Prompt, PromptStream
from openrlhf_unlearn.collect.tracker import Tracker
from openrlhf_unlearn.filters import FilterConfig, Rollout, load_filter
from openrlhf_unlearn.grading.answer_key import answer_of, key
from openrlhf_unlearn.samplers import SamplerConfig, load_sampler
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id
from openrlhf_unlearn.worlds import task

BATCH, MINI_BATCH = 64, 32  # groups a step; rollouts an optimiser step


class Plain(Collector):
    """Rollouts of the policy, as (prompt, tokens of the response); all that is asked for is sampled at once."""

    def __init__(self, policy: Policy, rows: list[Prompt], filter, sampler, episodes: int, run: RunDir, instead: bool):
        sizes, tracker = Sizes(BATCH, BATCH, 1, 10**9), Tracker(run, 0, filter.samples_per_wave)
        super().__init__(sizes, PromptStream(rows, sampler, episodes), filter, tracker, instead)
        self.policy, self.sampled = policy, {}

    def dispatch(self, visits, n_samples):
        of_length = defaultdict(list)
        for visit in visits:
            of_length[len(visit.asked.text)].append(visit)
        for length, same in of_length.items():
            tokens = self.policy.sample([visit.asked.text for visit in same], n_samples)[:, length:]
            for i, visit in enumerate(same):
                self.sampled[id(visit)] = tokens[i * n_samples : (i + 1) * n_samples]
        return {id(visit): visit for visit in visits}

    def ready(self, pending):
        return list(pending)[:1]

    def receive(self, handle, visit):
        tokens = self.sampled.pop(handle)
        hint = visit.asked.text[len(visit.prompt.text) :]
        for row, text in zip(tokens, self.policy.texts(tokens, 0), strict=True):
            right = task.is_correct(hint + text, visit.prompt.label)
            visit.judgements.append(Judgement(float(right), None, right, "correct" if right else "wrong", {}))
            visit.payloads.append((visit.asked.text, row))
            visit.responses.append(text)
            visit.answers.append(key(found) if (found := answer_of(hint + text)) else None)

    def stepped(self) -> None:
        """Called after each step."""

    def train(self) -> None:
        while True:
            groups, _ = self.next_groups()
            if groups:
                self.step += 1
                for group in groups:
                    rewards = [float(rollout.positive) for rollout in group.rollouts]
                    self.tracker.trained(group.prompt_id, group.rollouts, rewards)
                learn(self.policy, groups, self.stream.by_id)
                self.tracker.finish_step(self.step)
                self.stepped()
            if self.episode_over and self.stream.last_episode:
                return


def learn(policy: Policy, groups, by_id: dict[str, Prompt]) -> None:
    """One pass over the groups, MINI_BATCH rollouts at a time."""
    rows, advantages, eos = [], [], policy.tokenizer.eos_token_id
    for group in groups:
        rewards = torch.tensor([float(rollout.positive) for rollout in group.rollouts])
        advantages += ((rewards - rewards.mean()) / (rewards.std() + 1e-6)).tolist()
        for rollout in group.rollouts:
            prompt, response = rollout.payload
            if rollout.hinted and rollout.replayed:  # behind the plain prompt; the hint is a part of the answer
                plain = by_id[group.prompt_id].text
                prompt, response = plain, torch.cat([ids(policy, prompt[len(plain) :]), response])
            stops = (response == eos).nonzero()
            response = response[: int(stops[0]) + 1] if len(stops) else response
            rows.append((ids(policy, prompt), response))
    padding = policy.tokenizer.pad_token_id
    tokens = pad_sequence([torch.cat(row) for row in rows], batch_first=True, padding_value=padding)
    place = torch.arange(tokens.shape[1])[None]
    starts = torch.tensor([len(prompt) for prompt, _ in rows])[:, None]
    ends = starts + torch.tensor([len(response) for _, response in rows])[:, None]
    mask = ((place >= starts) & (place < ends))[:, 1:].float()
    with torch.no_grad():
        old, ref = (policy.log_probs(model, tokens, 1) for model in (policy.model, policy.reference))
    advantage = torch.tensor(advantages)[:, None]
    for part in torch.randperm(len(rows)).split(MINI_BATCH):
        new = policy.log_probs(policy.model, tokens[part], 1)
        policy.update(new, old[part], ref[part], advantage[part], mask[part])


def ids(policy: Policy, text: str) -> torch.Tensor:
    return torch.tensor(policy.tokenizer(text=text, add_special_tokens=False)["input_ids"], dtype=torch.long)


def run_arm(
    world: Path, run: RunDir, problems: list[task.Problem], seed: int, episodes: int, samples: int,
    filter: str = "dynamic", sampler: str = "uniform", hints: dict | None = None, traces: dict | None = None,
    instead: bool = False, **options,
) -> None:  # fmt: skip
    """A run directory with evaluations `initial` and `final`. hints: by prompt id, hinted prompts, least first; traces:
    by prompt id, a right response; instead: prompts that come back take turns; options: of the filter."""
    start(run, problems)
    about = json.loads(run.run_json.read_text())
    about["args"] |= {"rollout": {"n_samples_per_prompt": K}, "unlearn": {"filter": filter, "sampler": sampler}}
    run.run_json.write_text(json.dumps(about))
    policy = Policy(world / "model", seed)
    evaluate(run, policy, problems, "initial", samples)
    rows = [Prompt(prompt_id(p.prompt, p.label), p.prompt, p.label, "microworld") for p in problems]
    chosen = load_filter(filter, FilterConfig(k=K, seed=seed, hints=hints or {}, **options))
    texts = {row.id: row.text for row in rows}
    for name, response in (traces or {}).items():
        chosen.seed(name, [Rollout(1.0, (texts[name], ids(policy, response)), judged=True, expert=True)])
    drawn = load_sampler(sampler, SamplerConfig([row.id for row in rows], K, seed, makes_up=chosen.makes_up))
    Plain(policy, rows, chosen, drawn, episodes, run, instead).train()
    evaluate(run, policy, problems, "final", samples)
