"""Lets a benchmark of this folder import what all benchmarks share: `import _path`, before `from _common import …`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))
