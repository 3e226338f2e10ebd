"""What a car's sensors mean, by least squares over the training drives: what any classical model knows, too.

* Speed: the mean of the rear wheels (else of all wheels, else the speedometer) times a scale.
* Turning: a weighted sum of the gyroscope's axes, however it is mounted. Beside it a second opinion, out of the
  difference of the wheels of an axle and of the steering angle times the speed, and how that bends with speed.
* To the side: where the reference sits, a lever ahead of the place that only rolls, turns move it sideways; the rear
axle
  itself slips outwards with lateral acceleration (Bundorf and Leffert, "The cornering compliance concept for
  description of vehicle directional control properties", SAE 760713, 1976).

Shapes: T steps, C channels, K things to be fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.route_steps import Steps

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
#: Below this speed (m/s) a car says nothing about scales and slip; from how many such steps on anything is fitted.
_MOVING, _FEWEST = 2.0, 50
#: Speeds are taken from the first of these of which a training drive has all.
_SPEEDS = (("wheel_rl", "wheel_rr"), ("wheel_fl", "wheel_fr", "wheel_rl", "wheel_rr"), ("wheel_fl", "wheel_fr"))
_AXLES = (("wheel_rl", "wheel_rr"), ("wheel_fl", "wheel_fr"))
#: Steps that fit worse than so many times the median are left out of a second fit.
_OUTLIER = 6.0
#: So many times its deviation a bend must be to be believed.
_BEYOND = 4.0


@dataclass(frozen=True)
class Calibration:
    """See the module. Weights are by channel.

    Attributes:
        speed: whose mean is the speed.
        scale: true metres for each metre of it.
        gyro: radians a second for each unit of the gyroscope's axes; empty where there is no gyroscope.
        turn: of the channels' differences and of the steering times speed, likewise; empty where neither is there.
        bend: by which share of the turning the second opinion says too much for each (m/s)² of speed: wheels that slip
            with lateral acceleration, as load moves to the outer one.
        lever: metres that the reference lies ahead of what only rolls.
        skew: metres to the left for each metre ahead.
        slip: radians to the outside for each m/s² of lateral acceleration.
    """

    speed: tuple[str, ...] = ()
    scale: float = 1.0
    gyro: Mapping[str, float] | None = None
    turn: Mapping[str, float] | None = None
    bend: float = 0.0
    lever: float = 0.0
    skew: float = 0.0
    slip: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`."""
        return Calibration(**{**data, "speed": tuple(data["speed"])})


@dataclass(frozen=True)
class Signals:
    """What a car's sensors say of its motion, (..., T) tensors; the reference's own, before any error is corrected.

    Attributes:
        speed: m/s ahead; held where nothing tells it.
        speed_known: bool.
        turning: rad/s by the gyroscope, or where that is silent by the second opinion.
        turning_known: bool, the gyroscope speaks.
        second: rad/s by the second opinion.
        second_known: bool.
    """

    speed: Tensor
    speed_known: Tensor
    turning: Tensor
    turning_known: Tensor
    second: Tensor
    second_known: Tensor


def signals_of(sensors: Tensor, present: Tensor, channels: Sequence[str], known: Calibration) -> Signals:
    """Speed and turning of steps (..., T, C) by a calibration."""
    import torch

    there = present.to(sensors.dtype)
    place = {name: number for number, name in enumerate(channels)}
    speeds = [place[name] for name in known.speed] or [0]
    heard = there[..., speeds].sum(-1)
    speed = known.scale * (sensors[..., speeds] * there[..., speeds]).sum(-1) / heard.clamp_min(1)
    speed_known = (heard > 0) if known.speed else torch.zeros_like(heard, dtype=torch.bool)
    if "speed" in place and known.speed != ("speed",):
        other = present[..., place["speed"]] & ~speed_known
        speed = torch.where(other, known.scale * sensors[..., place["speed"]], speed)
        speed_known = speed_known | other
    speed = held(speed, speed_known)
    turning, turning_known = _weighted(sensors, present, place, known.gyro or {})
    second, second_known = _second(sensors, present, place, known.turn or {}, speed)
    turning = torch.where(turning_known, turning, second / (1 + known.bend * speed**2))
    return Signals(speed, speed_known, turning, turning_known, second, second_known & speed_known)


