#!/usr/bin/env bash
# The environment, then the test suite: `bash tests/run.sh` runs it, what follows goes to pytest, for example
# `bash tests/run.sh -m "not slow"` (without the real stack) or `bash tests/run.sh tests/filters`. Tests that take long
# and repeat on a larger scale what a shorter one shows are left out, and counted at the end: `--long` runs them too.
#
# Files are shared out between processes, one a core as far as memory goes; `-n 0` at the end runs all in one. On a
# machine with a GPU all is run in one, which has the GPU to itself.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../examples/environment.sh"
cd "$ROOT"

# How many: the real stack of one test takes up to 6 GB.
processes() {
    local room cores
    room=$(awk '/MemAvailable/ { print int($2 / 7000000) }' /proc/meminfo)
    cores=$(nproc)
    echo $((room < cores ? room : cores))
}

shared=()
if [ "$DEVICE" = cpu ] && python -c 'import xdist' 2>/dev/null && [ "$(processes)" -gt 1 ]; then
    shared=(-n "$(processes)" --dist loadfile --no-loadscope-reorder)
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # of each process; they would fight for the cores
    export PYTHONHASHSEED=${PYTHONHASHSEED:-0}   # sets that tests are made from have one order in all processes
fi
echo "+ python -m pytest -q ${shared[*]} $*"
exec python -m pytest -q "${shared[@]}" "$@"
