"""Graphs with whole numbers of eight bits: a quarter of the size, and on most processors quicker.

Where most of a graph's arithmetic is convolutions, their inputs' ranges are measured beforehand on training samples
(static); elsewhere, as in Transformers, whose inputs differ more from one to the next, at each call (dynamic). What
lies before the first learned weight stays in float: a spectrum spans more powers of ten than eight bits hold.

Source: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
CVPR 2018; the tools are those of ONNX Runtime.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.serving.narrow_weights import left_weights, narrow
from assay.serving.onnx_runtime import onnx_runtime
from assay.serving.onnx_writing import quiet

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
#: ONNX's numbers of float, float16 and bfloat16, in which weights are learned; doubles are what a spectrum is made of.
_FLOATS = (1, 10, 16)
Fed = Mapping[str, Array]


def is_convolutional(model: onnx.ModelProto, spared: Collection[str] = ()) -> bool:
    """Whether convolutions hold more of a graph's weights than products of matrices do, tables of vectors aside.

    Args:
        model: the graph.
        spared: the names of nodes that do not count.
    """
    sizes = {value.name: int(np.prod(value.dims)) for value in model.graph.initializer}
    held, left = {"Conv": 0, "MatMul": 0}, left_weights(model)
    for name, node in _by_name(model):
        kind = {"Conv": "Conv", "ConvTranspose": "Conv", "MatMul": "MatMul", "Gemm": "MatMul"}.get(node.op_type)
        if kind and len(node.input) > 1 and name not in spared:
            held[kind] += sizes.get(left.get(name, node.input[1]), 0)
    return held["Conv"] > held["MatMul"]


def front_nodes(model: onnx.ModelProto, fixed: Collection[str]) -> list[str]:
    """The names of nodes that no learned weight comes before: scaling of inputs, a spectrum, bands of it.

    Numbers that the exporter has computed from others have names of its own. They count as learned where they are
    floats and more than one, since weights that it has turned round cannot be told from them.

    Args:
        model: the graph, in the order of its nodes.
        fixed: the names of initializers that nothing was learned into, such as a module's buffers.
    """
    learned = {value.name for value in model.graph.initializer
               if value.name not in fixed and value.data_type in _FLOATS and np.prod(value.dims) > 1}  # fmt: skip
    found = []
    for name, node in _by_name(model):
        if learned.isdisjoint(node.input) and not any(entry.HasField("g") for entry in node.attribute):
            found.append(name)
        else:
            learned.update(node.output)
    return found


def quantised(model: onnx.ModelProto, samples: Sequence[Fed], spared: Sequence[str] = ()) -> onnx.ModelProto:
    """The graph with eight-bit weights, and in convolutional networks eight-bit values between layers.

    Of products whose weights stand on the left, the weights alone have eight bits.

    Args:
        model: in float.
        samples: what the graph was fed for some training samples; at least one where it is convolutional.
        spared: the names of nodes that stay in float.

    Raises:
        MissingExtraError: the packages that write ONNX are not installed.
    """
    try:
        import onnx

        onnx_runtime()
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingExtraError("assay export --int8", "export") from error
    if not any(node.op_type in (*_PRODUCTS, "Gather") for node in model.graph.node):
        return model
    static = is_convolutional(model, spared)
    with tempfile.TemporaryDirectory(prefix="assay-") as folder, quiet():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        named = _named(model)
        onnx.save(named, source)
        left = {name: weight for name, weight in left_weights(named).items() if name not in spared}
        spared = (*spared, *_products_with_vectors(named), *left)
        if static and samples:
            _static(source, target, samples, spared)
        else:
            quantize_dynamic(
                source, target, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=list(spared),
                op_types_to_quantize=["MatMul", "Gather"],
            )  # fmt: skip
        found: onnx.ModelProto = onnx.load(target)
        narrow(found, left.values())
    del found.metadata_props[:]
    found.metadata_props.extend(model.metadata_props)
    found.metadata_props.add(key="assay.precision", value="int8")
    return found


def _static(source: Path, target: Path, samples: Sequence[Fed], spared: Sequence[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> Any:
            fed = next(self.left, None)
            return None if fed is None else dict(fed)

    ready = source.with_name("ready.onnx")
    quant_pre_process(source, ready, skip_symbolic_shape=True)
    # Weights of seven bits: products of pairs of eight-bit numbers overflow on processors without VNNI.
    quantize_static(
        ready, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=[*_PRODUCTS, "Add", "Relu", "Clip", "AveragePool", "GlobalAveragePool", "Concat"],
        nodes_to_exclude=list(spared),
    )  # fmt: skip


def _products_with_vectors(model: onnx.ModelProto) -> list[str]:
    """The names of products with a vector, for which ONNX Runtime has no scales of its own."""
    vectors = {value.name for value in model.graph.initializer if len(value.dims) < 2}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in vectors]


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """With a name for each node, by which it can be spared."""
    import onnx

    named = onnx.ModelProto()
    named.CopyFrom(model)
    for name, node in _by_name(named):
        node.name = name
    return named


def outer_nodes(model: onnx.ModelProto, front: Collection[str] = ()) -> list[str]:
    """The first and the last convolution or product of matrices after the front, which lose most by eight bits."""
    names = [name for name, node in _by_name(model) if node.op_type in _PRODUCTS and name not in front]
    return list(dict.fromkeys((names[0], names[-1]))) if names else []


def _by_name(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.NodeProto]]:
    """Each node with its name, or the one that `_named` gives it."""
    return ((node.name or f"node_{number}", node) for number, node in enumerate(model.graph.node))
