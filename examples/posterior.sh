#!/usr/bin/env bash
# Fewer rollouts of prompts that are solved or never are: the posterior sampler chooses the prompts of each step.
#
#   bash examples/posterior.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
# Compare it with the same filter and the uniform order:
#
#   bash examples/posterior.sh world uniform --unlearn.sampler uniform
#   openrlhf-unlearn compare uniform/run posterior/run
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention posterior "$@" -- --unlearn.filter dynamic --unlearn.loss baseline --unlearn.sampler posterior
