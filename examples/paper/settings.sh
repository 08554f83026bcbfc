# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder: the paper's three settings (arXiv 2605.16787 and its released code), the steps
# that they share, and where they run. Each script: bash examples/paper/NAME.sh [--dry-run] [FOLDER]
#
#   --dry-run  print every command; trainings are checked flag by flag by the host's own parser, nothing is started
#   SETTING    qwen05b: Qwen2.5-0.5B on MATH levels 1-4; llama3b: Llama-3.2-3B-Instruct on MATH levels 3-5;
#              qwen3b: Qwen2.5-3B on DeepScaleR. Default: qwen05b
#   SEEDS      of the independent runs; default "1 42 37", as in the paper's code
#   GPUS NODES GPUs a node and nodes; default 8 and 1
#   RAY        address of a Ray cluster's dashboard, such as http://head:8265: trainings go there by `ray job submit`;
#              FOLDER must then be on a disk that all nodes see; slurm.sbatch beside this file starts such a cluster
#   VALIDATION problems whose pass@1, every 20 steps, chooses the checkpoint that is evaluated and classified, as the
#              paper classifies at its validation optimum; default: 500 of MATH's test problems. Which problems the
#              paper validates on is not known to us
#   ATTENTION, SLEEP   ../gpu_flags.sh explains
#   WRITER CHECKER JUDGE and *_URL   models and OpenAI-compatible endpoints, where a script needs them

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
DRY=
if [ "${1:-}" = --dry-run ]; then DRY=1 && shift; fi
SETTING=${SETTING:-qwen05b}
FOLDER=$(realpath -m "${1:-paper-$SETTING}")
read -ra SEEDS <<<"${SEEDS:-1 42 37}"
GPUS=${GPUS:-8} NODES=${NODES:-1}

case $SETTING in
qwen05b) MODEL=Qwen/Qwen2.5-0.5B LR=5e-7 LENGTH=5120 LEVELS="1 2 3 4" ;;
llama3b) MODEL=meta-llama/Llama-3.2-3B-Instruct LR=5e-7 LENGTH=5120 LEVELS="3 4 5" ;;
qwen3b) MODEL=Qwen/Qwen2.5-3B LR=1e-6 LENGTH=8192 LEVELS= ;;
*) echo "SETTING=$SETTING: choose of qwen05b, llama3b, qwen3b" >&2 && exit 2 ;;
esac
DATA=${DATA:-$FOLDER/data.jsonl}
VALIDATION=${VALIDATION:-$FOLDER/validation.jsonl}
. examples/gpu_flags.sh
JUDGED=(--base-url "${JUDGE_URL:-http://localhost:8000/v1}" --model "${JUDGE:-judge}")
WRITTEN=(--base-url "${WRITER_URL:-http://localhost:8000/v1}" --model "${WRITER:-writer}")
CHECKED=(--check-base-url "${CHECKER_URL:-http://localhost:8001/v1}" --check-model "${CHECKER:-checker}")

# 256 prompts x 8 rollouts a step, mini-batches of 64 prompts, temperature 1; --unlearn.loss baseline sets the KL loss
# (k3, 1e-4), the entropy bonus (0.001) and the clip (0.2). The loss is the mean over all tokens of a mini-batch, and the
# baseline samples dynamically, as in the paper's code. Engines, micro-batches and ZeRO stage are the machine's.
flags=(
    --actor.model_name_or_path "$MODEL" --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key label
    --data.max_len $((1024 + LENGTH)) --rollout.max_new_tokens "$LENGTH" --rollout.temperature 1.0
    --rollout.batch_size 256 --rollout.n_samples_per_prompt 8 --train.batch_size 512 --train.num_episodes 20
    --rollout.micro_batch_size 8 --train.micro_batch_size 4 --actor.adam.lr "$LR" --actor.lr_scheduler constant
    --actor.max_norm 1.0 --algo.advantage.estimator group_norm --actor.loss_agg_mode token-mean
    --reward.remote_url "$PWD/examples/reward_math.py" --ckpt.save_steps 20 --ckpt.save_hf
    --actor.num_nodes "$NODES" --actor.num_gpus_per_node "$GPUS" --ref.num_nodes "$NODES"
    --ref.num_gpus_per_node "$GPUS" --vllm.num_engines $((NODES * GPUS)) --vllm.tensor_parallel_size 1
    --train.colocate_all "${sleep_flags[@]}" --ds.enable_sleep --vllm.gpu_memory_utilization 0.6
    --vllm.sync_backend nccl --ds.zero_stage 2 --ds.attn_implementation "$ATTENTION"
    --actor.gradient_checkpointing_enable --unlearn.save_rollouts 8
    --eval.dataset "$VALIDATION" --eval.steps 20 --eval.n_samples_per_prompt 4 --eval.temperature 1.0
)
if [ "$SETTING" = llama3b ]; then flags+=(--data.apply_chat_template); fi

