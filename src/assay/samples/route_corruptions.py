"""Ways in which a car's sensors get worse: noise, a wrong scale, a bias, delay, silence; outliers and gaps of GNSS.

Shapes: B drives, T steps, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.route_spec import RouteSpec
from assay.sources._route import SENSORS
from assay.task_parts import Corruption

if TYPE_CHECKING:
    from torch import Tensor

    from assay.samples.draws import Draws

Array = np.ndarray[Any, Any]
#: By strength: white noise as a share of each channel's deviation; the wheels' scale; the gyroscope's bias in degrees a
#: second; seconds of delay; the share of the time in which a sensor is silent; the share of fixes that are outliers;
#: seconds of a gap in each minute.
NOISES, SCALES, BIASES = (0.02, 0.05, 0.1, 0.2, 0.4), (0.5, 1.0, 2.0, 4.0, 8.0), (0.02, 0.05, 0.1, 0.2, 0.5)
DELAYS, SILENCES = (0.1, 0.2, 0.3, 0.5, 1.0), (5, 10, 20, 40, 80)
OUTLIERS, GAPS = (1, 2, 5, 10, 20), (5, 10, 20, 30, 45)
#: How far an outlier is off, metres; seconds of a cycle of gaps.
OUTLIER_M, _CYCLE_S = 50.0, 60.0


def route_corruptions(spec: RouteSpec) -> Mapping[str, Corruption]:
    """Those that the sensors of a spec can suffer."""
    groups = {
        sensor: [at for at, name in enumerate(spec.channels) if name in names] for sensor, names in SENSORS.items()
    }
    speeds, turning = [*groups["wheels"], *groups["speed"]], groups["gyroscope"]
    found: dict[str, Corruption] = {}
    if spec.channels:
        found["noise"] = _of(
            partial(_noise, spec), [f"{100 * one:g} % of the signal's" for one in NOISES], "noise", 0.02
        )
        found["silence of a sensor"] = _of(
            partial(_silence, spec), [f"{one} % of the time" for one in SILENCES], "drop", 0.1
        )
    if speeds:
        found["wheel scale"] = _of(partial(_scale, speeds), [f"{one:g} %" for one in SCALES], "scale", 0.02)
        found["delay of the speed"] = _of(partial(_delay, spec, speeds), [f"{one:g} s" for one in DELAYS])
    if turning:
        found["gyroscope bias"] = _of(partial(_bias, turning), [f"{one:g} degrees/s" for one in BIASES], "bias", 0.003)
    if spec.gnss:
        found["GNSS outliers"] = _of(
            partial(_outliers, spec), [f"{one} % of fixes off by {OUTLIER_M:g} m" for one in OUTLIERS]
        )
        found["GNSS gaps"] = _of(partial(_gaps, spec), [f"{one} s of each minute" for one in GAPS])
    return found


def _of(change: Callable[..., Any], strengths: list[str], against: str = "", least: float = 0.0) -> Corruption:
    return Corruption(change, (against, least) if against else None, tuple(strengths))


def _noise(spec: RouteSpec, batch: Any, strength: int, draws: Draws) -> Any:
    import torch

    from assay.samples.route_augment import noise_like

    size = NOISES[strength - 1] * torch.tensor(spec.deviation)
    changed = batch.sensors + size * noise_like(batch.sensors, draws)
    return replace(batch, sensors=torch.where(batch.present, changed, batch.sensors))


def _scale(speeds: list[int], batch: Any, strength: int, draws: Draws) -> Any:
    sensors = batch.sensors.clone()
    sign = (draws.uniform("scale") < 0.5).to(sensors.dtype)[:, None, None] * 2 - 1
    sensors[..., speeds] = sensors[..., speeds] * (1 + sign * SCALES[strength - 1] / 100)
    return replace(batch, sensors=sensors)


def _bias(turning: list[int], batch: Any, strength: int, draws: Draws) -> Any:
    import torch

    sensors = batch.sensors.clone()
    sign = (draws.uniform("bias", len(turning)) < 0.5).to(sensors.dtype)[:, None] * 2 - 1
    there = batch.present[..., turning]
    moved = sensors[..., turning] + sign * math.radians(BIASES[strength - 1])
    sensors[..., turning] = torch.where(there, moved, sensors[..., turning])
    return replace(batch, sensors=sensors)


def _delay(spec: RouteSpec, speeds: list[int], batch: Any, strength: int, draws: Draws) -> Any:
    late = max(1, round(DELAYS[strength - 1] * spec.rate_hz))
    sensors, present = batch.sensors.clone(), batch.present.clone()
    for values in (sensors, present):
        moved = values[..., speeds]
        values[:, late:, speeds] = moved[:, :-late].clone()
        values[:, :late, speeds] = moved[:, :1]
    return replace(batch, sensors=sensors, present=_real(present, batch.mask))


def _silence(spec: RouteSpec, batch: Any, strength: int, draws: Draws) -> Any:
    """One sensor says nothing for a stretch of the drive."""
    import torch

    known = [[at for at, name in enumerate(spec.channels) if name in names] for names in SENSORS.values()]
    known = [places for places in known if places]
    which = draws.integers("silent", 0, len(known) - 1).tolist()
    begin = draws.uniform("silence").tolist()
    present = batch.present.clone()
    for row, length in enumerate(_lengths(batch)):
        size = int(SILENCES[strength - 1] / 100 * length)
        first = int(begin[row] * (length - size))
        present[row, first : first + size, known[which[row]]] = False
    return replace(batch, present=present, sensors=torch.where(present, batch.sensors, torch.zeros(())))


def _outliers(spec: RouteSpec, batch: Any, strength: int, draws: Draws) -> Any:
    import torch

    seeds = draws.integers("outliers", 0, (1 << 24) - 1, 2).tolist()
    fixes = batch.fixes.clone()
    for row, seed in enumerate(seeds):
        random = np.random.default_rng(seed)
        rows = np.flatnonzero(fixes[row, :, 2].numpy() > 0)
        chosen = rows[random.random(len(rows)) < OUTLIERS[strength - 1] / 100]
        angle = random.uniform(0, 2 * np.pi, len(chosen))
        off = OUTLIER_M * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        fixes[row, chosen, :2] += torch.from_numpy(off.astype(np.float32))
    return replace(batch, fixes=fixes)


def _gaps(spec: RouteSpec, batch: Any, strength: int, draws: Draws) -> Any:
    import torch

    phase = _CYCLE_S * draws.uniform("gap")[:, None]
    time = torch.arange(batch.fixes.shape[1])[None] * spec.step_s
    silent = (time + phase) % _CYCLE_S < GAPS[strength - 1]
    fixes = torch.where(silent[..., None], torch.zeros(()), batch.fixes)
    return replace(batch, fixes=fixes)


def _lengths(batch: Any) -> list[int]:
    if batch.mask is None:
        return [batch.sensors.shape[1]] * len(batch.sensors)
    found: list[int] = batch.mask.sum(1).tolist()
    return found


def _real(present: Tensor, mask: Tensor | None) -> Tensor:
    return present if mask is None else present & mask[..., None]
