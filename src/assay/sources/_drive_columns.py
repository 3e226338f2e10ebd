"""Which column of a table is what in a drive, and its values with what is wrong with them.

Shapes: T rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._audio_header import is_audio_name
from assay.sources._image_header import is_image_name
from assay.sources._path_tables import Resolve, path_column
from assay.sources._rows import Rows, open_file
from assay.sources._values import numbers_or_times
from assay.sources.records import ProblemLog
from assay.sources.store import Store
from assay.sources.video import is_video_name

Array = np.ndarray[Any, Any]
#: What columns are called, in lower case.
NAMES: Mapping[str, tuple[str, ...]] = {
    "steering": ("steering", "steering_angle", "steering angle", "steer", "angle", "wheel_angle", "wheel"),
    "throttle": ("throttle", "gas", "accelerator", "accelerator_pedal"),
    "brake": ("brake", "braking", "brakes", "brake_pedal"),
    "speed": ("speed", "velocity", "speed_mps", "speed_kmh", "speed_mph"),
    "time": ("time", "timestamp", "time_s", "seconds", "t"),
    "route": ("route", "drive", "session", "run", "lap", "recording", "trip"),
    "frame": ("center", "centre", "frame", "image", "frame_id", "file", "filename", "path"),
    "video": ("video", "video_file"),
}
CONTROLS = ("steering", "throttle", "brake")
#: Udacity's simulator writes these columns without a header.
_UDACITY = ("center", "left", "right", "steering", "throttle", "brake", "speed")
#: From this steering on it is no share of the full way and no angle in radians of a road wheel.
_DEGREES = 3.2
_LOOK_AT = 200
#: What to do about a column without numbers.
_CELLS = "Write numbers in it, or call it otherwise."
_WITH_TARGET = "Name the steering with --target."
WITH_CLOCK = "Give seconds, or dates such as 2024-05-01T12:00:00.25."


@dataclass(frozen=True)
class Columns:
    """A table with the names of its columns by what they are; None where there is none."""

    rows: Rows
    names: Mapping[str, str | None]

    def __getitem__(self, what: str) -> str | None:
        return self.names.get(what)


def columns_of(store: Store, table: str, encoding: str | None, target: str | None = None) -> Columns:
    """The table with what its columns are; raises `DataError`, or `SettingError` where `target` is none of them."""
    rows = open_file(store, table, encoding, _has_header)
    if len(rows.names) == len(_UDACITY) and all(name.startswith("column ") for name in rows.names):
        found = dict(zip(_UDACITY, rows.names, strict=True))
        return Columns(rows, {"frame": found["center"], **{name: found.get(name) for name in (*CONTROLS, "speed")}})
    lower = {name.strip().lower(): name for name in rows.names}
    names = {what: next((lower[word] for word in words if word in lower), None) for what, words in NAMES.items()}
    if target is not None:
        if target not in rows.names:
            raise SettingError(f"the table has no column {target!r}.", did_you_mean(target, rows.names))
        names["steering"] = target
    return Columns(rows, names)


def frame_column(columns: Columns, resolve: Resolve) -> str | None:
    """The column of pictures: the one whose values name them, the one so called where several do."""
    head = next((batch.slice(0, _LOOK_AT) for batch, _ in columns.rows.batches(None) if batch.num_rows), None)
    if head is None:
        return None
    named = columns["frame"]
    if named is not None and path_column(head.select([named]), resolve, is_image_name, _is_other) is not None:
        return named
    return path_column(head, resolve, is_image_name, _is_other)


def _is_other(name: str) -> bool:
    """Whether a file is there, and yet no picture: a column of videos names no frames."""
    return is_audio_name(name) or is_video_name(name)


def numbers_of(table: pa.RecordBatch, name: str | None, file: str, hint: str = _CELLS) -> Array | None:
    """(T,) a column as numbers, dates as seconds since 1970, NaN where there is none; None without a column.

    Raises:
        DataError: hardly any of its values is a number.
    """
    if name is None:
        return None
    found, _ = numbers_or_times(table.column(name))
    if np.isnan(found).all():
        shown = next((value for value in table.column(name).to_pylist() if value), "nothing")
        raise DataError(f"column {name!r} holds no numbers, but {str(shown)!r}.", hint, file=file)
    return found


def values_of(columns: Columns, table: pa.RecordBatch) -> dict[str, Array]:
    """(T,) each, controls and speed by name, as far as the table has them; see `numbers_of`."""
    found: dict[str, Array] = {}
    for name in (*CONTROLS, "speed"):
        hint = _WITH_TARGET if name == "steering" else _CELLS
        if (values := numbers_of(table, columns[name], columns.rows.file, hint)) is not None:
            found[name] = values
    return found


def judge_steering(steering: Array, file: str, log: ProblemLog) -> None:
    """Note where steering looks like degrees; raise `DataError` where it never changes."""
    if np.nanmax(steering) == np.nanmin(steering):
        raise DataError(
            f"the steering is {steering[0]:g} in every row, so nothing can be learned.",
            "Check the sensor, or name another column with --target.",
            file=file,
        )
    beyond = int((np.abs(steering) > _DEGREES).sum())
    if beyond > 0.01 * len(steering):
        log.add("steering-looks-like-degrees", "kept", file, count=beyond)


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: none of its cells is a number or a picture's name."""
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])

    def is_value(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return is_image_name(cell.strip())
        return True

    return not any(is_value(cell) for cell in first if cell.strip())
