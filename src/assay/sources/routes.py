"""Drives with wheel speeds, steering, gyroscope, GNSS and reference poses, whatever form they lie in.

Shapes: P reference poses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import AssayError, DataError, SettingError
from assay.samples.split import DEFAULT, parse_shares
from assay.sources._digest import content_digest, fingerprint_of
from assay.sources._route import Drive
from assay.sources._route_cuts import by_side, cut, is_too_short, stretches
from assay.sources._splits import asks_for_shares, split_of
from assay.sources.checks import refuse_column
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.routes_comma import comma_drives, read_comma
from assay.sources.routes_folder import Found, found_drives, read_drive
from assay.sources.routes_kitti import WIDTHS, kitti_drive
from assay.sources.routes_udacity import is_udacity, udacity_drive
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
#: Reference poses a second that are kept, and drives that are kept in memory between two looks at them.
_POSES_HZ, _KEPT = 10.0, 64
#: A three-way split needs so many groups; with fewer, drives are cut in time.
_FEWEST_GROUPS = 3
#: Draws of SIMULATED sensors for each of KITTI's routes.
DRAWS = 5
_EXPECTED = (
    "Expected a folder for each drive with tables such as imu.csv, wheels.csv, gnss.csv and poses.csv, a table for "
    "each drive, comma2k19's processed logs, or KITTI's poses."
)


@dataclass(frozen=True)
class _Kind:
    """A form that drives lie in.

    Attributes:
        recognition: how well data of this form fits, and why.
        found: the drives.
        read: one of them.
        simulated: its sensors are SIMULATED.
    """

    recognition: Recognition
    found: Sequence[Found]
    read: Callable[[Found, ProblemLog], Drive]
    simulated: bool = False


def recognise_drives(source: Source) -> Recognition | None:
    """How well the source looks like drives, and why; None where it does not."""
    kind = _kind_of(source, {})
    return None if kind is None else kind.recognition


def read_drives(source: Source, options: DataOptions, whole: bool = False) -> Records:
    """The drives of a source.

    Args:
        source: see the module.
        options: `split` as shares, or a folder's sides; in `extra` `gnss`, `stretch`, `draws`, `first_draw`.
        whole: drives are not cut, whatever the options say: a trained network is judged by them.

    Returns:
        Records with `id`, `location`, `digest`, `group`, `target` ([time, x, y, heading] of each reference pose, one
        after the other) and where there are such `split`; `load` gives a `Drive`.

    Raises:
        DataError: there are no drives, or none with a reference.
        SettingError: an option is not possible.
    """
    reason = "drives are files, not rows of a table"
    refuse_column("target", options.target, reason, "The reference poses are what is learned.")
    refuse_column("group", options.group, reason, "Drives in one folder are a group.")
    kind = _required(source, options.extra)
    if options.split is not None and not asks_for_shares(options):
        raise SettingError(
            f"--split {options.split} is not possible: {reason}.",
            "Put drives into folders called train, validation and test, or give shares such as 80/10/10.",
        )
    log = ProblemLog()
    drives = [(found, drive) for found, drive in _read_all(kind, options, log) if _teaches(drive, log)]
    if not drives:
        hint = "Add poses.csv with time, x, y and heading (or lat and lon) to each drive."
        raise DataError("no drive has reference poses to learn from and lasts long enough.", hint, file=source.label)
    return _records(kind, drives, options, log, whole)


def read_drive_inputs(source: Source, gnss: bool) -> Records:
    """Whole drives for prediction, with or without a reference."""
    kind = _required(source, {})
    log = ProblemLog()
    options = DataOptions(extra={} if gnss else {"gnss": 0})
    drives = []
    for found, drive in _read_all(kind, options, log):
        first, last = drive.span
        if last - first > 0.5:
            drives.append((found, drive))
        else:
            log.add("too-short-drive", "skipped", drive.name)
    if not drives:
        raise DataError("no drive holds what tells where a car goes.", _EXPECTED, file=source.label)
    return _records(kind, drives, options, log, whole=True, with_target=False)


def _required(source: Source, extra: Any) -> _Kind:
    kind = _kind_of(source, extra)
    if kind is None:
        raise DataError("there are no drives here.", _EXPECTED, file=source.label)
    return kind


def _kind_of(source: Source, extra: Any) -> _Kind | None:
    if source.path is None:
        return _in_memory(source.value)
    store = source.store
    if comma := comma_drives(store):
        why = f"{len(comma)} processed logs of comma2k19"
        return _Kind(Recognition(0.97, why), comma, lambda found, log: read_comma(store, found, log))
    texts = [name for name in store.names if name.lower().endswith(".txt")]
    if len(texts) == 1 and is_udacity(_head(store, texts[0])):
        found = [Found(texts[0], {texts[0]: ""}, texts[0])]
        why = "SIMULATED lidar and radar sightings of Udacity's course"
        return _Kind(
            Recognition(0.97, why),
            found,
            lambda one, log: udacity_drive(store.read(one.name), one.name, one.name),
            True,
        )
    routes = [name for name in texts if _is_kitti(store, name)]
    if routes and len(routes) == len(texts):
        return _kitti(store, routes, extra)
    logs = found_drives(store)
    if not logs:
        return None
    several = len(store.names) > 1
    why = f"{len(logs)} drives with tables of sensors" if several else "a table of a car's sensors over time"
    return _Kind(Recognition(0.93 if several else 0.8, why), logs, lambda found, log: read_drive(store, found, log))


def _in_memory(value: Any) -> _Kind | None:
    """A list of `Drive`s."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, Drive) for one in value):
        return None
    known = {drive.name: drive for drive in value}
    if len(known) < len(value):
        raise DataError("two of these drives have the same name", "Give each its own.")
    found = [Found(name, {name: ""}, name) for name in known]
    simulated = any(drive.motion is not None for drive in value)
    why = f"{len(value)} drives in memory{', SIMULATED' if simulated else ''}"
    return _Kind(Recognition(0.97, why), found, lambda one, log: known[one.name], simulated)


