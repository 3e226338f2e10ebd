"""The inputs of several requests as one, so that a network answers them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assay.arrow import pa
from assay.sources.records import Records


def joined(parts: Sequence[Records]) -> Records:
    """Records one after the other; ids and locations begin with the number of their part and a slash.

    Args:
        parts: with columns of equal names and types (see `form`).
    """

    def batches() -> Iterator[pa.RecordBatch]:
        each = [batch for number, part in enumerate(parts) for batch in _numbered(number, part)]
        # In one batch: what is decoded is decoded on all cores, a batch at a time.
        yield from pa.Table.from_batches(each).combine_chunks().to_batches()

    fingerprint = " ".join(part.fingerprint for part in parts)
    load = None if all(part.load is None for part in parts) else _loader(parts)
    return Records(batches, fingerprint, load=load, facts=parts[0].facts)


def form(records: Records) -> str | None:
    """What has to be equal of records that are joined: their columns; None of those that are joined with no others.

    These are what comes in chunks, and rows whose payload lies at several places, which `location` does not name.
    """
    first = next(iter(records.batches()), None)
    if first is None or any(records.facts.get(name) for name in ("videos", "slides")):
        return None
    if records.load is not None and any(pa.types.is_nested(kind) for kind in first.schema.types):
        return None
    return f"{first.schema.remove_metadata()} {records.load is None}"


def part_of(name: str) -> tuple[int, str]:
    """The number of the part that an id or a location belongs to, and what it is there.

    >>> part_of("3/photos/a.png")
    (3, 'photos/a.png')
    """
    number, _, rest = name.partition("/")
    return int(number), rest


def _numbered(number: int, part: Records) -> Iterator[pa.RecordBatch]:
    for batch in part.batches():
        columns = {name: batch.column(name) for name in batch.schema.names}
        for name in ("id", "location"):
            if name in columns:
                own = [None if value is None else f"{number}/{value}" for value in columns[name].to_pylist()]
                columns[name] = pa.array(own, columns[name].type)
        yield pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _loader(parts: Sequence[Records]) -> Any:
    def load(location: str) -> Any:
        number, own = part_of(location)
        return parts[number].loader(own)

    return load
