#!/usr/bin/env bash
# Similarity over training: the probe at several checkpoints (paper, A.4, Figure 17).
#
#   bash examples/paper/figure_17.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

tags=(initial) models=("$MODEL")
for step in 20 60 100; do
    tags+=("step$step") models+=("$FOLDER/baseline-${SEEDS[0]}/checkpoints/global_step${step}_hf")
    evaluate "$RUN" "${tags[-1]}" "${models[-1]}"
done
do_it openrlhf-unlearn probe --run "$RUN" --model "${models[@]}" --tag "${tags[@]}"
do_it openrlhf-unlearn analyze "$RUN"
