"""Which versions are installed here; loads none of what it names."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress


def versions() -> dict[str, str]:
    """Of Python, Assay and the libraries on which a training depends."""
    named = ("assay", "torch", "numpy", "scikit-learn", "lightgbm", "timm", "pillow", "optuna")
    return {"python": platform.python_version(), **installed(named)}


def installed(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
