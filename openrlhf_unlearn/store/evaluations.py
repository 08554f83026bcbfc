"""evaluations/TAG.parquet: the graded samples of one model on the run's prompts; and what judges say of them."""

from pathlib import Path

import pyarrow as pa

from openrlhf_unlearn.store.columns import flags, integers, lists, texts
from openrlhf_unlearn.store.graded import Graded
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.table import TagTable


class Evaluations(Graded, TagTable):
    """A row a sample."""

    n_tokens = integers()
    # The tokens exactly as sampled, the end-of-text token included where there was one; the probe needs them.
    response_tokens = lists(pa.int32(), optional=True)
    reason = texts(optional=True)  # the grader's rule that gave the verdict
    positive = flags(optional=True)  # reward above the evaluation's `positive_above`

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.evaluation(tag)


class Judgements(TagTable):
    """A row for each score that one rater gave one rollout."""

    prompt_id = texts(core=True)
    sample = integers(core=True)  # of the evaluation with the same tag
    rater = texts(core=True)  # the judge's model, or human:NAME
    judgement = integers(core=True)  # several by one rater are numbered from 0
    score = integers(core=True)  # reasoning quality, 0 to 5
    reason = texts(core=True)

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.judgements(tag)
