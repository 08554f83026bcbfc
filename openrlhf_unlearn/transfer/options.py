"""The options of `transfer`."""

from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.run_dir import check_name
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE
from openrlhf_unlearn.transfer.vectors import OBJECTIVES


@dataclass(frozen=True)
class TransferOptions(Options):
    """What the map is made of, how it is checked, and for whom data is chosen."""

    run: str = option("run directory with a probe", positional=True, metavar="RUN")
    probe: str | None = option("name of the probe; default: initial if it is there, else the only one", None)
    clusters: str = option("FILE: {prompt id: name}", "datasource", metavar="datasource|gradients|FILE.json")
    objective: str = option("training on correct rollouts, or by GRPO", "likelihood", choices=OBJECTIVES)
    verify: int | None = option("check by short trainings on the K largest clusters; 0: on all", None, metavar="K")
    trained: tuple[str, ...] = option(
        "check by runs that each trained on prompts of one cluster by GRPO, with evaluations of before and after",
        (), metavar="RUN",
    )  # fmt: skip
    preconditioner: str | None = option(
        "scale the gradients as Adam would, by the state of this DeepSpeed checkpoint", None, metavar="CHECKPOINT"
    )
    model: str | None = option("model of --verify and --from; default: the probe's", None)
    steps: int = option("--verify: optimiser steps of each training", 10)
    batch: int = option("--verify: rollouts a step", 16)
    lr: float = option("--verify: learning rate", 1e-5)
    optimiser: str = option("--verify", "adam", choices=("adam", "sgd"))
    rollouts: int = option("--verify: correct rollouts of a prompt, at most", 4)
    targets: str | None = option(
        "choose data for these prompts: ids.json, or …parquet:GROUP", None, flag="--for", metavar="IDS"
    )
    pool: str | None = option(
        "--for: rows to choose from, with prompt and response", None, flag="--from", metavar="POOL.jsonl"
    )
    budget: int = option("--for: rows that are chosen", 100)
    output: Path | None = option("--for: where the three data sets go", None, metavar="FOLDER")
    device: str | None = option("default: cuda where there is one, else cpu", None)
    seed: int = option("of the halves, the trainings and the random control", 0)
    trust_remote_code: bool = TRUST_REMOTE_CODE

    def check(self) -> None:
        for name in ("steps", "batch", "rollouts", "budget"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 1")
        if self.lr <= 0 or (self.verify or 0) < 0:
            raise UsageError("--lr must be above 0, --verify at least 0")
        if self.verify is not None and self.objective != "likelihood":
            raise UsageError("--verify trains on correct rollouts: it goes with --objective likelihood")
        if self.preconditioner and (self.verify is not None or self.clusters == "gradients"):
            other = "--clusters gradients" if self.verify is None else "--verify"
            raise UsageError(f"--preconditioner scales whole gradients, and {other} takes sketches of them")
        if self.pool and not self.targets:
            raise UsageError("--from is a pool to choose from: name with --for whom to choose for")
        if self.targets and (self.verify is not None or self.trained):
            raise UsageError("--verify and --trained check the map, --for chooses data: give one after the other")
        if self.targets and not self.output:
            raise UsageError("--for needs --output, the folder for what is chosen")
        if self.probe:
            check_name(self.probe, "--probe")
