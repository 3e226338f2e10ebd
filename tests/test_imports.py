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
from pathlib import Path

import pytest

import assay

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


def test_arrow_is_imported_in_one_place() -> None:
    """`assay[run]` answers without it: `assay.arrow` gives it, or what stands in for it."""
    pattern = re.compile(r"^ *(import|from) pyarrow", re.MULTILINE)
    own = [path for path in SOURCE.rglob("*.py") if pattern.search(_without_type_checking(path.read_text("utf-8")))]
    assert [path.relative_to(SOURCE).as_posix() for path in own] == ["cluster/copies.py"]  # which Ray needs


def _without_type_checking(text: str) -> str:
    return re.sub(r"^if TYPE_CHECKING:\n(?:(?: .*)?\n)+", "", text, flags=re.MULTILINE)
