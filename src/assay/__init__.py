"""Assay trains a neural network on your data and tells what it is really worth.

    import assay

    model = assay.train("photos/")
    model.predict("new.jpg")
    model.evidence

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.api import train, tune
    from assay.errors import AssayError
    from assay.estimators import Classifier, Regressor
    from assay.loading import load
    from assay.model import Model

__version__ = "0.1.0"
__all__ = ["AssayError", "Classifier", "Model", "Regressor", "load", "train", "tune"]

_PLACES = {
    "train": "assay.api",
    "tune": "assay.api",
    "load": "assay.loading",
    "Model": "assay.model",
    "Classifier": "assay.estimators",
    "Regressor": "assay.estimators",
    "AssayError": "assay.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
