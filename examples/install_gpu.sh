#!/usr/bin/env bash
# What training on GPUs needs, into the Python environment that is active: torch, flash-attn, OpenRLHF with vLLM, this
# package. In this order, because flash-attn is built against the torch that is there and says so only by failing.
#
#   bash examples/install_gpu.sh             check the machine, install, patch, doctor
#   bash examples/install_gpu.sh --check     only check
#
#   PYTHON     the environment's interpreter; default: python3
#   MAX_JOBS   compilers that build flash-attn at once; default: one for each 8 GB of memory and for each core at most.
#              It can take hours
#   PIP_BREAK_SYSTEM_PACKAGES=1   install into the system's Python, as in a container
#
# An environment that has OpenRLHF 0.10.4 to 0.11.2 already needs none of this: pip install openrlhf-unlearn
set -euo pipefail

PYTHON=${PYTHON:-python3}
GIGABYTES=30
TORCH=2.13.0 # what vllm 0.29.0 pins, which OpenRLHF 0.11.2 pins, as it does flash-attn
FLASH_ATTN=2.8.3
OPENRLHF=0.11.2

lacking() {
    local free
    [ "$(uname) $(uname -m)" = "Linux x86_64" ] || echo "Linux on x86-64: this is $(uname) on $(uname -m)"
    if ! "$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        echo "CPython 3.10, 3.11 or 3.12: $PYTHON is $("$PYTHON" --version 2>&1 || echo missing); set PYTHON"
        return
    fi
    "$PYTHON" -m pip --version >/dev/null 2>&1 || echo "pip: $PYTHON -m ensurepip, or make a virtual environment"
    [ -n "${PIP_BREAK_SYSTEM_PACKAGES:-}" ] || "$PYTHON" -c 'import os, sys, sysconfig as s
marked = os.path.exists(os.path.join(s.get_path("stdlib"), "EXTERNALLY-MANAGED"))
sys.exit(sys.prefix == sys.base_prefix and marked)' ||
        echo "an environment of your own: $PYTHON is the system's; $PYTHON -m venv .venv && . .venv/bin/activate"
    command -v nvcc >/dev/null || [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] ||
        echo "nvcc, flash-attn and DeepSpeed compile with it: install the CUDA toolkit, or set CUDA_HOME"
    command -v "${CXX:-g++}" >/dev/null || echo "a C++ compiler: apt install g++, or set CXX"
    free=$(df -Pk "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" |
        awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$GIGABYTES" ] || echo "disk: $free GB free where $PYTHON keeps its packages, $GIGABYTES GB are needed"
}

case ${1:-} in
"" | --check) ;;
*) echo "install_gpu.sh: unknown argument $1; --check is the only one" >&2 && exit 2 ;;
esac
found=$(lacking)
if [ -n "$found" ]; then
    echo "This machine lacks:" >&2
    printf '%s\n' "$found" | sed 's/^/  - /' >&2
    exit 1
fi
gpu=$(nvidia-smi -L 2>/dev/null || true)
[ -n "$gpu" ] || echo "note: nvidia-smi finds no GPU here; building an image is fine, training is not" >&2
echo "Nothing is missing."
[ "${1:-}" != --check ] || exit 0

pip() { echo "+ pip $*" && "$PYTHON" -m pip --disable-pip-version-check "$@"; }
memory=$(awk '/MemAvailable/ { print int($2 / 8388608) }' /proc/meminfo) cores=$(nproc)
jobs=$((memory < cores ? memory : cores))
export MAX_JOBS=${MAX_JOBS:-$((jobs > 1 ? jobs : 1))}
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -f "$clone/pyproject.toml" ] && package=$clone || package=openrlhf-unlearn

pip install "torch==$TORCH"
pip install wheel ninja packaging psutil "setuptools>=77"
pip install --no-build-isolation "flash-attn==$FLASH_ATTN"
pip install "openrlhf[vllm]==$OPENRLHF" "${package}[gpu]"
"$PYTHON" -m openrlhf_unlearn.cli patch apply
[ -z "$gpu" ] || "$PYTHON" -m openrlhf_unlearn.cli doctor
