#!/usr/bin/env bash
# More weight for prompts that seldom pass: the baseline with MaxRL's advantages (arXiv 2602.02710).
#
#   bash examples/maxrl.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention maxrl "$@" -- --unlearn.loss maxrl --algo.advantage.estimator dr_grpo
