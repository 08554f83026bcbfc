"""Which directions of parameter space a gradient is taken in, as taps on the model's modules.

The gradient of a linear layer's weight is Σ_t δ_t ⊗ x_t, over tokens t, of the loss's gradient δ at its output and its
input x. Every subspace here is that sum with a linear map on either side, so that no weight's own gradient is formed:

- a fresh LoRA adapter (paper, section 5.1): at B = 0 the adapter changes nothing, A has no gradient, and B's is
  Σ_t δ_t ⊗ s A x_t, with s = alpha / rank. PEFT itself draws A, so the subspace is that of PEFT's adapter.
- a trained adapter, merged into the weights: B's as above, and A's is Σ_t s Bᵀδ_t ⊗ x_t.
- all parameters, each with random signs on both sides (P δ_t ⊗ Q x_t), which keeps inner products on average.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from openrlhf_unlearn.errors import UserError


@dataclass(frozen=True)
class Tap:
    """One block of the gradient: kind of module, maps (rows: what is kept) or None for the identity, and its shape."""

    module: str
    kind: str  # linear, bias, embedding, norm
    left: torch.Tensor | None
    right: torch.Tensor | None
    shape: tuple[int, int]
    start: int  # of the block in the gradient's vector

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class Subspace:
    """taps: the gradient's blocks; modules that share a weight share a block. name: how it was made."""

    taps: tuple[Tap, ...]
    name: str

    @property
    def dim(self) -> int:
        return max(tap.start + tap.size for tap in self.taps)


def lora(model, rank: int = 16, alpha: float = 32, targets: list[str] | None = None, seed: int = 42) -> Subspace:
    """B of the adapter that PEFT makes with these settings. Raises UserError for target modules that are not there."""
    from peft import LoraConfig, get_peft_model

    _check_targets(model, targets)
    torch.manual_seed(seed)
    settings: dict[str, Any] = {"lora_alpha": alpha}  # PEFT says int, and takes any number
    config = LoraConfig(r=rank, target_modules=targets, lora_dropout=0.0, **settings)
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"--target-modules: {str(error).splitlines()[0]}; {_linear_names(model)}") from None
    maps = {name: scaling * a for name, a, _, scaling in _adapters(adapted)}
    adapted.unload()
    model.requires_grad_(False)
    name = f"LoRA rank {rank}, alpha {alpha:g}, {_short(maps)}, seed {seed}"
    return _layered(model, [(module, None, a) for module, a in maps.items()], name)


def adapter(model, path: str) -> Subspace:
    """A and B of a trained PEFT LoRA adapter, which is merged into `model`'s weights."""
    from peft import PeftModel

    try:
        adapted = PeftModel.from_pretrained(model, path)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"--adapter {path} does not fit the model: {str(error).splitlines()[0]}") from None
    maps = [(name, scaling * b.T, scaling * a) for name, a, b, scaling in _adapters(adapted)]
    adapted.merge_and_unload()
    model.requires_grad_(False)
    both = [(name, None, a) for name, _, a in maps] + [(name, b, None) for name, b, _ in maps]
    return _layered(model, both, f"LoRA adapter {path}, {_short([name for name, *_ in maps])}")


def _adapters(adapted) -> list[tuple[str, torch.Tensor, torch.Tensor, float]]:
    """(module, A, B, scaling) of each adapted layer, in the model's order."""
    layers = [(n, m) for n, m in adapted.get_base_model().named_modules() if hasattr(m, "lora_A")]
    for name, layer in layers:
        if not isinstance(layer.get_base_layer(), nn.Linear):
            raise UserError(f"{name} is no plain linear layer: not supported; choose others with --target-modules")
    return [
        (name, *(getattr(layer, part)["default"].weight.detach() for part in ("lora_A", "lora_B")), scaling)
        for name, layer in layers
        for scaling in [layer.scaling["default"]]
    ]


def _layered(model, maps: list[tuple], name: str) -> Subspace:
    """Taps on linear layers. maps: (module, left or None, right or None)."""
    taps, start = [], 0
    for module, left, right in maps:
        out, into = model.get_submodule(module).weight.shape
        shape = (out if left is None else len(left), into if right is None else len(right))
        taps.append(Tap(module, "linear", left, right, shape, start))
        start += taps[-1].size
    return Subspace(tuple(taps), name)


def full(model, dim: int | None = 65536, seed: int = 42) -> Subspace:
    """All parameters, projected to about `dim` numbers in all (None: not at all, for tiny models).

    Raises UserError where a parameter is of no linear layer, embedding or RMS or layer norm.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    found: list[tuple[str, str, nn.Parameter]] = []
    for module_name, module in model.named_modules():
        for parameter_name, parameter in module.named_parameters(recurse=False):
            found.append((module_name, _kind(module, parameter_name), parameter))
    unknown = [names[id(p)] for _, kind, p in found if not kind]
    if unknown:
        raise UserError(f"--full cannot take the gradient of {unknown[0]} ({len(unknown)} such); leave --full out")
    matrices = len({id(p) for _, _, p in found if p.ndim == 2})
    side = None if dim is None else max(1, round((dim / max(matrices, 1)) ** 0.5))
    taps, blocks, start = [], {}, 0
    for module, kind, parameter in found:
        if id(parameter) not in blocks:
            out, into = parameter.shape if parameter.ndim == 2 else (len(parameter), 1)
            key = names[id(parameter)]
            left = _signs(out, side, f"{seed} {key} left", parameter)
            right = _signs(into, side, f"{seed} {key} right", parameter) if parameter.ndim == 2 else None
            shape = (out if left is None else len(left), into if right is None else len(right))
            blocks[id(parameter)] = left, right, shape, start
            start += shape[0] * shape[1]
        taps.append(Tap(module, kind, *blocks[id(parameter)]))
    return Subspace(tuple(taps), "all parameters" if dim is None else f"all parameters, projected to {start}")


def _kind(module: nn.Module, parameter: str) -> str:
    if isinstance(module, nn.Linear):
        return "bias" if parameter == "bias" else "linear"
    if isinstance(module, nn.Embedding):
        return "embedding"
    rms = type(module).__name__.endswith("RMSNorm") and parameter == "weight"
    return "norm" if rms else ""


def _signs(n: int, kept: int | None, key: str, like: torch.Tensor) -> torch.Tensor | None:
    """(kept, n) of ±1/√kept, always the same for a key; None where nothing would be saved."""
    if kept is None or kept >= n:
        return None
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "big")
    bits = torch.randint(0, 2, (kept, n), generator=torch.Generator().manual_seed(seed), dtype=torch.int8)
    return ((bits * 2 - 1).to(torch.float32) / kept**0.5).to(like.device)


def _check_targets(model, targets: list[str] | None) -> None:
    modules = [name for name, _ in model.named_modules()]
    for target in targets or []:
        if target != "all-linear" and not any(f".{name}".endswith(f".{target}") for name in modules):
            raise UserError(f"--target-modules {target}: the model has no such module; {_linear_names(model)}")


def _linear_names(model) -> str:
    names = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    return f"its linear ones are {', '.join(sorted(names))}"


def _short(modules) -> str:
    return ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in modules))
