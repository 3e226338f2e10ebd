"""What `import assay` and the command line load before they have anything to do.

Which part of the package may import which other is checked by import-linter: see `[tool.importlinter]` in
pyproject.toml.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

#: Slow to import, or absent from a core installation.
HEAVY = ("torch", "torchvision", "timm", "sklearn", "skimage", "scipy", "lightgbm", "pandas", "pyarrow", "PIL", "ray")

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
