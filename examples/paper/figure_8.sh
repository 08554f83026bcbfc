#!/usr/bin/env bash
# New problems: five similar ones and five steps for each unlearnable prompt, training on the three mixtures, and
# the similarity of originals and variants (paper, section 5.3, Appendix C, Figures 8, 9, 10, 14).
#
#   bash examples/paper/figure_8.sh [--dry-run] [FOLDER]    (settings.sh explains)
#   WRITER, WRITER_URL, CHECKER, CHECKER_URL: the models that write and that check
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

made=$FOLDER/augmented
for kind in similar subproblems; do
    do_it openrlhf-unlearn augment "$kind" --run "$RUN" --output "$made" -n 5 "${WRITTEN[@]}" "${CHECKED[@]}"
done
for mixture in original_similar original_subproblems original_similar_subproblems; do
    train "$mixture" "${SEEDS[0]}" --data.prompt_dataset "$made/$mixture.jsonl" --unlearn.loss baseline
    DATA=$made/$mixture.jsonl evaluate "$FOLDER/$mixture/run" initial "$MODEL"
    do_it openrlhf-unlearn probe --model "$MODEL" --run "$FOLDER/$mixture/run" --tag initial --per-group 0 \
        --variants "$made/$mixture.jsonl"
    do_it openrlhf-unlearn analyze "$FOLDER/$mixture/run"
done
