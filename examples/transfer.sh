#!/usr/bin/env bash
# Which prompts teach which? The map that the gradients predict, and then GRPO on half of each cluster's prompts alone,
# whose rewards on all other halves say whether the prediction holds (docs/transfer.md).
#
#   bash examples/transfer.sh [world|qwen] [FOLDER] [FLAG ...]    (settings.sh explains)
#
#   CLUSTERS   a JSON file, {prompt id: cluster}; default: the data's datasources, on the built-in world its letters
#   ONLY       the clusters that train, by name, with blanks between; default: all
#   EPISODES   of each training; default 30 (world)
#   SAMPLES    default 64 (world): no group is told by them
#
# A training and its evaluation take about three minutes for each of the world's 14 letters on two cores. Stopped
# half-way, the same command goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

case ${1:-} in qwen) ;; *) EPISODES=${EPISODES:-30} SAMPLES=${SAMPLES:-64} ;; esac
settle transfer "$@"
export WORLD SEED RUN_SEED MATH_DATA=$DATA
TOP=$FOLDER RUN=$FOLDER/run STEPS=

# value FLAG: what the setting gives it.
value() {
    local i
    for i in "${!flags[@]}"; do [ "${flags[i]}" != "--$1" ] || echo "${flags[i + 1]}"; done
}

if [ -z "${DRY_RUN:-}" ]; then
    prepare_data
    say "pass@1 of every prompt before training"
    if [ ! -f "$RUN/evaluations/initial.parquet" ]; then # there is no training yet whose settings it could take
        openrlhf-unlearn evaluate --model "$MODEL" --data "$DATA" --tag initial --run "$RUN" -n "$SAMPLES" \
            --input-key prompt --label-key label --max-len "$(value data.max_len)" \
            --max-new-tokens "$(value rollout.max_new_tokens)"
    fi
    if [ ! -f "$RUN/probes/initial/gradients.safetensors" ]; then
        say "Gradients of every prompt"
        openrlhf-unlearn probe --model "$MODEL" --run "$RUN" --tag initial --prompts 0
    fi
    python examples/transfer_halves.py "$RUN" "$TOP/halves" ${CLUSTERS:+--clusters "$CLUSTERS"}
fi
before=1
trained=()
while read -r name <&3; do
    case " ${ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
    settle transfer "$SETTING" "$TOP/trained/$name" "${MORE[@]}"
    STEPS=
    say "== $name"
    one=()
    if [ "$SETTING" = world ]; then one=(--rollout.batch_size 8 --rollout.micro_batch_size 64); fi
    train --unlearn.loss baseline --unlearn.only_prompts "$TOP/halves/$name.json" "${one[@]}"
    [ -z "${DRY_RUN:-}" ] || exit 0
    if [ -n "$before" ] && [ ! -f "$FOLDER/run/evaluations/initial.parquet" ]; then
        # once, of other rollouts than those that predict
        openrlhf-unlearn evaluate --model "$MODEL" --data "$DATA" --tag initial --run "$FOLDER/run" -n "$SAMPLES" --seed 1
    fi
    before=
    evaluate final "$FOLDER/model"
    trained+=("$FOLDER/run")
done 3< <(if [ -n "${DRY_RUN:-}" ]; then echo cluster; else cat "$TOP/halves/names.txt"; fi)
say "What the gradients predicted, and what GRPO did"
openrlhf-unlearn transfer "$RUN" --clusters "$TOP/halves/clusters.json" --trained "${trained[@]}"
