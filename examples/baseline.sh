#!/usr/bin/env bash
# The run that the interventions are compared with: GRPO with the paper's loss (clip 0.2, KL loss, entropy bonus).
#
#   bash examples/baseline.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention baseline "$@" -- --unlearn.loss baseline
