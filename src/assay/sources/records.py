"""What a source gives: a row a sample, and an account of everything that was found on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from assay.arrow import pa
from assay.errors import DataError

Action = Literal["skipped", "repaired", "kept"]

#: The columns that are about a sample; all others are its payload. `location` says where a payload lies that is not
#: in the row itself; `digest` is a hash of the payload's content (equal digest: exact duplicate); `speaker` is who is
#: heard, also where the split does not go by speakers.
ABOUT = ("id", "location", "target", "group", "speaker", "time", "split", "digest")


@dataclass(frozen=True)
class Place:
    """Where a problem was found: a file, and a row in it counted from 1 (None for the whole file)."""

    file: str
    row: int | None = None


@dataclass(frozen=True)
class Problem:
    """One kind of problem: how often, what was done about it, and a few places."""

    kind: str
    count: int
    action: Action
    examples: tuple[Place, ...] = ()


class ProblemLog:
    """Counts problems by kind and keeps the first few places of each.

    Args:
        keep: how many places to keep for each kind.
    """

    def __init__(self, keep: int = 5) -> None:
        self._keep = keep
        self._counts: dict[tuple[str, Action], int] = {}
        self._places: dict[tuple[str, Action], list[Place]] = {}

    def add(self, kind: str, action: Action, file: str, row: int | None = None, count: int = 1) -> None:
        """Note `count` problems of one kind, seen first at `file` and `row`."""
        key = (kind, action)
        self._counts[key] = self._counts.get(key, 0) + count
        places = self._places.setdefault(key, [])
        if len(places) < self._keep:
            places.append(Place(file, row))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Take over problems that somebody else counted."""
        for problem in problems:
            key = (problem.kind, problem.action)
            self._counts[key] = self._counts.get(key, 0) + problem.count
            places = self._places.setdefault(key, [])
            places.extend(problem.examples[: self._keep - len(places)])

    def problems(self) -> tuple[Problem, ...]:
        """All problems so far, the most frequent first."""
        order = sorted(self._counts, key=lambda key: (-self._counts[key], key))
        return tuple(
            Problem(kind, self._counts[kind, action], action, tuple(self._places[kind, action]))
            for kind, action in order
        )


@dataclass(frozen=True, eq=False)
class Storage:
    """How payload lies where it is read from: rows of one block are read together.

    Attributes:
        block: (rows,) int64, the block of each row.
        held: how many blocks the reader keeps in memory; the samples of so many are mixed while training.
        faults: what reading met so far: a shard that changed, a server that is gone. Such a sample is not one that
            cannot be decoded, to be skipped: `check` ends the work.
        far: it does not lie here, so that reading all of it in the rows' order would take too long.
        fetch: takes rows (N,) and begins to read their blocks; None where nothing is gained by that.
    """

    block: np.ndarray[Any, Any]
    held: int
    faults: list[DataError] = field(default_factory=list)
    far: bool = False
    fetch: Callable[[np.ndarray[Any, Any]], None] | None = None

    def check(self) -> None:
        """Raise the first of the faults."""
        if self.faults:
            raise self.faults[0]


@dataclass(frozen=True)
class Records:
    """The samples of a source, as re-iterable Arrow record batches, a row a sample.

    Attributes:
        batches: called without arguments, iterates over the record batches from the start. Columns: `id` (string,
            unique, stable across machines: a relative path, an archive member, `rows.csv:17`), optional `location`,
            `target` (whatever the task reads: string, list of strings, double, struct; null where there is none),
            optional `group`, `speaker`, `time`, `split` ("train", "validation", "test"), `digest`; others are payload.
        fingerprint: hash over ids, digests and targets; the same data gives the same value on every machine.
        problems: what was skipped, repaired or kept with a doubt, and where.
        load: takes a `location` and returns the payload that lies there (file bytes or an array); None where all
            payload is in the rows.
        facts: JSON-able counts for `assay inspect` (such as `{"samples": 100, "classes": 3}`).
        sides_cut: the reader has cut the sides by the shares that were asked for, because neighbours belong together.
        storage: how the payload lies in shards, which may hold more than a disk here does; None where any order of
            reading is as good as another.
    """

    batches: Callable[[], Iterator[pa.RecordBatch]]
    fingerprint: str
    problems: tuple[Problem, ...] = ()
    load: Callable[[str], Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    sides_cut: bool = False
    storage: Storage | None = None

    @property
    def loader(self) -> Callable[[str], Any]:
        """`load`, where payload lies outside of the rows; raises `DataError` where none does."""
        if self.load is None:
            raise DataError(
                "these records hold nothing outside of their rows, such as pictures or sounds",
                "Give records as the readers in assay.sources make them: `load` gives what lies at a location.",
            )
        return self.load

    def index(self) -> pa.Table:
        """The columns about the samples, without payload, as one table in memory."""
        rows: list[pa.RecordBatch] = []
        for batch in self.batches():
            rows.append(batch.select([name for name in batch.schema.names if name in ABOUT]))
        if not rows:
            return pa.table({"id": pa.array([], pa.string())})
        return pa.Table.from_batches(rows)


def those(records: Records, wanted: Callable[[str], bool]) -> Records:
    """The records of some ids alone, with the fingerprint of all."""

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in records.batches():
            kept = [wanted(name) for name in batch.column("id").to_pylist()]
            yield batch.filter(pa.array(kept, pa.bool_()))

    return replace(records, batches=batches)


def records_from_table(table: pa.Table, fingerprint: str, *, rows_per_batch: int = 4096, **others: Any) -> Records:
    """Records over a table that is in memory (or memory-mapped)."""
    return Records(lambda: iter(table.to_batches(max_chunksize=rows_per_batch)), fingerprint, **others)
