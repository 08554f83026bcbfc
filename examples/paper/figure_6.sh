#!/usr/bin/env bash
# Gradient similarity of 100 prompts a group before training, and interference (paper, sections 5.1 and A.3,
# Figures 1c, 6, 13, 16). Correct rollouts of hard prompts are rare: these prompts are sampled 1,000 times each, as in
# the paper, and at most 20 correct rollouts of each are taken.
#
#   bash examples/paper/figure_6.sh [--dry-run] [FOLDER]    (settings.sh explains)
#   SAMPLES   of each of these prompts; default 1000. Fewer: fewer prompts with a correct rollout, wider intervals
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

probed=$FOLDER/probed.jsonl
do_it python examples/paper/probe_prompts.py "$RUN" --data "$DATA" --per-group 100 --out "$probed"
evaluate "$RUN" probed "$MODEL" "$probed" "${SAMPLES:-1000}"
do_it openrlhf-unlearn probe --model "$MODEL" --run "$RUN" --tag probed --name initial --per-group 100 \
    --max-rollouts 20 --lora-rank 16 --compare-full
do_it openrlhf-unlearn analyze "$RUN"
