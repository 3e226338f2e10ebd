"""Records of drives: a Udacity log, a table of frames with steering, a video beside such a table.

Wanted are a column of the steering and one that names the frames (or a video); throttle, brake, speed, time and route
are taken where they are there. Several tables are several routes. With five routes or more these are what never crosses
the split; with fewer the time is cut into stretches (`_drive_stretches`).

Shapes: T rows of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._digest import content_digest
from assay.sources._drive_clock import clock_of, in_order, stamps
from assay.sources._drive_columns import (
    CONTROLS,
    Columns,
    columns_of,
    frame_column,
    judge_steering,
    numbers_of,
    values_of,
)
from assay.sources._drive_frames import FrameFiles, video_places
from assay.sources._drive_stretches import name_of, sides_by_time, stretches_of
from assay.sources._drive_stuck import stuck, stuck_camera
from assay.sources._path_tables import whole_table
from assay.sources._rows import table_names
from assay.sources._splits import asks_for_shares, split_of
from assay.sources._values import as_category
from assay.sources.drive_records import Drive, drive_records
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

Array = np.ndarray[Any, Any]
#: Routes from which on these are the groups of the split.
MANY_ROUTES = 5
#: Frames a second where nothing tells.
_USUAL_HZ = 10.0


@dataclass(frozen=True)
class Log:
    """One table, in the order of its clock.

    Attributes:
        file: the table.
        places: (T,) where each frame lies.
        values: (T,) each, controls and speed by name; without the steering where it is not wanted.
        times: (T,) seconds.
        pieces: (T,) int, frames of different ones do not follow one another.
        routes: (T,) the route of each frame.
        sides: (T,) "train", "validation", "test" as a column has it; None without one.
        numbers: (T,) rows in the table.
        digests: (T,) a hash of each frame.
        clock: what the times come from.
        step_s: the usual time from a frame to the next.
    """

    file: str
    places: Sequence[str]
    values: dict[str, Array]
    times: Array
    pieces: Array
    routes: Sequence[str]
    sides: Sequence[str] | None
    numbers: Array
    digests: Sequence[str]
    clock: str
    step_s: float


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like records of drives; None where it does not."""
    if source.path is None:
        return None
    try:
        files = FrameFiles(source)
        for table in _tables(files):
            columns = columns_of(source.store, table, None)
            if columns["steering"] is None:
                continue
            if frame_column(columns, files.resolve(table)) is not None:
                return Recognition(0.98, f"a log, {table}, of frames with {columns['steering']!r}")
            if files.videos():
                return Recognition(0.98, f"a table, {table}, with {columns['steering']!r} beside a video")
    except AssayError:
        return None
    return None


def read(source: Source, options: DataOptions, labelled: bool = True) -> Records:
    """The drives of all tables.

    Options: `target` the column of the steering, `group` the one of the route, `split` shares or a column,
    `extra["encoding"]`, `extra["rate"]` frames a second where no clock tells.

    Args:
        source: a table, a folder or an archive.
        options: see above.
        labelled: the steering is wanted; rows without it are left out.

    Raises:
        DataError: no usable row.
        SettingError: an option names a column that there is not.
    """
    log, files = ProblemLog(), FrameFiles(source)
    logs = []
    for table in _tables(files):
        columns = columns_of(source.store, table, options.extra.get("encoding"), options.target)
        if (columns["steering"] is None and labelled) or not (
            frame_column(columns, files.resolve(table)) or files.videos()
        ):
            log.add("table-without-frames-or-steering", "skipped", table)
            continue
        logs.append(_read_log(files, columns, options, log, labelled))
    if not logs:
        raise DataError("no table has a column of steering and one of frames.",
                        "Name the steering with --target.", file=source.label)  # fmt: skip
    controls = [name for name in CONTROLS if all(name in one.values for one in logs)]
    drives = _drives(logs, options, log)
    if not drives:
        raise DataError(
            "no stretch of a drive is longer than half a second.", "Look at the times of its rows.", file=source.label
        )
    facts = {
        "rate_hz": round(1 / float(np.median([one.step_s for one in logs])), 3),
        "routes": len({route for one in logs for route in one.routes}),
        "clock": ", ".join(dict.fromkeys(one.clock for one in logs)),
    }
    return drive_records(drives, controls or CONTROLS[:1], files.load, facts, log, source.label)


