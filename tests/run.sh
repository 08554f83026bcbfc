#!/usr/bin/env bash
# The environment, then the test suite: `bash tests/run.sh` runs all of it, what follows goes to pytest, for example
# `bash tests/run.sh -m "not slow"` (without the real stack) or `bash tests/run.sh tests/filters`.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/../examples/environment.sh"
cd "$ROOT"
echo "+ python -m pytest -q $*"
exec python -m pytest -q "$@"
