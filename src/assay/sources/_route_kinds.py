"""Which form of drives a source holds, and how one of them is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.sources._route import Drive
from assay.sources._splits import split_of
from assay.sources.records import ProblemLog
from assay.sources.routes_comma import comma_drives, read_comma
from assay.sources.routes_folder import Found, found_drives, read_drive
from assay.sources.routes_kitti import WIDTHS, kitti_drive
from assay.sources.routes_udacity import is_udacity, udacity_drive
from assay.sources.source import Recognition, Source
from assay.sources.store import Store

#: Draws of SIMULATED sensors for each of KITTI's routes.
DRAWS = 5
EXPECTED = (
    "Expected a folder for each drive with tables such as imu.csv, wheels.csv, gnss.csv and poses.csv, a table for "
    "each drive, comma2k19's processed logs, or KITTI's poses."
)


@dataclass(frozen=True)
class RouteKind:
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


def required_kind(source: Source, extra: Any) -> RouteKind:
    """As `kind_of`; raises `DataError` where there are no drives."""
    kind = kind_of(source, extra)
    if kind is None:
        raise DataError("there are no drives here.", EXPECTED, file=source.label)
    return kind


def kind_of(source: Source, extra: Any) -> RouteKind | None:
    """The form of a source's drives; None where it holds none."""
    if source.path is None:
        return _in_memory(source.value)
    store = source.store
    if comma := comma_drives(store):
        why = f"{len(comma)} processed logs of comma2k19"
        return RouteKind(Recognition(0.97, why), comma, lambda found, log: read_comma(store, found, log))
    texts = [name for name in store.names if name.lower().endswith(".txt") and not _tells(name)]
    if len(texts) == 1 and is_udacity(_head(store, texts[0])):
        found = [Found(texts[0], {texts[0]: ""}, texts[0])]
        why = "SIMULATED lidar and radar sightings of Udacity's course"
        return RouteKind(
            Recognition(0.97, why),
            found,
            lambda one, log: udacity_drive(store.read(one.name), one.name, one.name),
            True,
        )
    # KITTI's own folder of poses, whatever lies beside it; else nothing but poses.
    texts = [name for name in texts if name.split("/")[-2:-1] == ["poses"]] or texts
    routes = [name for name in texts if _is_kitti(store, name)]
    if routes and len(routes) == len(texts):
        return _kitti(store, routes, extra)
    logs = found_drives(store)
    if not logs:
        return None
    several = len(store.names) > 1
    why = f"{len(logs)} drives with tables of sensors" if several else "a table of a car's sensors over time"
    return RouteKind(Recognition(0.93 if several else 0.8, why), logs, lambda found, log: read_drive(store, found, log))


def _in_memory(value: Any) -> RouteKind | None:
    """A list of `Drive`s."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, Drive) for one in value):
        return None
    known = {drive.name: drive for drive in value}
    if len(known) < len(value):
        raise DataError("two of these drives have the same name", "Give each its own.")
    found = [Found(name, {name: ""}, name) for name in known]
    simulated = any(drive.motion is not None for drive in value)
    why = f"{len(value)} drives in memory{', SIMULATED' if simulated else ''}"
    return RouteKind(Recognition(0.97, why), found, lambda one, log: known[one.name], simulated)


def _kitti(store: Store, routes: Sequence[str], extra: Any) -> RouteKind:
    draws, first = whole_number(extra, "draws", DRAWS, 1), whole_number(extra, "first_draw", 0, 0)
    with_gnss = whole_number(extra, "gnss", 1, 0) > 0
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
    return RouteKind(Recognition(0.97, why), drives, read, simulated=True)


def whole_number(extra: Any, name: str, default: int, least: int) -> int:
    """An option that is a whole number; raises `SettingError`."""
    given = extra.get(name, default)
    try:
        value = int(given)
    except (TypeError, ValueError):
        value = least - 1
    if value < least:
        shown = name.replace("_", "-")
        raise SettingError(f"--{shown} {given} is not possible", f"Give a whole number from {least} on.")
    return value


def _tells(name: str) -> bool:
    """Whether a file tells about the data, rather than being a part of it."""
    return name.rpartition("/")[2].lower().startswith(("readme", "license", "licence", "copying", "citation"))


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
