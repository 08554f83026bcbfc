"""vLLM engines that turn prompts into sampled responses: one in this process, or one a GPU as Ray actors.

The prompt's tokens, the room for the response and the sampling parameters are those of OpenRLHF's own rollouts, so
that pass@1 is measured on the distribution that training samples from.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.leaving import hear_sigterm
from openrlhf_unlearn.machine.engine_log import keep_log
from openrlhf_unlearn.machine.ray_settings import ONE_PROCESS, environment, ray_init_kwargs
from openrlhf_unlearn.machine.threads import choose_threads
from openrlhf_unlearn.store.trust import remote_code


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
    log: Path | None = None  # where what vLLM says is kept


# Samples of a prompt share whole blocks of its tokens. vLLM makes them of 128 on a CPU: few short prompts fill one,
# so that each sample would read its prompt anew; its kernels want a multiple of 32.
SHARED_BLOCK = 32


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
    """One vLLM engine, with `threads` threads where it computes on a CPU."""

    def __init__(self, config: EngineConfig, number: int = 0, threads: int = 1):
        keep_log(config.log)
        # vLLM's own process is a new one: in a fork of one that has asked for GPUs, CUDA cannot start.
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
        on_cpu = not has_gpu()
        if on_cpu:
            os.environ.update(environment(threads))
        from vllm import LLM

        self.config = config
        self.names = itertools.count()
        self.llm = LLM(
            config.model,
            dtype=cast(Any, config.dtype),  # one of DTYPES
            seed=(config.seed + 7919 * number) % 2**31,
            max_model_len=config.max_len,
            tensor_parallel_size=config.tensor_parallel,
            distributed_executor_backend=ONE_PROCESS if on_cpu and config.tensor_parallel == 1 else None,
            max_num_seqs=config.max_num_seqs,
            enforce_eager=on_cpu,
            block_size=SHARED_BLOCK if on_cpu else None,
            trust_remote_code=config.trust_remote_code,
            disable_log_stats=True,
            worker_extension_cls="openrlhf_unlearn.machine.products.Widening" if on_cpu else "",
        )
        if on_cpu:
            self.llm.collective_rpc("widen_products")

    def sample(self, requests: list[Request]) -> Iterator[list[tuple[int, list[int]]]]:
        """The responses as they finish, a few at a time: (index of the request, token ids).

        The ids include the end-of-text token where one was sampled. Each sample is a request of its own to vLLM,
        which would hand out the `n` of one request together, when the last of them is there.
        """
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        engine, index = self.llm.llm_engine, {}
        for i, request in enumerate(requests):
            kept, allowed = room(len(request.token_ids), self.config)
            for _ in range(request.n):
                name = str(next(self.names))
                index[name] = i
                params = SamplingParams(
                    temperature=self.config.temperature,
                    top_p=self.config.top_p,
                    max_tokens=allowed,
                    min_tokens=1,
                    detokenize=False,
                    output_kind=RequestOutputKind.FINAL_ONLY,
                )
                prompt = TokensPrompt(prompt_token_ids=request.token_ids[len(request.token_ids) - kept :])
                engine.add_request(name, prompt, params)
        while engine.has_unfinished_requests():
            outputs = [output for output in cast(Any, engine.step()) if output.finished]
            if outputs:
                yield [(index[output.request_id], list(output.outputs[0].token_ids)) for output in outputs]

    def close(self) -> None:
        """End vLLM's own process now, not whenever this object is collected."""
        self.llm.llm_engine.engine_core.shutdown()


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def check_length(config: EngineConfig) -> None:
    """Raise UserError where the model reads fewer tokens than `max_len`, before an engine, perhaps an actor, does."""
    from transformers import AutoConfig

    try:
        text = AutoConfig.from_pretrained(config.model, trust_remote_code=config.trust_remote_code).get_text_config()
    except Exception:  # whatever is wrong with the model, loading it says so better
        return
    reads, rope = getattr(text, "max_position_embeddings", None), getattr(text, "rope_parameters", None) or {}
    stretched = rope.get("rope_type", "default") != "default" or "VLLM_ALLOW_LONG_MAX_MODEL_LEN" in os.environ
    if reads and config.max_len > reads and not stretched:
        raise UserError(
            f"{config.model} reads {reads} tokens, prompt and response together: give --max-len of at most that, not "
            f"{config.max_len}"
        )


