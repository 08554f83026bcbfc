#!/usr/bin/env bash
# A stronger model's answers in the groups: oversampling with replay, whose buffer begins with traces of the prompts that
# a finished run did not learn, weighted as LUFFY does (arXiv 2504.14945).
#
#   BEFORE=baseline bash examples/expert.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
#   BEFORE   a finished folder of baseline.sh; default: baseline
#   TRACES   JSON lines with prompt_id and response (openrlhf-unlearn sft-set); default: the built-in world's solutions
#            of the prompts that BEFORE did not learn
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

BEFORE=$(from_here "${BEFORE:-}" baseline)
export WORLD=${WORLD:-$BEFORE/world}
if [ -z "${TRACES:-}" ]; then
    TRACES=$BEFORE/expert.jsonl
    [ -n "${DRY_RUN:-}" ] || python examples/world_solutions.py "$WORLD" --run "$BEFORE/run" > "$TRACES"
fi
COMPARED=$BEFORE/run
intervention expert "$@" -- --unlearn.filter oversample_replay --unlearn.loss baseline \
    --unlearn.expert_traces "$TRACES" --unlearn.expert_shaping 0.1 ${ADAPTIVE:+--unlearn.adaptive}
