"""Tables of a run directory from dicts, as tests write them."""

from collections.abc import Iterable

from openrlhf_unlearn.store.table import Table


def of_dicts(kind: type[Table], rows: Iterable[dict]) -> Table:
    """Null where a row says nothing; optional columns are left out."""
    return kind.of_rows(kind.Row(**row) for row in rows)
