#!/usr/bin/env bash
# From a fresh clone to a report, without a GPU or a download of a model: `bash examples/quickstart.sh`.
#
# Environment; the built-in world (a 0.45 M-parameter model and 320 prompts of which we know what can be learned);
# GRPO training by stock OpenRLHF (Ray, DeepSpeed, vLLM) with our plugin, 60 steps; pass@1 of every prompt before and
# after; the report. About 20 minutes on two cores, the environment included. Stopped half-way, the same command goes on.
#
#   bash examples/quickstart.sh [FOLDER]    where everything is written; default: quickstart
#   SEED=1 bash examples/quickstart.sh q1   another world, another run
#   RUN_SEED=7 WORLD=q1/world bash examples/quickstart.sh q7   another run on a world that is there
set -euo pipefail

FOLDER=$(realpath -m "${1:-quickstart}")
SEED=${SEED:-0}
RUN_SEED=${RUN_SEED:-$SEED}
WORLD=$(realpath -m "${WORLD:-$FOLDER/world}")
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$ROOT"
started=$SECONDS
say() { printf '\n[%d:%02d] %s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$*"; }

say "1/5 The built-in world: $WORLD"
openrlhf-unlearn microworld "$WORLD" --seed "$SEED"

flags=(
    --actor.model_name_or_path "$WORLD/model"
    --data.prompt_dataset "$WORLD/train.jsonl" --data.input_key prompt --data.label_key label
    --data.max_len 64 --rollout.max_new_tokens 24
    --reward.remote_url examples/reward_math.py
    --ckpt.output_dir "$FOLDER/model" --ckpt.path "$FOLDER/checkpoints" --ckpt.save_steps 20 --ckpt.max_num 1
    --train.seed "$RUN_SEED"

    # 12 episodes of 320 prompts are 60 steps of 64.
    --train.num_episodes 12 --rollout.batch_size 64 --rollout.n_samples_per_prompt 8 --rollout.micro_batch_size 128
    --train.batch_size 256 --train.micro_batch_size 128

    --algo.advantage.estimator group_norm
    --algo.kl.use_loss --algo.kl.estimator k3 --algo.kl.init_coef 3e-3
    --actor.loss_agg_mode seq-mean-token-mean
    --actor.adam.lr 5e-5 --actor.adam.betas 0.9 0.99 --actor.lr_scheduler constant

    --actor.num_gpus_per_node 1 --ref.num_gpus_per_node 1 --vllm.num_engines 1 --ds.zero_stage 0

    # No filter: every prompt is then sampled once an episode, so its reward curve has 12 points and no gap, and the
    # steps are 60. Refilling (`dynamic`) would use an episode up in fewer steps, the more the model has learned.
    --unlearn.filter none --unlearn.run_dir "$FOLDER/run"
)
if [ "$DEVICE" = gpu ]; then
    # Policy, reference and vLLM share one GPU.
    flags+=(--ds.attn_implementation flash_attention_2 --vllm.sync_backend nccl)
    flags+=(--train.colocate_all --vllm.enable_sleep --vllm.gpu_memory_utilization 0.4)
else
    flags+=(--ds.attn_implementation eager --vllm.sync_backend gloo --vllm.enforce_eager)
fi
[ -f "$FOLDER/run/run.json" ] && flags+=(--ckpt.load_enable)

# The host saves the tokenizer last, so with it the trained model is whole.
if [ -f "$FOLDER/model/tokenizer_config.json" ]; then
    say "2/5 Training: done before, the model is in $FOLDER/model"
else
    say "2/5 Training: stock OpenRLHF with --plugin unlearn; all that it prints is in $FOLDER/train.log"
    if ! python -m openrlhf.cli.train_ppo --plugin unlearn "${flags[@]}" 2>&1 |
        python examples/progress.py --steps 60 --log "$FOLDER/train.log"; then
        tail -n 20 "$FOLDER/train.log" >&2
        exit 1
    fi
fi

evaluate() {
    if [ -f "$FOLDER/run/evaluations/$1.parquet" ]; then
        echo "done before"
    else
        openrlhf-unlearn evaluate --model "$2" --data "$WORLD/train.jsonl" --tag "$1" --run "$FOLDER/run" -n 32
    fi
}
say "3/5 pass@1 of every prompt before training, 32 answers each"
evaluate initial "$WORLD/model"
say "4/5 pass@1 of every prompt after training"
evaluate final "$FOLDER/model"

say "5/5 Which prompts were learned"
openrlhf-unlearn analyze "$FOLDER/run"
python examples/compare_with_truth.py "$WORLD/truth.parquet" "$FOLDER/run"
say "The report: $FOLDER/run/report/report.html"