def _kitti(store: Store, routes: Sequence[str], extra: Any) -> _Kind:
    draws, first = (
        _whole(extra, name, default, least) for name, default, least in (("draws", DRAWS, 1), ("first_draw", 0, 0))
    )
    with_gnss = _whole(extra, "gnss", 1, 0) > 0
    drives, draw_of = [], {}
    for route in routes:
        sides = [side for part in route.split("/")[:-1] if (side := split_of(part)) is not None]
        for draw in range(first, first + draws):
            name = route if draws == 1 else f"{route}@{draw}"
            drives.append(Found(name, {route: ""}, route.rpartition("/")[2], sides[0] if sides else None))
            draw_of[name] = draw

    def read(found: Found, log: ProblemLog) -> Drive:
        (file,) = found.files
        return kitti_drive(store.read(file), file, found.name, draw_of[found.name], with_gnss)

    why = f"{len(routes)} routes of poses as KITTI writes them; their sensors are SIMULATED"
    return _Kind(Recognition(0.97, why), drives, read, simulated=True)


def _whole(extra: Any, name: str, default: int, least: int) -> int:
    given = extra.get(name, default)
    try:
        value = int(given)
    except (TypeError, ValueError):
        value = least - 1
    if value < least:
        shown = name.replace("_", "-")
        raise SettingError(f"--{shown} {given} is not possible", f"Give a whole number from {least} on.")
    return value


def _head(store: Store, name: str) -> bytes:
    try:
        with store.open(name) as stream:
            return stream.read(4096)
    except DataError:
        return b""


def _is_kitti(store: Store, name: str) -> bool:
    line = _head(store, name).split(b"\n")[0].split()
    try:
        return len(line) in WIDTHS and bool(np.isfinite([float(part) for part in line]).all())
    except ValueError:
        return False


def _read_all(kind: _Kind, options: DataOptions, log: ProblemLog) -> list[tuple[Found, Drive]]:
    """Every drive that can be read; without its fixes where that is asked for."""
    drives, errors = [], []
    for found in kind.found:
        try:
            drive = kind.read(found, log)
        except AssayError as error:
            if len(kind.found) == 1:
                raise
            errors.append(error)
            log.add("unreadable-drive", "skipped", found.name)
            continue
        if not _whole(options.extra, "gnss", 1, 0):
            drive = replace(drive, fixes=None)
        drives.append((found, drive))
    if not drives and errors:
        raise errors[0]
    return drives


def _teaches(drive: Drive, log: ProblemLog) -> bool:
    """Whether a drive can be learned from; notes why not."""
    if drive.reference is None:
        log.add("no-reference-poses", "skipped", drive.name)
    elif is_too_short(drive):
        log.add("too-short-drive", "skipped", drive.name)
    else:
        return True
    return False


@dataclass(frozen=True)
class _Piece:
    """A drive, or a stretch of one."""

    found: Found
    name: str
    begin: float
    end: float
    group: str
    side: str | None
    whole: bool


