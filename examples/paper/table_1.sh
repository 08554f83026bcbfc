#!/usr/bin/env bash
# Easy, learnable, unlearnable, no reward: three baselines, pass@1 before and after, the shares of the hard
# prompts (paper, Table 1, Figures 1b and 9). After training is the checkpoint at the validation optimum, as in the
# paper. The other scripts need its runs.
#
#   bash examples/paper/table_1.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

prepare_data
runs=()
for seed in "${SEEDS[@]}"; do
    train "baseline-$seed" "$seed" --unlearn.filter dynamic --unlearn.loss baseline
    runs+=("$FOLDER/baseline-$seed/run")
    evaluate "${runs[-1]}" initial "$MODEL"
    model=$(best "baseline-$seed")
    evaluate "${runs[-1]}" final "$model"
done
do_it openrlhf-unlearn classify "${runs[@]}"
do_it openrlhf-unlearn analyze "${runs[@]}"
