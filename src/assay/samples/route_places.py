"""Places in a drive, by sensor and time, and drives in which a place says nothing.

A drive is seen as a grid: a row for each sensor (and one for GNSS), and stretches of time of equal length, of about ten
seconds, or longer where that gives too many.

Shapes: B drives, T steps, R sensors, S stretches of the longest drive.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.tracks import Track
from assay.samples.route_spec import RouteSpec
from assay.sources._route import SENSORS

if TYPE_CHECKING:
    from torch import Tensor

    from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
MOST, _STRETCH_S = 12, 10.0
GNSS = "GNSS"


def rows_of(spec: RouteSpec) -> dict[str, list[int]]:
    """The channels of each sensor of a spec, by its name; GNSS has none of its own."""
    found = {
        sensor: [at for at, name in enumerate(spec.channels) if name in names] for sensor, names in SENSORS.items()
    }
    found = {sensor: places for sensor, places in found.items() if places}
    return {**found, GNSS: []} if spec.gnss else found


def stretches(steps: int, spec: RouteSpec) -> int:
    """S of a drive of so many steps; 0 of one of none."""
    return min(MOST, max(1, round(steps * spec.step_s / _STRETCH_S))) if steps else 0


def stretch_of(steps: int, spec: RouteSpec) -> Array:
    """(T,) in which stretch each step of a drive lies."""
    return np.arange(steps) * stretches(steps, spec) // max(1, steps)


def place_names(steps: int, spec: RouteSpec) -> tuple[str, ...]:
    """The names of the places of a drive of so many steps, sensor by sensor: "wheels, 10 to 20 s"."""
    cuts = np.linspace(0, steps * spec.step_s, stretches(steps, spec) + 1)
    return tuple(
        f"{sensor}, {cuts[place]:.0f} to {cuts[place + 1]:.0f} s"
        for sensor in rows_of(spec)
        for place in range(len(cuts) - 1)
    )


def lengths_of(batch: Any) -> list[int]:
    """(B,) steps of each drive that are real."""
    if batch.mask is None:
        return [int(batch.sensors.shape[1])] * len(batch.sensors)
    found: list[int] = batch.mask.sum(1).tolist()
    return found


def masked_drives(batch: Any, kept: Tensor, spec: RouteSpec) -> Any:
    """Drives whose sensors say nothing wherever nothing is kept.

    Args:
        batch: the drives.
        kept: (R, S) or (B, R, S) bool; what is said of stretches that a drive does not have counts for nothing.
        spec: what a drive is.
    """
    import torch

    rows = list(rows_of(spec).values())
    kept = kept.expand(len(batch.sensors), len(rows), kept.shape[-1])
    present, fixes = batch.present.clone(), batch.fixes.clone()
    for number, length in enumerate(lengths_of(batch)):
        stretch = torch.from_numpy(stretch_of(length, spec))
        for row, places in enumerate(rows):
            silent = ~kept[number, row][stretch]
            if places:
                present[number, :length, places] &= ~silent[:, None]
            else:
                fixes[number, :length] = torch.where(silent[:, None], torch.zeros(()), fixes[number, :length])
    sensors = torch.where(present, batch.sensors, torch.zeros(()))
    return replace(batch, present=present, sensors=sensors, fixes=fixes)


def moved_away(outputs: Values, answered: Values) -> Array:
    """(U,) by how many metres, in the mean, tracks are elsewhere than those that were answered."""
    return np.asarray([_apart(one, other) for one, other in zip(outputs, answered, strict=True)], float)


def _apart(one: Track, other: Track) -> float:
    count = min(len(one), len(other))
    if not count:
        return 0.0
    if one.anchored and other.anchored:
        return float(np.linalg.norm(one.place[:count] - other.place[:count], axis=1).mean())
    # Where one of the two does not know where it is, both are looked at from their starts.
    first, second = (_from_start(track, count) for track in (one, other))
    return float(np.linalg.norm(first - second, axis=1).mean())


def _from_start(track: Track, count: int) -> Array:
    moved = track.place[:count] - track.place[0]
    cosine, sine = np.cos(track.heading[0]), np.sin(track.heading[0])
    return np.asarray(moved @ np.asarray([[cosine, -sine], [sine, cosine]]))
