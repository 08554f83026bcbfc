#!/usr/bin/env bash
# Gradient similarity of 100 prompts a group before training, and interference (paper, sections 5.1 and A.3,
# Figures 1c, 6, 13, 16).
#
#   bash examples/paper/figure_6.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

do_it openrlhf-unlearn probe --model "$MODEL" --run "$RUN" --tag initial --per-group 100 --lora-rank 16 --compare-full
do_it openrlhf-unlearn analyze "$RUN"
