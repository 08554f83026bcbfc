#!/usr/bin/env bash
# Looser clipping, 0.2 below and 0.28 above, and how much is clipped by group (paper, section 4.2, Figures 4 and 5).
#
#   bash examples/paper/figure_4.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

prepare_data
train clip_higher "${SEEDS[0]}" --unlearn.filter dynamic --unlearn.loss clip_higher
model=$(best clip_higher)
evaluate "$FOLDER/clip_higher/run" final "$model"
do_it openrlhf-unlearn analyze "$RUN" "$FOLDER/clip_higher/run" --compare