def _records(
    kind: _Kind,
    drives: Sequence[tuple[Found, Drive]],
    options: DataOptions,
    log: ProblemLog,
    whole: bool,
    with_target: bool = True,
) -> Records:
    groups = {found.group for found, _ in drives}
    sided = any(found.side for found, _ in drives) and not asks_for_shares(options)
    in_time = not whole and not sided and len(groups) < _FEWEST_GROUPS
    pieces = [piece for found, drive in drives for piece in _pieces(found, drive, options, whole, in_time, sided)]
    known = {drive.name: drive for _, drive in drives[:_KEPT]}

    @lru_cache(maxsize=_KEPT)
    def drive_of(place: int) -> Drive:
        found = drives_found[place]
        drive = known.get(found.name) or kind.read(found, ProblemLog())
        return drive if _whole(options.extra, "gnss", 1, 0) else replace(drive, fixes=None)

    drives_found = [found for found, _ in drives]
    places = {found.name: place for place, found in enumerate(drives_found)}

    def load(location: str) -> Drive:
        piece = pieces[int(location)]
        drive = drive_of(places[piece.found.name])
        return drive if piece.whole else cut(drive, piece.begin, piece.end, piece.name)

    columns: dict[str, Any] = {name: [] for name in ("id", "location", "target", "group", "split", "digest")}
    for number, piece in enumerate(pieces):
        drive = load(str(number))
        if with_target and is_too_short(drive):
            log.add("too-short-drive", "skipped", piece.name)
            continue
        columns["id"].append(piece.name)
        columns["location"].append(str(number))
        columns["target"].append(_target(drive) if with_target else None)
        columns["group"].append(piece.group)
        columns["split"].append(piece.side)
        columns["digest"].append(_digest(drive))
    if not columns["id"]:
        raise DataError("no stretch of these drives is long enough.", "Give longer drives, or a longer --stretch.")
    table = _table(columns, with_target, in_time)
    facts = _facts(kind, drives, len(columns["id"]), in_time)
    return records_from_table(table, fingerprint_of(table.to_batches()), load=load, problems=log.problems(),
                              facts=facts, sides_cut=in_time)  # fmt: skip


def _pieces(found: Found, drive: Drive, options: DataOptions, whole: bool, in_time: bool, sided: bool) -> list[_Piece]:
    first, last = drive.span
    side = found.side if sided else None
    if whole:
        return [_Piece(found, found.name, first, last, found.group, side, True)]
    seconds = options.extra.get("stretch")
    if in_time:
        shares = parse_shares(options.split) or DEFAULT
        parts = by_side(drive, shares)
    else:
        parts = [(first, last, found.name, side or "")]
    pieces = []
    for begin, end, name, of in parts:
        part = cut(drive, begin, end, name) if in_time or seconds else drive
        for a, b, label in stretches(part, _seconds(seconds)) if seconds else [(begin, end, name)]:
            # Stretches on either side of a cut are no longer one group: the cut is what keeps them apart.
            group = f"{found.group}@{of}" if in_time else found.group
            pieces.append(_Piece(found, label, a, b, group, of or None, label == found.name))
    return pieces


def _seconds(given: Any) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = 0.0
    if not 10 <= value <= 1e6:
        raise SettingError(f"--stretch {given} is not possible", "Give seconds, 10 or more.")
    return value


def _target(drive: Drive) -> list[float] | None:
    path = drive.reference
    if path is None:
        return None
    rate = 1 / max(1e-6, float(np.median(np.diff(path.time)))) if len(path.time) > 1 else 1.0
    every = max(1, int(rate / _POSES_HZ + 0.01))
    rows = np.column_stack([path.time, path.place, path.heading])[::every]
    flat: list[float] = rows.ravel().tolist()
    return flat


def _digest(drive: Drive) -> str:
    parts = [
        f"{name}:".encode() + np.ascontiguousarray(series.value).tobytes()
        for name, series in sorted(drive.channels.items())
    ]
    if drive.fixes is not None:
        parts.append(np.ascontiguousarray(drive.fixes.place).tobytes())
    return content_digest(b"|".join(parts))


def _table(columns: dict[str, Any], with_target: bool, in_time: bool) -> pa.Table:
    kinds = {"target": pa.list_(pa.float64())}
    kept = dict(columns)
    if not with_target:
        kept.pop("target")
    if not any(kept["split"]):
        kept.pop("split")
    return pa.table({name: pa.array(values, kinds.get(name, pa.string())) for name, values in kept.items()})


def _facts(kind: _Kind, drives: Sequence[tuple[Found, Drive]], pieces: int, in_time: bool) -> dict[str, Any]:
    """What `assay inspect` tells: how many drives, how long, which sensors and how fast."""
    seconds = sum(drive.span[1] - drive.span[0] for _, drive in drives)
    metres = sum(float(np.linalg.norm(np.diff(drive.reference.place, axis=0), axis=1).sum())
                 for _, drive in drives if drive.reference is not None)  # fmt: skip
    rates: dict[str, float] = {}
    for _, drive in drives:
        for name, series in drive.channels.items():
            if len(series.time) > 1 and name not in rates:
                rates[name] = round(1 / float(np.median(np.diff(series.time))), 1)
        if drive.fixes is not None and len(drive.fixes.time) > 1:
            rates.setdefault("gnss", round(1 / float(np.median(np.diff(drive.fixes.time))), 1))
    return {
        "samples": pieces,
        "drives": len(drives),
        "minutes": round(seconds / 60, 1),
        "km": round(metres / 1000, 2),
        "rates_hz": rates,
        "sensors": "SIMULATED" if kind.simulated else "measured",
        "cut": "in time" if in_time else "by drives",
    }
