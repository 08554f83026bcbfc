#!/usr/bin/env bash
# More positives, looser clipping, no KL: does any make the unlearnable prompts learnable? (paper, section 4, Figures 2, 4
# and 5.) Baseline and three interventions on one world with one seed, then a table and the comparison's report.
#
#   bash examples/hypotheses.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
# About 25 minutes on two cores. Stopped half-way, the same command goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

settle hypotheses "$@"
export WORLD SEED RUN_SEED MATH_DATA=$DATA
experiments=(baseline oversample_replay clip_higher no_kl)
for name in "${experiments[@]}"; do
    say "== $name"
    bash "examples/$name.sh" "$SETTING" "$FOLDER/$name" "${MORE[@]}"
done
[ -n "${DRY_RUN:-}" ] && exit
runs=("${experiments[@]/#/$FOLDER/}")
runs=("${runs[@]/%//run}")
say "The comparison"
openrlhf-unlearn analyze "${runs[@]}" --compare
truth=()
if [ "$SETTING" = world ]; then truth=(--truth "$WORLD/truth.parquet"); fi
python examples/hypotheses_table.py "${truth[@]}" "${runs[@]}"
