"""The index of shards: a row a sample in Parquet, and in its metadata what the shards are and what they hold.

The rows stand in the order of the source, the samples lie in the shards in a shuffled one. That is why training on
shards gives what training on the source gives, and why every stretch of a shard is a random draw.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from assay.arrow import pa
from assay.errors import DataError
from assay.sources.records import Place, Problem, ProblemLog

FORMAT = 1
INDEX = "index.parquet"
#: Columns of the index that tell where a sample's member lies: the shard's number, the first byte, how many bytes, and
#: their CRC-32. All others are columns of the records.
PLACE = ("_shard", "_offset", "_size", "_check")
_KEY = b"assay"
#: What a member holds: a file's bytes, an array as numpy writes it, or a row of the records as JSON.
Payload = Literal["bytes", "arrays", "rows"]
_AGAIN = "Write the shards again: assay data shard SOURCE TARGET."


@dataclass(frozen=True)
class Shard:
    """One tar file."""

    name: str
    bytes: int
    sha256: str
    samples: int


@dataclass(frozen=True)
class ShardIndex:
    """What shards hold.

    Attributes:
        task: the application whose samples they are.
        fingerprint: of the source's records.
        payload: what members hold.
        shards: the files.
        rows: a row a sample: the records' columns, then those of `PLACE`.
        columns: the records' columns that lie in the members, with their types; empty but for `payload == "rows"`.
        facts: of the records.
        problems: of the records.
        sides_cut: of the records.
        options: the data options with which the source was read.
    """

    task: str
    fingerprint: str
    payload: Payload
    shards: tuple[Shard, ...]
    rows: pa.Table
    columns: pa.Schema = field(default_factory=lambda: pa.schema([]))
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    sides_cut: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Of all shards."""
        return sum(shard.bytes for shard in self.shards)

    def write(self, stream: Any) -> None:
        """As a Parquet file."""
        from assay.arrow import pq

        about = {
            "format": FORMAT,
            "task": self.task,
            "fingerprint": self.fingerprint,
            "payload": self.payload,
            "shards": [asdict(shard) for shard in self.shards],
            "columns": self.columns.serialize().to_pybytes().hex(),
            "facts": dict(self.facts),
            "problems": [asdict(problem) for problem in self.problems],
            "sides_cut": self.sides_cut,
            "options": dict(self.options),
        }
        rows = self.rows.replace_schema_metadata({_KEY: json.dumps(about).encode()})
        pq.write_table(rows, stream, compression="zstd")


def is_index(metadata: Mapping[bytes, bytes] | None) -> bool:
    """Whether a Parquet file's metadata says that it is an index of shards."""
    return metadata is not None and _KEY in metadata


def read_index(content: bytes, file: str) -> ShardIndex:
    """An index from its bytes; raises `DataError` where they are none."""
    from assay.arrow import pq

    try:
        table = pq.read_table(pa.BufferReader(content))
        about = json.loads(table.schema.metadata[_KEY])
        if about["format"] != FORMAT:
            raise DataError(f"its format is {about['format']}, not {FORMAT}", "Update Assay.", file=file)
        shards = tuple(Shard(**shard) for shard in about["shards"])
        _check_about(about)
        _check(table, shards, about["payload"])
        return ShardIndex(
            about["task"],
            about["fingerprint"],
            about["payload"],
            shards,
            table.replace_schema_metadata(None).combine_chunks(),
            pa.ipc.read_schema(pa.BufferReader(bytes.fromhex(about["columns"]))),
            about["facts"],
            tuple(_problem(one) for one in about["problems"]),
            about["sides_cut"],
            about["options"],
        )
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"the index of the shards is damaged ({error})", _AGAIN, file=file) from error


def _check_about(about: Mapping[str, Any]) -> None:
    """Whether what is told of the shards is of the kinds that are expected."""
    for name, kind in (("task", str), ("fingerprint", str), ("facts", dict), ("sides_cut", bool), ("options", dict)):
        if not isinstance(about[name], kind):
            raise ValueError(f"its {name} is no {kind.__name__}")
    if about["payload"] not in get_args(Payload):
        raise ValueError(f"{about['payload']!r} is nothing that a member can hold")


def _check(rows: pa.Table, shards: tuple[Shard, ...], payload: Payload) -> None:
    """Whether every row points into a shard."""
    from assay.arrow import pc

    for shard in shards:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", shard.name):
            raise ValueError(f"{shard.name!r} is no name of a shard")
    needed = ("id", *PLACE) if payload == "rows" else ("id", "location", *PLACE)
    missing = [name for name in needed if name not in rows.column_names]
    if missing:
        raise ValueError(f"it has no column {missing[0]}")
    if not rows.num_rows:
        return
    last = pc.add(rows["_offset"], rows["_size"])
    size = pa.array([shard.bytes for shard in shards], pa.int64()).take(rows["_shard"].combine_chunks())
    least = min(pc.min(rows[name]).as_py() for name in ("_offset", "_size"))
    if least < 0 or pc.any(pc.greater(last, size)).as_py():
        raise ValueError("a sample lies outside of its shard")


def _problem(about: Mapping[str, Any]) -> Problem:
    places = tuple(Place(**place) for place in about["examples"])
    return Problem(about["kind"], about["count"], about["action"], places)


def noted(problems: tuple[Problem, ...]) -> ProblemLog:
    """A log that begins with these problems."""
    log = ProblemLog()
    log.extend(problems)
    return log
