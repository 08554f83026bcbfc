"""A table of the run directory as a class: its columns stand in it once, and are its attributes.

    class Clipping(StepTable, folder="clipping"):
        n_positive = integers(core=True)

    Clipping.n_positive                                  a column, to name those that are read
    clipping = Clipping.read(run, Clipping.n_positive)   all columns where none is named
    clipping.n_positive                                  (rows,) numbers; texts and lists come as Python lists
    clipping[Clipping.n_positive]                        the same as an Arrow array, for what is counted there
    Clipping.of_rows([Clipping.Row(n_positive=3)]).write(run, step)

A column that a file of an earlier version lacks reads as nulls (numbers: nan), and `has` says so; without one that is
`core` a file is refused. An `optional` one is written where it is given.
"""

from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.columns import Column, integers, kind_of
from openrlhf_unlearn.store.files import atomic_path
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.parquet import column_names, read_table, scan_table, write_table, writer

if TYPE_CHECKING:
    from typing_extensions import Self


class Table:
    """Rows of one kind, in memory. Subclasses say where they rest in a run (RunTable, TagTable, StepTable)."""

    columns: ClassVar[dict[str, Column[Any]]] = {}
    schema: ClassVar[pa.Schema]
    Row: ClassVar[type[Any]] = tuple  # a named tuple of all columns, None where not given

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        found = [item for base in reversed(cls.__mro__) for item in vars(base).items() if isinstance(item[1], Column)]
        cls.columns = dict(found)
        cls.schema = cls.schema_with()
        cls.Row = namedtuple(  # pyright: ignore[reportUntypedNamedTuple]  (its fields are the class's columns)
            f"{cls.__name__}Row", cls.columns, defaults=[None] * len(cls.columns)
        )

    def __init__(self, arrow: pa.Table, asked: Iterable[str] | None = None):
        """arrow: what the file has, more columns than the class's among them; asked: names that may be read of it."""
        self.arrow = arrow
        self._asked = tuple(self.columns) if asked is None else tuple(asked)
        self._values: dict[str, Any] = {}

    @classmethod
    def schema_with(cls, *optional: Column[Any]) -> pa.Schema:
        """As files have it; without the optional columns but these."""
        return pa.schema([(c.name, c.type) for c in cls.columns.values() if not c.optional or c in optional])

    # From values -----------------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, **given: Any) -> "Self":
        """Of columns by name, arrays (whose nan is null) or lists; one not given is null, or if optional not there."""
        if unknown := given.keys() - cls.columns.keys():
            raise TypeError(f"{cls.__name__} has no column {unknown.pop()!r}")
        size = len(next(iter(given.values())))
        schema = cls.schema_with(*(cls.columns[name] for name in given))
        return cls(pa.table([_array(given.get(f.name), size, f.type) for f in schema], schema=schema))

    @classmethod
    def of_rows(cls, rows: Iterable[Any], *optional: Column[Any]) -> "Self":
        """Of `Row`s; the optional columns that the file shall have are named."""
        rows, schema = list(rows), cls.schema_with(*optional)
        return cls(pa.table({name: [getattr(row, name) for row in rows] for name in schema.names}, schema=schema))

    @classmethod
    def joined(cls, tables: "Iterable[Self]") -> "Self":
        """The rows of all, in order; what some lack is null in theirs."""
        tables = list(tables)
        return cls(pa.concat_tables([t.arrow for t in tables], promote_options="default"), tables[0]._asked)

    # Reading ---------------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path, *columns: Column[Any]) -> "Self":
        """Read the file (no columns: all). Raises UserError that says in one line what is wrong with it."""
        asked = [column.name for column in columns]
        table = read_table(path, asked or None)
        cls._check(path, table, asked)
        return cls(table, asked or None)

    @classmethod
    def scan(cls, path: Path, *columns: Column[Any], wanted: pa.Array | None = None) -> "Iterator[Self]":
        """The file's rows, all or of the `wanted` prompt ids, some thousands at a time: texts may not fit in memory."""
        asked = [column.name for column in columns]
        return (cls(table, asked) for table in scan_table(path, asked, wanted))

    @classmethod
    def _check(cls, path: Path, table: pa.Table, asked: list[str]) -> None:
        for column in cls.columns.values():
            if column.core and column.name not in table.column_names and (not asked or column.name in asked):
                known = ", ".join(column_names(path))
                raise UserError(f"{path} has no column {column.name!r}; it has {known}: another kind, or it was edited")
        for field in table.schema:
            column = cls.columns.get(field.name)
            if column and kind_of(column.type) != kind_of(field.type) != "null":
                said = f"{path}: its column {field.name!r} holds {field.type}, not {kind_of(column.type)}"
                raise UserError(f"{said}; it is of another kind, or was edited")

    def replacing(self, **columns: Any) -> "Self":
        """With other values in those of these columns that the file has; nan is null."""
        table = self.arrow
        for i, field in enumerate(table.schema):
            if field.name in columns:
                table = table.set_column(i, field, _array(columns[field.name], len(self), field.type))
        return type(self)(table, self._asked)

    def adding(self, **columns: Any) -> "Self":
        """With more columns than the class knows, of any type; nan is null."""
        table = self.arrow
        for name, values in columns.items():
            is_arrow = isinstance(values, (pa.Array, pa.ChunkedArray))
            table = table.append_column(name, values if is_arrow else pa.array(values, from_pandas=True))
        return type(self)(table)

    # What it holds ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.arrow.num_rows

    def has(self, column: Column[Any]) -> bool:
        """Whether the file has the column."""
        return column.name in self.arrow.column_names

    def __getitem__(self, column: Column[Any]) -> pa.ChunkedArray:
        """The column as Arrow has it; nulls where the file lacks it."""
        if column.name not in self._asked:
            raise KeyError(f"{type(self).__name__} was read without {column.name}")
        if not self.has(column):
            return pa.chunked_array([pa.nulls(len(self), column.type)])
        found = self.arrow.column(column.name)
        return found.cast(column.type) if pa.types.is_null(found.type) else found

    def values(self, column: Column[Any]) -> Any:
        """The column as its attribute gives it, converted once."""
        if column.name not in self._values:
            array = self[column]
            nested = pa.types.is_list(column.type) or pa.types.is_string(column.type)
            self._values[column.name] = array.to_pylist() if nested else array.to_numpy()
        return self._values[column.name]

    def rows(self) -> list[Any]:
        """A named tuple a row, of the columns that were read."""
        make = _row_type(type(self).__name__, self._asked)._make
        return list(map(make, zip(*(self[self.columns[name]].to_pylist() for name in self._asked), strict=True)))

    def by_prompt(self) -> dict[str, Any]:
        """Prompt id → its row, the last where there are several."""
        return {row.prompt_id: row for row in self.rows()}

    def places(self, ids: pa.Array) -> np.ndarray:
        """(rows,): where in `ids` each row's prompt is, -1 where it is none of them."""
        return pc.fill_null(pc.index_in(self[self.columns["prompt_id"]], value_set=ids), -1).to_numpy()

    def take(self, rows: Sequence[int] | np.ndarray) -> "Self":
        return type(self)(self.arrow.take(pa.array(rows)), self._asked)

    def filter(self, kept: np.ndarray) -> "Self":
        """The rows where `kept`, (rows,) of bool, is true."""
        return type(self)(self.arrow.filter(pa.array(kept)), self._asked)

    def to_pandas(self) -> Any:
        return self.arrow.to_pandas()

    def _with(self, schema: pa.Schema) -> pa.Table:
        """In the schema's columns; null are those that the file of an earlier version lacks."""
        return pa.table([self[self.columns[name]] for name in schema.names], schema=schema)

    # Writing ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        write_table(path, self.arrow)

    @classmethod
    def save_all(cls, path: Path, tables: "Iterable[Self]", *optional: Column[Any]) -> None:
        """One file of many tables, of which one at a time is in memory."""
        with atomic_path(path) as aside, cls.writing(aside, *optional) as write:
            for table in tables:
                write(table)

    @classmethod
    @contextmanager
    def writing(cls, path: Path, *optional: Column[Any]) -> "Generator[Callable[[Self], None]]":
        """Yields what adds a table to the file, so that of many one at a time is in memory."""
        schema = cls.schema_with(*optional)
        with writer(path, schema) as add:
            yield lambda table: add(table._with(schema))


