"""Drives with wheel speeds, steering, gyroscope, GNSS and reference poses, whatever form they lie in.

Shapes: P reference poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError
from assay.samples.split import DEFAULT, parse_shares
from assay.sources._digest import content_digest, fingerprint_of
from assay.sources._route import Drive
from assay.sources._route_cuts import by_side, cut, is_too_short, stretches
from assay.sources._route_kinds import EXPECTED, RouteKind, kind_of, required_kind, whole_number
from assay.sources._splits import asks_for_shares
from assay.sources.checks import refuse_column
from assay.sources.records import ProblemLog, Records, records_from_table
from assay.sources.routes_folder import Found
from assay.sources.source import DataOptions, Recognition, Source

Array = np.ndarray[Any, Any]
#: Reference poses a second that are kept, and drives that are kept in memory between two looks at them.
_POSES_HZ, _KEPT = 10.0, 64
#: A three-way split needs so many groups; with fewer, drives are cut in time.
_FEWEST_GROUPS = 3


def recognise_drives(source: Source) -> Recognition | None:
    """How well the source looks like drives, and why; None where it does not."""
    kind = kind_of(source, {})
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
    kind = required_kind(source, options.extra)
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
    kind = required_kind(source, {})
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
        raise DataError("no drive holds what tells where a car goes.", EXPECTED, file=source.label)
    return _records(kind, drives, options, log, whole=True, with_target=False)


def _read_all(kind: RouteKind, options: DataOptions, log: ProblemLog) -> list[tuple[Found, Drive]]:
    """Every drive that can be read; without its fixes where that is asked for."""
    drives, errors, with_gnss = [], [], whole_number(options.extra, "gnss", 1, 0) > 0
    for found in kind.found:
        try:
            drive = kind.read(found, log)
        except AssayError as error:
            if len(kind.found) == 1:
                raise
            errors.append(error)
            log.add("unreadable-drive", "skipped", found.name)
            continue
        drives.append((found, _wanted(drive, with_gnss)))
    if not drives and errors:
        raise errors[0]
    return drives


def _wanted(drive: Drive, with_gnss: bool) -> Drive:
    return drive if with_gnss else replace(drive, fixes=None)


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
    kind: RouteKind,
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
    found_of = {found.name: found for found, _ in drives}
    first = {found.name: drive for found, drive in drives[:_KEPT]}
    with_gnss = whole_number(options.extra, "gnss", 1, 0) > 0

    @lru_cache(maxsize=_KEPT)
    def again(name: str) -> Drive:
        return _wanted(kind.read(found_of[name], ProblemLog()), with_gnss)

    def load(location: str) -> Drive:
        piece = pieces[int(location)]
        drive = first.get(piece.found.name) or again(piece.found.name)
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


def _facts(kind: RouteKind, drives: Sequence[tuple[Found, Drive]], pieces: int, in_time: bool) -> dict[str, Any]:
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
