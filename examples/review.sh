#!/usr/bin/env bash
# Do solved prompts stay solved? The baseline with prompts that were solved and lost brought back every five steps, on top
# of the others.
#
#   bash examples/review.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#   bash examples/review.sh --unlearn.review_instead            in the place of others: at no extra rollouts
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

intervention review "$@" -- --unlearn.filter review+none --unlearn.loss baseline
