"""The export of a network of a car's motion: one frame of a drive at a time, with what is left of those before.

Shapes: B drives, T steps, n steps of a frame, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.serving.stand_in import Array, StandIn

if TYPE_CHECKING:
    from torch import nn

    from assay.serving.stand_in import Graph
    from assay.task_export import Step

#: What a frame gives that a filter needs.
_SAID = ("local", "noise", "checks")


@dataclass(frozen=True)
class Said:
    """What of `Motion` a filter needs, as arrays."""

    local: Array
    noise: Array
    checks: Array


#: See `Traits.asked`.
ASKED = ("trust", "frame", "beginnings")


def steps(network: nn.Module, batches: Sequence[Any]) -> list[Step]:
    """One step: a frame's sensors and what is left of earlier frames, to its motion and what is left after it."""
    import torch
    from torch import Tensor
    from torch import nn as layers

    from assay.networks.motion_net import Memory
    from assay.networks.running_fit import Sums
    from assay.serving.steps import free_axes
    from assay.task_export import Step

    known: Any = network

    class Frame(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
            sensors, present, fit, speed, *ends = values
            found, left = self.network(sensors, present, Memory(tuple(ends), Sums(fit), speed))
            said = tuple(getattr(found, name) for name in _SAID)
            return (*said, left.fit.values, left.speed, *left.ends)

    def inputs(rows: int) -> dict[str, Tensor]:
        sensors = torch.zeros(rows, known.frame, len(known.spec.channels))
        with torch.no_grad():
            _, left = known(sensors, torch.zeros_like(sensors, dtype=torch.bool))
        ends = {f"end_{number}": torch.zeros_like(end) for number, end in enumerate(left.ends)}
        fixed = {"fit": torch.zeros_like(left.fit.values), "speed": torch.zeros_like(left.speed)}
        return {"sensors": sensors, "present": torch.zeros_like(sensors, dtype=torch.bool), **fixed, **ends}

    first, second = inputs(2), inputs(3)
    left = ("fit_left", "speed_left", *(f"{name}_left" for name in first if name.startswith("end_")))
    return [Step("model", Frame().eval(), first, free_axes(first, second), (*_SAID, *left))]


class MotionStandIn(StandIn):
    """In the place of a `MotionNet`."""

    def beginnings(self) -> tuple[float, float, float]:
        """See `MotionNet.beginnings`."""
        scale, bias, wheels = self.asked["beginnings"]
        return scale, bias, wheels

    def __call__(self, sensors: Any, present: Any, memory: Any = None) -> tuple[Said, Any]:
        """As `MotionNet.forward`, frame by frame; a last frame that is not whole is filled up."""
        sensors, present = np.asarray(sensors, np.float32), np.asarray(present, bool)
        count, size = sensors.shape[1], int(self.asked["frame"])
        short = -count % size
        filled = [np.pad(one, ((0, 0), (0, short), (0, 0))) for one in (sensors, present)]
        memory = self._nothing(len(sensors)) if memory is None else memory
        parts: list[tuple[Array, ...]] = []
        for start in range(0, count, size):
            found = self.graphs["model"](*(one[:, start : start + size] for one in filled), *memory)
            parts.append(found[: len(_SAID)])
            memory = found[len(_SAID) :]
        if not parts:
            return Said(*(np.zeros((len(sensors), 0, wide), np.float32) for wide in (3, 3, 5))), memory
        return Said(*(np.concatenate(values, axis=1)[:, :count] for values in zip(*parts, strict=True))), memory

    def _nothing(self, rows: int) -> tuple[Array, ...]:
        """What is left where nothing came before."""
        graph: Any = self.graphs["model"]
        return tuple(np.zeros((rows, *shape[1:]), np.float32) for shape in list(graph.shapes.values())[2:])


def stand_in(graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> StandIn:
    """See `TaskExport.stand_in`."""
    return MotionStandIn(graphs, asked)
