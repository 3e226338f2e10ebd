"""From drives to what the cache holds: one window a drive, on an even clock; and what is learned from training drives.

Shapes: T steps, C channels, W drives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.evaluation.tracks import Track
from assay.evaluation.trajectories import KITTI_LENGTHS_M
from assay.samples.route_calibration import calibrated
from assay.samples.route_spec import RATE_HZ, RouteSpec
from assay.samples.route_steps import Steps, steps_of
from assay.sources._route import CHANNELS, Drive

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions
    from assay.task import Encoded

Array = np.ndarray[Any, Any]
#: A channel is used where at least this share of the training steps has it.
_SHARE = 0.3
#: Training drives that are looked at, at most.
_MOST = 200
#: Fixes later than this (seconds) are not sought.
_LATEST_S = 1.0
#: The origin, in degrees, of a drive whose place on the ground is not known.
NOWHERE = (999.0, 999.0)


def fitted_drive_spec(records: Records, train: Array, options: DataOptions) -> RouteSpec:
    """Channels, calibration, and how good and how late fixes are, from the training drives alone."""
    rate = _rate(options)
    drives = _some_drives(records, train)
    steps = [steps_of(drive, CHANNELS, rate) for drive in drives]
    present = np.concatenate([one.present for one in steps]) if steps else np.zeros((0, len(CHANNELS)), bool)
    shares = present.mean(axis=0) if len(present) else np.zeros(len(CHANNELS))
    names = tuple(name for name, share in zip(CHANNELS, shares, strict=True) if share >= _SHARE)
    gnss = any(one.fixes[:, 2].any() for one in steps)
    if not names and not gnss:
        hint = "Add wheel speeds and a gyroscope's turning, or GNSS."
        raise DataError("the training drives hold no sensor that tells motion.", hint)
    places = [CHANNELS.index(name) for name in names]
    steps = [Steps(one.begin, one.base, one.sensors[:, places], one.present[:, places], one.fixes, one.moved, one.clean)
             for one in steps]  # fmt: skip
    deviation = _deviations(steps, len(names))
    calibration = calibrated(steps, names, rate) if names else RouteSpec((), ()).calibration
    sigma, delay = _fix_quality(drives) if gnss else (5.0, 0.0)
    simulated = any(drive.motion is not None for drive in drives)
    return RouteSpec(names, deviation, calibration, gnss, sigma, delay, rate, _lengths(steps), simulated)


def _rate(options: DataOptions) -> float:
    given = options.extra.get("rate", RATE_HZ)
    try:
        rate = float(given)
    except (TypeError, ValueError):
        rate = 0.0
    if not 1 <= rate <= 200:
        raise SettingError(f"--rate {given} is not possible", "Give steps a second, 1 to 200.")
    return rate


def _some_drives(records: Records, train: Array) -> list[Drive]:
    rows = np.flatnonzero(train)
    wanted = (
        set(rows[np.linspace(0, len(rows) - 1, min(_MOST, len(rows))).astype(int)].tolist()) if len(rows) else set()
    )
    found: list[Drive] = []
    start = 0
    for batch in records.batches():
        locations = batch.column("location").to_pylist()
        found += [records.load(locations[row - start]) for row in sorted(wanted)  # type: ignore[misc]
                  if start <= row < start + batch.num_rows]  # fmt: skip
        start += batch.num_rows
    return found


def _deviations(steps: list[Steps], channels: int) -> tuple[float, ...]:
    values = np.concatenate([one.sensors for one in steps]) if steps else np.zeros((0, channels))
    present = np.concatenate([one.present for one in steps]) if steps else np.zeros((0, channels), bool)
    return tuple(float(max(values[present[:, at], at].std(), 1e-6)) if present[:, at].any() else 1.0
                 for at in range(channels))  # fmt: skip


def _lengths(steps: list[Steps]) -> tuple[float, ...]:
    """KITTI's lengths, or shorter ones where drives are too short for the first three."""
    ways = [float(np.nansum(np.abs(one.moved[:, 0]))) for one in steps]
    usual = float(np.median(ways)) if ways else 0.0
    shrink = 1.0
    while usual < 3 * KITTI_LENGTHS_M[0] * shrink and shrink > 0.011:
        shrink /= 10 if usual < 30 * shrink else 2 if usual >= 150 * shrink else 5
    return tuple(length * shrink for length in KITTI_LENGTHS_M)


