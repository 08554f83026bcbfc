"""What an experience carries, in its `info`, from the generator to the loss: one number a rollout each.

The host batches, splits and averages everything in `info`; ids would make no sense as averages and are taken out of
the metrics again (`unlogged`).
"""

import torch

ID = "unlearn_id"  # the prompt's id, as a signed integer of 64 bits
POSITIVE = "unlearn_positive"  # 1 for a positive rollout, by its score or reward before any shaping or penalty
REPLAYED = "replayed"  # 1 for a replayed rollout; only in batches that have one
EXPERT = "unlearn_expert"  # 1 for an expert's trace; only in batches that have one


def id_number(prompt_id: str) -> int:
    """16 hex digits as the integer that a tensor can hold."""
    return int.from_bytes(bytes.fromhex(prompt_id), "big", signed=True)


def marked_ids(info: dict) -> list[str]:
    """The prompt id of each rollout."""
    return [number.to_bytes(8, "big", signed=True).hex() for number in _values(info[ID])]


def marked_positive(info: dict) -> list[bool]:
    return [bool(value) for value in _values(info[POSITIVE])]


def marked_replayed(info: dict) -> list[bool]:
    return [bool(value) for value in _values(info[REPLAYED])] if REPLAYED in info else [False] * len(info[ID])


def marked_expert(info: dict) -> list[bool]:
    return [bool(value) for value in _values(info[EXPERT])] if EXPERT in info else [False] * len(info[ID])


def _values(column) -> list:
    """A column as the host makes it: a tensor of shape (rollouts,), or a list of tensors of one."""
    values = column if isinstance(column, torch.Tensor) else torch.stack(list(column))
    return values.flatten().tolist()


def unlogged(status: dict) -> dict:
    """A training step's status without the marks that no logger should see."""
    for part in ("metrics", "weights"):
        for name in (ID, POSITIVE, EXPERT):
            status[part].pop(name, None)
    return status
