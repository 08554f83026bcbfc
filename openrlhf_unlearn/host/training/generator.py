"""The host's sample generator with groups, a filter, refill and the tracker; its state goes into the checkpoint.

What is decided about groups is `collect/collector.py`; here rollouts are sent to the engines by the host's own methods
and come back as its experiences.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import ray
import torch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
from openrlhf.trainer.ray.vllm_engine import batch_vllm_engine_call
from openrlhf.utils.logging_utils import init_logger

from openrlhf_unlearn.causes.early import by_group, not_learned
from openrlhf_unlearn.collect.collector import AcceptedGroup, Collector, Sizes, Visit
from openrlhf_unlearn.collect.judgement import Judgement, judge
from openrlhf_unlearn.collect.prompts import PromptStream, distinct
from openrlhf_unlearn.collect.selection import select_prompts, write_prompts
from openrlhf_unlearn.collect.tracker import Tracker
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FilterConfig, Rollout, load_filter
from openrlhf_unlearn.grading.answer_key import answer_of, key
from openrlhf_unlearn.host.losses import engine_log_probs_flag
from openrlhf_unlearn.host.training.checkpoint import StateFiles
from openrlhf_unlearn.host.training.expert import as_response, like, read_traces
from openrlhf_unlearn.host.training.hints import behind, load_hints, prompt_tokens
from openrlhf_unlearn.host.training.marks import EXPERT, ID, POSITIVE, REPLAYED, id_number
from openrlhf_unlearn.host.training.packing import Answer, HeldGroup, made, packer
from openrlhf_unlearn.host.training.prompts import prompt_rows
from openrlhf_unlearn.host.training.state import StateTypeError, check_state
from openrlhf_unlearn.samplers import SamplerConfig, load_sampler
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import drop_after

ANSWER_TOKENS = 200  # at the end of a response, in which its answer is looked for

init_logger("openrlhf_unlearn.collect")  # the collector's own logger passes its lines up to this one


class TrainingBatch(list):
    """One step's experiences, as the host expects them, with the metrics that the generator has about them."""

    metrics: dict = {}
    span: tuple[float, float] = (0.0, 0.0)  # share of all prompts that was consumed with the last batch, and with this


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
        hint_trains=own.hint_trains,
        review_every=own.review_every,
        review_at_most=own.review_at_most,
    )


def sizes(args) -> Sizes:
    """The host's batch sizes in groups of k rollouts."""
    k, batch = args.rollout.n_samples_per_prompt, args.rollout.batch_size
    ranks = args.actor.num_nodes * args.actor.num_gpus_per_node
    forward = args.rollout.micro_batch_size * ranks // args.ds.ring_attn_size // args.ds.tensor_parallel_size
    return Sizes(
        batch=batch,
        ahead=getattr(args.rollout, "vllm_generate_batch_size", None) or batch,
        unit=math.lcm(args.train.batch_size, forward, k) // k,
        max_rejected=args.unlearn.max_filtered_batches * batch,
    )


