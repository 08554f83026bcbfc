"""The host's sample generator with groups, a filter, refill and the tracker; its state goes into the checkpoint.

Rollouts of a prompt come back as one group. The tracker sees every group, the filter decides which train, and
rejected ones are replaced at once so that the engines stay busy. What was accepted but not yet trained waits in a
buffer that outlives the end of an episode and, through `state_dict`, the process.
"""

import math
from dataclasses import dataclass

import ray
import torch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
from openrlhf.trainer.ray.vllm_engine import batch_vllm_engine_call
from openrlhf.utils.logging_utils import init_logger
from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FilterConfig, Group, Rollout, load_filter
from openrlhf_unlearn.run_dir import POSITIVE_THRESHOLD, VERDICTS, RunDir
from openrlhf_unlearn.training.checkpoint import StateFiles
from openrlhf_unlearn.training.likelihood import REPLAYED
from openrlhf_unlearn.training.packing import AcceptedGroup, packer
from openrlhf_unlearn.training.prompts import Prompt, PromptStream, distinct_prompts
from openrlhf_unlearn.training.selection import select_prompts, write_prompts
from openrlhf_unlearn.training.state import StateTypeError, check_state
from openrlhf_unlearn.training.tracker import Sampled, Tracker

logger = init_logger(__name__)


class Batch(list):
    """One step's experiences, as the host expects them, with the metrics that the generator has about them."""

    metrics: dict = {}


@dataclass
class Visit:
    """One prompt on its way through the engines; adaptive filters add waves of rollouts to it."""

    prompt: Prompt
    experiences: list
    rewards: list[float]
    verdicts: list[str]
    responses: list[str]

    @property
    def group(self) -> Group:
        rollouts = zip(self.rewards, self.experiences, strict=True)
        return Group(self.prompt.id, tuple(Rollout(reward, payload) for reward, payload in rollouts))


def filter_config(args) -> FilterConfig:
    own = args.unlearn
    return FilterConfig(
        k=args.rollout.n_samples_per_prompt,
        seed=args.train.seed,
        oversample_factor=own.oversample_factor,
        positives_per_group=own.positives_per_group,
        replay_limit=own.replay_limit,
        adaptive=own.adaptive,
        give_up_below=own.give_up_below,
        buffer_bytes=own.replay_memory * 1e9,
        pack=packer(agent=bool(args.train.agent_func_path)),
    )


