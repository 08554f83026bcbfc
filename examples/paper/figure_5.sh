#!/usr/bin/env bash
# No KL penalty (paper, section 4.3, Figure 5).
#
#   bash examples/paper/figure_5.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

prepare_data
train no_kl "${SEEDS[0]}" --unlearn.filter dynamic --unlearn.loss no_kl
model=$(best no_kl)
evaluate "$FOLDER/no_kl/run" final "$model"
do_it openrlhf-unlearn analyze "$RUN" "$FOLDER/no_kl/run" --compare
