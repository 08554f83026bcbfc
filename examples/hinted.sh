#!/usr/bin/env bash
# Hints on demand: a group without a positive is sampled again with a part of the solution in its prompt.
#
#   BEFORE=baseline bash examples/hinted.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
#   BEFORE     a finished folder of baseline.sh, whose prompts that were not learned get hints; default: baseline
#   SOLUTIONS  worked solutions of the prompts, JSON lines; default: the built-in world's own
#   TRAINS     group (default) or one: --unlearn.hint_trains
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
. examples/hint_data.sh

COMPARED=$BEFORE/run
intervention hinted "$@" -- --unlearn.filter hinted --unlearn.loss baseline --unlearn.hint_trains "${TRAINS:-group}" \
    --unlearn.hints "$HINTS/hint_25.jsonl,$HINTS/hint_50.jsonl,$HINTS/hint_75.jsonl"
