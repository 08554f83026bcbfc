#!/usr/bin/env bash
# The whole paper in miniature, on the built-in world and a CPU: every experiment trained, sampled and probed for real,
# then a page that holds each of the paper's claims against what came out.
#
#   bash examples/paper/miniature.sh [FOLDER] [STEP ...]    FOLDER: default miniature; no STEP: all of them, in order
#
#   runs        trainings on one world, classified together          Table 1, Figure 1b
#   hypotheses  more positives, looser clipping, no KL               Figures 2, 4, 5
#   k64         the unlearnable alone, 64 rollouts each              A.2, Figure 15b
#   probe       gradients before and after training                  Figures 1c, 6, 13, 16, 17
#   reasoning   judged by the world's own rule                       Figures 1d, 7
#   augment     similar problems, trained with the originals         5.3, Figures 8, 10
#   sft         fine-tuning on right responses                       A.2, Figure 15a
#   curriculum  without the unlearnable first, then with them        A.5, Figure 18
#   models      a mid-trained base on the same prompts               5.4, Figure 11
#   heldout     every trained model on prompts that it never saw     memorised or learned?
#   page        FOLDER/miniature.md; PAGE=docs/miniature.md writes it elsewhere
#
# Under three hours on two cores. A step that was stopped goes on by the same command; one that is done is passed over
# (delete FOLDER/done/STEP to do it anew). RUN_SEEDS: the trainings of `runs`; default "0 1 2", five where minutes
# allow. SEED, MINI_BATCH, EPISODES, DRY_RUN: see examples/settings.sh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

