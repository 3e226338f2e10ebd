"""What happens inside?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from assay.errors import MissingExtraError
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import three_digits
from assay.training.loop import layers_with_parameters

if TYPE_CHECKING:
    from torch import Tensor, nn

QUESTION = "What happens inside the network?"
_SAMPLES = 128
_PICTURES = 6
_MOST_LAYERS = 40
_ACTIVATIONS = ("ReLU", "GELU", "SiLU", "Mish", "SELU", "Tanh", "LeakyReLU", "Hardswish", "ReLU6")
#: How many times the first layers' gradients may be the last ones', or the other way round.
_STEADY = 1e3
#: The share of units that never move from which on the network is larger than it need be.
_MANY_DEAD = 0.3

Item = TypeVar("Item")


@dataclass
class Layer:
    """One layer as it was met in a forward pass.

    Attributes:
        name: as the network calls it.
        kind: its class.
        shape: of its output for one sample, as text.
        parameters: how many it owns itself.
        norm: of its matrices and kernels together; None where it has none.
        units: how many of its units were looked at for `dead`; 0 where none were.
        dead: how many of them give the same value for every sample and place.
        first: its output for the first sample.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    norm: float | None
    units: int
    dead: int
    first: np.ndarray[Any, Any]


def find(context: Context) -> Finding:
    """Layers with the activations of one sample, dead units, gradient norms over the steps, weight norms."""
    layers = look_inside(context)
    parameters = sum(parameter.numel() for parameter in context.predictor.network.parameters())
    units = sum(layer.units for layer in layers)
    share = sum(layer.dead for layer in layers) / units if units else 0.0
    looked = min(_SAMPLES, len(context.shown))
    status, told, step = _judge(context, share, looked)
    numbers = {"parameters": Number(parameters), "dead units": Number(share if units else None, unit="%")}
    figures = (_flow(context, layers), _heat(context.history), _norms(layers))
    owning = sum(1 for _ in layers_with_parameters(context.predictor.network))
    verdict = f"{parameters:,} parameters in {owning:,} layer{'' if owning == 1 else 's'}; {told}."
    certainty = f"Measured on {looked} samples and over the whole training."
    return Finding("network", QUESTION, status, verdict, numbers, figures, step, certainty)


def _judge(context: Context, share: float, looked: int) -> tuple[Status, str, str]:
    """Status, the end of the verdict, and the next step; `share` of the units never moved on `looked` samples."""
    flow = _gradients(context.history)
    if flow is not None and flow.trend:
        known = [name for name in ("activation", "depth") if hasattr(context.settings, name)]
        step = f"Try another {' or '.join(known)}: --set {known[0]}=…" if known else "Try another network."
        told = f"gradients are {flow.trend}: first and last layers differ {three_digits(flow.ratio)}-fold"
        return "watch", told, step
    if flow is not None and flow.reached < flow.layers:
        told = f"gradients reach {flow.reached:,} of {flow.layers:,} layers, the others are frozen or cut off"
        return "watch", told, ""
    if share > _MANY_DEAD:
        how = ": --set width=…" if hasattr(context.settings, "width") else "."
        step = f"A smaller network would do the same{how}"
        return "watch", f"{100 * share:.0f} % of the units never move on {looked} samples", step
    return "good", "gradients reach every one of them" if flow is not None else "how gradients flow was not noted", ""


def look_inside(context: Context) -> list[Layer]:
    """Run some samples through the network and note what each layer gives when it is first called."""
    network = context.predictor.network
    seen: dict[str, Layer] = {}
    hooks = []
    for name, module in network.named_modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        matrix = any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))
        if matrix or type(module).__name__ in _ACTIVATIONS:
            hooks.append(module.register_forward_hook(_noter(name or "network", own, seen)))
    view = context.samples.view_of(context.shown.units[:_SAMPLES])
    try:
        context.predictor.respond(context.samples.batch(view.windows[:_SAMPLES]))
    finally:
        for hook in hooks:
            hook.remove()
    return list(seen.values())


def _noter(name: str, own: int, seen: dict[str, Layer]) -> Callable[[nn.Module, Any, Any], None]:
    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        import torch

        if name in seen or not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return
        if output.dim() < 2 or not output.numel():
            return
        weights = [parameter for parameter in module.parameters(recurse=False) if parameter.dim() >= 2]
        norm = float(torch.stack([weight.norm() for weight in weights]).norm()) if weights else None
        shape = " × ".join(str(size) for size in output.shape[1:])
        kind = type(module).__name__
        first = output[0].float().cpu().numpy().copy()  # what follows may work in place
        seen[name] = Layer(name, kind, shape, own, norm, *_dead(output, kind), first)

    return note


