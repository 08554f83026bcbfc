"""A label audit: rows of a data set whose label several models contradict, without any training.

The same posterior as a diagnosis, on what evaluations alone say: how many samples of the ablest model agree on another
answer, whether it solves the prompts nearest by wording, and whether the other models agree with it.
"""

from collections.abc import Sequence
from pathlib import Path

from openrlhf_unlearn.causes.diagnosis import Diagnosis, of_cases
from openrlhf_unlearn.causes.reading import pass_rates, read_cases
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir

AGREED = 0.3  # pass rate of the ablest model from which a label is not doubted


def audit(run: RunDir, tags: Sequence[str]) -> tuple[Diagnosis, dict]:
    """(what is found of the doubted rows, counts of all rows). tags: of the models' evaluations in `run`."""
    ids = Prompts.ids(run)
    rates = {tag: pass_rates([run.evaluation(tag)], ids) for tag in tags}
    best = max(tags, key=lambda tag: float(rates[tag][rates[tag] == rates[tag]].mean()))
    doubted = {name: "doubted" for name, rate in zip(ids.to_pylist(), rates[best], strict=True) if rate < AGREED}
    others = [(tag, run.evaluation(tag)) for tag in tags if tag != best]
    cases = read_cases([run], doubted, others, initial="", final=best, wanted=("doubted",), when=f"of {best}")
    sampled = int((rates[best] == rates[best]).sum())  # nan without a sample
    counts = {"rows": sampled, "unsampled": len(ids) - sampled, "ablest": best, "doubted": len(doubted)}
    return of_cases(cases), counts


def evaluation_tag(model: str) -> str:
    """What a model's evaluation is called in a run: the end of its path, in letters that name files."""
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in Path(model).name).strip("._-")
    return f"by-{name or 'model'}"[:80]