class UnlearnSamplesGenerator(Collector, SamplesGenerator):
    """In place of the host's SamplesGenerator, in the synchronous and the asynchronous trainer."""

    group_type = HeldGroup

    def __init__(self, strategy, prompts_dataloader, eval_dataloader, tokenizer, vllm_engines):
        SamplesGenerator.__init__(self, strategy, prompts_dataloader, eval_dataloader, tokenizer, vllm_engines)
        args = self.args
        self.run = RunDir(args.unlearn.run_dir)
        rows = prompt_rows(prompts_dataloader.dataset)
        write_prompts(self.run, distinct(rows))
        chosen = select_prompts(rows, args.unlearn)
        self.chosen_share = len(chosen) / len(rows)
        first_wave = args.rollout.n_samples_per_prompt if args.unlearn.adaptive else 0
        ids = [row.id for row in chosen]
        hints = load_hints(args, tokenizer, set(ids)) if args.unlearn.hints else {}
        filter = load_filter(args.unlearn.filter, replace(filter_config(args), hints=hints))
        visited = SamplerConfig(ids, filter.samples_per_wave, args.train.seed, filter.enough_negatives, filter.makes_up)
        Collector.__init__(
            self,
            sizes(args),
            PromptStream(chosen, load_sampler(args.unlearn.sampler, visited), args.train.num_episodes),
            filter,
            Tracker(self.run, args.unlearn.save_rollouts, first_wave),
            args.unlearn.review_instead,
        )
        self.filter_name = args.unlearn.filter
        self.loader = ResumableLoader(self)
        if args.unlearn.expert_traces:
            self._seed_traces(args.unlearn.expert_traces)
        self._started = False
        self._progress = 0.0  # of the stream, when the last batch was handed out
        self._generate_kwargs: dict = {}

    def _seed_traces(self, path: str) -> None:
        """Put the traces of prompts that train into the filter's buffer; a resume brings its own state."""
        with_log_probs = engine_log_probs_flag(self.args) is None
        known = [row for row in read_traces(path) if row["prompt_id"] in self.stream.by_id]
        if not known:
            raise UserError(f"--unlearn.expert_traces {path}: no row is of a prompt that trains; of other data?")
        too_long, max_len = 0, self.args.data.max_len
        for row in known:
            prompt = self.stream.by_id[row["prompt_id"]]
            response = as_response(row, prompt, self.tokenizer, with_log_probs)
            if len(response["observation_tokens"]) > max_len:  # the host would cut the answer off
                too_long += 1
                continue
            payload = super()._process_response_into_experience(response, max_len=max_len)
            self.filter.seed(prompt.id, [Rollout(1.0, payload, judged=True, expert=True)])
        own, certain = self.args.unlearn, sum(not row.get("log_probs") for row in known)
        if certain and with_log_probs and own.replay_log_probs == "recomputed" and not own.expert_shaping:
            print(
                f"--unlearn.expert_traces {path}: {certain} of {len(known)} traces have no log_probs, which stands for "
                "a probability of 1; the importance correction then leaves out what is unlikely by now "
                "(docs/remedies.md): give log_probs or --unlearn.expert_shaping",
                flush=True,
            )
        if too_long:
            print(
                f"--unlearn.expert_traces {path}: {too_long} of {len(known)} traces are left out: with their prompt "
                f"they have more tokens than --data.max_len {max_len}",
                flush=True,
            )

    # The host's entry point ----------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate_samples(self, **generate_kwargs):
        """One batch of k rollouts a group, or an empty one at the end of an episode.

        Returns, as the host's: (experiences, pass rate (None: it is among our metrics), prompts consumed, exhausted).
        """
        if not self._started:
            drop_after(self.run, self.step)
            self._started = True
            self._progress = self.stream.progress
        self._generate_kwargs = generate_kwargs
        groups, consumed = self.next_groups()
        batch = self._take_batch(groups)
        if batch:
            batch.span = (self._progress, self.stream.progress)
            self._progress = self.stream.progress
        if self.episode_over and self.stream.last_episode and not batch and consumed:
            self.tracker.finish_step(self.step + 1)  # what was still sampled, for a step that never trained
        return batch, None, consumed, self.episode_over

    def _take_batch(self, groups: Sequence[AcceptedGroup]) -> TrainingBatch:
        batch = TrainingBatch()
        any_replayed = any(rollout.replayed for group in groups for rollout in group.rollouts)
        any_expert = any(rollout.expert for group in groups for rollout in group.rollouts)
        for group in groups:
            assert isinstance(group, HeldGroup)  # `group_type`
            rewards = []
            experiences = group.experiences(self.stream.by_id[group.prompt_id])
            fresh = next((i for i, rollout in enumerate(group.rollouts) if not rollout.expert), 0)
            for rollout, experience in zip(group.rollouts, experiences, strict=True):
                marks = {ID: id_number(group.prompt_id), POSITIVE: float(rollout.positive)}
                if any_replayed:
                    marks[REPLAYED] = float(rollout.replayed)
                if rollout.expert:
                    like(experience, experiences[fresh])
                if any_expert:
                    marks[EXPERT] = float(rollout.expert)
                experience.info = {**experience.info, **{name: torch.tensor([mark]) for name, mark in marks.items()}}
                batch.append(experience)
                rewards.append(experience.rewards.item())
            self.tracker.trained(group.prompt_id, group.rollouts, rewards)
        if groups:
            self.step += 1
            own = {**self.filter.metrics(), **self.stream.sampler.metrics(), **self._outlook()}
            batch.metrics = {**self.tracker.finish_step(self.step), **own}
        return batch

    def _outlook(self) -> dict[str, float]:
        """Share of the prompts of each curve that is expected not to be learned by the end, for the host's loggers."""
        names, histories = list(self.tracker.histories), list(self.tracker.histories.values())
        curves = np.array([self.tracker.curve_of[name] for name in names])
        found = by_group(not_learned(histories, self.stream.progress), curves)
        return {f"unlearn/p_not_learned_{curve}": row["expected"] for curve, row in found.items()}

    # Sampling ------------------------------------------------------------------------------------------------------

    def _sample(self, wanted: int) -> int:
        if self.args.vllm.enable_sleep:
            batch_vllm_engine_call(self.vllm_engines, "wake_up")
        consumed = super()._sample(wanted)
        if self.args.vllm.enable_sleep:
            batch_vllm_engine_call(self.vllm_engines, "sleep")
        return consumed

    def dispatch(self, visits: list[Visit], n_samples: int) -> dict:
        prompts = [visit.asked for visit in visits]
        refs = self._dispatch_prompts_to_vllm(
            [p.text for p in prompts],
            [p.label for p in prompts],
            images=[p.images for p in prompts],
            **{**self._generate_kwargs, "n_samples_per_prompt": n_samples},
        )
        return dict(zip(refs, visits, strict=True))

    def ready(self, pending) -> list:
        return ray.wait(list(pending), num_returns=1, timeout=10.0)[0]

    def receive(self, handle, visit: Visit) -> None:
        self.add_responses(visit, ray.get(handle))

    def add_responses(self, visit: Visit, responses: list[dict]) -> None:
        make = partial(self._process_response_into_experience, **self._generate_kwargs)
        for response in responses:
            if visit.hint is not None and self.args.unlearn.hint_trains == "one":
                response = behind(response, prompt_tokens(made(visit.payloads[0])))
            judgement = self._judged(response)
            visit.payloads.append(Answer(response, make))
            visit.judgements.append(judgement)
            visit.answers.append(None if judgement.positive else self._answer_key(response))
            if visit.hint is None and len(visit.responses) < self.tracker.save_rollouts:
                visit.responses.append(self._response_text(response))

    def _process_response_into_experience(self, response, **generate_kwargs):
        """The host's, for training and evaluation, once the reward has the one shape that it can batch."""
        self._judged(response)
        return super()._process_response_into_experience(response, **generate_kwargs)

    def _judged(self, response: dict) -> Judgement:
        if "judgement" not in response:
            judged = judge(response, self.args.unlearn.positive_above)
            response.update(judgement=judged, reward=judged.reward, scores=judged.score, extra_logs=judged.logs)
        return response["judgement"]

    def _answer_key(self, response: dict) -> str | None:
        """Of the answer, by the response's last tokens alone: decoding all of a long one would cost more than it."""
        start, end = response["action_ranges"][-1] if response["action_ranges"] else (0, 0)
        tokens = response["observation_tokens"][max(start, end - ANSWER_TOKENS) : end]
        answer = answer_of(self.tokenizer.decode(tokens, skip_special_tokens=False))
        return key(answer) if answer else None

    def _response_text(self, response: dict) -> str:
        tokens = response["observation_tokens"]
        spans = [tokens[start:end] for start, end in response["action_ranges"]]
        return "".join(self.tokenizer.decode(span, skip_special_tokens=False) for span in spans)

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
            "solved_in_a_row": self.solved_in_a_row,
            "episode_over": self._episode_over,
        }

    def load_state_dict(self, state: dict) -> None:
        self.stream.load_state_dict(state["stream"])
        self.filter.load_state_dict(state["filter"])
        self.tracker.load_state_dict(state["tracker"])
        self.buffer = state["buffer"]
        self.step = state["step"]
        self.rejected_in_a_row = state["rejected_in_a_row"]
        self.solved_in_a_row = state.get("solved_in_a_row", 0)
        self._episode_over = state["episode_over"]
        self._end_untold = state["episode_over"]  # the trainer opens the checkpoint's episode again


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
        return len(self.generator.stream.rows)

    def state_dict(self) -> dict:
        step, args = self.generator.step, self.generator.args
        if not self._checked:  # what cannot be saved should fail at once, not at the first checkpoint
            self._naming("filter", check_state, self.generator.filter.state_dict())
            self._naming("sampler", check_state, self.generator.stream.sampler.state_dict())
            self._checked = True
        if step % args.ckpt.save_steps == 0:
            self.write()
        return {"unlearn": self.files.reference(step)}

    def write(self) -> None:
        """Write the state as of the last batch handed out, for a checkpoint that will be saved or may be."""
        if not self.generator.args.ckpt.disable_ds:
            self._naming("filter", self.files.write, self.generator.state_dict(), self.generator.step)

    def _naming(self, flag: str, function, *arguments) -> None:
        try:
            function(*arguments)
        except StateTypeError as error:  # only a user's filter or sampler brings objects of its own
            spec = getattr(self.generator.args.unlearn, flag)
            raise UserError(f"--unlearn.{flag} {spec}: state_dict(): {error}") from None

    def load_state_dict(self, state: dict) -> None:
        if "unlearn" not in state:
            raise UserError("this checkpoint was saved without --plugin unlearn; go on without it, or start anew")
        self.generator.load_state_dict(self.files.read(state["unlearn"]))
