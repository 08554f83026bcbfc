#!/usr/bin/env bash
# Is it the lack of positives? Each prompt trains on one positive and seven negatives of 32 rollouts, on a stored
# positive if there is none (paper, section 4.1 and Algorithm 1). ADAPTIVE=1 samples in waves of 8, no more than needed.
#
#   bash examples/oversample_replay.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention oversample_replay "$@" -- --unlearn.filter oversample_replay --unlearn.loss baseline \
    ${ADAPTIVE:+--unlearn.adaptive}
