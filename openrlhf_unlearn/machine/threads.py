"""How many threads each process of a CPU run computes with, chosen by the model's size and printed.

A toy model's layers take less time than handing them to threads: one. A language model takes the cores there are,
shared by the processes that compute at the same time. OMP_NUM_THREADS, where it is set, decides instead.
"""

import os

SMALL = 10_000_000  # parameters
_ours: str | None = None  # what this process has put into OMP_NUM_THREADS itself, for a model before


def n_parameters(model: str, trust_remote_code: bool = False) -> int | None:
    """Parameters of a Hugging Face folder or hub model, counted without its weights; None if that cannot be told.

    `trust_remote_code`: the model's own Python code may run.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            built = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    except Exception:  # whatever is wrong with the model, loading it says so better
        return None
    return sum(parameter.numel() for parameter in built.parameters())


def threads_for(parameters: int | None, cores: int, together: int = 1) -> int:
    """Threads a process, where `together` processes compute at once. A model of unknown size counts as large."""
    if parameters is not None and parameters < SMALL:
        return 1
    return max(1, cores // max(1, together))


def by_user() -> str | None:
    """OMP_NUM_THREADS as the user has set it."""
    value = os.environ.get("OMP_NUM_THREADS")
    return None if value == _ours else value


def omp_num_threads(threads: int) -> str:
    """The variable's value for processes of `threads` threads: the user's, if there is one."""
    global _ours
    if given := by_user():
        return given
    _ours = str(threads)
    return _ours


def choose_threads(model: str, together: int = 1, trust_remote_code: bool = False) -> int:
    """Threads a process for `model`; prints the number and why."""
    if given := by_user():
        print(f"CPU threads a process: {given} (OMP_NUM_THREADS)", flush=True)
        return int(given)
    import joblib

    cores, parameters = joblib.cpu_count(), n_parameters(model, trust_remote_code)
    threads = threads_for(parameters, cores, together)
    size = "a model of unknown size" if parameters is None else f"{parameters / 1e6:.3g} M parameters"
    shared = f", {together} processes at once" if together > 1 else ""
    print(
        f"CPU threads a process: {threads} ({size}, {cores} cores{shared}; set OMP_NUM_THREADS to choose)", flush=True
    )
    return threads
