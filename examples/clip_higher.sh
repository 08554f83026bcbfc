#!/usr/bin/env bash
# Is it the clipping? The baseline with an upper bound of 0.28 instead of 0.2 (paper, section 4.2).
#
#   bash examples/clip_higher.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention clip_higher "$@" -- --unlearn.loss clip_higher