def holds_table(source: Source) -> bool:
    """Whether a table names frames, or lies beside a video."""
    try:
        files = FrameFiles(source)
        for table in _tables(files):
            columns = columns_of(source.store, table, None)
            if files.videos() or frame_column(columns, files.resolve(table)) is not None:
                return True
    except AssayError:
        pass
    return False


def _tables(files: FrameFiles) -> list[str]:
    return table_names(list(files.source.store.names))


def _read_log(files: FrameFiles, columns: Columns, options: DataOptions, log: ProblemLog, labelled: bool) -> Log:
    """One table with everything repaired or left out that has to be."""
    rows = columns.rows
    table, numbers = whole_table(rows, log)
    places, clock, times = _frames(files, columns, table, options, log)
    keep = np.asarray([place is not None for place in places], bool)
    _note(log, "missing-frame", rows.file, numbers[~keep])
    digests = files.digests([place for place in places if place is not None])
    usable = np.asarray([place in digests for place in places], bool)
    _note(log, "unusable-frame", rows.file, numbers[keep & ~usable])
    keep &= usable
    values = values_of(columns, table)
    for name in CONTROLS if labelled else ():
        if name in values:
            _note(log, f"missing-{name}", rows.file, numbers[keep & ~np.isfinite(values[name])])
            keep &= np.isfinite(values[name])
    _note(log, "missing-time", rows.file, numbers[keep & ~np.isfinite(times)])
    keep &= np.isfinite(times)
    if not keep.any():
        raise DataError(
            f"none of its {len(keep):,} rows has a frame that can be used.",
            "Give the folder that holds the frames beside the table.",
            file=rows.file,
        )
    left = np.flatnonzero(keep)
    order = in_order(times[left], rows.file, numbers[left], log)
    at, pieces = left[order.rows], order.pieces
    if labelled:
        judge_steering(values["steering"][at], rows.file, log)
        fit = _working(values, at, order.times, [digests[str(places[row])] for row in at], rows.file, numbers, log)
        at, pieces = at[fit], (pieces + np.cumsum(~fit))[fit]
    return Log(
        rows.file,
        [str(places[row]) for row in at],
        {name: column[at] for name, column in values.items() if labelled or name == "speed"},
        order.times[fit] if labelled else order.times,
        pieces,
        _routes(columns, table, options, at, rows.file),
        _sides(table, options, at, rows.file),
        numbers[at],
        [digests[str(places[row])] for row in at],
        clock,
        order.step_s,
    )  # fmt: skip


def _frames(
    files: FrameFiles, columns: Columns, table: pa.RecordBatch, options: DataOptions, log: ProblemLog
) -> tuple[list[str | None], str, Array]:
    """Where each row's frame lies, what the clock is, and (T,) seconds."""
    column = frame_column(columns, resolve := files.resolve(columns.rows.file))
    times = clock_of(table, columns["time"], columns.rows.file, log)
    if column is not None:
        names = [value or "" for value in as_category(table.column(column)).to_pylist()]
        places = [resolve(name) if name else None for name in names]
        if times is not None:
            return places, "a column", times
        if (written := stamps(names)) is not None:
            return places, "the frames' names", written
        rate = _rate(options)
        return places, f"none: {rate:g} frames a second taken for granted", np.arange(len(places)) / rate
    video = _video_of(files, columns, table)
    frames = numbers_of(table, columns["frame"], columns.rows.file)
    found = video_places(files, video, frames, times, table.num_rows)
    shown = files.video(video).times
    own = np.asarray([shown[int(place.rpartition("#")[2])] if place else np.nan for place in found])
    return found, "the video", own if frames is not None or times is None else times


def _video_of(files: FrameFiles, columns: Columns, table: pa.RecordBatch) -> str:
    """The video that a table belongs to: named in it, called as it is, or the only one."""
    videos = files.videos()
    named = columns["video"]
    if named is not None:
        said = list(dict.fromkeys(value for value in as_category(table.column(named)).to_pylist() if value))
        if len(said) > 1:
            raise DataError(f"it names {len(said)} videos, {said[0]!r} and {said[1]!r} among them.",
                            "Write a table for each video.", file=columns.rows.file)  # fmt: skip
        asked = said[0] if said else ""
        fitting = [name for name in videos if name.endswith(asked)]
    else:
        stem = columns.rows.file.rpartition(".")[0]
        fitting = [name for name in videos if name.rpartition(".")[0] == stem] or videos
    if len(fitting) != 1:
        raise DataError(f"{len(fitting)} videos could belong to it.", "Call the table as its video is called.",
                        file=columns.rows.file)  # fmt: skip
    return fitting[0]


