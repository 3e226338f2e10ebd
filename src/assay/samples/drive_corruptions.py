"""Ways in which driving gets worse: what the camera sees, and in a simulator the world and how late actions come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assay.samples.drive_spec import DriveSpec
from assay.task_parts import Corruption

if TYPE_CHECKING:
    from torch import Tensor

    from assay.samples.draws import Draws
    from assay.simulators.rides import Terms

#: What the five strengths mean: the deviation of noise as a share of white; the light that is left; the deviation of a
#: blur in pixels; seconds by which actions come late; how far colours are changed.
_NOISE = (0.04, 0.08, 0.12, 0.16, 0.2)
_LIGHT = (0.8, 0.65, 0.5, 0.35, 0.2)
_BLUR = (0.5, 0.8, 1.2, 1.6, 2.0)
_LATE_S = (0.02, 0.04, 0.08, 0.12, 0.16)
_COLOURS = (0.2, 0.4, 0.6, 0.8, 1.0)
LATE, COLOURS = "latency", "recolouring"


def drive_corruptions(spec: DriveSpec) -> dict[str, Corruption]:
    """By name; those of the world and of time only where there is a simulator."""
    found = {
        "noise": Corruption(_of(lambda image, at, draws: noisy(image, _NOISE[at - 1], draws)), None,
                            tuple(f"{100 * share:.0f} % of white" for share in _NOISE)),
        "darkness": Corruption(_of(lambda image, at, draws: darker(image, _LIGHT[at - 1])), ("jitter", 0.4),
                               tuple(f"{100 * share:.0f} % of the light" for share in _LIGHT)),
        "blur": Corruption(_of(lambda image, at, draws: blurred(image, _BLUR[at - 1])), None,
                           tuple(f"{width:g} pixels" for width in _BLUR)),
    }  # fmt: skip
    if spec.loop is not None:
        rate = spec.loop.rate_hz
        late = tuple(f"{1000 * late_steps(strength, rate) / rate:.0f} ms" for strength in range(1, 6))
        found[LATE] = Corruption(None, None, late)
        found[COLOURS] = Corruption(None, ("recolour", 0.5), tuple(f"{100 * share:.0f} %" for share in _COLOURS))
    return found


def worse_terms(name: str, strength: int, rate_hz: float, terms: Terms) -> Terms:
    """The terms of a ride under a corruption of the world or of time; as they are under any other."""
    if name == LATE:
        return replace(terms, delay=late_steps(strength, rate_hz))
    return replace(terms, recoloured=_COLOURS[strength - 1]) if name == COLOURS else terms


def late_steps(strength: int, rate_hz: float) -> int:
    """By how many steps actions come late; each strength by more than the one before, however slow the simulator is."""
    return max(strength, round(_LATE_S[strength - 1] * rate_hz))


def noisy(image: Tensor, deviation: float, draws: Draws) -> Tensor:
    """Frames (B, C, H, W) uint8 with normal noise of that deviation, as a share of 255; keyed by window."""
    import torch

    from assay.samples.corruptions import noise

    return noise(image.clamp(0, 255).to(torch.uint8), deviation, draws)


def darker(image: Tensor, light: float) -> Tensor:
    """Frames with a share of their light."""
    import torch

    return (image.float() * light).round().to(torch.uint8)


def blurred(image: Tensor, width: float) -> Tensor:
    """Frames smoothed by a Gaussian of that deviation in pixels."""
    import torch
    from torch.nn import functional

    reach = max(1, round(3 * width))
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(places**2) / (2 * width**2))
    kernel = kernel / kernel.sum()
    values = image.float().flatten(0, 1)[:, None]
    values = functional.conv2d(functional.pad(values, (reach, reach, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    values = functional.conv2d(functional.pad(values, (0, 0, reach, reach), mode="replicate"), kernel.view(1, 1, -1, 1))
    found: Tensor = values[:, 0].unflatten(0, image.shape[:2]).round().clamp(0, 255).to(torch.uint8)
    return found


def _of(change: Callable[[Tensor, int, Draws], Tensor]) -> Callable[[Any, int, Draws], Any]:
    return lambda batch, strength, draws: replace(batch, image=change(batch.image, strength, draws))
