"""The generator on the host's real classes, without Ray; the engine alone is simulated."""

import asyncio
import math
import random
from types import SimpleNamespace

from datasets import Dataset
from openrlhf.datasets.prompts_dataset import PromptDataset
from openrlhf.utils.agent import SingleTurnAgentExecutor

from openrlhf_unlearn.host.training.generator import UnlearnSamplesGenerator
from openrlhf_unlearn.host.training.rollout import report_failures
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer

FLAGS = {
    "algo": {"advantage": {"is_correction_level": "off"}},
    "data": {
        "input_key": "prompt",
        "label_key": "label",
        "image_key": "images",
        "apply_chat_template": False,
        "input_template": None,
        "max_len": 32,
    },
    "rollout": {
        "batch_size": 4,
        "n_samples_per_prompt": 4,
        "micro_batch_size": 4,
        "vllm_generate_batch_size": 4,
        "max_new_tokens": 1,
    },
    "train": {"batch_size": 16, "num_episodes": 1, "seed": 0, "async_enable": False, "agent_func_path": None},
    "actor": {"num_nodes": 1, "num_gpus_per_node": 1},
    "ds": {"ring_attn_size": 1, "tensor_parallel_size": 1},
    "vllm": {"enable_sleep": False},
    "ckpt": {"save_steps": 1, "disable_ds": False},
    "unlearn": {
        "filter": "dynamic",
        "sampler": "uniform",
        "hints": None,
        "hint_trains": "group",
        "expert_traces": None,
        "expert_shaping": 0.0,
        "review_every": 5,
        "review_at_most": 16,
        "review_instead": False,
        "oversample_factor": 4,
        "positives_per_group": 1,
        "replay_limit": 2,
        "replay_memory": 4.0,
        "adaptive": False,
        "give_up_below": 0.0,
        "replay_log_probs": "recomputed",
        "only_prompts": None,
        "skip_prompts": None,
        "ungradable_labels": [],
        "save_rollouts": 1,
        "positive_above": 0.5,
        "max_filtered_batches": 20,
        "run_id": "this run",
    },
}
GENERATE = {"max_len": 32, "max_new_tokens": 1, "temperature": 1.0}


def namespace(tree):
    return SimpleNamespace(**{k: namespace(v) if isinstance(v, dict) else v for k, v in tree.items()})


def flags(run_dir, **changes):
    """The arguments that the generator reads; `changes` name flags, `__` for the dot."""
    args = namespace(FLAGS)
    args.unlearn.run_dir, args.ckpt.path = str(run_dir), str(run_dir.parent / "checkpoints")
    for name, value in changes.items():
        node, leaf = name.split("__")
        setattr(getattr(args, node), leaf, value)
    return args


class Engine:
    """In place of vLLM's: answers "1" with the probability that the prompt begins with, in tenths, else "0".

    After `learning` rollouts it has learned all there is.
    """

    def __init__(self, tokenizer, seed=0):
        self.tokenizer, self.random, self.learning = tokenizer, random.Random(seed), math.inf

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        tenths = "0123456789A".index(self.tokenizer.decode(prompt_token_ids)[0])
        self.learning -= 1
        text = "1" if self.learning < 0 or self.random.random() < tenths / 10 else "0"
        tokens = self.tokenizer(text=text, add_special_tokens=False)["input_ids"]
        output = SimpleNamespace(token_ids=tokens, text=text, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


class Generator(UnlearnSamplesGenerator):
    """The generator itself; what it would send to Ray's actors runs here, by the host's executor."""

    executor: SingleTurnAgentExecutor
    engine: Engine
    sent = 0

    def dispatch(self, visits, n_samples):
        self.sent += len(visits)
        return {(self.sent - i, n_samples): visit for i, visit in enumerate(visits)}

    def ready(self, pending):
        return list(pending)[:1]

    def receive(self, handle, visit):
        self.add_responses(visit, asyncio.run(self._executed(visit.asked, handle[1])))

    async def _executed(self, prompt, n):
        sampling = SimpleNamespace(max_tokens=1, logprobs=None)
        rest = (sampling, GENERATE["max_len"], self.tokenizer, self.engine)
        return [await self.executor.execute(prompt.text, prompt.label, *rest) for _ in range(n)]


def prompt_dataset(rows, args, tokenizer):
    strategy = SimpleNamespace(args=args, is_rank_0=lambda: False)
    return PromptDataset(Dataset.from_list(rows), tokenizer, strategy)


def generator(rows, run_dir, reward, seed=0, **changes):
    """A generator over `rows` whose rewards come from `reward`: the path of a reward file or a server's address."""
    args, tokenizer = flags(run_dir, **changes), build_tokenizer()
    dataset = prompt_dataset(rows, args, tokenizer)
    made = Generator(SimpleNamespace(args=args), SimpleNamespace(dataset=dataset), None, tokenizer, [])
    made.executor = SingleTurnAgentExecutor(str(reward))
    report_failures(made.executor)
    made.engine = Engine(tokenizer, seed)
    return made
