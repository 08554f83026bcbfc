#!/usr/bin/env bash
# Hints as data, taken away in stages: every prompt as it is, and those that were not learned once more with 75, 50,
# 25 and 0 % of their solution; each stage goes on from the model of the one before.
#
#   BEFORE=baseline bash examples/hints.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
#   BEFORE, SOLUTIONS  as in hinted.sh
#   STAGE_EPISODES     passes over each stage's data; default 2
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
. examples/hint_data.sh

settle hints "$@"
PLAIN=$DATA START=$MODEL ALL=$FOLDER
export EPISODES=${STAGE_EPISODES:-2}
for stage in 1 2 3 4; do
    settle hints "$SETTING" "$ALL/stage_$stage" "${MORE[@]}"
    train --unlearn.loss baseline --actor.model_name_or_path "$START" --data.prompt_dataset "$HINTS/stage_$stage.jsonl"
    START=$FOLDER/model
done
[ -n "${DRY_RUN:-}" ] && exit
DATA=$PLAIN
evaluate initial "$MODEL"
evaluate final "$FOLDER/model"
openrlhf-unlearn compare "$BEFORE/run" "$FOLDER/run"
python - "$ALL"/stage_[1-4]/run <<'PYTHON'
import sys

from openrlhf_unlearn.pipeline.compare import rollouts_sampled
from openrlhf_unlearn.store.run_dir import RunDir

print(f"Rollouts and hours above are of stage 4 alone; all stages: {sum(rollouts_sampled(RunDir(r)) for r in sys.argv[1:]):,} rollouts")
PYTHON