def _rate(options: DataOptions) -> float:
    from assay.task_parts import number_of

    return number_of(options.extra, "rate", _USUAL_HZ, 0.5, 240.0)


def _working(
    values: dict[str, Array],
    at: Array,
    times: Array,
    digests: Sequence[str],
    file: str,
    numbers: Array,
    log: ProblemLog,
) -> Array:
    """(T',) bool, rows at which neither wheel nor camera is stuck."""
    steering, speed = values["steering"][at], values["speed"][at] if "speed" in values else None
    wheel = stuck(steering, speed, times)
    _note(log, "stuck-steering", file, numbers[at[wheel]])
    camera = stuck_camera(digests, speed, steering, times) & ~wheel
    _note(log, "stuck-camera", file, numbers[at[camera]])
    return ~(wheel | camera)


def _note(log: ProblemLog, kind: str, file: str, numbers: Array) -> None:
    if len(numbers):
        log.add(kind, "skipped", file, int(numbers[0]), count=len(numbers))


def _routes(columns: Columns, table: pa.RecordBatch, options: DataOptions, at: Array, file: str) -> list[str]:
    name = options.group or columns["route"]
    if name is None:
        return [file] * len(at)
    if name not in table.schema.names:
        raise SettingError(f"the table has no column {name!r}.", did_you_mean(name, table.schema.names))
    found = as_category(table.column(name)).to_pylist()
    return [f"{file}:{found[row]}" for row in at]


def _sides(table: pa.RecordBatch, options: DataOptions, at: Array, file: str) -> list[str] | None:
    if options.split is None or asks_for_shares(options):
        return None
    if options.split not in table.schema.names:
        raise SettingError(f"--split {options.split!r} is neither shares such as 80/10/10 nor a column.",
                           did_you_mean(options.split, table.schema.names))  # fmt: skip
    found = [split_of(str(value)) for value in as_category(table.column(options.split)).to_pylist()]
    sides = [found[row] for row in at]
    if None in sides:
        raise DataError(
            "the split column holds words that are not train, validation or test.", "Write one of these.", file=file
        )
    return [side for side in sides if side is not None]


def _drives(logs: Sequence[Log], options: DataOptions, log: ProblemLog) -> list[Drive]:
    """The stretches of all logs."""
    routes = {route for one in logs for route in one.routes}
    grouped = options.group is not None or len(routes) >= MANY_ROUTES
    given = all(one.sides is not None for one in logs)
    found: list[Drive] = []
    driven_s = 0.0
    for one in logs:
        _, route = np.unique(np.asarray(one.routes), return_inverse=True)
        piece = np.cumsum(np.r_[False, (np.diff(one.pieces) != 0) | (np.diff(route) != 0)])
        steps = np.r_[0.0, np.minimum(np.diff(one.times), 2 * one.step_s).clip(0)]
        clock = driven_s + np.cumsum(steps)
        driven_s = float(clock[-1]) + one.step_s
        if given:
            side = np.asarray([("train", "validation", "test").index(name) for name in one.sides or ()])
        else:
            side = np.zeros(len(clock), int) if grouped else _cut(logs, clock, options)
        for run, frames in stretches_of(side, piece, clock, guarded=not grouped):
            told = None if grouped and not given else name_of(int(side[frames[0]]))
            found.append(_drive(one, frames, f"{one.file}, stretch {run}", told, grouped))
    return found


def _cut(logs: Sequence[Log], clock: Array, options: DataOptions) -> Array:
    """(T,) the side of each frame of one log, whose clock counts on from the logs before it."""
    whole = sum(float(np.minimum(np.diff(one.times), 2 * one.step_s).clip(0).sum()) + one.step_s for one in logs)
    ends = np.r_[0.0, clock, whole]
    return sides_by_time(ends, options)[1:-1]


def _drive(one: Log, frames: Array, stretch: str, side: str | None, grouped: bool) -> Drive:
    places = [one.places[at] for at in frames]
    values = {name: column[frames] for name, column in one.values.items()}
    steering = values["steering"].tobytes() if "steering" in values else b""
    digest = content_digest("".join(one.digests[at] for at in frames).encode() + steering)
    name = f"{one.file}:{int(one.numbers[frames[0]])}-{int(one.numbers[frames[-1]])}"
    return Drive(name, places, values, one.routes[frames[0]] if grouped else stretch, side, digest)
