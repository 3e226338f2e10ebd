"""Tables of plain columns that are asked as Arrow's record batches and tables are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.arrow.missing import missing
from assay.arrow.plain_arrays import Array, array, as_column, concat_arrays, nulls
from assay.arrow.plain_types import NULL, ArrowInvalid, ArrowTypeError, DataType


@dataclass(frozen=True)
class Field:
    """A column's name and type."""

    name: str
    type: DataType
    nullable: bool = True


class Schema:
    """The names and types of columns."""

    def __init__(self, fields: Iterable[Field | tuple[str, DataType]]) -> None:
        self._fields = [one if isinstance(one, Field) else Field(*one) for one in fields]
        self.metadata = None

    @property
    def names(self) -> list[str]:
        """Of the columns, in their order."""
        return [field.name for field in self._fields]

    @property
    def types(self) -> list[DataType]:
        """Of the columns, in their order."""
        return [field.type for field in self._fields]

    def field(self, key: str | int) -> Field:
        """A column's name and type."""
        return self._fields[self.names.index(key) if isinstance(key, str) else key]

    def remove_metadata(self) -> Schema:
        """Itself."""
        return self

    def __getattr__(self, name: str) -> Any:
        raise missing(f"what is done with a table here ({name})")

    def __str__(self) -> str:
        return "\n".join(f"{field.name}: {field.type}" for field in self._fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]


