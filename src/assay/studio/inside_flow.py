"""One sample on its way through a network: what each layer gives for it, in a form that can be drawn.

What a layer gives is told by its shape alone: (B, C, H, W) are maps, (B, T, C) or (B, C, T) is a sequence, (B, N) a
vector. Which of two axes holds the channels is told by the layer's own weights, or else by the layer before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.networks.met_layers import layers_met, liveliest
from assay.studio.inside_planes import ends, plane, strongest, tidy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
Form = Literal["maps", "sequence", "vector"]

#: Maps of one layer and cells of a map's side, in the overview and where one layer is looked at.
FEW, SMALL = 8, 32
MANY, LARGE = 64, 64
#: Rows (channels) and columns (steps) of a sequence, and numbers of a vector, likewise.
_SEQUENCE, _LARGE_SEQUENCE = (48, 160), (192, 480)
_BARS, _MANY_BARS = 96, 512


@dataclass(frozen=True)
class Met:
    """A layer as one sample met it.

    Attributes:
        name: as the network calls it.
        kind: its class.
        parameters: how many it owns itself.
        shape: of what it gives for one sample.
        form: what that is.
        values: maps (C, H, W), a sequence (C, T), or a vector (N,).
        passes: it gives what it was given: it does something in training alone.
    """

    name: str
    kind: str
    parameters: int
    shape: tuple[int, ...]
    form: Form
    values: Array
    passes: bool

    def to_json(self, names: Sequence[str] = (), large: bool = False) -> dict[str, Any]:
        """What the browser draws.

        Args:
            names: of the numbers of a vector, where it has as many.
            large: this layer alone is looked at.
        """
        low, high = ends(self.values)
        told = {
            "name": self.name, "kind": self.kind, "parameters": self.parameters, "shape": list(self.shape),
            "form": self.form, "passes": self.passes, "low": tidy(low), "high": tidy(high),
            "zero": tidy(float(np.mean(self.values == 0))),
        }  # fmt: skip
        if self.passes:
            return told
        return told | {"maps": self._maps, "sequence": self._sequence, "vector": self._vector}[self.form](
            low, high, names, large
        )

    def _maps(self, low: float, high: float, names: Sequence[str], large: bool) -> dict[str, Any]:
        side = LARGE if large else SMALL
        units = liveliest(self.values, MANY if large else FEW)
        drawn = [{"unit": int(unit), **plane(self.values[unit], low, high, (side, side))} for unit in units]
        return {"planes": drawn, "of": len(self.values)}

    def _sequence(self, low: float, high: float, names: Sequence[str], large: bool) -> dict[str, Any]:
        most = _LARGE_SEQUENCE if large else _SEQUENCE
        return {"planes": [plane(self.values, low, high, most)], "of": len(self.values)}

    def _vector(self, low: float, high: float, names: Sequence[str], large: bool) -> dict[str, Any]:
        shown = strongest(self.values, _MANY_BARS if large else _BARS)
        named = list(names) if len(names) == len(self.values) == len(shown) else []
        return {"bars": [tidy(float(value)) for value in shown], "names": named, "of": len(self.values)}


def walk(predictor: Predictor, batch: Any) -> list[Met]:
    """What each layer gives for the first window of a batch, in the order in which they are called."""
    met: list[Met] = []
    lasts: dict[tuple[int, ...], bool] = {}  # by shape, whether the last layer of that shape had its channels last

    def note(name: str, module: nn.Module, output: Tensor) -> None:
        last = channels_last(module, output, lasts.get(tuple(output.shape)))
        lasts[tuple(output.shape)] = last
        form, values = as_drawn(output[0].detach().float().cpu().numpy(), last)
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        passes = not own and type(module).__name__ in _TRAINING_ALONE
        met.append(Met(name, type(module).__name__, own, tuple(output.shape[1:]), form, values.copy(), passes))

    with layers_met(predictor.network, _is_layer, note):
        predictor.respond(batch)
    return met


#: Layers that do something while a network learns and pass on what they get once it answers.
_TRAINING_ALONE = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "Identity", "DropPath",
                   "StochasticDepth", "DropBlock2d")  # fmt: skip


def _is_layer(module: nn.Module) -> bool:
    """What holds no other module, or has parameters of its own."""
    return not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False))


def channels_last(module: nn.Module, output: Tensor, before: bool | None) -> bool:
    """Whether the last axis of (B, …) holds the channels.

    Args:
        module: the layer that gave it.
        output: what it gave.
        before: the same of the layer of this shape that came before; None where there was none.
    """
    weight = getattr(module, "weight", None)
    if weight is not None and output.dim() >= 3:
        width = len(weight)
        if weight.dim() >= 3 or hasattr(module, "num_features"):  # convolutions, batch normalisation
            return bool(output.shape[1] != width and output.shape[-1] == width)
        if output.shape[-1] == width or weight.shape[-1] == output.shape[-1]:  # linear, embedding, layer normalisation
            return True
    return output.dim() == 3 if before is None else before


def as_drawn(values: Array, last: bool) -> tuple[Form, Array]:
    """What a layer gives for one sample, (N,), (T, C), (C, T), (C, H, W) or (C, D, H, W), in the form of `Met.values`.

    Of a volume the middle slice is taken; of more axes the first ones are one.
    """
    if values.ndim == 1 or values.size == max(values.shape):
        return "vector", values.reshape(-1)
    if values.ndim >= 3 and last:
        values = np.moveaxis(values, -1, 0)
    if values.ndim == 2:
        return "sequence", values.T if last else values
    while values.ndim > 3:
        values = values[:, values.shape[1] // 2]
    if min(values.shape[1:]) == 1:  # maps of one row are a sequence
        return "sequence", values.reshape(len(values), -1)
    return "maps", values
