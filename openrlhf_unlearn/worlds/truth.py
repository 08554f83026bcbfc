"""truth.parquet of a built-in world: the group and the cause that were planted for each prompt."""

from openrlhf_unlearn.store.columns import texts
from openrlhf_unlearn.store.table import Table


class Truth(Table):
    prompt_id = texts(core=True)
    group = texts(core=True)
    cause = texts()