check() { python -m openrlhf_unlearn.cli.check "$@"; }

# do_it COMMAND …: run it; a dry run prints it, and checks the flags of our own verbs.
do_it() {
    if [ -z "$DRY" ]; then "$@"
    elif [ "$1" = openrlhf-unlearn ]; then check "$@"
    else printf '%q ' "$@" && echo; fi
}

# The data of the setting: MATH by level, or DeepScaleR's problems and answers; and the problems to validate on.
prepare_data() {
    if [ ! -f "$DATA" ]; then
        # shellcheck disable=SC2086
        if [ -n "$LEVELS" ]; then do_it python examples/math_data.py --levels $LEVELS --out "$DATA"
        else do_it python examples/paper/deepscaler_data.py --out "$DATA"; fi
    fi
    if [ ! -f "$VALIDATION" ]; then
        # shellcheck disable=SC2086
        do_it python examples/math_data.py --split test --levels ${LEVELS:-1 2 3 4 5} --at-most 500 --out "$VALIDATION"
    fi
}

# train NAME SEED FLAG …: one training into FOLDER/NAME; goes on from its last checkpoint.
train() {
    local out=$FOLDER/$1 seed=$2 words
    shift 2
    words=(--plugin unlearn "${flags[@]}" --train.seed "$seed" --ckpt.output_dir "$out/model"
        --ckpt.path "$out/checkpoints" --unlearn.run_dir "$out/run" "$@")
    if [ -n "$DRY" ]; then
        check train_ppo "${words[@]}"
        return
    fi
    if [ -f "$out/model/tokenizer_config.json" ]; then return; fi
    prepare_data
    if [ -f "$out/run/run.json" ]; then words+=(--ckpt.load_enable); fi
    if [ -n "${RAY:-}" ]; then
        ray job submit --address "$RAY" -- python -m openrlhf_unlearn.host.launcher "${words[@]}"
    else
        python -m openrlhf_unlearn.host.launcher "${words[@]}"
    fi
}

# sft SET OUT: supervised fine-tuning on a file of sft-set. The paper's code has no script for it: epochs, batch and
# learning rate are ours.
sft() {
    local words=(--data.dataset "$1" --data.input_key prompt --data.output_key response
        --data.input_template '{}' --data.max_len $((1024 + LENGTH))
        --model.model_name_or_path "$MODEL" --ckpt.output_dir "$2" --ckpt.path "$2-checkpoints" --ckpt.save_steps 50
        --ckpt.save_hf --train.batch_size 64 --train.micro_batch_size 2 --train.max_epochs 3 --adam.lr 1e-5
        --ds.zero_stage 2 --ds.attn_implementation "$ATTENTION" --model.gradient_checkpointing_enable)
    if [ "$SETTING" = llama3b ]; then words+=(--data.apply_chat_template); fi
    if [ -n "$DRY" ]; then
        check train_sft "${words[@]}"
        return
    fi
    deepspeed --module openrlhf.cli.train_sft "${words[@]}"
}

# best NAME: the checkpoint of a training at its validation optimum; the host saves one at every new best.
best() {
    local newest
    newest=$(find "$FOLDER/$1/checkpoints" -maxdepth 1 -name 'best_global_step*_hf' 2>/dev/null | sort -V | tail -n 1) || true
    if [ -z "$newest" ] && [ -z "$DRY" ]; then
        echo "$FOLDER/$1/checkpoints has no best_global_step*_hf: nothing was validated" >&2
        return 1
    fi
    echo "${newest:-$FOLDER/$1/checkpoints/best_global_stepN_hf}"
}

# evaluate RUN TAG MODEL [DATA] [N]: N graded responses to every prompt, by default 32.
evaluate() { do_it openrlhf-unlearn evaluate --run "$1" --tag "$2" --model "$3" --data "${4:-$DATA}" -n "${5:-32}"; }

# The run that the later experiments ask about: the first seed's baseline, classified over all seeds (table_1.sh).
RUN=$FOLDER/baseline-${SEEDS[0]}/run
