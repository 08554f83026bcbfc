"""The options of `import`."""

from dataclasses import dataclass

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.exchange.formats import FORMATS
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.run_dir import check_name

COLUMNS = ("prompt", "response", "reward", "label", "step", "id", "positive")


@dataclass(frozen=True)
class ImportOptions(Options):
    """Whose files, and which of their columns are what."""

    format: str = option(
        "whose files they are; jsonl: any, with --columns", positional=True, choices=["auto", *sorted(FORMATS)]
    )
    source: str = option("file, folder or glob; ** in a glob is any depth", positional=True)
    run: str = option("run directory to write into; made if it is not there", metavar="RUN")
    tag: str | None = option("the files are the evaluation of this name, not training rollouts", None)
    step: int | None = option("with --tag: only the rollouts of this step, where the files hold several", None)
    columns: str = option(f"NAME=COLUMN,… for {', '.join(COLUMNS)}; a dot goes into an object", "")
    threshold: float | None = option(
        "reward above which a rollout is positive; needed if rewards are not binary, and remembered in run.json", None
    )
    save_rollouts: int = option("rollouts a prompt and step kept with their text", 0)
    model: str | None = option("the model that training started from, if known: runs of different ones never mix", None)
    follow: float | None = option(
        "record files as they appear while training runs, until Ctrl-C; looks every 5 seconds",
        None,
        metavar="SECONDS",
        nargs="?",
        const=5.0,
    )
    tokenizer: str | None = option("makes text of token ids, where the files hold these", None, metavar="MODEL")

    def check(self) -> None:
        if self.tag:
            check_name(self.tag, "--tag")
        self.named_columns()
        if self.step is not None and not self.tag:
            raise UsageError(
                "--step takes one step of an evaluation: give its --tag, or import all steps without --step"
            )
        if self.follow is not None and (self.tag or self.follow <= 0):
            raise UsageError("--follow SECONDS takes training rollouts, every so many seconds above 0; leave --tag out")

    def named_columns(self) -> dict[str, str]:
        """Name → column, of --columns. Raises UsageError for what is no such pair."""
        pairs = [item.partition("=") for item in self.columns.split(",") if item]
        for name, equals, column in pairs:
            if name not in COLUMNS or not equals or not column:
                raise UsageError(f"--columns {self.columns}: write NAME=COLUMN with NAME of {', '.join(COLUMNS)}")
        return {name: column for name, _, column in pairs}
