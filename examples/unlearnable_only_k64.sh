#!/usr/bin/env bash
# Would they learn if they had the whole batch? Training on a finished run's unlearnable prompts alone, 64 rollouts each
# (paper, Appendix A.2).
#
#   BASELINE=baseline bash examples/unlearnable_only_k64.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
#   BASELINE   folder of the finished run whose unlearnable prompts are taken, and its world; default: baseline
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

BASELINE=$(from_here "${BASELINE:-}" baseline)
WORLD=${WORLD:-$BASELINE/world}
# 64 rollouts of 8 prompts are a step of as many rollouts as the baseline's; how many steps depends on the prompts.
STEPS=
intervention unlearnable_only_k64 "$@" -- --unlearn.loss baseline \
    --unlearn.only_prompts "$BASELINE/run/learnability.parquet:unlearnable" \
    --rollout.n_samples_per_prompt 64 --rollout.batch_size 8
