#!/usr/bin/env bash
# Is it the KL penalty? The baseline without it (paper, section 4.3).
#
#   bash examples/no_kl.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention no_kl "$@" -- --unlearn.loss no_kl