@contextmanager
def engine_pool(config: EngineConfig, n_engines: int | None = None) -> Iterator["Pool"]:
    """Engines for the length of the block. `n_engines` None: one a GPU of the Ray cluster, or one without GPUs."""
    check_length(config)
    cluster = os.environ.get("RAY_ADDRESS")
    if n_engines == 1 or (n_engines is None and not has_gpu() and not cluster):
        pool = LocalPool(config)
        try:
            yield pool
        finally:
            pool.engine.close()
        return
    import ray

    started = not ray.is_initialized()
    threads = 1 if has_gpu() or cluster else choose_threads(config.model, n_engines or 1, config.trust_remote_code)
    if started:
        # Of its own, also where some `ray start` runs on this machine: that Ray does not take these arguments.
        own = {} if has_gpu() or cluster else {"address": "local", **ray_init_kwargs(threads)}
        ray.init(log_to_driver=False, **own)
    hear_sigterm()
    actors = []
    try:
        actors = _actors(config, n_engines, threads)
        yield RayPool(actors)
    finally:
        for actor in actors:
            ray.kill(actor)
        if started:
            ray.shutdown()


def _actors(config: EngineConfig, n_engines: int | None, threads: int) -> list:
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    wanted = n_engines or max(1, gpus // config.tensor_parallel)
    needed = wanted * config.tensor_parallel
    if needed > gpus:
        raise UserError(f"{wanted} engines need {needed} GPUs, Ray has {gpus}; lower --engines or --tensor-parallel")
    remote = ray.remote(num_gpus=config.tensor_parallel)(Engine)
    return [remote.remote(config, number, threads) for number in range(wanted)]


class LocalPool:
    """One engine in this process."""

    size = 1

    def __init__(self, config: EngineConfig):
        threads = 1 if has_gpu() else choose_threads(config.model, trust_remote_code=config.trust_remote_code)
        self.engine = Engine(config, threads=threads)

    def sample(
        self, chunks: Iterable[list[Request]], progress: Callable[[int], object]
    ) -> Iterator[tuple[list[Request], list[list[list[int]]]]]:
        """(chunk, the responses to each of its requests as token ids), in any order, each as soon as it is there.

        `progress` is called with the number of samples that have just finished.
        """
        for chunk in chunks:
            responses = [[] for _ in chunk]
            for finished in self.engine.sample(chunk):
                _take(responses, finished, progress)
            yield chunk, responses


class RayPool:
    """Several engines; two chunks wait at each, so that none idles while its last one travels."""

    def __init__(self, actors: list):
        self.actors = actors
        self.size = len(actors)

    def sample(
        self, chunks: Iterable[list[Request]], progress: Callable[[int], object]
    ) -> Iterator[tuple[list[Request], list[list[list[int]]]]]:
        """As LocalPool's."""
        import ray

        todo, running = iter(chunks), {}

        def start(actor: Any) -> None:
            chunk = next(todo, None)
            if chunk is not None:
                stream = actor.sample.options(num_returns="streaming").remote(chunk)
                running[stream] = (actor, chunk, [[] for _ in chunk])

        for actor in self.actors * 2:
            start(actor)
        while running:
            (stream,), _ = ray.wait(list(running), num_returns=1)
            actor, chunk, responses = running[stream]
            reference = next(cast(Any, stream), None)  # it streams references
            if reference is not None:
                _take(responses, ray.get(reference), progress)
                continue
            del running[stream]
            start(actor)
            yield chunk, responses


def _take(responses: list[list], finished: list[tuple[int, list[int]]], progress: Callable[[int], object]) -> None:
    for i, tokens in finished:
        responses[i].append(tokens)
    progress(len(finished))


Pool = LocalPool | RayPool
