"""A step of a network written as a graph of ONNX.

The exporter is that of PyTorch for what `torch.export` captures (`dynamo=True`). Its limits: the network's control flow
may not depend on values, and every operator needs a form in ONNX; one that has none is named.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError, RunError
from assay.serving.onnx_runtime import silence

if TYPE_CHECKING:
    import onnx

    from assay.task_export import Step

#: The version of ONNX's operators that graphs are written in: the first whose `Resize` smooths, and the oldest that the
#: exporter writes without converting.
OPSET = 18
#: Metadata of a node: which module it comes from.
SCOPES = "pkg.torch.onnx.name_scopes"
#: Bytes of weights that leave room for the graph.
_MOST_BYTES = 2**31 - 2**24
_HINT = "Train another --network; assay predict answers without an export, too."


def write_step(step: Step, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A step as a graph that says about itself what `metadata` holds.

    Nodes keep the names of the modules that they come from, and nothing about the machine that they were made on.

    Raises:
        MissingExtraError: the packages that write ONNX are not installed.
        RunError: the network has an operator without a form in ONNX, or its control flow depends on values.
    """
    import torch

    silence()
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("assay export", "export") from error
    _check_size(step)
    if not step.inputs:
        return _constants(step, metadata)
    shapes: Any = tuple(dict(step.axes.get(name, {})) or None for name in step.inputs)
    parameters = inspect.signature(step.module.forward).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        shapes = (shapes,)
    try:
        with torch.no_grad(), quiet():
            program = torch.onnx.export(
                step.module,
                tuple(value.clone() for value in step.inputs.values()),  # one tensor twice would be one input
                dynamo=True,
                opset_version=OPSET,
                input_names=list(step.inputs),
                output_names=list(step.outputs),
                dynamic_shapes=shapes,
                verbose=False,
                external_data=False,
            )
    except Exception as error:  # torch.export raises what the network's own code raises, too
        raise _told(error) from error
    if program is None:
        raise RunError("PyTorch gave no graph of the network", _HINT)
    model: onnx.ModelProto = program.model_proto
    _clean(model)
    onnx.helper.set_model_props(model, dict(metadata))
    _check_free(model, step)
    return model


def _check_size(step: Step) -> None:
    """Raise `RunError` where the weights do not fit into one file: protocol buffers end at two gigabytes."""
    held = {id(one): one.numel() * one.element_size() for one in (*step.module.parameters(), *step.module.buffers())}
    size = sum(held.values())
    if size > _MOST_BYTES:
        told = f"the network has {size / 1e9:.1f} GB of weights, and a file of ONNX holds {_MOST_BYTES / 1e9:.1f}"
        raise RunError(told, "Train a smaller --network; assay predict answers without an export, too.")


def _constants(step: Step, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A graph that takes nothing and gives what it holds."""
    import onnx
    from onnx import helper, numpy_helper

    held, given, nodes = [], [], []
    for name, value in zip(step.outputs, step.module(), strict=True):
        held.append(numpy_helper.from_array(value.detach().numpy(), f"held_{name}"))
        given.append(helper.make_tensor_value_info(name, held[-1].data_type, list(value.shape)))
        nodes.append(helper.make_node("Identity", [f"held_{name}"], [name]))
    graph = helper.make_graph(nodes, step.name, [], given, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.helper.set_model_props(model, dict(metadata))
    return model


def _told(error: BaseException) -> RunError:
    """What cannot be written, in words."""
    text = _whole(error)
    missing = re.search(r"No ONNX function found for <OpOverload\(op='([\w.:]+)'", text)
    if missing:
        return RunError(f"the network has an operator without ONNX form: {missing.group(1)}", _HINT)
    if "data-dependent" in text or "GuardOnDataDependent" in text:
        return RunError("the network's control flow depends on values, which no graph of ONNX can hold", _HINT)
    return RunError(f"the network cannot be written as ONNX ({_reason(text)})", _HINT)


def _whole(error: BaseException) -> str:
    """What an error says, and the errors that it came of."""
    texts: list[str] = []
    one: BaseException | None = error
    while one is not None and len(texts) < 10:
        texts.append(f"{type(one).__name__}: {one}")
        one = one.__cause__ or one.__context__
    return "\n".join(texts)


def _reason(text: str) -> str:
    """The innermost reason in a few words: exporters wrap it in advice."""
    told = re.search(r"## Exception summary\s+<class '[\w.]+'>: ([^\n]*)", text)
    if told:
        return " ".join(told.group(1).split())[:200]
    lines = [line for line in text.splitlines() if line.strip()]
    return " ".join((lines or [text])[0].split())[:200]


def _clean(model: onnx.ModelProto) -> None:
    """Without stack traces, which tell of the machine; with the modules that nodes come from."""
    for node in model.graph.node:
        kept = [entry.value for entry in node.metadata_props if entry.key == SCOPES]
        del node.metadata_props[:]
        node.doc_string = ""
        if kept:
            node.metadata_props.add(key=SCOPES, value=kept[0])
    for values in (model.graph.input, model.graph.output, model.graph.value_info, model.graph.initializer):
        for value in values:
            del value.metadata_props[:]
            value.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


def _check_free(model: onnx.ModelProto, step: Step) -> None:
    """That sizes that have to be free are free: exporters fix what the network's code has compared with a number."""
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        for axis, name in step.axes.get(value.name, {}).items():
            if not dims[axis].dim_param:
                told = f"the exported graph takes {value.name} with a {name} of {dims[axis].dim_value} alone"
                raise RunError(told, _HINT)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters print and warn of: errors come as exceptions."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "root")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)


def opset_of(model: Any) -> int:
    """The version of the operators of ONNX itself."""
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