class Table:
    """Columns of one length, by their names."""

    def __init__(self, columns: Iterable[Array], names: Iterable[str], rows: int = 0) -> None:
        self.columns, self.column_names = list(columns), list(names)
        self.num_rows = len(self.columns[0]) if self.columns else rows
        if any(len(column) != self.num_rows for column in self.columns):
            raise ArrowInvalid("the columns are not of one length")

    def __getattr__(self, name: str) -> Any:
        raise missing(f"what is done with a table here ({name})")

    @classmethod
    def from_arrays(
        cls, arrays: Sequence[Any], names: Sequence[str] | None = None, schema: Schema | None = None
    ) -> Table:
        """A table of columns."""
        if schema is None:
            return cls(map(as_column, arrays), names or ())
        return cls([array(one, field.type) for one, field in zip(arrays, schema, strict=True)], schema.names)

    @classmethod
    def from_pydict(cls, columns: Mapping[str, Any], schema: Schema | None = None) -> Table:
        """A table of columns by their names."""
        if schema is not None:
            return cls.from_arrays([columns[name] for name in schema.names], schema=schema)
        return cls(map(as_column, columns.values()), columns)

    @classmethod
    def from_batches(cls, batches: Sequence[Table], schema: Schema | None = None) -> Table:
        """Batches one behind another."""
        if not batches:
            return cls.from_arrays([[] for _ in schema or ()], schema=schema or Schema(()))
        names = batches[0].column_names
        columns = [concat_arrays([batch.column(name) for batch in batches]) for name in names]
        return cls(columns, names, sum(batch.num_rows for batch in batches))

    def _of(self, columns: Iterable[Array], names: Iterable[str], rows: int = 0) -> Any:
        return type(self)(columns, names, rows)

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, key: str | int) -> Array:
        return self.column(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.to_pydict() == other.to_pydict() and self.schema == other.schema

    __hash__ = None  # type: ignore[assignment]

    @property
    def schema(self) -> Schema:
        """The names and types of the columns."""
        return Schema(Field(name, column.type) for name, column in zip(self.column_names, self.columns, strict=True))

    @property
    def num_columns(self) -> int:
        """How many there are."""
        return len(self.columns)

    @property
    def nbytes(self) -> int:
        """About what it takes."""
        return sum(column.nbytes for column in self.columns)

    def column(self, key: str | int) -> Array:
        """A column by its name or place; raises `KeyError` where there is none."""
        if isinstance(key, str) and key not in self.column_names:
            raise KeyError(f"no column {key!r}")
        return self.columns[self.column_names.index(key) if isinstance(key, str) else key]

    def select(self, names: Iterable[str]) -> Any:
        """Some of the columns."""
        chosen = list(names)
        return self._of([self.column(name) for name in chosen], chosen, self.num_rows)

    def drop_columns(self, names: str | Iterable[str]) -> Any:
        """All columns but some."""
        gone = {names} if isinstance(names, str) else set(names)
        return self.select(name for name in self.column_names if name not in gone)

    def append_column(self, name: str | Field, column: Any) -> Any:
        """With one more column."""
        return self.add_column(self.num_columns, name, column)

    def add_column(self, place: int, name: str | Field, column: Any) -> Any:
        """With one more column at a place."""
        named = name.name if isinstance(name, Field) else name
        columns, names = list(self.columns), list(self.column_names)
        columns.insert(place, as_column(column))
        names.insert(place, named)
        return self._of(columns, names)

    def set_column(self, place: int, name: str | Field, column: Any) -> Any:
        """With another column in the place of one."""
        kept = [one for number, one in enumerate(self.column_names) if number != place]
        columns = [one for number, one in enumerate(self.columns) if number != place]
        return self._of(columns, kept, self.num_rows).add_column(place, name, column)

    def rename_columns(self, names: Iterable[str]) -> Any:
        """The columns under other names."""
        return self._of(self.columns, names, self.num_rows)

    def filter(self, mask: Any) -> Any:
        """The rows where a mask is true."""
        return self._of([column.filter(mask) for column in self.columns], self.column_names)

    def take(self, places: Any) -> Any:
        """The rows at some places."""
        return self._of([column.take(places) for column in self.columns], self.column_names, len(places))

    def slice(self, offset: int = 0, length: int | None = None) -> Any:
        """A stretch of the rows."""
        rows = len(range(self.num_rows)[offset : None if length is None else offset + length])
        return self._of([column.slice(offset, length) for column in self.columns], self.column_names, rows)

    def to_batches(self, max_chunksize: int | None = None) -> list[RecordBatch]:
        """The rows in batches."""
        step = max_chunksize or max(1, self.num_rows)
        parts = [self.slice(first, step) for first in range(0, self.num_rows, step)]
        return [RecordBatch(part.columns, part.column_names, part.num_rows) for part in parts]

    def combine_chunks(self) -> Any:
        """Itself."""
        return self

    def to_pydict(self) -> dict[str, list[Any]]:
        """The columns as lists."""
        return {name: column.to_pylist() for name, column in zip(self.column_names, self.columns, strict=True)}

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as objects."""
        names = self.column_names
        return [dict(zip(names, row, strict=True)) for row in zip(*self.to_pydict().values(), strict=True)]


class RecordBatch(Table):
    """A piece of a table."""


def table(data: Any, schema: Schema | None = None) -> Table:
    """A table of columns by their names."""
    if isinstance(data, Mapping):
        return Table.from_pydict(data, schema)
    raise missing(f"a {type(data).__name__} as a table")


def concat_tables(tables: Iterable[Table], promote_options: str = "none") -> Table:
    """Tables one behind another; a column that one of them lacks is missing there."""
    parts = list(tables)
    kinds: dict[str, DataType] = {}
    for field in itertools.chain.from_iterable(part.schema for part in parts):
        if kinds.get(field.name, NULL) == NULL:  # a column without a single value takes the others' type
            kinds[field.name] = field.type
        elif field.type not in (NULL, kinds[field.name]):
            raise ArrowTypeError(f"column {field.name!r} is {kinds[field.name]} here and {field.type} there")
    if promote_options == "none" and any(part.column_names != list(kinds) for part in parts):
        raise ArrowInvalid("the tables have other columns")
    columns = [concat_arrays(part.column(name).cast(kind) if name in part.column_names else nulls(part.num_rows, kind)
                             for part in parts) for name, kind in kinds.items()]  # fmt: skip
    return Table(columns, kinds, sum(part.num_rows for part in parts))
