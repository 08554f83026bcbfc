#!/usr/bin/env bash
# More positives: 32 rollouts a prompt, one positive and seven negatives train, stored positives are replayed at
# most twice (paper, section 4.1, Algorithm 1, Figures 2 and 3).
#
#   bash examples/paper/figure_2.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

prepare_data
train oversample_replay "${SEEDS[0]}" --unlearn.filter oversample_replay --unlearn.oversample_factor 4 \
    --unlearn.replay_limit 2 --unlearn.loss baseline
model=$(best oversample_replay)
evaluate "$FOLDER/oversample_replay/run" final "$model"
do_it openrlhf-unlearn analyze "$RUN" "$FOLDER/oversample_replay/run" --compare
