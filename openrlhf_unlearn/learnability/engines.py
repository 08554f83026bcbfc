"""vLLM engines that turn prompts into sampled responses: one in this process, or one a GPU as Ray actors.

The prompt's tokens, the room for the response and the sampling parameters are those of OpenRLHF's own rollouts, so
that pass@1 is measured on the distribution that training samples from.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from openrlhf_unlearn.cpu import environment, ray_init_kwargs
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.trust import remote_code


@dataclass(frozen=True)
class EngineConfig:
    """What every engine of an evaluation shares. `max_new_tokens` None: what is left of `max_len` after the prompt."""

    model: str
    max_len: int
    max_new_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    dtype: str = "auto"
    tensor_parallel: int = 1
    max_num_seqs: int = 256
    trust_remote_code: bool = field(default_factory=remote_code)


@dataclass(frozen=True)
class Request:
    """`n` responses wanted to one prompt; `key` is the caller's."""

    key: int
    token_ids: list[int]
    n: int


def room(n_prompt: int, config: EngineConfig) -> tuple[int, int]:
    """(prompt tokens kept, response tokens allowed) for a prompt of `n_prompt` tokens, by the host's own rule."""
    allowed = config.max_new_tokens or max(1, config.max_len - n_prompt)
    return min(n_prompt, config.max_len - allowed), allowed


class Engine:
    """One vLLM engine."""

    def __init__(self, config: EngineConfig, number: int = 0):
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # its warnings are of no use here
        if not has_gpu():
            os.environ.update(environment())
        from vllm import LLM

        self.config = config
        self.llm = LLM(
            config.model,
            dtype=config.dtype,
            seed=(config.seed + 7919 * number) % 2**31,
            max_model_len=config.max_len,
            tensor_parallel_size=config.tensor_parallel,
            max_num_seqs=config.max_num_seqs,
            enforce_eager=not has_gpu(),
            trust_remote_code=config.trust_remote_code,
            disable_log_stats=True,
        )

    def sample(self, requests: list[Request]) -> list[list[list[int]]]:
        """For each request its `n` responses as token ids, the end-of-text token included where one was sampled."""
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt

        prompts, params = [], []
        for request in requests:
            kept, allowed = room(len(request.token_ids), self.config)
            prompts.append(TokensPrompt(prompt_token_ids=request.token_ids[len(request.token_ids) - kept :]))
            params.append(
                SamplingParams(
                    n=request.n,
                    temperature=self.config.temperature,
                    top_p=self.config.top_p,
                    max_tokens=allowed,
                    min_tokens=1,
                    detokenize=False,
                )
            )
        outputs = self.llm.generate(prompts, params, use_tqdm=False)
        return [[list(sample.token_ids) for sample in output.outputs] for output in outputs]

    def close(self) -> None:
        """End vLLM's own process now, not whenever this object is collected."""
        self.llm.llm_engine.engine_core.shutdown()


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@contextmanager
def engine_pool(config: EngineConfig, n_engines: int | None = None) -> Iterator["Pool"]:
    """Engines for the length of the block. `n_engines` None: one a GPU of the Ray cluster, or one without GPUs."""
    if n_engines == 1 or (n_engines is None and not has_gpu() and not os.environ.get("RAY_ADDRESS")):
        pool = LocalPool(config)
        try:
            yield pool
        finally:
            pool.engine.close()
        return
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, **({} if has_gpu() or os.environ.get("RAY_ADDRESS") else ray_init_kwargs()))
    actors = []
    try:
        actors = _actors(config, n_engines)
        yield RayPool(actors)
    finally:
        for actor in actors:
            ray.kill(actor)
        if started:
            ray.shutdown()


def _actors(config: EngineConfig, n_engines: int | None) -> list:
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    wanted = n_engines or max(1, gpus // config.tensor_parallel)
    needed = wanted * config.tensor_parallel
    if needed > gpus:
        raise UserError(f"{wanted} engines need {needed} GPUs, Ray has {gpus}; lower --engines or --tensor-parallel")
    remote = ray.remote(num_gpus=config.tensor_parallel)(Engine)
    return [remote.remote(config, number) for number in range(wanted)]


class LocalPool:
    """One engine in this process."""

    size = 1

    def __init__(self, config: EngineConfig):
        self.engine = Engine(config)

    def sample(self, chunks: Iterable[list[Request]]) -> Iterator[tuple[list[Request], list]]:
        """(chunk, its responses as `Engine.sample` gives them), in any order, each as soon as it is there."""
        for chunk in chunks:
            yield chunk, self.engine.sample(chunk)


class RayPool:
    """Several engines; two chunks wait at each, so that none idles while its last one travels."""

    def __init__(self, actors: list):
        self.actors = actors
        self.size = len(actors)

    def sample(self, chunks: Iterable[list[Request]]) -> Iterator[tuple[list[Request], list]]:
        import ray

        todo, running = iter(chunks), {}

        def start(actor) -> None:
            chunk = next(todo, None)
            if chunk is not None:
                running[actor.sample.remote(chunk)] = (actor, chunk)

        for actor in self.actors * 2:
            start(actor)
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            actor, chunk = running.pop(done)
            start(actor)
            yield chunk, ray.get(done)


Pool = LocalPool | RayPool
