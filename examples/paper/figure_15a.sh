#!/usr/bin/env bash
# Better supervision: fine-tuning on a stronger model's right responses, 200 unlearnable, 200 learnable and 400
# easy prompts, pass@1 by group at every checkpoint (paper, A.2, Figure 15a).
#
#   bash examples/paper/figure_15a.sh [--dry-run] [FOLDER]    (settings.sh explains)
#   WRITER, WRITER_URL: the stronger model
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

out=$FOLDER/sft
do_it openrlhf-unlearn sft-set --run "$RUN" --output "$out.jsonl" --unlearnable 200 --learnable 200 --easy 400 \
    "${WRITTEN[@]}"
sft "$out.jsonl" "$out"
for model in "$out-checkpoints"/*_hf; do
    if [ -d "$model" ]; then evaluate "$RUN" "sft-$(basename "$model" | tr -cd '0-9')" "$model"; fi
done
evaluate "$RUN" sft-end "$out"
do_it openrlhf-unlearn analyze "$RUN"
