"""Recordings of what is no command, under one name, and the long ones among them in pieces.

Collections of commands come with folders of background noise or of other words, whose names differ, and whose
recordings are often minutes long. They become one class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import AssayError
from assay.samples.sound_spec import OTHER
from assay.sources.records import Records, records_from_table

#: What classes of no command are called, in lower case and without underscores about them.
NAMES = ("other", "others", "unknown", "noise", "noises", "background")
#: Seconds of a piece, and from how many seconds on a recording is cut.
PIECE_S, _LONG_S = 1.0, 2.0
#: Pieces in all: as many times the clips of a command in the mean, and so many at least.
_TIMES, _LEAST = 2.0, 60
_MARK = "#t="


@dataclass(frozen=True)
class _Piece:
    """A stretch of a long recording: the row of the table that it came from, None for background, and its begin."""

    row: int | None
    location: str
    start: int


def with_others(records: Records) -> Records:
    """The records with all of no command as the class `OTHER`, and long recordings of it in pieces.

    Background recordings, which the fact `background` names, become pieces, too. A piece is a row of its own, with the
    digest of its recording, so that no split divides one. The fact `other` tells how many rows are no command.

    Args:
        records: as `read_clips` gives them: `id`, `location`, `target` as text, and maybe more columns.
    """
    batches = list(records.batches())
    if not batches or "target" not in batches[0].schema.names:
        return records
    table = pa.Table.from_batches(batches).combine_chunks()
    targets = table.column("target").to_pylist()
    is_command = np.asarray([name is None or not is_other(name) for name in targets], bool)
    names = [name if command else OTHER for name, command in zip(targets, is_command, strict=True)]
    table = table.set_column(table.column_names.index("target"), "target", pa.array(names, pa.string()))
    pieces = _thinned(list(_pieces(records, table, is_command)), table, is_command)
    cut = {piece.row for piece in pieces if piece.row is not None}
    whole = np.asarray([row not in cut for row in range(len(names))], bool)
    clips = int((whole & ~is_command).sum())
    told: dict[str, Any] = {"clips": clips, "pieces": len(pieces)}
    if not clips and not pieces:
        told["made"] = "synthetic: noise and scrambled clips, while training"
    joined = pa.concat_tables([table.filter(pa.array(whole)), _rows(table, pieces)]) if pieces else table
    return replace(
        records_from_table(joined, f"{records.fingerprint} others {len(pieces)} {int((~is_command).sum())}"),
        problems=records.problems,
        load=_whole(records.load),
        facts={**records.facts, OTHER: told},
        sides_cut=records.sides_cut,
    )


def is_other(name: str) -> bool:
    """Whether a class of that name is no command."""
    return name.strip("_ ").lower() in NAMES


def place_of(location: str) -> tuple[str, float | None]:
    """Where a recording lies, and at which second a piece of it begins; None for the whole."""
    file, mark, start = location.rpartition(_MARK)
    return (file, float(start)) if mark and start.isdecimal() else (location, None)


def _whole(load: Callable[[str], Any] | None) -> Callable[[str], Any] | None:
    return None if load is None else lambda location: load(place_of(location)[0])


def _pieces(records: Records, table: pa.Table, is_command: np.ndarray[Any, Any]) -> Iterator[_Piece]:
    """All that long recordings of no command can be cut into."""
    locations = table.column("location").to_pylist()
    lengths = table.column("seconds").to_pylist() if "seconds" in table.column_names else [None] * len(locations)
    rows: list[tuple[int | None, str, float | None]] = [
        (int(row), locations[row], lengths[row]) for row in np.flatnonzero(~is_command)
    ]
    rows += [(None, str(location), None) for location in records.facts.get("background", ())]
    for row, location, length in rows:
        seconds = _seconds(records, location) if length is None or not np.isfinite(length) else length
        if seconds >= _LONG_S or (row is None and seconds > 0):
            yield from (_Piece(row, location, start) for start in range(max(1, int(seconds / PIECE_S))))


def _seconds(records: Records, location: str) -> float:
    """How long a recording is by its header; 0 where that does not say."""
    from assay.sources.audio import audio_header

    try:
        seconds = float(audio_header(records.load(location)).seconds) if records.load is not None else 0.0
    except AssayError:
        return 0.0
    return seconds if np.isfinite(seconds) else 0.0


def _thinned(pieces: Sequence[_Piece], table: pa.Table, is_command: np.ndarray[Any, Any]) -> list[_Piece]:
    """So many pieces that they do not drown the commands, evenly taken."""
    commands = max(1, pc.count_distinct(table.column("target").filter(pa.array(is_command))).as_py())
    most = max(_LEAST, round(_TIMES * float(is_command.sum()) / commands))
    kept = np.linspace(0, len(pieces) - 1, min(most, len(pieces))).round().astype(int)
    return [pieces[place] for place in kept]


def _rows(table: pa.Table, pieces: Sequence[_Piece]) -> pa.Table:
    """A row for each piece, in the columns of the table; what is not known of it is null."""
    rows = pa.array([piece.row for piece in pieces], pa.int64())
    taken = {name: table.column(name).combine_chunks().take(rows) for name in table.column_names}
    locations = pa.array([f"{piece.location}{_MARK}{piece.start}" for piece in pieces], pa.string())
    taken["id"] = taken["location"] = locations
    taken["target"] = pa.array([OTHER] * len(pieces), pa.string())
    if "digest" in taken:
        own = [digest if digest is not None else f"background {piece.location}"
               for digest, piece in zip(taken["digest"].to_pylist(), pieces, strict=True)]  # fmt: skip
        taken["digest"] = pa.array(own, table.schema.field("digest").type)
    return pa.table({name: taken[name].cast(table.schema.field(name).type) for name in table.column_names})