STEP_NAMES=(runs hypotheses k64 probe reasoning augment sft curriculum models heldout page)
MINI=
if [ $# -gt 0 ] && [[ " ${STEP_NAMES[*]} " != *" $1 "* ]]; then MINI=$1 && shift; fi
MINI=$(from_here "$MINI" miniature)
export SEED=${SEED:-0} WORLD
WORLD=$(realpath -m "$MINI/world") # a link will do
read -ra RUN_SEEDS <<<"${RUN_SEEDS:-0 1 2}"
MODEL=$WORLD/model RUN=$MINI/runs/${RUN_SEEDS[0]}/run RUNS=("${RUN_SEEDS[@]/#/$MINI/runs/}")
RUNS=("${RUNS[@]/%//run}")
PAGE=${PAGE:-$MINI/miniature.md}

dry() { [ -n "${DRY_RUN:-}" ]; }

# need STEP ...: ends unless these were done before. A dry run needs nothing.
need() {
    local step
    for step in "$@"; do
        if ! dry && [ ! -e "$MINI/done/$step" ]; then
            echo "miniature.sh: first: bash examples/paper/miniature.sh $MINI $step" >&2
            exit 1
        fi
    done
}

# keep STEP RUN FIGURE ...: figures of a report for the page, before the next `analyze` of the run draws others.
keep() {
    local step=$1 run=$2 name
    shift 2
    mkdir -p "$MINI/figures"
    for name in "$@"; do cp "$run/report/$name.svg" "$MINI/figures/$step-$name.svg"; done
}

analyze() { openrlhf-unlearn analyze "$@" --no-evaluate --no-probe --figure-files >>"$MINI/analyze.log"; }

# sample TAG MODEL: 32 answers to every prompt, beside those of the first run.
sample() {
    [ -f "$RUN/evaluations/$1.parquet" ] || openrlhf-unlearn evaluate --run "$RUN" --tag "$1" --model "$2" -n 32
}

# The stronger model and the judge: world_teacher.py on a free port, until the step ends.
teach() {
    rm -f "$MINI/teacher.url"
    python examples/paper/world_teacher.py "$WORLD" --port 0 >"$MINI/teacher.url" &
    local teacher=$!
    # shellcheck disable=SC2064
    trap "kill $teacher 2>/dev/null" EXIT
    until [ -s "$MINI/teacher.url" ]; do sleep 0.2 && kill -0 $teacher || exit 1; done
    TEACHER=(--model worlds-rule --base-url "$(cat "$MINI/teacher.url")")
    CHECKER=("${TEACHER[@]/#--/--check-}")
}

step_runs() {
    local seed
    for seed in "${RUN_SEEDS[@]}"; do RUN_SEED=$seed bash examples/quickstart.sh "$MINI/runs/$seed"; done
    if dry; then return; fi
    openrlhf-unlearn classify "${RUNS[@]}"
    analyze "${RUNS[@]}"
    keep runs "$RUN" reward_by_group change
}

step_hypotheses() {
    bash examples/hypotheses.sh world "$MINI/hypotheses"
    if dry; then return; fi
    keep hypotheses "$MINI/hypotheses/baseline/run" compared_rewards
    keep hypotheses "$MINI/hypotheses/clip_higher/run" clipping
}

step_k64() {
    need runs
    BASELINE=$(dirname "$RUN") bash examples/unlearnable_only_k64.sh world "$MINI/k64"
    if dry; then return; fi
    analyze "$RUN" "$MINI/k64/run" --compare
    keep k64 "$RUN" compared_rewards
}

step_probe() {
    need runs
    if dry; then return; fi
    openrlhf-unlearn probe --run "$RUN" --model "$MODEL" --tag initial --compare-full
    openrlhf-unlearn probe --run "$RUN" --model "$(dirname "$RUN")/model" --tag final
    analyze "${RUNS[@]}"
    keep probe "$RUN" similarity similarity_groups interference similarity_over_training
}

step_reasoning() {
    need runs
    if dry; then return; fi
    teach
    openrlhf-unlearn judge "$RUN" --tag initial final --per-group 100 --judgements 1 "${TEACHER[@]}"
    analyze "${RUNS[@]}"
    keep reasoning "$RUN" reasoning
}

# Five similar problems for each unlearnable prompt; a training on originals and similar ones; are they alike by
# gradient? A prompt of this world has no smaller parts, so there are no sub-problems.
step_augment() {
    need runs probe
    local made=$MINI/augment/data run=$MINI/augment/run
    if ! dry; then
        teach
        openrlhf-unlearn augment similar --run "$RUN" --output "$made" "${TEACHER[@]}" "${CHECKER[@]}"
    fi
    STEPS='' # not known before the problems are
    settle augment world "$MINI/augment"
    DATA=$made/original_similar.jsonl
    train --unlearn.filter none --unlearn.loss baseline --data.prompt_dataset "$DATA"
    if dry; then return; fi
    evaluate initial "$MODEL"
    evaluate final "$MINI/augment/model"
    openrlhf-unlearn probe --run "$run" --model "$MODEL" --tag initial --per-group 0
    openrlhf-unlearn probe --run "$RUN" --model "$MODEL" --tag initial --compare-full \
        --variants "$made/similar.jsonl" --variants-run "$run"
    analyze "$run"
    analyze "${RUNS[@]}"
    keep augment "$run" augmentation
    keep augment "$RUN" variants
}

# The paper's proportions, one unlearnable to one learnable to two easy, from a world of 80 to 96 prompts a group.
step_sft() {
    need runs
    local set=$MINI/sft/set.jsonl checkpoint
    local flags=(
        --data.dataset "$set" --data.input_key prompt --data.output_key response --data.input_template '{}'
        --data.max_len 64 --model.model_name_or_path "$MODEL" --ckpt.output_dir "$MINI/sft/model"
        --ckpt.path "$MINI/sft/checkpoints" --ckpt.save_steps 20 --ckpt.save_hf --ckpt.disable_ds
        --train.batch_size 16 --train.micro_batch_size 16 --train.max_epochs 4 --adam.lr 1e-4
        --ds.zero_stage 0 --ds.attn_implementation eager
    )
    if dry; then
        python -m openrlhf_unlearn.cli.check train_sft "${flags[@]}"
        return
    fi
    teach
    openrlhf-unlearn sft-set --run "$RUN" --output "$set" --unlearnable 30 --learnable 30 --easy 60 "${TEACHER[@]}"
    if [ ! -f "$MINI/sft/model/tokenizer_config.json" ]; then
        # As deepspeed's launcher would start one process; it takes no CPU.
        RANK=0 LOCAL_RANK=0 WORLD_SIZE=1 MASTER_ADDR=127.0.0.1 MASTER_PORT=29777 \
            python -m openrlhf.cli.train_sft "${flags[@]}" >"$MINI/sft/train.log" 2>&1
    fi
    for checkpoint in "$MINI"/sft/checkpoints/global_step*_hf; do
        sample "sft-$(basename "$checkpoint" | tr -cd 0-9)" "$checkpoint"
    done
    analyze "${RUNS[@]}"
    keep sft "$RUN" pass_rates
}

step_curriculum() {
    need runs
    local stages=("$MINI/curriculum"/stage{1,2})
    if dry && [ ! -f "$RUN/learnability.parquet" ]; then
        echo "# two launches like those of runs, with other prompts and folders"
        return
    fi
    openrlhf-unlearn curriculum "$RUN" --output "$MINI/curriculum" ${DRY_RUN:+--dry-run}
    if dry; then return; fi
    [ -f "${stages[1]}/run/evaluations/final.parquet" ] || openrlhf-unlearn evaluate --run "${stages[1]}/run" \
        --tag final --model "${stages[1]}/model" --data "$WORLD/train.jsonl" -n 32
    analyze "$RUN" "${stages[@]/%//run}" --compare
    keep curriculum "$RUN" compared_stages
}

step_models() {
    need runs
    if dry; then return; fi
    [ -f "$MINI/models/mid/config.json" ] || python examples/paper/mid_train.py "$WORLD" "$MINI/models/mid"
    openrlhf-unlearn models "$RUN" "base=$MODEL" "mid=$MINI/models/mid"
    keep models "$RUN" similarity_over_models
}

# A name is the folder of the training, with -- for /.
step_heldout() {
    need runs
    if dry; then return; fi
    local name
    for name in "runs/${RUN_SEEDS[0]}" hypotheses/{baseline,oversample_replay,clip_higher,no_kl} k64 augment curriculum/stage2; do
        [ -f "$MINI/$name/model/tokenizer_config.json" ] || continue
        [ -f "$MINI/heldout/${name//\//--}/evaluations/final.parquet" ] || openrlhf-unlearn evaluate \
            --run "$MINI/heldout/${name//\//--}" --tag final --model "$MINI/$name/model" --data "$WORLD/heldout.jsonl" \
            --input-key prompt --label-key label --max-len 64 --max-new-tokens 24 -n 32
    done
}

step_page() {
    if dry; then return; fi
    python examples/paper/miniature_claims.py "$MINI" --to "$PAGE"
}

[ $# -gt 0 ] || set -- "${STEP_NAMES[@]}"
for step; do
    if [[ " ${STEP_NAMES[*]} " != *" $step "* ]]; then
        echo "miniature.sh: no step $step; choose of ${STEP_NAMES[*]}" >&2
        exit 2
    fi
    if [ "$step" != page ] && ! dry && [ -f "$MINI/done/$step" ]; then
        say "== $step: done before"
        continue
    fi
    say "== $step"
    started=$SECONDS
    # The groups are told by `runs`, of the world's 128 answers to a prompt; other models give 32, as in the paper.
    ([ "$step" = runs ] || export SAMPLES="${SAMPLES:-32}"; "step_$step")
    if ! dry && [ "$step" != page ]; then
        mkdir -p "$MINI/done"
        echo $((SECONDS - started)) >"$MINI/done/$step"
    fi
done
