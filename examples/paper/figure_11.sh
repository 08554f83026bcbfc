#!/usr/bin/env bash
# Base models before RL on the same prompts: pass@1 and gradient similarity by group of one run's labels (paper,
# section 5.4, Figure 11: mid-trained models).
#
#   bash examples/paper/figure_11.sh [--dry-run] [FOLDER]    (settings.sh explains)
#   MODELS   names and models; default: the base of SETTING and OctoThinker's mid-trained Llamas
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

default="base=$MODEL hybrid=OctoThinker/OctoThinker-3B-Hybrid-Base long=OctoThinker/OctoThinker-3B-Long-Base"
read -ra MODELS <<<"${MODELS:-$default}"
do_it openrlhf-unlearn models "$RUN" "${MODELS[@]}" --data "$DATA"
