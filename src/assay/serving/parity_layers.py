"""Where in a network an export starts to differ: what its layers give beside the same in the graph."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.serving.onnx_runtime import onnx_runtime
from assay.serving.onnx_writing import SCOPES
from assay.serving.parity import apart

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from assay.task_export import Step

Array = np.ndarray[Any, Any]
#: Deviations of a layer's output by which it differs.
_DIFFERS = 1e-3


def first_differing_layer(step: Step, model: onnx.ModelProto, fed: Mapping[str, Array]) -> str | None:
    """The name of the first layer whose output in the graph is another; None where none is.

    Layers that the exporter has merged into others are seen with these.

    Args:
        step: what the graph was made of.
        model: the graph, whose nodes say which module they come from.
        fed: an input for which the outputs differ.
    """
    places = _outputs_of_layers(model)
    given = _graph_outputs(model, places, fed)
    for name, values in _module_outputs(step, set(places), fed).items():
        if name in given and given[name].shape == values.shape and apart(values, given[name]) > _DIFFERS:
            return name.removeprefix("network.")
    return None


def _outputs_of_layers(model: onnx.ModelProto) -> dict[str, str]:
    """By a module's name, the value that its last node gives."""
    found: dict[str, str] = {}
    for node in model.graph.node:
        text = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
        scopes = [scope for scope in ast.literal_eval(text)[:-1] if scope]
        if scopes and node.output:
            found[scopes[-1]] = node.output[0]
    return found


def _graph_outputs(model: onnx.ModelProto, places: Mapping[str, str], fed: Mapping[str, Array]) -> dict[str, Array]:
    """What each of these values is for an input, without the fusions that would hide them."""
    import onnx

    onnxruntime = onnx_runtime()
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    known = {value.name for value in wide.graph.output}
    for name in dict.fromkeys(places.values()):
        if name not in known:
            wide.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(wide.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = list(dict.fromkeys(places.values()))
    values = dict(zip(names, session.run(names, dict(fed)), strict=True))
    return {layer: np.asarray(values[place]) for layer, place in places.items()}


def _module_outputs(step: Step, wanted: set[str], fed: Mapping[str, Array]) -> dict[str, Array]:
    """What modules give for an input, in the order in which they are done."""
    import torch

    found: dict[str, Array] = {}

    def keeper(name: str) -> Any:
        def keep(module: nn.Module, values: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found[name] = output.detach().numpy()

        return keep

    handles = [module.register_forward_hook(keeper(name)) for name, module in step.module.named_modules()
               if name in wanted]  # fmt: skip
    try:
        with torch.inference_mode():
            step.module(*(torch.from_numpy(np.array(fed[name])) if name in fed else like
                          for name, like in step.inputs.items()))  # fmt: skip
    finally:
        for handle in handles:
            handle.remove()
    return found
