"""What OpenRLHF needs to run where there is no GPU."""

from openrlhf_unlearn.cpu.ray_cpu import check_accelerator, environment, prepare_cpu, ray_init_kwargs
from openrlhf_unlearn.cpu.threads import choose_threads

__all__ = ["check_accelerator", "choose_threads", "environment", "prepare_cpu", "ray_init_kwargs"]
