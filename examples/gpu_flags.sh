# shellcheck shell=bash disable=SC2034
# Sourced by the settings: what depends on the GPU machine rather than on the experiment.
#
#   ATTENTION  --ds.attn_implementation; default: flash_attention_2 where flash-attn is installed, else sdpa
#   SLEEP      0: the engines keep their GPU memory while the trainer works, instead of sleeping; default 1
#
# Defines ATTENTION and the array `sleep_flags`.

ATTENTION=${ATTENTION:-$(python -c 'from importlib.util import find_spec as f
print("flash_attention_2" if f("flash_attn") else "sdpa")')}
sleep_flags=()
if [ "${SLEEP:-1}" != 0 ]; then sleep_flags=(--vllm.enable_sleep); fi