def _fix_quality(drives: list[Drive]) -> tuple[float, float]:
    """(metres, seconds): how far off fixes are along each axis, and by how much they are late, by the references."""
    delays = np.linspace(-_LATEST_S, _LATEST_S, 41)
    offs: list[list[Array]] = [[] for _ in delays]
    for drive in drives:
        fixes, path = drive.fixes, drive.reference
        if fixes is None or path is None or len(path.time) < 2:
            continue
        inside = (fixes.time - _LATEST_S >= path.time[0]) & (fixes.time + _LATEST_S <= path.time[-1])
        for place, delay in enumerate(delays):
            then = fixes.time[inside] - delay
            true = np.stack([np.interp(then, path.time, axis) for axis in path.place.T], axis=1)
            offs[place].append(np.abs(fixes.place[inside] - true).ravel())
    sizes = [float(np.median(np.concatenate(one))) if one and sum(map(len, one)) else np.nan for one in offs]
    if not np.isfinite(sizes).all():
        return 5.0, 0.0
    best = int(np.argmin(sizes))
    none = len(delays) // 2
    if sizes[best] > 0.9 * sizes[none]:  # no delay is shown
        best = none
    # The median size of a Gaussian error is .674 deviations.
    return max(0.05, sizes[best] / 0.6745), float(delays[best])


def encoded_drives(batch: pa.RecordBatch, records: Records, spec: RouteSpec, log: ProblemLog) -> Encoded:
    """Drives on the spec's clock; one that holds nothing that moves is skipped."""
    from assay.task import Encoded

    if records.load is None:
        raise DataError("these drives have no sensors", "Give at least a speed, or wheels and a gyroscope.")
    found: list[Steps] = []
    rows: list[int] = []
    origins: list[tuple[float, float]] = []
    for row, location in enumerate(batch.column("location").to_pylist()):
        drive = records.load(location)
        steps = steps_of(_late(drive, spec), spec.channels, spec.rate_hz)
        if not len(steps.sensors) or not (steps.present.any() or steps.fixes[:, 2].any()):
            log.add("no-sensor-that-tells-motion", "skipped", drive.name)
            continue
        missing = [name for at, name in enumerate(spec.channels) if not steps.present[:, at].any()]
        if missing:
            log.add("sensor-missing", "kept", f"{drive.name}: {', '.join(missing)}")
        found.append(_said(steps, spec))
        rows.append(row)
        origins.append(drive.origin or NOWHERE)
    fields: dict[str, Any] = {
        "sensors": [one.sensors for one in found],
        "present": [one.present for one in found],
        "fixes": [one.fixes for one in found],
        "begin": np.asarray([one.begin for one in found], np.float64),
        "base": np.asarray([one.base for one in found], np.float64).reshape(-1, 2),
        "origin": np.asarray(origins, np.float64).reshape(-1, 2),
    }
    if "target" in batch.schema.names:
        fields["moved"] = [one.moved for one in found]
        if spec.simulated:  # a measured drive among SIMULATED ones has nothing to draw its sensors from
            fields["clean"] = [one.clean if one.clean.shape[1] else np.full((len(one.clean), 5), np.nan, np.float32)
                               for one in found]  # fmt: skip
    return Encoded(fields, np.asarray(rows, np.int64))


def _late(drive: Drive, spec: RouteSpec) -> Drive:
    """A drive whose fixes stand at the time when the car was there."""
    from dataclasses import replace

    from assay.sources._route import Fixes

    if drive.fixes is None or not spec.fix_delay_s:
        return drive
    fixes = drive.fixes
    return replace(drive, fixes=Fixes(fixes.time - spec.fix_delay_s, fixes.place, fixes.sigma))


def _said(steps: Steps, spec: RouteSpec) -> Steps:
    """Fixes that do not say how far they may be off get the training drives' deviation."""
    fixes = steps.fixes.copy()
    fixes[:, 2] = np.where(fixes[:, 2] < 0, spec.fix_sigma_m, fixes[:, 2])
    return Steps(steps.begin, steps.base, steps.sensors, steps.present, fixes, steps.moved, steps.clean)


def true_tracks(targets: Any) -> list[Track]:
    """The true paths of drives, out of the column of targets."""
    found = []
    for flat in targets.to_pylist():
        rows = np.asarray(flat or [], float).reshape(-1, 4)
        found.append(Track(rows[:, 0], rows[:, 1:3], rows[:, 3], np.zeros((0, 4)), anchored=True))
    return found
