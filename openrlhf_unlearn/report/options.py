"""The options of `analyze`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.trust import TRUST_REMOTE_CODE, TRUST_RUN

FILES = ("png", "pdf")  # what a figure is written as beside SVG


@dataclass(frozen=True)
class AnalyzeOptions(Options):
    """Which runs, what may be made of what they lack, and where the report goes."""

    runs: Sequence[str] = option("run directories of the same data and model", positional=True, metavar="RUN")
    tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)
    easy: float = option("initial pass@1 from which a prompt is easy", 0.1)
    n: int = option("samples a prompt where an evaluation is missing", 32, flag="-n")
    threshold: float | None = option("reward above which a sample is positive, as in classify", None)
    allow_uneven: bool = option("accept uneven sample counts", False)
    no_evaluate: bool = option("never sample", False)
    no_probe: bool = option("never compute gradients", False)
    offline: bool = option("use no model at all: --no-evaluate --no-probe", False)
    compare: bool = option("the runs are interventions: set them side by side, groups by the first", False)
    watch: bool = option("make the page again while training writes steps, until Ctrl-C", False)
    every: int = option("--watch: how often", 30, metavar="SECONDS")
    figure_files: Sequence[str] = option("what each figure is written as, beside SVG", FILES, choices=FILES, nargs="*")
    output: Path | None = option("put the report there, and write nothing into the runs", None, metavar="DIR")
    trust_run: bool = TRUST_RUN
    trust_remote_code: bool = TRUST_REMOTE_CODE
    format: str = option("what is printed; the page is always written", "html", choices=["html", "json", "md"])

    def check(self) -> None:
        for name in ("tau", "easy"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"--{name} {getattr(self, name)}: a pass rate above 0 and at most 1")
        if self.compare and len(self.runs) < 2:
            raise UsageError("--compare needs at least two runs: openrlhf-unlearn analyze RUN_A RUN_B --compare")
        if len({Path(run).resolve() for run in self.runs}) < len(self.runs):
            raise UsageError("a run is given twice; give each once")
        if self.every < 1:
            raise UsageError(f"--every {self.every}: at least 1 second")
        if self.watch and self.compare:
            raise UsageError("--watch follows training, --compare needs it finished; use one of them")

    @property
    def samples(self) -> bool:
        """Whether a missing evaluation may be made."""
        return not (self.no_evaluate or self.offline or self.output or self.watch)

    @property
    def probes(self) -> bool:
        """Whether a missing probe may be made."""
        return not (self.no_probe or self.offline or self.output or self.watch)