def _dead(output: Tensor, kind: str) -> tuple[int, int]:
    """How many units (channels) an activation has, and how many give the same value for every sample and place."""
    if kind not in _ACTIVATIONS or len(output) < 2:
        return 0, 0
    axis = 1 if output.dim() == 4 else output.dim() - 1
    units = output.float().movedim(axis, 0).flatten(1)
    return len(units), int((units.amax(dim=1) - units.amin(dim=1) < 1e-6).sum())


@dataclass(frozen=True)
class _Flow:
    """How gradients flow through the layers.

    Attributes:
        layers: how many layers own matrices or kernels.
        reached: how many of them a gradient ever reached.
        ratio: how many times the larger end's gradients are the smaller end's.
        trend: `vanishing` or `exploding` towards the first layers; empty where neither.
    """

    layers: int
    reached: int
    ratio: float
    trend: str


def _gradients(history: Sequence[Mapping[str, Any]]) -> _Flow | None:
    """The gradient norms of the first third of the layers beside those of the last; None where none were noted."""
    lines = [line["gradient_norms"] for line in history if line.get("gradient_norms")]
    if not lines:
        return None
    # A norm that was not finite is noted as null, which says nothing of the usual one.
    rows = [[line[name] for line in lines if line.get(name) is not None] for name in lines[0]]
    middle = [float(np.median(row)) for row in rows if any(row)]
    third = len(middle) // 3
    first, last = (float(np.median(part)) for part in (middle[:third], middle[-third:])) if third else (1.0, 1.0)
    ratio = max(first, 1e-30) / max(last, 1e-30)
    trend = "vanishing" if ratio < 1 / _STEADY else "exploding" if ratio > _STEADY else ""
    return _Flow(len(rows), len(middle), max(ratio, 1 / ratio), trend)


def _flow(context: Context, layers: list[Layer]) -> Figure:
    rows = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "shape": layer.shape,
            "parameters": layer.parameters,
            "dead": layer.dead / layer.units if layer.units else None,
            "activations": _drawn(layer.first),
            "norm": layer.norm,
        }
        for layer in _spread(layers)
    ]
    data: dict[str, Any] = {"layers": rows}
    if len(context.shown):
        data["input"] = context.task.draw(context.samples, int(context.shown.units[0]), context.spec).image
    return Figure(
        "layers",
        "How one sample travels through the layers",
        data,
        "Each small picture is what one unit of a layer gives for this sample.",
    )


def _spread(items: Sequence[Item]) -> list[Item]:
    """At most `_MOST_LAYERS` of them, the first and the last among them."""
    if len(items) <= _MOST_LAYERS:
        return list(items)
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, _MOST_LAYERS)]


def _drawn(values: np.ndarray[Any, Any]) -> list[str]:
    """Pictures of one layer's output, as data URIs; none where Pillow is not installed."""
    from assay.report.images import heatmap

    try:
        return [heatmap(unit) for unit in _pictures(values)]
    except MissingExtraError:
        return []


def _pictures(values: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The liveliest channels of (C, H, W), each (H, W), or the first values of any other shape as one picture."""
    if values.ndim == 3 and min(values.shape[1:]) > 1:
        lively = np.argsort(-values.std(axis=(1, 2)), kind="stable")[:_PICTURES]
        return [values[channel] for channel in sorted(lively)]
    flat = values.reshape(-1)[:256]
    columns = min(16, len(flat))
    rows = -(-len(flat) // columns)
    padded = np.full(rows * columns, flat.min())
    padded[: len(flat)] = flat
    return [padded.reshape(rows, columns)]


def _heat(history: Sequence[Mapping[str, Any]]) -> Figure:
    lines = [line for line in history if line.get("gradient_norms")]
    lines = lines[:: max(1, len(lines) // 60)]
    names = _spread(list(lines[0]["gradient_norms"])) if lines else []
    values = [[line["gradient_norms"].get(name) for line in lines] for name in names]
    data = {"rows": names, "x": [line["step"] for line in lines], "values": values, "x_label": "step", "log": True}
    return Figure(
        "heat",
        "Gradient norm by layer over the steps",
        data,
        "Back-propagation works where no row fades away or flares up.",
    )


def _norms(layers: list[Layer]) -> Figure:
    owning = _spread([layer for layer in layers if layer.norm is not None])
    rows = [{"label": layer.name, "value": layer.norm} for layer in owning]
    return Figure("bars", "Weight norm by layer", {"rows": rows, "x": "norm", "unit": ""})
