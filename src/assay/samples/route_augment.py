"""Training drives changed: a stretch of each, other errors of its sensors, left and right exchanged.

SIMULATED sensors are drawn anew from the true motion each time (`redraw`); measured ones get errors added to their own.

Shapes: B drives, T steps, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.route_spec import RouteSpec
from assay.sources._route import SENSORS
from assay.sources.route_simulation import Motion, simulated

if TYPE_CHECKING:
    from torch import Tensor

    from assay.samples.draws import Draws

Array = np.ndarray[Any, Any]
#: A stretch begins with the drive in so many of ten cases: then nothing is known of its sensors yet.
_FROM_START = 0.3
_MIRRORED = {"wheel_fl": "wheel_fr", "wheel_fr": "wheel_fl", "wheel_rl": "wheel_rr", "wheel_rr": "wheel_rl"}
_TURNED = ("steering", "gyro_x", "gyro_z", "accel_y")


@dataclass(frozen=True)
class Stretch:
    """Drives on the way to the network.

    Attributes:
        sensors: (B, T, C).
        present: (B, T, C) bool.
        moved: (B, T, 3).
        mask: (B, T) bool, which steps are real.
        clean: (B, T, 5); None where sensors are not SIMULATED.
    """

    sensors: Tensor
    present: Tensor
    moved: Tensor
    mask: Tensor
    clean: Tensor | None


def drives_changed(whole: Stretch, strengths: Mapping[str, float], spec: RouteSpec, draws: Draws) -> Stretch:
    """Stretches of drives with other errors.

    Args:
        whole: the drives.
        strengths: `crop` seconds of a stretch, 0 for all; `redraw` and `mirror` and `drop` the share of drives to which
            it is done; `scale`, `wheels` (shares), `bias` (rad/s), `noise` (deviations of a channel) the size of
            errors.
        spec: what a drive is.
        draws: where all chance comes from.
    """
    found = _cropped(whole, strengths.get("crop", 0.0) * spec.rate_hz, draws)
    if found.clean is not None and strengths.get("redraw", 0.0) > 0:
        found = _redrawn(found, strengths["redraw"], spec, draws)
    found = _disturbed(found, strengths, spec, draws)
    if strengths.get("mirror", 0.0) > 0:
        found = _mirrored(found, strengths["mirror"], spec, draws)
    return _dropped(found, strengths.get("drop", 0.0), spec, draws)


def _cropped(whole: Stretch, steps: float, draws: Draws) -> Stretch:
    import torch

    length = whole.mask.sum(1)
    size = int(steps)
    if not size or int(length.max()) <= size:
        return whole
    room = (length - size).clamp_min(0)
    begin = (draws.uniform("crop") * (room + 1)).to(torch.int64)
    begin = torch.where(draws.uniform("from start") < _FROM_START, torch.zeros_like(begin), begin)
    places = (begin[:, None] + torch.arange(size)).clamp_max(whole.mask.shape[1] - 1)

    def cut(values: Tensor) -> Tensor:
        at = places.reshape(*places.shape, *[1] * (values.dim() - 2)).expand(-1, -1, *values.shape[2:])
        return values.gather(1, at)

    return Stretch(
        cut(whole.sensors), cut(whole.present), cut(whole.moved), cut(whole.mask),
        None if whole.clean is None else cut(whole.clean),
    )  # fmt: skip


def _redrawn(found: Stretch, share: float, spec: RouteSpec, draws: Draws) -> Stretch:
    """Another draw of all SIMULATED sensors; its numbers follow from the window and the epoch alone."""
    import torch

    if found.clean is None:
        return found
    seeds = draws.integers("redraw", 0, (1 << 24) - 1, 2).tolist()
    chosen = (draws.uniform("redrawn") < share).tolist()
    sensors = found.sensors.clone()
    for row, (seed, use) in enumerate(zip(seeds, chosen, strict=True)):
        real = int(found.mask[row].sum())
        clean = found.clean[row, :real].double().numpy()
        if not use or not real or np.isnan(clean).any():
            continue
        values = redraw(clean, spec.channels, spec.step_s, np.random.default_rng(seed))
        sensors[row, :real] = torch.from_numpy(values)
    return Stretch(sensors, found.present, found.moved, found.mask, found.clean)


def redraw(clean: Array, channels: Sequence[str], step_s: float, random: np.random.Generator) -> Array:
    """(T, C) float32, one draw of the SIMULATED sensors of true motion (T, 5)."""
    time = np.arange(len(clean) + 1) * step_s
    said = simulated(Motion(time, clean[:, :2], clean[:, 2:], np.zeros((len(time), 2))), random)
    known = {"wheel_rl": said.wheels[:, 0], "wheel_rr": said.wheels[:, 1]}
    known |= {f"gyro_{axis}": said.gyro[:, place] for place, axis in enumerate("xyz")}
    nothing = np.zeros(len(clean))
    return np.stack([known.get(name, nothing) for name in channels], axis=1).astype(np.float32)


def _disturbed(found: Stretch, strengths: Mapping[str, float], spec: RouteSpec, draws: Draws) -> Stretch:
    """Errors added to what sensors say: scales, biases, noise."""
    import torch

    sizes = {name: strengths.get(name, 0.0) for name in ("scale", "wheels", "bias", "noise")}
    if not any(sizes.values()):
        return found
    speeds = torch.tensor([name in (*SENSORS["wheels"], *SENSORS["speed"]) for name in spec.channels])
    turning = torch.tensor([name in SENSORS["gyroscope"] for name in spec.channels])
    count = len(spec.channels)
    scale = sizes["scale"] * (2 * draws.uniform("scale") - 1)[:, None]
    each = sizes["wheels"] * _normal(draws, "wheels", count)
    factor = 1 + torch.where(speeds, scale + each, torch.zeros(()))
    bias = torch.where(turning, sizes["bias"] * _normal(draws, "bias", count), torch.zeros(()))
    noise = torch.zeros(())
    if sizes["noise"]:
        noise = sizes["noise"] * torch.tensor(spec.deviation) * noise_like(found.sensors, draws)
    sensors = found.sensors * factor[:, None] + bias[:, None] + noise
    return Stretch(
        torch.where(found.present, sensors, found.sensors), found.present, found.moved, found.mask, found.clean
    )


def _normal(draws: Draws, name: str, *shape: int) -> Tensor:
    """(B, *shape) Gaussian numbers."""
    import torch

    first, second = draws.uniform(f"{name} 1", *shape), draws.uniform(f"{name} 2", *shape)
    return (-2 * (1 - first).log()).sqrt() * torch.cos(2 * torch.pi * second)


def noise_like(values: Tensor, draws: Draws) -> Tensor:
    """(B, T, C) Gaussian noise whose first steps do not depend on how many follow."""
    import torch

    seeds = draws.integers("noise", 0, (1 << 24) - 1, 2).tolist()
    rows = [np.random.default_rng(seed).normal(size=tuple(values.shape[1:])) for seed in seeds]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _mirrored(found: Stretch, share: float, spec: RouteSpec, draws: Draws) -> Stretch:
    """Left for right, in a share of the drives."""
    import torch

    places = [spec.channels.index(_MIRRORED.get(name, name)) if _MIRRORED.get(name, name) in spec.channels else at
              for at, name in enumerate(spec.channels)]  # fmt: skip
    signs = torch.tensor([-1.0 if name in _TURNED else 1.0 for name in spec.channels])
    chosen = (draws.uniform("mirror") < share)[:, None, None]
    sensors = torch.where(chosen, found.sensors[..., places] * signs, found.sensors)
    present = torch.where(chosen, found.present[..., places], found.present)
    moved = torch.where(chosen, found.moved * torch.tensor([1.0, -1.0, -1.0]), found.moved)
    return Stretch(sensors, present, moved, found.mask, found.clean)


def _dropped(found: Stretch, share: float, spec: RouteSpec, draws: Draws) -> Stretch:
    """A sensor silent for the whole stretch, in a share of the drives; never the last one that tells of motion."""
    import torch

    known = [[at for at, name in enumerate(spec.channels) if name in names] for names in SENSORS.values()]
    known = [places for places in known if places]
    if not share or len(known) < 2:
        return found
    which = draws.integers("dropped", 0, len(known) - 1)
    chosen = draws.uniform("drop") < share
    hidden = torch.zeros(len(which), len(spec.channels), dtype=torch.bool)
    for number, places in enumerate(known):
        hidden[:, places] = ((which == number) & chosen)[:, None]
    present = found.present & ~hidden[:, None]
    sensors = torch.where(present, found.sensors, torch.zeros(()))
    return Stretch(sensors, present, found.moved, found.mask, found.clean)
