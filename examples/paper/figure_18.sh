#!/usr/bin/env bash
# A curriculum: without the unlearnable first, then with them and as many others (paper, A.5, Figure 18).
#
#   bash examples/paper/figure_18.sh [--dry-run] [FOLDER]    (settings.sh explains)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

if [ -z "$DRY" ] || [ -f "$RUN/run.json" ]; then
    openrlhf-unlearn curriculum "$RUN" --output "$FOLDER/curriculum" ${DRY:+--dry-run}
else
    echo "# of no finished run: the launches are $RUN's own, with other prompts and folders; stage one, for example"
    train curriculum/stage1 "${SEEDS[0]}" --unlearn.only_prompts prompts.json --unlearn.loss baseline
fi
# Evaluated at its end, not at a validation optimum: its launches are those of the finished run, whatever that saved.
evaluate "$FOLDER/curriculum/stage2/run" final "$FOLDER/curriculum/stage2/model"
do_it openrlhf-unlearn analyze "$FOLDER/curriculum/stage1/run" "$FOLDER/curriculum/stage2/run" --compare
