"""summary.json: what each command found, under the command's name."""

from openrlhf_unlearn.store.files import read_object, write_json
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.names import RunDir


def read_summary(run: RunDir) -> dict:
    return read_object(run.summary) if run.summary.exists() else {}


def update_summary(run: RunDir, key: str, value) -> None:
    """Set one key of summary.json; what other commands write there, at the same time too, stays."""
    with hold(run.summary, key, wait_s=SHORT_S):
        write_json(run.summary, {**read_summary(run), key: value})
