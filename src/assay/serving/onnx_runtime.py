"""ONNX Runtime, kept from telling anybody that it is used.

From 1.29 on its builds for Linux and macOS, too, send events to their maker about each process and each graph that is
opened, and leave an identifier in the user's cache folder, unless an environment variable says otherwise before it
begins (Privacy.md of the package). Nothing of Assay imports it in another way than by `onnx_runtime`.
"""

from __future__ import annotations

import os
from typing import Any

_SILENT = ("ORT_DISABLE_TELEMETRY", "1")


def silence() -> None:
    """Keep it from sending, also where another package imports it next, as what writes ONNX may."""
    os.environ.setdefault(*_SILENT)


def onnx_runtime() -> Any:
    """The package `onnxruntime`, which sends nothing; raises `ImportError` where it is not installed."""
    silence()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # where the program had imported it before, and on Windows
    return onnxruntime