class RunTable(Table):
    """A table of which a run has one, `run.NAME`."""

    _name: ClassVar[str]

    def __init_subclass__(cls, name: str = "", **options: Any):
        super().__init_subclass__(**options)
        cls._name = name

    @classmethod
    def read(cls, run: RunDir, *columns: Column[Any]) -> "Self":
        return cls.open(getattr(run, cls._name), *columns)

    def write(self, run: RunDir) -> None:
        self.save(getattr(run, self._name))


class TagTable(Table):
    """A table of which a run has one for each tag, of an evaluation or a probe."""

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        raise NotImplementedError

    @classmethod
    def read(cls, run: RunDir, tag: str, *columns: Column[Any]) -> "Self":
        return cls.open(cls.path(run, tag), *columns)

    def write(self, run: RunDir, tag: str) -> None:
        self.save(self.path(run, tag))


class StepTable(Table):
    """A table with a file for each training step."""

    folder: ClassVar[str]
    step = integers(core=True)

    def __init_subclass__(cls, folder: str = "", **options: Any):
        super().__init_subclass__(**options)
        cls.folder = folder

    @classmethod
    def read(cls, run: RunDir, *columns: Column[Any]) -> "Self":
        """All steps, in order; without rows where nothing was written."""
        tables = [cls.read_step(run, step, *columns) for step in run.steps(cls.folder)]
        return cls.joined(tables) if tables else cls(cls.schema.empty_table(), [c.name for c in columns] or None)

    @classmethod
    def read_step(cls, run: RunDir, step: int, *columns: Column[Any]) -> "Self":
        return cls.open(run.step_file(cls.folder, step), *columns)

    def write(self, run: RunDir, step: int) -> None:
        """The rows, whose own `step` does not count, as those of one step; a second write of it replaces the first."""
        number = pa.repeat(pa.scalar(step, pa.int32()), len(self))
        write_table(run.step_file(self.folder, step), self.arrow.set_column(0, "step", number))


def _array(values: Any, size: int, type: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if values is None:
        return pa.nulls(size, type)
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values.cast(type)
    return pa.array(values, type, from_pandas=isinstance(values, np.ndarray))


@cache
def _row_type(name: str, columns: tuple[str, ...]) -> type[Any]:
    return namedtuple(f"{name}Row", columns)  # pyright: ignore[reportUntypedNamedTuple]  (the same)
