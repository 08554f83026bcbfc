#!/usr/bin/env bash
# The unlearnable prompts alone, 64 rollouts each (paper, A.2, Figure 15b).
#
#   bash examples/paper/figure_15b.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

train unlearnable_only_k64 "${SEEDS[0]}" --unlearn.only_prompts "$RUN/learnability.parquet:unlearnable" \
    --rollout.n_samples_per_prompt 64 --rollout.batch_size 32 --unlearn.filter dynamic --unlearn.loss baseline
model=$(best unlearnable_only_k64)
evaluate "$FOLDER/unlearnable_only_k64/run" final "$model"
do_it openrlhf-unlearn analyze "$FOLDER/unlearnable_only_k64/run"
