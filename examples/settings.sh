# shellcheck shell=bash
# Sourced by the scripts of this folder: the environment, the two settings they train in, and the steps they share.
#
#   world   the built-in world, on two CPU cores or a GPU: 64 prompts a step, 8 rollouts each
#   qwen    Qwen2.5-0.5B on MATH levels 1 to 4 on 8 GPUs, with the hyper-parameters of the paper's code: its baseline
#           takes the mean over all tokens (token-mean) and samples dynamically. Unlike the paper's, its pass@1 after
#           training is that of the run's end, not of a validation optimum; paper/table_1.sh has that
#
# Each script: bash examples/NAME.sh [world|qwen] [FOLDER] [FLAG ...]; flags of openrlhf.cli.train_ppo go through to it.
#
#   EPISODES   passes over the prompts; default 6 (world; more and it begins to memorise), 15 (qwen)
#   MINI_BATCH rollouts an optimiser step, of 512 (world); default 32, so that the clip has something to do
#   SAMPLES    graded answers to each prompt before and after; default 32, as in the paper (qwen), 128 (world: who
#              can only guess is right once in 24, and luck takes one in 26 over a tenth of 32, one in 500 of 128)
#   SEED       draws the built-in world; default 0
#   RUN_SEED   draws the training; default SEED
#   WORLD      a world that is there; default FOLDER/world
#   ATTENTION, SLEEP   on a GPU: gpu_flags.sh explains
#   DRY_RUN    1: check every flag of the training by the host's own parser and print the command; print: only print

if [ -z "${UNLEARN_PYTHON:-}${PYTHON:-}" ] && [ ! -e "$(dirname "${BASH_SOURCE[0]}")/../setup.py" ]; then
    # As `openrlhf-unlearn examples` copies them: there is no clone to make .venv from.
    echo "$0: these scripts are no clone, so name an environment that is ready: UNLEARN_PYTHON=\$(which python) bash $0" >&2
    exit 1
fi
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
HERE=$PWD
cd "$ROOT" || exit 1
. examples/gpu_flags.sh

say() { printf '\n[%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# from_here GIVEN DEFAULT: the whole path of GIVEN, taken from where the user stands; without one, of DEFAULT in the clone.
from_here() {
    if [ -n "$1" ]; then (cd "$HERE" && realpath -m "$1"); else realpath -m "$2"; fi
}

# settle NAME [world|qwen] [FOLDER] [flags ...]: sets SETTING, FOLDER, MODEL, DATA, MORE and the array `flags`.
settle() {
    local name=$1
    shift
    SETTING=world
    case ${1:-} in world | qwen) SETTING=$1 && shift ;; esac
    FOLDER=
    case ${1:-} in "" | --*) ;; *) FOLDER=$1 && shift ;; esac
    FOLDER=$(from_here "$FOLDER" "$name")
    MORE=("$@")
    SEED=${SEED:-0}
    RUN_SEED=${RUN_SEED:-$SEED}
    WORLD=$(from_here "${WORLD:-}" "$FOLDER/world")
    "setting_$SETTING"
    flags+=(
        --actor.model_name_or_path "$MODEL" --data.prompt_dataset "$DATA"
        --data.input_key prompt --data.label_key label --reward.remote_url "$ROOT/examples/reward_math.py"
        --ckpt.output_dir "$FOLDER/model" --ckpt.path "$FOLDER/checkpoints" --ckpt.save_steps 20 --ckpt.max_num 1
        --train.seed "$RUN_SEED" --algo.advantage.estimator group_norm --unlearn.run_dir "$FOLDER/run"
    )
}

# Not the paper's: every prompt trains once an episode (filter none), so that its reward curve has no gap, and the loss
# is a mean over tokens and then sequences, with which the world's groups were planted and measured.
setting_world() {
    FILTER=none
    MODEL=$WORLD/model DATA=$WORLD/train.jsonl EPISODES=${EPISODES:-6} MINI_BATCH=${MINI_BATCH:-32}
    SAMPLES=${SAMPLES:-128} STEPS=${STEPS-$((5 * EPISODES))} # an episode of 320 prompts is 5 steps of 64
    flags=(
        --data.max_len 64 --rollout.max_new_tokens 24
        --train.num_episodes "$EPISODES" --rollout.batch_size 64 --rollout.n_samples_per_prompt 8
        --rollout.micro_batch_size 128 --train.batch_size "$MINI_BATCH"
        --train.micro_batch_size $((MINI_BATCH < 64 ? MINI_BATCH : 64)) --actor.loss_agg_mode seq-mean-token-mean
        --actor.adam.lr 3e-5 --actor.adam.betas 0.9 0.99 --actor.lr_scheduler constant
        --actor.num_gpus_per_node 1 --ref.num_gpus_per_node 1 --vllm.num_engines 1 --ds.zero_stage 0
    )
    if [ "$DEVICE" = gpu ]; then
        # Policy, reference and vLLM share one GPU.
        flags+=(--ds.attn_implementation "$ATTENTION" --vllm.sync_backend nccl)
        flags+=(--train.colocate_all "${sleep_flags[@]}" --vllm.gpu_memory_utilization 0.4)
    else
        flags+=(--ds.attn_implementation eager --vllm.sync_backend gloo --vllm.enforce_eager)
    fi
}

