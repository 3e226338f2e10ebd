"""Fitted models on disk as plain numbers and text, and their reading back without trust in what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import RunError

Array = np.ndarray[Any, Any]


def damaged(path: Path, why: str) -> RunError:
    """The error of a file that does not hold what `save` wrote."""
    return RunError(f"{path} is damaged: {why}", "Train the run again, or copy it anew from where it came from.")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write settings; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def read_json(path: Path, **types: type | tuple[type, ...]) -> dict[str, Any]:
    """Read settings; each must be there and of its type."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    for name, kind in types.items():
        if not isinstance(data, dict) or not isinstance(data.get(name), kind):
            raise damaged(path, f"{name!r} is missing or of the wrong type")
    return dict(data)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as npz; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})


def read_arrays(path: Path, **dimensions: int) -> dict[str, Array]:
    """Read finite float arrays of so many dimensions each; objects are never unpickled."""
    arrays = _read(path, dimensions, "f")
    for name, value in arrays.items():
        if not np.isfinite(value).all():
            raise damaged(path, f"{name!r} is not finite")
    return arrays


def read_integers(path: Path, **dimensions: int) -> dict[str, Array]:
    """Read integer arrays of so many dimensions each, of the types in which they were written."""
    return _read(path, dimensions, "iu")


def _read(path: Path, dimensions: Mapping[str, int], kinds: str) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in dimensions}
    except Exception as error:  # a damaged zip or header raises almost anything
        raise damaged(path, str(error) or type(error).__name__) from error
    for name, count in dimensions.items():
        if arrays[name].dtype.kind not in kinds or arrays[name].ndim != count:
            raise damaged(path, f"{name!r} is not {count}-dimensional numbers of its kind")
    return arrays


def require(fits: bool, path: Path, why: str) -> None:
    """Raise where a file's parts do not fit together."""
    if not fits:
        raise damaged(path, why)
