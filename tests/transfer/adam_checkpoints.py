"""Trains a folder's model three steps by DeepSpeed on two ranks, without ZeRO and with ZeRO 2; saves checkpoints.

`torchrun --nproc_per_node 2 adam_checkpoints.py FOLDER`; beside them moments.pt, DeepSpeed's own word on Adam's state.
"""

import sys
from pathlib import Path

import deepspeed
import torch
from deepspeed.ops.adam import FusedAdam
from deepspeed.utils import safe_get_full_optimizer_state
from transformers import AutoModelForCausalLM

deepspeed.init_distributed("gloo")
folder = Path(sys.argv[1])
for stage in (0, 2):
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    groups = [{"params": [p for p in model.parameters() if (p.ndim == 2) == matrices]} for matrices in (True, False)]
    settings = {
        "train_micro_batch_size_per_gpu": 2,
        "zero_optimization": {"stage": stage},
        "bf16": {"enabled": True},
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=FusedAdam(groups, lr=1e-3), config=settings)
    for step in range(3):  # both ranks see the same, so both stages take the same steps
        ids = torch.randint(0, model.config.vocab_size, (2, 8), generator=torch.Generator().manual_seed(step))
        engine.backward(engine(input_ids=ids, labels=ids).loss)
        engine.step()
    engine.save_checkpoint(folder / f"zero-{stage}")
    if stage == 2:
        named = engine.module.named_parameters()
        found = {name: safe_get_full_optimizer_state(p, "exp_avg_sq") for name, p in named if p.ndim == 2}
        if torch.distributed.get_rank() == 0:
            torch.save(found, folder / "moments.pt")
    torch.distributed.barrier()