# 256 prompts x 8 rollouts a step in mini-batches of 64 prompts, temperature 1, responses of up to 5,120 tokens. Not the
# paper's but the machine's: engines, micro-batches, ZeRO stage.
setting_qwen() {
    FILTER=dynamic
    MODEL=Qwen/Qwen2.5-0.5B DATA=${MATH_DATA:-$FOLDER/math_levels_1_to_4.jsonl} STEPS=${STEPS-}
    SAMPLES=${SAMPLES:-32}
    flags=(
        --data.max_len 6144 --rollout.max_new_tokens 5120
        --train.num_episodes "${EPISODES:-15}" --rollout.batch_size 256 --rollout.n_samples_per_prompt 8
        --rollout.micro_batch_size 8 --train.batch_size 512 --train.micro_batch_size 4
        --actor.loss_agg_mode token-mean --actor.adam.lr 5e-7 --actor.lr_scheduler constant
        --actor.num_gpus_per_node 8 --ref.num_gpus_per_node 8 --vllm.num_engines 8 --vllm.tensor_parallel_size 1
        --train.colocate_all "${sleep_flags[@]}" --ds.enable_sleep --vllm.gpu_memory_utilization 0.6
        --vllm.sync_backend nccl --ds.zero_stage 2 --ds.attn_implementation "$ATTENTION"
        --actor.gradient_checkpointing_enable --unlearn.save_rollouts 8
    )
}

# The data of the setting, made or fetched once.
prepare_data() {
    if [ "$SETTING" = world ]; then
        say "The built-in world: $WORLD"
        openrlhf-unlearn microworld "$WORLD" --seed "$SEED"
    elif [ ! -f "$DATA" ]; then
        say "MATH levels 1 to 4: $DATA"
        python examples/math_data.py --levels 1 2 3 4 --out "$DATA"
    fi
}

# train FLAG ...: the stock launcher with the setting's flags, then these, then the user's own, and the setting's filter
# unless these name one. Goes on where a killed run stopped; the host saves the tokenizer last, so with it the trained
# model is whole.
train() {
    case " $* " in *" --unlearn.filter "*) ;; *) set -- --unlearn.filter "$FILTER" "$@" ;; esac
    local command=(python -m openrlhf.cli.train_ppo --plugin unlearn "${flags[@]}" "$@" "${MORE[@]}")
    case ${DRY_RUN:-} in
        "") ;;
        print) printf '%q ' "${command[@]}" && echo && return ;;
        *) "${command[@]}" --dry_run && return ;;
    esac
    if [ -f "$FOLDER/model/tokenizer_config.json" ]; then
        say "Training: done before, the model is in $FOLDER/model"
        return
    fi
    mkdir -p "$FOLDER"
    [ -f "$FOLDER/run/run.json" ] && command+=(--ckpt.load_enable)
    say "Training: stock OpenRLHF with --plugin unlearn; all that it prints is in $FOLDER/train.log"
    if ! "${command[@]}" 2>&1 | python examples/progress.py --steps "$STEPS" --log "$FOLDER/train.log"; then
        tail -n 20 "$FOLDER/train.log" >&2
        return 1
    fi
}

# evaluate TAG MODEL: SAMPLES graded answers to every prompt, once.
evaluate() {
    say "pass@1 of every prompt: $1"
    if [ -f "$FOLDER/run/evaluations/$1.parquet" ]; then
        echo "done before"
    else
        openrlhf-unlearn evaluate --model "$2" --data "$DATA" --tag "$1" --run "$FOLDER/run" -n "$SAMPLES"
    fi
}

# An experiment from prompts to report: intervention NAME "$@" -- FLAG ...; with COMPARED, a run, the report also has what
# the remedy did to that run's prompts.
intervention() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    settle "${words[@]}"
    if [ -n "${DRY_RUN:-}" ]; then
        train "$@"
        return
    fi
    prepare_data
    train "$@"
    evaluate initial "$MODEL"
    evaluate final "$FOLDER/model"
    [ -z "${COMPARED:-}" ] || openrlhf-unlearn compare "$COMPARED" "$FOLDER/run"
    openrlhf-unlearn analyze "$FOLDER/run"
    say "The report: $FOLDER/run/report/report.html"
}
