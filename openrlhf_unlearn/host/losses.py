"""`--unlearn.loss`: named presets over the host's own flags. The host computes every loss; we only set its flags.

Values: the paper's baseline (its code's configuration) and its two variants of section 4.2 and 4.3. Register your own
with `LOSSES["name"] = {...}` in a plugin of yours, or simply pass the host's flags.
"""

from types import SimpleNamespace

from openrlhf_unlearn.errors import UsageError

_BASELINE = {
    "actor.eps_clip_low_high": (0.2, 0.2),
    "algo.kl.use_loss": True,
    "algo.kl.estimator": "k3",
    "algo.kl.init_coef": 1e-4,
    "actor.entropy_coef": 0.001,
}

LOSSES: dict[str, dict] = {
    "as_given": {},
    "baseline": _BASELINE,
    "clip_higher": {**_BASELINE, "actor.eps_clip_low_high": (0.2, 0.28)},  # upper bound as in DAPO, arXiv 2503.14476
    "maxrl": {**_BASELINE, "algo.advantage.estimator": "dr_grpo", "unlearn.advantage": "maxrl"},  # arXiv 2602.02710
    "discrepancy_constrained": {**_BASELINE, "unlearn.discrepancy_tolerance": 0.05},  # arXiv 2606.08779
    "no_kl": {**_BASELINE, "algo.kl.use_loss": False, "algo.kl.estimator": "k1", "algo.kl.init_coef": 0.0},
}


def _given(flag: str, words: list[str]) -> bool:
    return any(word == f"--{flag}" or word.startswith(f"--{flag}=") for word in words)


def leaf(args: SimpleNamespace, flag: str) -> tuple[SimpleNamespace, str]:
    """Where a flag's value is: (namespace, name)."""
    *parents, name = flag.split(".")
    for parent in parents:
        args = getattr(args, parent)
    return args, name


def _same(value, preset) -> bool:
    return list(value) == list(preset) if isinstance(preset, tuple) else value == preset


def apply_loss(args: SimpleNamespace, words: list[str]) -> dict:
    """Set the preset's flags in `args`; returns them. Raises UsageError if the command line contradicts one."""
    name = args.unlearn.loss
    if name not in LOSSES:
        raise UsageError(f"--unlearn.loss {name}: no such preset; choose of {', '.join(LOSSES)}")
    preset = LOSSES[name]
    for flag, value in preset.items():
        node, key = leaf(args, flag)
        if _given(flag, words) and not _same(getattr(node, key), value):
            raise UsageError(
                f"--unlearn.loss {name} sets --{flag} to {value}, the command line to {getattr(node, key)}; drop one"
            )
        if flag == "actor.eps_clip_low_high" and _given("actor.eps_clip", words):
            raise UsageError(f"--unlearn.loss {name} sets --{flag} to {value}; drop --actor.eps_clip")
        setattr(node, key, value)
    return preset


def engine_log_probs_flag(args: SimpleNamespace) -> str | None:
    """The flag with which the engines report log-probs, by its name in this host; None if they do so already."""
    advantage = args.algo.advantage
    if hasattr(advantage, "is_correction_level"):
        flag, given = "is_correction_level token or seq", advantage.is_correction_level != "off"
    else:  # before 0.11.2
        flag, given = "is_correction_enable", advantage.is_correction_enable
    return None if given else f"--algo.advantage.{flag}"
