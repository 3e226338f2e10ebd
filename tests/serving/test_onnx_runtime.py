"""ONNX Runtime sends nothing to its makers when Assay uses it, and leaves no mark of that in the user's folders."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SOURCE = Path(__file__).parents[2] / "src" / "assay"
ASK = """
import numpy
from onnx import TensorProto, helper
from assay.serving.onnx_graph import OnnxGraph
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
print(*OnnxGraph(model.SerializeToString())(numpy.ones(1, "float32")))
"""
#: What makes ONNX Runtime silent by itself, so that this would prove nothing.
_QUIET = (
    "ORT_DISABLE_TELEMETRY",
    "ORT_TELEMETRY_DISABLED",
    "ORT_RUNNING_UNIT_TESTS",
    "CI",
    "TF_BUILD",
    "GITHUB_ACTIONS",
)


def test_nothing_is_left_of_its_telemetry(tmp_path: Path) -> None:
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    kept = {name: value for name, value in os.environ.items() if name not in _QUIET}
    path = os.pathsep.join(str(Path(one).resolve()) for one in sys.path if one)
    words = [sys.executable, "-c", ASK]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**kept, **folders, "PYTHONPATH": path}, check=False
    )
    assert done.returncode == 0 and done.stdout.split() == ["[1.]"], done.stderr
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_it_is_imported_in_one_place() -> None:
    pattern = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    found = {file.name: file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py")}
    importing = {name for name, text in found.items() if pattern.search(text)}
    assert importing == {"onnx_runtime.py", "quantising.py"}
    text = found["quantising.py"]
    assert text.index("onnx_runtime()") < pattern.search(text).start()  # type: ignore[union-attr]
