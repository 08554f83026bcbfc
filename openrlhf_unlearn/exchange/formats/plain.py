"""Any file of rows, with --columns; and the result lists of the paper's inference code (its CSV is read apart)."""

from openrlhf_unlearn.exchange.formats.base import Format

PAPER = Format(
    "paper",
    "the paper's code",
    {"id": "question_id", "prompt": "question", "response": "response", "reward": "verification.score"},
    training=("*.json",),
    evaluation=("*.json",),
)
JSONL = Format(
    "jsonl",
    "-",
    {"prompt": "prompt", "response": "response", "reward": "reward", "label": "label", "step": "step"},
    training=("*.jsonl", "*.json", "*.parquet", "*.csv", "*.tsv"),
    evaluation=("*.jsonl", "*.json", "*.parquet", "*.csv", "*.tsv"),
)
