#!/usr/bin/env bash
# Reasoning quality of correct rollouts, 0 to 5, before and after training (paper, section 5.2, Figures 1d and 7).
#
#   bash examples/paper/figure_7.sh [--dry-run] [FOLDER]    (settings.sh explains)
#   JUDGE, JUDGE_URL: the judge
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

do_it openrlhf-unlearn judge "$RUN" --tag initial final --judgements 3 "${JUDGED[@]}"
# A sheet that is there may be filled in already.
[ -e "$FOLDER/sheet.csv" ] || do_it openrlhf-unlearn judge "$RUN" --tag initial --csv-out "$FOLDER/sheet.csv"
do_it openrlhf-unlearn analyze "$RUN"
