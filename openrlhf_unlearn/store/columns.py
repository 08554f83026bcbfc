"""A column of a table: its name and type, and what values it comes as."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from openrlhf_unlearn.store.table import Table

Values = TypeVar("Values")


class Column(Generic[Values]):
    """core: no file is without it. optional: only files of a writer that gives it have it."""

    def __init__(self, type: pa.DataType, core: bool = False, optional: bool = False):
        self.type, self.core, self.optional, self.name = type, core, optional, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, table: None, owner: type) -> "Column[Values]": ...

    @overload
    def __get__(self, table: "Table", owner: type) -> Values: ...

    def __get__(self, table: "Table | None", owner: type) -> Any:
        return self if table is None else table.values(self)


def integers(core: bool = False, optional: bool = False) -> Column[np.ndarray]:
    """Numbers with a null among them come as floats, nan for it."""
    return Column(pa.int32(), core, optional)


def numbers(core: bool = False, optional: bool = False) -> Column[np.ndarray]:
    return Column(pa.float64(), core, optional)


def flags(core: bool = False, optional: bool = False) -> Column[np.ndarray]:
    """Of bool; with a null among them, of objects: True, False or None."""
    return Column(pa.bool_(), core, optional)


def texts(core: bool = False, optional: bool = False) -> Column[list[Any]]:
    return Column(pa.string(), core, optional)


def lists(of: pa.DataType, core: bool = False, optional: bool = False) -> Column[list[Any]]:
    return Column(pa.list_(of), core, optional)


def kind_of(type: pa.DataType) -> str:
    """What a column holds, in the words of an error; of numbers, any precision will do."""
    if pa.types.is_dictionary(type):
        type = type.value_type
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return "text"
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        return "numbers"
    return str(type).partition("<")[0]
