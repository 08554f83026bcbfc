"""summary.json: what each command found, under the command's name."""

from dataclasses import dataclass, field
from typing import Any

from openrlhf_unlearn.store.files import read_object, write_json
from openrlhf_unlearn.store.kinds import NUMBER, OBJECT, TEXTS, check_kinds, check_version
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.names import RunDir

SUMMARY_VERSION = 1  # those without one are of version 0, whose keys are read as this one's
_KINDS = {
    **dict.fromkeys(("classify", "compare", "forecast"), OBJECT),
    **dict.fromkeys(("classify.tau", "classify.easy", "classify.threshold"), NUMBER),
    "classify.runs": TEXTS,
    "models": TEXTS,
}


@dataclass(frozen=True)
class Summary:
    """`values`: as the file has them. Empty is what a command that did not run yet would have written."""

    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, run: RunDir) -> "Summary":
        """Raises UserError where the file, or a value in it, is not what it should be."""
        values = read_object(run.summary) if run.summary.exists() else {}
        if (version := values.get("schema_version", 0)) != 0:
            check_version(run.summary, version, SUMMARY_VERSION)
        check_kinds(run.summary, values, _KINDS)
        return cls(values)

    def changed(self, **values: Any) -> "Summary":
        return Summary({**self.values, **values})

    @property
    def classify(self) -> dict[str, Any]:
        return self.values.get("classify") or {}

    @property
    def threshold(self) -> float | None:
        """The reward above which a sample of an evaluation is positive, where classify was told one."""
        return self.classify.get("threshold")

    @property
    def compare(self) -> dict[str, Any]:
        """What the run's remedy did to the prompts of the run before, as `compare` last found it."""
        return self.values.get("compare") or {}

    @property
    def forecast(self) -> dict[str, Any]:
        return self.values.get("forecast") or {}

    @property
    def models(self) -> list[str]:
        """Other models that answered the run's prompts, by the tags of their evaluations."""
        return self.values.get("models") or []

    @property
    def report(self) -> dict[str, Any]:
        return self.values["report"] if isinstance(self.values.get("report"), dict) else {}


def update_summary(run: RunDir, key: str, value: Any) -> None:
    """Set one key of summary.json; what other commands write there, at the same time too, stays."""
    with hold(run.summary, key, wait_s=SHORT_S):
        write_json(run.summary, Summary.read(run).changed(schema_version=SUMMARY_VERSION, **{key: value}).values)
