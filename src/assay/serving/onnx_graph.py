"""A graph of ONNX that ONNX Runtime runs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from assay.errors import MissingExtraError, RunError
from assay.serving.onnx_runtime import onnx_runtime
from assay.serving.stand_in import bind

Array = np.ndarray[Any, Any]
_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(uint16)": np.uint16, "tensor(int16)": np.int16,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64,
}  # fmt: skip


class OnnxGraph:
    """See `assay.serving.stand_in.Graph`.

    Args:
        content: the bytes of a file of ONNX.
        threads: that one call uses; None for as many as the process may use, or `OMP_NUM_THREADS`, as in torch.
        label: what errors call it.

    Attributes:
        calls: what it was called with and what it gave, where `noting` is set to how many calls are still wanted.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        RunError: the content is no graph that this ONNX Runtime knows.
    """

    def __init__(self, content: bytes, threads: int | None = None, label: str = "model.onnx") -> None:
        try:
            onnxruntime = onnx_runtime()
        except ImportError as error:
            raise MissingExtraError("answering by an export", "run") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors come as exceptions, too
        # Between runs the threads would go on spinning for the next one, on cores that whoever asks needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime has an exception of its own for each status, without a common base
            message = f"{label} cannot be run by ONNX Runtime {onnxruntime.__version__} ({_first_line(error)})"
            raise RunError(message, 'Upgrade it: pip install --upgrade "assay[run]"; or export again.') from error
        self.label = label
        self._types = {item.name: _TYPES.get(item.type) for item in self._session.get_inputs()}
        self.noting = 0
        self.calls: list[tuple[dict[str, Array], tuple[Array, ...]]] = []

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it takes."""
        return tuple(self._types)

    @property
    def shapes(self) -> dict[str, tuple[Any, ...]]:
        """The shape of each input: numbers, and names of sizes that are free."""
        return {item.name: tuple(item.shape) for item in self._session.get_inputs()}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives."""
        return tuple(item.name for item in self._session.get_outputs())

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says about itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, *values: Any, **named: Any) -> tuple[Array, ...]:
        """See `Graph`."""
        fed = {name: self._as_taken(name, value) for name, value in bind(self.inputs, values, named).items()}
        try:
            found = tuple(self._session.run(None, fed))
        except Exception as error:
            message = f"{self.label} could not answer ({_first_line(error)})"
            raise RunError(message, "Export the run again: assay export RUN.") from error
        if self.noting > 0:
            self.noting -= 1
            self.calls.append((fed, found))
        return found

    def _as_taken(self, name: str, value: Any) -> Array:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
        wanted = self._types[name]
        return np.ascontiguousarray(array if wanted is None else array.astype(wanted, copy=False))


def _threads() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
