"""What OpenRLHF needs to run where there is no GPU."""

from openrlhf_unlearn.cpu.ray_cpu import environment, prepare_cpu, ray_init_kwargs

__all__ = ["environment", "prepare_cpu", "ray_init_kwargs"]
