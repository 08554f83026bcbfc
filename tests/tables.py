"""Tables of a run directory from dicts, as tests write them."""

from collections.abc import Iterable

from openrlhf_unlearn.store.columns import Column
from openrlhf_unlearn.store.table import Table


def of_dicts(kind: type[Table], rows: Iterable[dict], *optional: Column) -> Table:
    """Null where a row says nothing; of the optional columns those that are named are there."""
    return kind.of_rows((kind.Row(**row) for row in rows), *optional)
