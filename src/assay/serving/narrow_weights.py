"""Weights of eight bits that a product of floats reads: for products whose weights stand on the left.

ONNX Runtime multiplies whole numbers where weights stand on the right. On the left, eight bits would cost the values
between layers some of what they say, and nothing would be quicker; so the weights alone have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    import onnx

Array = np.ndarray[Any, Any]
#: Fewer numbers than this take no less room with their scales.
_LEAST = 256


def left_weights(model: onnx.ModelProto) -> dict[str, str]:
    """By the name of a product, that of the initializer on its left, which may be brought into another shape before."""
    sizes = {value.name: len(value.dims) for value in model.graph.initializer if value.data_type == 1}
    source = {name: name for name, axes in sizes.items() if axes > 1}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[0] in source:
            source[node.output[0]] = source[node.input[0]]
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    return {node.name: source[node.input[0]] for node in products if node.input[0] in source}


def narrow(model: onnx.ModelProto, names: Collection[str]) -> None:
    """Store initializers (R, ...) as whole numbers of eight bits with a scale for each row, in place.

    Args:
        model: the graph.
        names: of the initializers; those that are not there any more, or are small, stay as they are.
    """
    from onnx import helper, numpy_helper

    graph, wide = model.graph, []
    for value in graph.initializer:
        if value.name not in names or int(np.prod(value.dims)) < _LEAST:
            wide.append(value)
            continue
        whole, scales = _rounded(numpy_helper.to_array(value))
        parts = [f"{value.name}_int8", f"{value.name}_scale"]
        wide += [numpy_helper.from_array(array, name) for array, name in zip((whole, scales), parts, strict=True)]
        graph.node.insert(0, helper.make_node("DequantizeLinear", parts, [value.name], axis=0))
    kept = [type(value).FromString(value.SerializeToString()) for value in wide]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _rounded(values: Array) -> tuple[Array, Array]:
    """(R, ...) float32 as int8, and scales (R,)."""
    largest = np.abs(values.reshape(len(values), -1)).max(axis=1)
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    whole = np.rint(values / scales.reshape(-1, *[1] * (values.ndim - 1)))
    return whole.astype(np.int8), scales
