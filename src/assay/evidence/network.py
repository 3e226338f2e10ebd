"""What happens inside?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from assay.evidence._gradients import Gradients, read_gradients
from assay.evidence._inside import SAMPLES, Layer, look_inside, pictures_of
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import three_digits
from assay.training.loop import layers_with_parameters

QUESTION = "What happens inside the network?"
_MOST_LAYERS = 40
#: The share of units that never move from which on the network is larger than it need be.
_MANY_DEAD = 0.3
#: From which share of one layer's units on the layer itself is named.
_LAYER_DEAD = 0.5
#: Weights of this size, by the root of the mean of their squares, pass nothing on.
_FADED = 1e-5

Item = TypeVar("Item")
_Judgement = tuple[Status, str, str]


def find(context: Context) -> Finding:
    """Layers with the activations of one sample, dead units, gradient norms over the steps, weight norms."""
    layers, flow = look_inside(context), read_gradients(context.history)
    parameters = sum(parameter.numel() for parameter in context.predictor.network.parameters())
    looked = min(SAMPLES, len(context.shown))
    status, told, step = _judge(context, layers, flow, looked)
    figures = (_flow(context, layers), gradient_heat(context.history), *_dead_by_layer(layers), _norms(layers))
    owning = sum(1 for _ in layers_with_parameters(context.predictor.network))
    verdict = f"{parameters:,} parameters in {owning:,} layer{'' if owning == 1 else 's'}; {told}."
    numbers = {"parameters": Number(parameters), **_numbers(layers, flow)}
    return Finding("network", QUESTION, status, verdict, numbers, figures, step, _certainty(looked, flow))


def _numbers(layers: Sequence[Layer], flow: Gradients | None) -> dict[str, Number]:
    """What is known of dead units and gradients; what was not looked at is null."""
    units = sum(layer.units for layer in layers)
    dead = sum(layer.dead for layer in layers) / units if units else None
    found = {"dead units": Number(dead, unit="%")}
    shares = [layer.dead_share for layer in layers if layer.dead_share is not None]
    if len(shares) > 1:
        found["dead units of the worst layer"] = Number(max(shares), unit="%")
    if flow is not None and len(flow.layers) > 1:
        found["gradients of first and last layers differ"] = Number(flow.ratio, unit="-fold")
    return found


def _certainty(looked: int, flow: Gradients | None) -> str:
    """What was looked at, and what may have been missed (three in `looked`: the upper end of the 95 % interval)."""
    rare = f"; a unit that moves for fewer than 3 in {looked} may pass for dead" if looked > 3 else ""
    noted = " Gradients were noted over the whole training." if flow is not None else ""
    return f"Measured on {looked} samples{rare}.{noted}"


def _judge(context: Context, layers: Sequence[Layer], flow: Gradients | None, looked: int) -> _Judgement:
    """Status, the end of the verdict, and the next step: the first of what is wrong, the gravest first."""
    for found in (_weights(layers), _gradients(context, flow), _dead(context, layers, looked)):
        if found is not None:
            return found
    if flow is None:
        return "good", "how gradients flow was not noted", ""
    if flow.unreached:
        told = "gradients reach every one that is not frozen"
        return "good", f"{told} ({len(flow.layers) - len(flow.unreached):,} of {len(flow.layers):,})", ""
    return "good", "gradients reach every one of them", ""


def _weights(layers: Sequence[Layer]) -> _Judgement | None:
    sizes = {layer.name: layer.typical_weight for layer in layers if layer.typical_weight is not None}
    broken = [name for name, size in sizes.items() if not np.isfinite(size)]
    if broken:
        step = "Train again with a smaller learning rate: --set learning_rate=…"
        return "act", f"weights of {_named(broken)} are not finite", step
    faded = [name for name, size in sizes.items() if size < _FADED]
    if faded:
        step = "Train again with less that pulls weights to zero: --set weight_decay=… or --set l1=…"
        return "act", f"the weights of {_named(faded)} have faded to nothing", step
    return None


def _gradients(context: Context, flow: Gradients | None) -> _Judgement | None:
    if flow is None:
        return None
    if flow.wild:
        grown = f"grew {three_digits(flow.grown)}-fold" if flow.grown is not None and flow.grown > 1 else "broke"
        told = f"gradients are exploding: they {grown} from the first steps to the last"
        return "watch", told, "Take smaller steps: --set learning_rate=… or --set gradient_clip=1"
    if flow.towards_input:
        told = f"gradients are {flow.towards_input}: first and last layers differ {three_digits(flow.ratio)}-fold"
        return "watch", told, _other_network(context)
    frozen = _frozen(context)
    cut = [name for name in flow.unreached if name not in frozen]
    if cut:
        return "watch", f"no gradient ever reached {_named(cut)}, which learned nothing", _other_network(context)
    return None


def _frozen(context: Context) -> set[str]:
    """The layers that were not to be trained."""
    owning = layers_with_parameters(context.predictor.network)
    return {name for name, own in owning if not any(parameter.requires_grad for parameter in own)}


def _dead(context: Context, layers: Sequence[Layer], looked: int) -> _Judgement | None:
    units = sum(layer.units for layer in layers)
    share = sum(layer.dead for layer in layers) / units if units else 0.0
    worst = max(layers, key=lambda layer: layer.dead_share or 0.0, default=None)
    most = (worst.dead_share or 0.0) if worst is not None else 0.0
    if worst is not None and most == 1.0:
        told = f"all units of {worst.name} are dead: nothing of the input gets through it on {looked} samples"
        return "act", told, "Take smaller steps (--set learning_rate=…), or another activation."
    if worst is None or (share <= _MANY_DEAD and most <= _LAYER_DEAD):
        return None
    where = f", {100 * most:.0f} % of those of {worst.name}" if most > share else ""
    how = ": --set width=…" if hasattr(context.settings, "width") else "."
    told = f"{100 * share:.0f} % of the units never move on {looked} samples{where}"
    return "watch", told, f"A smaller network would do the same{how}"


def _other_network(context: Context) -> str:
    named = [name for name in ("activation", "depth") if hasattr(context.settings, name)]
    return f"Try another {' or '.join(named)}: --set {named[0]}=…" if named else "Try another network."


def _named(names: Sequence[str]) -> str:
    """Layers by name, three at most."""
    if len(names) == 1:
        return f"layer {names[0]}"
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"layers {', '.join(names[:3])}{more}"


def _flow(context: Context, layers: Sequence[Layer]) -> Figure:
    rows = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "shape": layer.shape,
            "parameters": layer.parameters,
            "dead": layer.dead_share,
            "activations": pictures_of(layer.first),
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


def gradient_heat(history: Sequence[Mapping[str, Any]]) -> Figure:
    """The norm of each layer's gradient over the steps that were noted."""
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


def _dead_by_layer(layers: Sequence[Layer]) -> tuple[Figure, ...]:
    """None where no unit is dead, or none was looked at."""
    looked_at = [layer for layer in layers if layer.units]
    if not any(layer.dead for layer in looked_at):
        return ()
    rows = [{"label": layer.name, "value": layer.dead_share} for layer in _spread(looked_at)]
    data = {"rows": rows, "x": "units that never move", "unit": "%"}
    return (Figure("bars", "Dead units by layer", data, "Units that give the same value for every sample and place."),)


def _norms(layers: Sequence[Layer]) -> Figure:
    owning = _spread([layer for layer in layers if layer.norm is not None])
    rows = [{"label": layer.name, "value": layer.norm} for layer in owning]
    return Figure("bars", "Weight norm by layer", {"rows": rows, "x": "norm", "unit": ""})


__all__ = ["find", "gradient_heat", "look_inside"]
