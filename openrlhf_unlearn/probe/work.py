"""The work of a probe: parts of a few prompts each, in this process or spread over a Ray cluster's workers.

Every part is computed alone and alike wherever it lands, so the numbers do not depend on how many workers there are.
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.gradients import Stream, collect
from openrlhf_unlearn.probe.engine.packing import Rollouts
from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.store.trust import remote_code, why_not_loaded


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know; a resume must bring the same `settings()`."""

    model: str
    dtype: str
    device: str
    rank: int
    alpha: float
    targets: list[str] | None
    lora_seed: int
    adapter: str | None
    full: bool
    project: int
    units: int
    sketch: int
    tokens: int
    temperature: float
    attention: str | None
    trust_remote_code: bool = field(default_factory=remote_code)

    def settings(self) -> dict:
        kept = asdict(self)
        return {name: kept[name] for name in kept if name not in ("device", "tokens", "attention", "trust_remote_code")}


class GradientWorker:
    """A model on a device that turns parts into gradients."""

    def __init__(self, work: Work):
        from openrlhf_unlearn.probe.engine.backward import Backward

        model = load_model(work.model, work.dtype, work.device, work.trust_remote_code)
        self.stream = Stream(
            Backward(model, subspace(model, work), work.temperature, attention=work.attention),
            work.units,
            work.tokens,
            work.sketch,
            0 if work.full else work.project,
        )

    def __call__(self, rollouts: Sequence[Rollouts]) -> tuple[dict[str, Gradients], dict]:
        """Gradients by class and facts: seconds, tokens through the model, prompts left out."""
        started, seen, dropped = time.monotonic(), self.stream.seen, len(self.stream.dropped)
        gradients = collect(self.stream(rollouts))
        facts = {
            "seconds": time.monotonic() - started,
            "tokens": self.stream.seen - seen,
            "pack_tokens": self.stream.tokens,
            "dropped": sorted(set(self.stream.dropped[dropped:])),
            "dim": self.stream.dim,
            "subspace": self.stream.backward.subspace.name,
        }
        return gradients, facts


def load_model(name: str, dtype: str, device: str, trust_remote_code: bool = False) -> Any:
    """A causal language model of transformers, of its own class."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {device} cannot be used: {str(error).splitlines()[0]}") from None
    try:
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=getattr(torch, dtype), trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise UserError(f"--model {name} cannot be loaded: {why_not_loaded(error)}") from None
    return torch.nn.Module.to(model, device)


def subspace(model, work: Work):
    from openrlhf_unlearn.probe.engine.subspace import adapter, full, lora

    if work.full:
        return full(model, work.project or None, work.lora_seed)
    if work.adapter:
        return adapter(model, work.adapter)
    return lora(model, work.rank, work.alpha, work.targets, work.lora_seed)


def compute(work: Work, parts: Mapping[int, Sequence[Rollouts]], workers: int) -> Iterator[tuple[int, dict, dict]]:
    """(number, gradients by class, facts) of each part, as they are ready. workers: 0 for this process alone."""
    if workers:
        yield from _spread(work, parts, workers)
        return
    worker = GradientWorker(work)
    for number, rollouts in parts.items():
        yield number, *worker(rollouts)


def _spread(work: Work, parts: Mapping[int, Sequence[Rollouts]], workers: int) -> Iterator[tuple[int, dict, dict]]:
    import ray
    from ray.exceptions import RayTaskError
    from ray.util import ActorPool

    warnings.filterwarnings("ignore", "Tip: In future versions of Ray", FutureWarning)
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False)
    gpus = 1 if work.device.startswith("cuda") else 0
    actor = ray.remote(num_cpus=1, num_gpus=gpus)(_Remote)
    actors: list[Any] = [actor.remote(work) for _ in range(min(workers, len(parts)))]
    pool = ActorPool(actors)
    try:
        yield from pool.map_unordered(lambda one, item: one.run.remote(*item), list(parts.items()))
    except RayTaskError as error:
        raise error.cause from None
    finally:
        for one in actors:
            ray.kill(one)
        if started:
            ray.shutdown()


class _Remote:
    def __init__(self, work: Work):
        self.worker = GradientWorker(work)

    def run(self, number: int, rollouts: Sequence[Rollouts]) -> tuple[int, dict, dict]:
        return number, *self.worker(rollouts)