def held(values: Tensor, known: Tensor) -> Tensor:
    """(..., T) values, where they are not known the last known one, 0 before the first."""
    import torch

    if torch.onnx.is_in_onnx_export():  # in operators that graphs know, of few steps
        steps = torch.arange(values.shape[-1])
        before = known[..., None, :] & (steps[None] <= steps[:, None])
        last = torch.where(before, steps, torch.full_like(steps, -1)).amax(-1)
        return torch.where(last >= 0, values.gather(-1, last.clamp_min(0)), torch.zeros_like(values))
    if bool(known.all()):
        return values
    steps = torch.arange(values.shape[-1], device=values.device).expand(values.shape)
    last = torch.where(known, steps, torch.full_like(steps, -1)).cummax(-1).values
    return torch.where(last >= 0, values.gather(-1, last.clamp_min(0)), torch.zeros_like(values))


def _weighted(
    sensors: Tensor, present: Tensor, place: Mapping[str, int], weights: Mapping[str, float]
) -> tuple[Tensor, Tensor]:
    import torch

    total = torch.zeros_like(sensors[..., 0])
    known = torch.full_like(present[..., 0], bool(weights), dtype=torch.bool)
    for name, weight in weights.items():
        total = total + weight * sensors[..., place[name]]
        known = known & present[..., place[name]].bool()
    return total, known


def _second(
    sensors: Tensor, present: Tensor, place: Mapping[str, int], weights: Mapping[str, float], speed: Tensor
) -> tuple[Tensor, Tensor]:
    import torch

    total = torch.zeros_like(speed)
    known = torch.full_like(present[..., 0], bool(weights), dtype=torch.bool)
    for name, weight in weights.items():
        left, _, right = name.partition(">")
        value = sensors[..., place[right]] - sensors[..., place[left]] if right else speed * sensors[..., place[left]]
        total = total + weight * value
        for channel in filter(None, (left, right)):
            known = known & present[..., place[channel]].bool()
    return total, known


def calibrated(drives: Sequence[Steps], channels: Sequence[str], rate_hz: float) -> Calibration:
    """The calibration of the car that made some drives.

    Args:
        drives: training drives, with references.
        channels: of their sensors.
        rate_hz: steps a second.
    """
    sensors, present = (np.concatenate([getattr(one, name) for one in drives]) for name in ("sensors", "present"))
    moved = np.concatenate([one.moved for one in drives]).astype(float) * rate_hz
    drive = np.repeat(np.arange(len(drives)), [len(one.moved) for one in drives])
    known = np.asarray(np.isfinite(moved).all(axis=1))
    table = _Table(sensors.astype(float), present, {name: at for at, name in enumerate(channels)}, drive, known)
    speeds = next((names for names in (*_SPEEDS, ("speed",)) if table.has(names)), ())
    scale = 1.0
    if speeds:
        found = table.fit([table.mean(speeds)], moved[:, 0], table.there(speeds), own=False)
        scale = float(found[0]) if found is not None else 1.0
    speed = scale * table.mean(speeds) if speeds else np.abs(moved[:, 0])
    moving = speed > _MOVING
    gyro = _gyro(table, moved[:, 2])
    turn = _turn(table, moved[:, 2], speed, moving)
    # Where the reference lies and how the axle slips: what moves to the left.
    turning = moved[:, 2]
    side = table.fit([turning, speed, speed**2 * turning], moved[:, 1], moving, own=False)
    lever, skew, slip = (0.0, 0.0, 0.0) if side is None else (float(one) for one in side)
    whole = Calibration(tuple(speeds), scale, gyro, turn, lever=lever, skew=skew, slip=-slip)
    return _with_bend(whole, drives, channels, rate_hz) if turn else whole


def _with_bend(known: Calibration, drives: Sequence[Steps], channels: Sequence[str], rate_hz: float) -> Calibration:
    """The calibration with what the second opinion says too much at speed, where that is beyond doubt."""
    import torch

    values, table, fastest = [], [], 0.0
    for one in drives:
        said = signals_of(torch.from_numpy(one.sensors), torch.from_numpy(one.present), channels, known)
        speed, second = said.speed.double().numpy(), said.second.double().numpy()
        turning = one.moved[:, 2].astype(float) * rate_hz
        rows = (speed > _MOVING) & np.isfinite(turning) & said.second_known.numpy()
        if rows.sum() < _FEWEST:
            continue
        # What the wheels differ in grows with speed, and is another in each drive: it is taken out drive by drive.
        along = speed[rows] / np.linalg.norm(speed[rows])
        both = np.stack([second, turning, speed**2 * turning], axis=1)[rows]
        both -= np.outer(along, along @ both)
        values.append(both[:, 0])
        table.append(both[:, 1:])
        fastest = max(fastest, float(np.quantile(speed[rows], 0.95)))
    if sum(map(len, values)) < 4 * _FEWEST:
        return known
    wanted, columns = np.concatenate(values), np.concatenate(table)
    found = np.linalg.lstsq(columns, wanted, rcond=1e-6)[0]
    left = wanted - columns @ found
    # Neighbouring steps are off by the same: a tenth of them counts as independent.
    doubt = np.sqrt(10 * left.var() * np.linalg.pinv(columns.T @ columns)[1, 1])
    bend = float(found[1] / found[0]) if abs(found[0]) > 0.2 else 0.0
    if abs(found[1]) < _BEYOND * doubt or not -0.5 < bend * fastest**2 < 3.0:
        return known
    turn = {name: weight / float(found[0]) for name, weight in (known.turn or {}).items()}
    return replace(known, turn=turn, bend=bend)


