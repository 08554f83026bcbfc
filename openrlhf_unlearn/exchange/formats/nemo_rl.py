"""NeMo-RL: `logger.log_dir/exp_NNN/train_data_step{N}.jsonl` and `val_data_step{N}.jsonl`, each value a list of one.

`content` is a rollout's messages, or their texts without the roles: then the last one is the response. There is no
label, and `idx` is only the row's number.
"""

from collections.abc import Iterator
from pathlib import Path

from openrlhf_unlearn.exchange.files import Row, rows_of
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.exchange.values import as_text, is_messages, split_messages


def _rows(path: Path) -> Iterator[Row]:
    for where, row in rows_of(path):
        if not isinstance(row, dict) or "content" not in row:
            yield where, row
            continue
        content = row["content"]
        if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
            content = content[0]
        if is_messages(content):
            given, answered = split_messages(content)
        elif isinstance(content, list) and len(content) > 1:
            given, answered = [{"role": "", "content": as_text(text)} for text in content[:-1]], as_text(content[-1])
        else:
            given, answered = None, content
        rewards = row.get("rewards")
        reward = rewards[0] if isinstance(rewards, list) and len(rewards) == 1 else rewards
        yield where, {"prompt": given, "response": answered, "rewards": reward}


NEMO_RL = Format(
    "nemo-rl",
    "Logger.log_batched_dict_as_jsonl and grpo_train of NeMo-RL, mid-2026",
    {"prompt": "prompt", "response": "response", "reward": "rewards"},
    training=("**/train_data_step*.jsonl",),
    evaluation=("**/val_data_step*.jsonl",),
    step=r"_data_step(\d+)\.jsonl$",
    rows=_rows,
    notes=("NeMo-RL's files hold no labels: prompts are told apart by their text alone",),
)
