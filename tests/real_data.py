"""Where the data sets lie that tests of real data read; they skip where these are missing."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("ASSAY_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