class UnlearnSamplesGenerator(SamplesGenerator):
    """In place of the host's SamplesGenerator, in the synchronous and the asynchronous trainer."""

    def __init__(self, strategy, prompts_dataloader, eval_dataloader, tokenizer, vllm_engines):
        super().__init__(strategy, prompts_dataloader, eval_dataloader, tokenizer, vllm_engines)
        args = self.args
        self.k = args.rollout.n_samples_per_prompt
        self.run = RunDir(args.unlearn.run_dir)
        known = distinct_prompts(prompts_dataloader.dataset)
        write_prompts(self.run, known)
        chosen = select_prompts(known, args.unlearn)
        self.chosen_share = len(chosen) / len(known)
        self.stream = PromptStream(chosen, args.train.seed)
        self.filter = load_filter(args.unlearn.filter, filter_config(args))
        self.tracker = Tracker(self.run, args.unlearn.save_rollouts, self.k if args.unlearn.adaptive else 0)
        self.loader = ResumableLoader(self)
        self.buffer: list[AcceptedGroup] = []
        self.step = 0  # batches handed to the trainer
        self.rejected_in_a_row = 0
        self._episode_over = False
        self._resumed_at_episode_end = False
        self._started = False

    # The host's entry point ----------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate_samples(self, **generate_kwargs):
        """One batch of k rollouts a group, or an empty one at the end of an episode that cannot fill it.

        Returns, as the host's: (experiences, pass rate (None: it is among our metrics), prompts consumed, exhausted).
        """
        if not self._started:
            self.run.drop_after(self.step)
            self._started = True
        if self._resumed_at_episode_end:
            # The checkpoint's episode had just ended; the host opens it again and must be told so.
            self._resumed_at_episode_end = False
            return Batch(), None, 0, True
        if self._episode_over:
            self._episode_over = False
            self.stream.next_episode()

        batch_size = self.args.rollout.batch_size
        consumed = 0
        if len(self.buffer) < batch_size:
            ahead = getattr(self.args.rollout, "vllm_generate_batch_size", None) or batch_size
            consumed = self._sample(ahead - len(self.buffer), **generate_kwargs)

        batch = self._take_batch(self._groups_to_train(batch_size))
        self._episode_over = self.stream.exhausted and len(self.buffer) < batch_size
        if self._episode_over:
            logger.info(f"Episode {self.stream.episode + 1} is over: {self.tracker.describe()}")
            if self._last_episode and not batch and consumed:
                self.tracker.finish_step(self.step + 1)  # what was still sampled, for a step that never trained
        return batch, None, consumed, self._episode_over

    @property
    def _last_episode(self) -> bool:
        return self.stream.episode + 1 >= self.args.train.num_episodes

    def _groups_to_train(self, batch_size: int) -> int:
        """A full batch, or at the very end as many groups as fill whole optimiser steps on every rank."""
        if len(self.buffer) >= batch_size:
            return batch_size
        if not (self.stream.exhausted and self._last_episode):
            return 0
        # A part of an optimiser step would add gradients that no step applies, and uneven ranks would wait forever.
        unit = math.lcm(self.args.train.batch_size, self._rollouts_per_forward(), self.k) // self.k
        trainable = len(self.buffer) // unit * unit
        if trainable < len(self.buffer):
            left = (len(self.buffer) - trainable) * self.k
            logger.info(f"End of training: {left} accepted rollouts were left, too few for one more optimiser step")
        return trainable

    def _rollouts_per_forward(self) -> int:
        args = self.args
        ranks = args.actor.num_nodes * args.actor.num_gpus_per_node
        return args.rollout.micro_batch_size * ranks // args.ds.ring_attn_size // args.ds.tensor_parallel_size

    def _take_batch(self, n_groups: int) -> Batch:
        taken, self.buffer = self.buffer[:n_groups], self.buffer[n_groups:]
        batch = Batch()
        any_replayed = any(rollout.replayed for group in taken for rollout in group.rollouts)
        for group in taken:
            experiences = group.experiences(self.stream.by_id[group.prompt_id])
            for rollout, experience in zip(group.rollouts, experiences, strict=True):
                if any_replayed:
                    experience.info = {**experience.info, REPLAYED: torch.tensor([float(rollout.replayed)])}
                batch.append(experience)
            rewards = [rollout.reward for rollout in group.rollouts]
            self.tracker.trained(group.prompt_id, rewards, sum(rollout.replayed for rollout in group.rollouts))
        if taken:
            self.step += 1
            batch.metrics = {**self.tracker.finish_step(self.step), **self.filter.metrics()}
        return batch

    # Sampling ------------------------------------------------------------------------------------------------------

    def _sample(self, wanted: int, **generate_kwargs) -> int:
        """Sample until `wanted` groups were accepted or the episode is over; returns the prompts consumed."""
        if self.args.vllm.enable_sleep:
            batch_vllm_engine_call(self.vllm_engines, "wake_up")
        first = self._revisited()[:wanted]
        first += self.stream.take(wanted - len(first))
        consumed = len(first)
        pending = self._dispatch([Visit(p, [], [], [], []) for p in first], **generate_kwargs)
        progress = tqdm(total=wanted, desc="Generate samples")
        while pending:
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=10.0)
            for ref in ready:
                visit = pending.pop(ref)
                self._add_responses(visit, ray.get(ref), **generate_kwargs)
                more = self.filter.wants_more(visit.group)
                if more:
                    pending.update(self._dispatch([visit], more, **generate_kwargs))
                elif self._decide(visit):
                    progress.update()
                else:
                    replacement = self.stream.take(1)
                    consumed += len(replacement)
                    pending.update(self._dispatch([Visit(p, [], [], [], []) for p in replacement], **generate_kwargs))
                progress.set_postfix(prompts=consumed, refresh=False)
        progress.close()
        if self.args.vllm.enable_sleep:
            batch_vllm_engine_call(self.vllm_engines, "sleep")
        return consumed

    def _revisited(self) -> list[Prompt]:
        names = self.filter.revisit(self.step + 1)
        return [self.stream.by_id[name] for name in names if name in self.stream.by_id]

    def _dispatch(self, visits: list[Visit], n_samples: int | None = None, **generate_kwargs) -> dict:
        """Send visits to the engines; returns {Ray reference: visit}."""
        if not visits:
            return {}
        generate_kwargs["n_samples_per_prompt"] = n_samples or self.filter.samples_per_wave
        prompts = [visit.prompt for visit in visits]
        refs = self._dispatch_prompts_to_vllm(
            [p.text for p in prompts], [p.label for p in prompts], images=[p.image for p in prompts], **generate_kwargs
        )
        return dict(zip(refs, visits, strict=True))

    def _add_responses(self, visit: Visit, responses: list[dict], **generate_kwargs) -> None:
        for response in responses:
            visit.rewards.append(checked_reward(response))
            visit.verdicts.append(taken_verdict(response, visit.rewards[-1]))
            response["reward"] = visit.rewards[-1]
            if response.get("scores") is not None:
                response["scores"] = float(response["scores"])
            if len(visit.responses) < self.tracker.save_rollouts:
                visit.responses.append(self._response_text(response))
            visit.experiences.append(self._process_response_into_experience(response, **generate_kwargs))

    def _response_text(self, response: dict) -> str:
        tokens = response["observation_tokens"]
        spans = [tokens[start:end] for start, end in response["action_ranges"]]
        return "".join(self.tokenizer.decode(span, skip_special_tokens=False) for span in spans)

    def _decide(self, visit: Visit) -> bool:
        """Ask the filter, tell the tracker, keep what was accepted."""
        decision = self.filter.decide(visit.group)
        decision.check(self.k, self.args.unlearn.filter, visit.prompt.id)
        sampled = Sampled(visit.prompt.id, visit.rewards, visit.verdicts, visit.responses)
        self.tracker.observe(sampled, decision.accepted, decision.reason)
        if decision.accepted:
            self.rejected_in_a_row = 0
            self.buffer.append(AcceptedGroup(visit.prompt.id, decision.rollouts))
            return True
        self.rejected_in_a_row += 1
        rounds = self.args.unlearn.max_filtered_batches
        if self.rejected_in_a_row >= rounds * self.args.rollout.batch_size:
            raise UserError(
                f"no group passed --unlearn.filter {self.args.unlearn.filter} in {rounds} rounds of "
                f"{self.args.rollout.batch_size} prompts (last reason: {decision.reason}); check the reward function, "
                "easier or harder data, or raise --unlearn.max_filtered_batches"
            )
        return False

    # State ---------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """Everything that the next batch depends on, as of the last batch handed out."""
        return {
            "stream": self.stream.state_dict(),
            "filter": self.filter.state_dict(),
            "tracker": self.tracker.state_dict(),
            "buffer": self.buffer,
            "step": self.step,
            "rejected_in_a_row": self.rejected_in_a_row,
            "episode_over": self._episode_over,
        }

    def load_state_dict(self, state: dict) -> None:
        self.stream.load_state_dict(state["stream"])
        self.filter.load_state_dict(state["filter"])
        self.tracker.load_state_dict(state["tracker"])
        self.buffer = state["buffer"]
        self.step = state["step"]
        self.rejected_in_a_row = state["rejected_in_a_row"]
        self._episode_over = state["episode_over"]
        self._resumed_at_episode_end = state["episode_over"]


