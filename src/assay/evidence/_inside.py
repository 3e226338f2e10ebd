"""What each layer of a trained network gives, met in one forward pass over some samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.evidence.context import Context

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLES = 128
_PICTURES = 6
#: Modules whose units can die: they bend what comes in, and give one value where all of it lies beyond the bend.
_ACTIVATIONS = ("ReLU", "ReLU6", "LeakyReLU", "PReLU", "GELU", "GELUTanh", "SiLU", "Mish", "ELU", "CELU", "SELU",
                "Softplus", "Sigmoid", "Tanh", "Hardtanh", "Hardsigmoid", "Hardswish")  # fmt: skip
#: What a unit's values may differ by and still pass for one value.
_STILL = 1e-6


@dataclass
class Layer:
    """One layer as it was met in a forward pass.

    Attributes:
        name: as the network calls it.
        kind: its class.
        shape: of its output for one sample, as text.
        parameters: how many it owns itself.
        norm: of its matrices and kernels together; None where it has none.
        weights: how many numbers they hold.
        units: how many of its units were looked at for `dead`; 0 where none were.
        dead: how many of them give the same value for every sample and place.
        first: its output for the first sample.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    norm: float | None
    weights: int
    units: int
    dead: int
    first: np.ndarray[Any, Any]

    @property
    def dead_share(self) -> float | None:
        """Of its units; None where none were looked at."""
        return self.dead / self.units if self.units else None

    @property
    def typical_weight(self) -> float | None:
        """The root of the mean of its squared weights; None where it has none."""
        return None if self.norm is None else self.norm / self.weights**0.5


def look_inside(context: Context) -> list[Layer]:
    """Run some samples through the network and note what each layer gives when it is first called."""
    from assay.networks.met_layers import layers_met

    seen: list[Layer] = []
    view = context.samples.view_of(context.shown.units[:SAMPLES])
    with layers_met(context.predictor.network, _is_looked_at, lambda *met: seen.append(_layer(*met))):
        context.predictor.respond(context.samples.batch(view.windows[:SAMPLES]))
    return seen


def _is_looked_at(module: nn.Module) -> bool:
    matrix = any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))
    return matrix or type(module).__name__ in _ACTIVATIONS


def _layer(name: str, module: nn.Module, output: Tensor) -> Layer:
    import torch

    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    weights = [parameter for parameter in module.parameters(recurse=False) if parameter.dim() >= 2]
    norm = float(torch.stack([weight.norm() for weight in weights]).norm()) if weights else None
    shape = " × ".join(str(size) for size in output.shape[1:])
    kind = type(module).__name__
    first = output[0].float().cpu().numpy().copy()
    return Layer(name, kind, shape, own, norm, sum(map(torch.numel, weights)), *_dead(output, kind), first)


def _dead(output: Tensor, kind: str) -> tuple[int, int]:
    """How many units (channels) an activation has, and how many give the same value for every sample and place."""
    if kind not in _ACTIVATIONS or len(output) < 2:
        return 0, 0
    axis = 1 if output.dim() == 4 else output.dim() - 1
    units = output.float().movedim(axis, 0).flatten(1)
    return len(units), int((units.amax(dim=1) - units.amin(dim=1) < _STILL).sum())


def pictures_of(values: np.ndarray[Any, Any]) -> list[str]:
    """Pictures of one layer's output, as data URIs; none where Pillow is not installed."""
    from assay.report.images import heatmap

    try:
        return [heatmap(unit) for unit in _pictures(values)]
    except MissingExtraError:
        return []


def _pictures(values: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The liveliest channels of (C, H, W), each (H, W), or the first values of any other shape as one picture."""
    if values.ndim == 3 and min(values.shape[1:]) > 1:
        from assay.networks.met_layers import liveliest

        return [values[channel] for channel in liveliest(values, _PICTURES)]
    flat = values.reshape(-1)[:256]
    columns = min(16, len(flat))
    rows = -(-len(flat) // columns)
    padded = np.full(rows * columns, flat.min())
    padded[: len(flat)] = flat
    return [padded.reshape(rows, columns)]
