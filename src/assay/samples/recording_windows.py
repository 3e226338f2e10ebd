"""Recordings as a network hears them: whole where they are short, else in windows of speech.

Shapes: W windows, T values of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.samples.sound_windows import SCALE
from assay.samples.speech_windows import Piece, speech_pieces
from assay.samples.transcript_spec import RATE
from assay.sources._parallel import ordered_map
from assay.sources.records import ProblemLog

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import Action, Records

Array = np.ndarray[Any, Any]
#: Seconds of a recording that are decoded at once.
BLOCK_S = 60.0
#: Seconds that a network hears at once, at least and at most; between them a little more than the longest recording.
_SHORTEST_S, LONGEST_S, _MORE = 5.0, 30.0, 1.1
#: Longer recordings are answered while they are decoded.
LONG_S = 300.0


@dataclass(frozen=True)
class RecordingWindows:
    """Recordings in windows.

    Attributes:
        sound: W arrays (T,) int16.
        start: (W,) float32, seconds from the beginning of the recording.
        whole: (W,) bool, True where a window is a whole recording.
        row: (W,) int64, the recording that each window is from.
    """

    sound: list[Array]
    start: Array
    whole: Array
    row: Array


def window_seconds(records: Records, train: Array) -> float:
    """Seconds that a network is to hear at once, by the training recordings; `DataError` where all are longer.

    Args:
        records: all recordings, with their `seconds` where these are known.
        train: (rows,) bool, True for a row of the training side.
    """
    seconds = [np.asarray(batch.column("seconds").to_numpy(zero_copy_only=False), float) for batch in records.batches()]
    known = np.concatenate([*seconds, np.zeros(0)])[np.flatnonzero(train)]
    known = known[np.isfinite(known)]
    if not len(known):
        return LONGEST_S
    if (known > LONGEST_S).all():
        raise DataError(
            f"every training recording is longer than {LONGEST_S:g} s, so that no transcript can be learned from",
            "Cut the recordings into sentences, each with its transcript.",
        )
    return float(np.clip(np.ceil(_MORE * known[known <= LONGEST_S].max()), _SHORTEST_S, LONGEST_S))


def cut_recordings(batch: pa.RecordBatch, records: Records, longest_s: float, log: ProblemLog) -> RecordingWindows:
    """The recordings of a record batch, for a network that hears `longest_s` seconds at once.

    Of a longer recording in which nobody speaks, one window of no values is left. One that cannot be read is noted in
    `log` and left out; so is what is doubtful about the others, which stay.
    """
    sound: list[Array] = []
    starts: list[float] = []
    whole: list[bool] = []
    rows: list[int] = []
    names, places = batch.column("id").to_pylist(), batch.column("location").to_pylist()

    def cut(named: tuple[str, str]) -> tuple[Sequence[Piece], bool, ProblemLog]:
        (name, place), noted = named, ProblemLog()
        try:
            return *_pieces(records.load(place) if records.load else place, name, longest_s, noted), noted
        except DataError:
            noted.add("unreadable-recording", "skipped", name)
            return (), False, noted

    for row, (pieces, alone, noted) in enumerate(ordered_map(cut, zip(names, places, strict=True), chunk=1)):
        log.extend(noted.problems())
        for piece in pieces:
            sound.append(piece.sound)
            starts.append(piece.start / RATE)
            whole.append(alone)
            rows.append(row)
    return RecordingWindows(sound, np.asarray(starts, np.float32), np.asarray(whole, bool), np.asarray(rows, np.int64))


def long_recordings(records: Records, log: ProblemLog) -> Iterator[tuple[str, Iterator[Array]]]:
    """The name of each recording of more than some minutes, and its sound (T,) float32 in blocks.

    What is doubtful about one is noted in `log` once its last block was taken; a damaged one raises `DataError` there.
    """
    from assay.sources.audio import audio_blocks

    for batch in records.batches():
        columns = (batch.column(name).to_pylist() for name in ("id", "location", "seconds"))
        for name, place, seconds in zip(*columns, strict=True):
            if seconds is not None and seconds > LONG_S and records.load is not None:
                noted = partial(_note, log, name)
                yield name, audio_blocks(records.load(place), RATE, BLOCK_S, name, noted)


def _note(log: ProblemLog, name: str, kind: str, action: Action) -> None:
    log.add(kind, action, name)


def whole_numbers(sound: Array) -> Array:
    """Values (T,) from -1 to 1 as int16; what is beyond is clipped."""
    return np.asarray(np.clip(np.round(np.asarray(sound, np.float32) * SCALE), -SCALE, SCALE), np.int16)


def _pieces(data: Any, name: str, longest_s: float, log: ProblemLog) -> tuple[Sequence[Piece], bool]:
    """The windows of a recording, and whether it is one as a whole."""
    from assay.sources.audio import audio_blocks, decode_audio

    begun = decode_audio(data, RATE, longest_s, name)
    if not begun.facts.cut:
        for kind, action in begun.problems():
            log.add(kind, action, name)
        return [Piece(0, whole_numbers(begun.samples))], True
    blocks = audio_blocks(data, RATE, BLOCK_S, name, partial(_note, log, name))
    found = [Piece(one.start, whole_numbers(one.sound)) for one in speech_pieces(blocks, RATE, longest_s)]
    if not found:
        log.add("no-speech", "kept", name)
    return found or [Piece(0, np.zeros(0, np.int16))], False
