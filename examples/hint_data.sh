# shellcheck shell=bash
# Sourced by the scripts with hints: makes BEFORE/hints once from the prompts that a finished run did not learn; its name is HINTS.

BEFORE=$(from_here "${BEFORE:-}" baseline)
HINTS=$BEFORE/hints
export WORLD=${WORLD:-$BEFORE/world}
frame=(--frame '{question}{hint}') # the world's model goes on writing where its prompt ends
case ${1:-} in qwen) frame=() ;; esac
if [ -z "${DRY_RUN:-}" ] && [ ! -f "$HINTS/schedule.json" ]; then
    if [ -z "${SOLUTIONS:-}" ]; then
        SOLUTIONS=$BEFORE/solutions.jsonl
        python examples/world_solutions.py "$WORLD" > "$SOLUTIONS"
    fi
    openrlhf-unlearn hints "$BEFORE/run" --output "$HINTS" --solutions "$SOLUTIONS" "${frame[@]}"
fi