@dataclass(frozen=True)
class _Table:
    """All steps of all drives, one after the other."""

    sensors: Array
    present: Array
    place: Mapping[str, int]
    drive: Array
    known: Array

    def has(self, names: Sequence[str]) -> bool:
        return all(name in self.place for name in names) and int(self.there(names).sum()) >= _FEWEST

    def there(self, names: Sequence[str]) -> Array:
        return np.asarray(self.present[:, [self.place[name] for name in names]].all(axis=1))

    def column(self, name: str) -> Array:
        return np.asarray(self.sensors[:, self.place[name]])

    def mean(self, names: Sequence[str]) -> Array:
        return np.asarray(self.sensors[:, [self.place[name] for name in names]].mean(axis=1))

    def fit(self, columns: Sequence[Array], target: Array, rows: Array, own: bool) -> Array | None:
        """(K,) weights of columns by least squares; `own`: each drive has an offset of its own, too."""
        rows = rows & self.known
        if rows.sum() < _FEWEST:
            return None
        values = np.stack([one[rows] for one in columns], axis=1)
        wanted = np.array(target[rows])
        if own:  # take each drive's mean off, which is what an offset for each does
            number = np.unique(self.drive[rows], return_inverse=True)[1]
            count = np.bincount(number)
            wanted = wanted - (np.bincount(number, wanted) / count)[number]
            for at in range(values.shape[1]):
                values[:, at] -= (np.bincount(number, values[:, at]) / count)[number]
        found = np.linalg.lstsq(values, wanted, rcond=1e-6)[0]
        off = np.abs(values @ found - wanted)
        near = off <= _OUTLIER * max(float(np.median(off)), 1e-9)
        return np.asarray(np.linalg.lstsq(values[near], wanted[near], rcond=1e-6)[0])


def _gyro(table: _Table, turning: Array) -> Mapping[str, float] | None:
    names = [name for name in ("gyro_x", "gyro_y", "gyro_z") if table.has((name,))]
    if not names:
        return None
    found = table.fit([table.column(name) for name in names], turning, table.there(names), own=True)
    if found is None:
        return None
    return {name: round(float(weight), 6) for name, weight in zip(names, found, strict=True)}


def _turn(table: _Table, turning: Array, speed: Array, moving: Array) -> Mapping[str, float] | None:
    """Each opinion is fitted to the turning, not the turning to it, since it is the one with the noise."""
    found: dict[str, tuple[float, float]] = {}
    for left, right in _AXLES:
        if table.has((left, right)):
            there = moving & table.there((left, right))
            found |= _opinion(table, f"{left}>{right}", table.column(right) - table.column(left), turning, there, speed)
    if table.has(("steering",)):
        there = moving & table.there(("steering",))
        found |= _opinion(table, "steering", speed * table.column("steering"), turning, there, speed)
    whole = sum(1 / variance for _, variance in found.values())
    return {name: 1 / (gain * variance * whole) for name, (gain, variance) in found.items()} or None


def _opinion(
    table: _Table, name: str, value: Array, turning: Array, rows: Array, speed: Array
) -> dict[str, tuple[float, float]]:
    """By name: what an opinion says for each rad/s, and the variance of what it is off by, in (rad/s)²."""
    fitted = table.fit([turning, speed], value, rows, own=False)
    if fitted is None or abs(fitted[0]) < 1e-9:
        return {}
    rows = rows & table.known
    off = value[rows] / fitted[0] - turning[rows]
    return {name: (float(fitted[0]), max(float(np.median(off**2)), 1e-9))}
