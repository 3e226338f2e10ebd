"""What `import assay` and the command line load before they have anything to do.

Which part of the package may import which other is checked by import-linter: see `[tool.importlinter]` in
pyproject.toml.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest

import assay
from programs import ABSENT, without_absent

#: Slow to import, or absent from a core installation.
HEAVY = ("torch", "torchvision", "timm", "sklearn", "skimage", "scipy", "lightgbm", "pandas", "pyarrow", "PIL", "ray")

SOURCE = Path(assay.__file__).parent

_PROGRAM = """
import importlib, json, sys
importlib.import_module({module!r})
print(json.dumps(sorted(set(name.partition(".")[0] for name in sys.modules) & set({heavy!r}))))
"""


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("module", ["assay", "assay.cli", "assay.datasets", "assay.errors"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    if not _exists(module):
        pytest.skip(f"{module} does not exist yet")
    loaded = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(module=module, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert json.loads(loaded.stdout) == []


_ANSWERING = """
import json, types
import numpy as np
import assay.api, assay.cli, assay.model, assay.serving.onnx_graph, assay.serving.predictor
from assay.registry import load_tasks
from assay.serving.joined_records import form, joined
from assay.sources.source import open_source
tasks = {{task.name: task for task in load_tasks()}}
text = tasks["text-classification"].read_inputs(open_source(["a text", "another"]), types.SimpleNamespace(columns=()))
image = tasks["image-classification"].read_inputs(open_source(np.zeros((2, 8, 8), np.uint8)), None)
sound = tasks["voice-commands"].read_inputs(open_source({folder!r}), None)
for records in (text, image, sound):
    assert form(joined([records, records])) == form(records)
found = [batch.column("id").to_pylist() for records in (text, image, sound) for batch in records.batches()]
print(json.dumps([found, sorted(set(name.partition(".")[0] for name in sys.modules) & set({absent!r}))]))
"""


def test_inputs_are_read_without_what_trains(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    program = _ANSWERING.format(absent=ABSENT, folder=str(tmp_path))
    told = without_absent(program)
    assert told.returncode == 0, told.stderr
    found, loaded = json.loads(told.stdout)
    assert [len(names) for names in found] == [2, 2, 1] and loaded == []


def test_loading_needs_nothing_of_training() -> None:
    """`assay serve` and `assay predict` start sooner for it."""
    program = "import json, sys, assay; assay.load; print(json.dumps('assay.flow' in sys.modules))"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    assert json.loads(told.stdout) is False


def test_arrow_is_imported_in_one_place() -> None:
    """`assay[run]` answers without it: `assay.arrow` gives it, or what stands in for it."""
    pattern = re.compile(r"^ *(import|from) pyarrow", re.MULTILINE)
    own = [path for path in SOURCE.rglob("*.py") if pattern.search(_without_type_checking(path.read_text("utf-8")))]
    assert [path.relative_to(SOURCE).as_posix() for path in own] == ["cluster/copies.py"]  # which Ray needs


def _without_type_checking(text: str) -> str:
    return re.sub(r"^if TYPE_CHECKING:\n(?:(?: .*)?\n)+", "", text, flags=re.MULTILINE)
