"""Recordings of what is no command, under one name, and the long ones among them in pieces.

Collections of commands come with folders of background noise or of other words, whose names differ, and whose
recordings are often minutes long. They become one class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.samples.sound_spec import OTHER
from assay.sources.records import ProblemLog, Records, records_from_table

if TYPE_CHECKING:
    from assay.sources.audio import Sound

#: What classes of no command are called, in lower case and without underscores about them.
NAMES = ("other", "others", "unknown", "noise", "noises", "background")
#: Seconds of a piece, and from how many seconds on a recording is cut.
PIECE_S, _LONG_S = 1.0, 2.0
#: Pieces in all: so many for each clip of a command, and so many at least.
_FOR_EACH, _LEAST = 2, 300
#: Where fewer recordings than sides are of no command, a long one is cut for them: into so many blocks, from so many
#: pieces on. The piece between two blocks is left out.
_SIDES, _BLOCKS, _CUT_FROM = 3, 10, 60
_MARK = "#t="


@dataclass(frozen=True)
class _Piece:
    """A stretch of a long recording.

    Attributes:
        row: the row of the table that it came from; None for background.
        location: of the recording.
        start: seconds from its beginning.
        block: which of the blocks that may stand on different sides it is of; None where the recording is not cut.
    """

    row: int | None
    location: str
    start: int
    block: int | None = None


def with_others(records: Records) -> Records:
    """The records with all of no command as the class `OTHER`, and long recordings of it in pieces.

    Background recordings, which the fact `background` names, become pieces, too. A piece is a row of its own, with the
    digest of its recording, so that no split divides one; but where one or two recordings are all that is no command,
    long ones are divided into stretches, so that every side has some. The fact `other` tells how many rows are no
    command, and how many pieces were left out because there are fewer clips of commands.

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
    found = _pieces(records, table, is_command)
    pieces = _thinned(found, is_command)
    log = ProblemLog()
    log.extend(records.problems)
    if len(pieces) < len(found):
        log.add("more-of-no-command-than-commands", "skipped", found[0].location, count=len(found) - len(pieces))
    cut = {piece.row for piece in found if piece.row is not None}
    whole = np.asarray([row not in cut for row in range(len(names))], bool)
    clips = int((whole & ~is_command).sum())
    told: dict[str, Any] = {"clips": clips, "pieces": len(pieces)}
    if len(pieces) < len(found):
        told["pieces_left_out"] = len(found) - len(pieces)
    if not clips and not pieces:
        told["made"] = "synthetic: noise and scrambled clips, while training"
    joined = pa.concat_tables([table.filter(pa.array(whole)), _rows(table, pieces)]) if pieces else table
    return replace(
        records_from_table(joined, f"{records.fingerprint} others {len(pieces)} {int((~is_command).sum())}"),
        problems=log.problems(),
        load=_whole(records.load),
        facts={**records.facts, OTHER: told},
        sides_cut=records.sides_cut,
    )


def sound_at(records: Records, location: str, rate: int, longest_s: float) -> Sound | None:
    """A recording, or the piece of one that a location names, up to a length; None where it cannot be decoded."""
    from assay.sources.audio import decode_audio

    load = records.loader
    start = place_of(location)[1]
    try:
        if start is None:
            return decode_audio(load(location), rate, longest_s)
        sound = decode_audio(load(location), rate, PIECE_S, start_s=start)
    except DataError:
        return None
    return replace(sound, facts=replace(sound.facts, cut=False))


def is_other(name: str) -> bool:
    """Whether a class of that name is no command."""
    return name.strip("_ ").lower() in NAMES


def place_of(location: str) -> tuple[str, float | None]:
    """Where a recording lies, and at which second a piece of it begins; None for the whole."""
    file, mark, start = location.rpartition(_MARK)
    return (file, float(start)) if mark and start.isdecimal() else (location, None)


def _whole(load: Callable[[str], Any] | None) -> Callable[[str], Any] | None:
    """Loads the recording of a piece; the last ones are kept, as their pieces are asked for one after the other."""
    if load is None:
        return None
    kept = lru_cache(maxsize=2)(load)

    def loaded(location: str) -> Any:
        file, start = place_of(location)
        return load(file) if start is None else kept(file)

    return loaded


def _pieces(records: Records, table: pa.Table, is_command: np.ndarray[Any, Any]) -> list[_Piece]:
    """All that long recordings of no command can be cut into."""
    locations = table.column("location").to_pylist()
    lengths = table.column("seconds").to_pylist() if "seconds" in table.column_names else [None] * len(locations)
    rows: list[tuple[int | None, str, float | None]] = [
        (int(row), locations[row], lengths[row]) for row in np.flatnonzero(~is_command)
    ]
    rows += [(None, str(location), None) for location in records.facts.get("background", ())]
    few = len({location for _, location, _ in rows}) < _SIDES
    found: list[_Piece] = []
    for row, location, length in rows:
        seconds = _seconds(records, location) if length is None or not np.isfinite(length) else length
        if seconds >= _LONG_S or (row is None and seconds > 0):
            found += _pieces_of(row, location, max(1, int(seconds / PIECE_S)), few)
    return found


def _pieces_of(row: int | None, location: str, count: int, few: bool) -> Iterator[_Piece]:
    if not few or count < _CUT_FROM:
        yield from (_Piece(row, location, start) for start in range(count))
        return
    blocks = (np.arange(count) * _BLOCKS // count).tolist()
    for start, block in enumerate(blocks):
        if not start or block == blocks[start - 1]:
            yield _Piece(row, location, start, block)


def _seconds(records: Records, location: str) -> float:
    """How long a recording is by its header; 0 where that does not say."""
    from assay.sources.audio import audio_header

    try:
        seconds = float(audio_header(records.load(location)).seconds) if records.load is not None else 0.0
    except DataError:
        return 0.0
    return seconds if np.isfinite(seconds) else 0.0


def _thinned(pieces: Sequence[_Piece], is_command: np.ndarray[Any, Any]) -> list[_Piece]:
    """So many pieces that they do not drown the commands, evenly taken."""
    most = max(_LEAST, _FOR_EACH * int(is_command.sum()))
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
        own = [
            (digest if digest is not None else f"background {piece.location}")
            + ("" if piece.block is None else f" part {piece.block}")
            for digest, piece in zip(taken["digest"].to_pylist(), pieces, strict=True)
        ]
        taken["digest"] = pa.array(own, table.schema.field("digest").type)
    return pa.table({name: taken[name].cast(table.schema.field(name).type) for name in table.column_names})
