"""What happens inside?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status

if TYPE_CHECKING:
    from torch import Tensor, nn

QUESTION = "What happens inside the network?"
_SAMPLES = 128
_PICTURES = 6
_MOST_LAYERS = 40
_ACTIVATIONS = ("ReLU", "GELU", "SiLU", "Mish", "SELU", "Tanh", "LeakyReLU", "Hardswish", "ReLU6")


@dataclass
class Layer:
    """One layer as it was met in a forward pass: its output for the first sample, and which of its units never move."""

    name: str
    kind: str
    shape: str
    parameters: int
    norm: float | None
    dead: float | None
    first: np.ndarray[Any, Any]


def find(context: Context) -> Finding:
    """Layers with the activations of one sample, dead units, gradient norms over the steps, weight norms."""
    layers = look_inside(context)
    dead = [layer.dead for layer in layers if layer.dead is not None]
    share = float(np.mean(dead)) if dead else 0.0
    trend, ratio = _gradients(context.history)
    parameters = sum(parameter.numel() for parameter in context.predictor.network.parameters())
    status: Status = "good"
    step = ""
    owning = sum(layer.parameters > 0 for layer in layers)
    verdict = f"{parameters:,} parameters in {owning:,} layers; gradients reach every one of them."
    if trend:
        status, step = "watch", "Try another activation or fewer layers: --set activation=gelu, --set depth=…"
        verdict = f"{parameters:,} parameters; gradients are {trend}: first and last layers differ {ratio:.0f}-fold."
    elif share > 0.3:
        status, step = "watch", "A smaller network would do the same: --set width=…"
        verdict = (
            f"{parameters:,} parameters, of whose units {100 * share:.0f} % never move on {_SAMPLES} test samples."
        )
    numbers = {"parameters": Number(parameters), "dead units": Number(share, unit="%")}
    figures = (_flow(context, layers), _heat(context.history), _norms(layers))
    certainty = f"Measured on {min(_SAMPLES, len(context.shown))} samples and over the whole training."
    return Finding("network", QUESTION, status, verdict, numbers, figures, step, certainty)


def look_inside(context: Context) -> list[Layer]:
    """Run some test samples through the network and note what each layer gives."""
    import torch

    network = context.predictor.network
    seen: list[Any] = []
    hooks = []
    for name, module in network.named_modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        matrix = any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))
        if matrix or type(module).__name__ in _ACTIVATIONS:
            hooks.append(module.register_forward_hook(_noter(name or "network", own, seen)))
    view = context.samples.view_of(context.shown.units[:_SAMPLES])
    try:
        with torch.inference_mode():
            network.eval()
            context.task.predict(network, context.samples.batch(view.windows[:_SAMPLES]), context.spec, {})
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _noter(name: str, own: int, seen: list[Layer]) -> Callable[[nn.Module, Any, Any], None]:
    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        import torch

        if not isinstance(output, torch.Tensor) or not output.is_floating_point() or output.dim() < 2:
            return
        weights = [parameter for parameter in module.parameters(recurse=False) if parameter.dim() >= 2]
        norm = float(torch.stack([weight.norm() for weight in weights]).norm()) if weights else None
        shape = " × ".join(str(size) for size in output.shape[1:])
        kind = type(module).__name__
        seen.append(Layer(name, kind, shape, own, norm, _dead(output, kind), output[0].float().cpu().numpy()))

    return note


def _dead(output: Tensor, kind: str) -> float | None:
    """The share of units (channels) that give the same value for every sample and place; None for plain layers."""
    if kind not in _ACTIVATIONS or len(output) < 2:
        return None
    axis = 1 if output.dim() == 4 else output.dim() - 1
    units = output.float().movedim(axis, 0).flatten(1)
    return float((units.amax(dim=1) - units.amin(dim=1) < 1e-6).float().mean())


def _gradients(history: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """How many times the first layers' gradients are the last ones': `vanishing` or `exploding` from a thousand on."""
    norms = [list(line["gradient_norms"].values()) for line in history if line.get("gradient_norms")]
    if not norms or len(norms[0]) < 3:
        return "", 1.0
    middle = np.median(np.asarray([[value or 0.0 for value in row] for row in norms], float), axis=0)
    first, last = (
        float(np.median(middle[: len(middle) // 3 or 1])),
        float(np.median(middle[-(len(middle) // 3 or 1) :])),
    )
    ratio = max(first, 1e-30) / max(last, 1e-30)
    if ratio < 1e-3:
        return "vanishing", 1 / ratio
    return ("exploding", ratio) if ratio > 1e3 else ("", ratio)


def _flow(context: Context, layers: list[Layer]) -> Figure:
    from assay.report.images import heatmap

    shown = (
        layers
        if len(layers) <= _MOST_LAYERS
        else [layers[int(i)] for i in np.linspace(0, len(layers) - 1, _MOST_LAYERS)]
    )
    rows = []
    for layer in shown:
        maps = [heatmap(unit) for unit in _pictures(layer.first)]
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": layer.shape,
                "parameters": layer.parameters,
                "dead": layer.dead,
                "activations": maps,
                "norm": layer.norm,
            }
        )
    data: dict[str, Any] = {"layers": rows}
    if len(context.shown):
        data["input"] = context.task.draw(context.samples, int(context.shown.units[0]), context.spec).image
    return Figure(
        "layers",
        "How one sample travels through the layers",
        data,
        "Each small picture is what one unit of a layer gives for this sample.",
    )


def _pictures(values: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The liveliest channels of (C, H, W), or one strip of (F,)."""
    if values.ndim == 3 and min(values.shape[1:]) > 1:
        lively = np.argsort(-values.std(axis=(1, 2)), kind="stable")[:_PICTURES]
        return [values[channel] for channel in sorted(lively)]
    flat = values.reshape(-1)[:256]
    columns = min(16, len(flat))
    rows = -(-len(flat) // columns)
    padded = np.full(rows * columns, flat.min() if len(flat) else 0.0)
    padded[: len(flat)] = flat
    return [padded.reshape(rows, columns)]


def _heat(history: Sequence[Mapping[str, Any]]) -> Figure:
    lines = [line for line in history if line.get("gradient_norms")]
    lines = lines[:: max(1, len(lines) // 60)]
    names = list(lines[0]["gradient_norms"]) if lines else []
    names = (
        names if len(names) <= _MOST_LAYERS else [names[int(i)] for i in np.linspace(0, len(names) - 1, _MOST_LAYERS)]
    )
    values = [[line["gradient_norms"].get(name) for line in lines] for name in names]
    data = {"rows": names, "x": [line["step"] for line in lines], "values": values, "x_label": "step", "log": True}
    return Figure(
        "heat",
        "Gradient norm by layer over the steps",
        data,
        "Back-propagation works where no row fades away or flares up.",
    )


def _norms(layers: list[Layer]) -> Figure:
    rows = [{"label": layer.name, "value": layer.norm} for layer in layers if layer.norm is not None][:_MOST_LAYERS]
    return Figure("bars", "Weight norm by layer", {"rows": rows, "x": "norm", "unit": ""})
