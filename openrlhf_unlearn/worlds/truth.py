"""truth.parquet of a built-in world: the group and the cause that were planted for each prompt."""

from openrlhf_unlearn.store.table import Table, texts


class Truth(Table):
    prompt_id = texts(core=True)
    group = texts(core=True)
    cause = texts()