class ResumableLoader:
    """What the trainers see as their prompt data loader: its saved state is the generator's.

    Both trainers put the loader's state into the client state of OpenRLHF's checkpoint, the asynchronous one together
    with each batch: so ours is always saved with the step it belongs to. What they get is a reference; the state is
    written aside, and only if the step's checkpoint is saved (checkpoint.py).
    """

    def __init__(self, generator: UnlearnSamplesGenerator):
        self.generator = generator
        args = generator.args
        ahead = getattr(args.train, "async_queue_size", 1) + 1 if args.train.async_enable else 0
        self.files = StateFiles(args.ckpt.path, getattr(args.unlearn, "run_id", None), ahead)
        self._checked = False

    def __len__(self) -> int:
        return len(self.generator.stream.prompts)

    def state_dict(self) -> dict:
        step, args = self.generator.step, self.generator.args
        if not self._checked:  # a filter that cannot be saved should fail at once, not at the first checkpoint
            self._naming_the_filter(check_state, self.generator.filter.state_dict())
            self._checked = True
        if step % args.ckpt.save_steps == 0:
            self.write()
        return {"unlearn": self.files.reference(step)}

    def write(self) -> None:
        """Write the state as of the last batch handed out, for a checkpoint that will be saved or may be."""
        if not self.generator.args.ckpt.disable_ds:
            self._naming_the_filter(self.files.write, self.generator.state_dict(), self.generator.step)

    def _naming_the_filter(self, function, *arguments) -> None:
        try:
            function(*arguments)
        except StateTypeError as error:  # only a user's filter brings objects of its own
            raise UserError(f"--unlearn.filter {self.generator.args.unlearn.filter}: state_dict(): {error}") from None

    def load_state_dict(self, state: dict) -> None:
        if "unlearn" not in state:
            raise UserError("this checkpoint was saved without --plugin unlearn; go on without it, or start anew")
        self.generator.load_state_dict(self.files.read(state["unlearn"]))


def checked_reward(response: dict) -> float:
    """The rollout's reward as a finite number; UserError says what the reward function did instead."""
    prompt = response["prompt"][:80]
    extra = response.get("extra_logs") or {}
    if "unlearn_error" in extra:
        raise UserError(f"the reward function failed: {extra['unlearn_error']} (prompt {prompt!r})")
    reward = response.get("reward")
    if reward is None:
        raise UserError(f"the reward function gave no reward (prompt {prompt!r}); see --reward.remote_url")
    values = torch.as_tensor(reward, dtype=torch.float64).flatten()
    if values.numel() != 1:
        raise UserError(f"the reward function gave {values.numel()} rewards for one rollout (prompt {prompt!r})")
    if not torch.isfinite(values).all():
        raise UserError(f"the reward function gave {values.item()} (prompt {prompt!r}); rewards must be finite")
    return values.item()


def taken_verdict(response: dict, reward: float) -> str:
    """The grader's verdict, taken out of the extra logs that the host would average; else what the reward says."""
    code = (response.get("extra_logs") or {}).pop("unlearn_verdict", None)
    if code is not None:
        return VERDICTS[int(code)]
    return "correct" if reward > POSITIVE_THRESHOLD else "wrong"
