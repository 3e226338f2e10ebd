"""Ridge regression of the controls on the pixels of small frames: what a linear look at the picture reaches.

Shapes: N frames, P features of one, A controls.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._drives import by_drive
from assay.baselines._fitting import require_fitted
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline
from assay.evaluation.drive_metrics import AllBendsError
from assay.samples.drive_encoding import bend_of
from assay.samples.drive_spec import DriveSpec

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Frames are averaged to about so many rows and columns; the strengths of the penalty that are tried, as shares of the
#: mean variance of a feature.
_ROWS, _COLUMNS = 12, 24
_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class PixelRidge(Baseline):
    """See the module; penalty and weights are chosen by the steering error over bends on the validation side.

    Args:
        spec: what a drive is.
    """

    name = "ridge regression on pixels"
    features = "the pixels of frames made small"
    reading = "a weight for each place and colour"

    def __init__(self, spec: DriveSpec) -> None:
        self._spec = spec
        self._weights: Array | None = None  # (P + 1, A), the constant last

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        x, y = self._features_of(train), train.array("action").astype(np.float64)
        held = (self._features_of(validation), validation.array("action")) if len(validation) else (x, y)
        best, told = np.inf, ""
        for balanced in (False, True):
            mean, middle, values, vectors, towards = self._solved(x, y, balanced)
            for penalty in _PENALTIES:
                slopes = vectors @ (towards / (values + penalty * values.mean() + 1e-9)[:, None])
                weights = np.concatenate([slopes, (middle - mean @ slopes)[None]])
                error = self._error(_applied(held[0], weights), held[1])
                if error < best:
                    best, self._weights = error, weights
                    told = f"penalty {penalty:g}, {'bends counted alike' if balanced else 'all frames counted alike'}"
        where = "validation" if len(validation) else "training"
        return f"{len(x):,} frames, {told}, by the {where} steering error over bends"

    def _solved(self, x: Array, y: Array, balanced: bool) -> tuple[Array, Array, Array, Array, Array]:
        """Means of features and controls, and the eigenvalues, eigenvectors and right side of the normal equations."""
        bends = bend_of(y[:, 0], self._spec.bends)
        counts = np.bincount(bends, minlength=3)
        weight = (1 / np.maximum(counts, 1))[bends] if balanced else np.ones(len(y))
        weight = weight / weight.mean()
        mean, middle = (np.average(part, axis=0, weights=weight) for part in (x, y))
        centred = (x - mean) * np.sqrt(weight)[:, None]
        values, vectors = np.linalg.eigh(centred.T @ centred)
        towards = vectors.T @ (centred.T @ ((y - middle) * np.sqrt(weight)[:, None]))
        return mean, middle, values, vectors, towards

    def _error(self, answered: Array, wanted: Array) -> float:
        truth = {name: wanted[:, place] for place, name in enumerate(self._spec.controls)}
        return AllBendsError(self._spec).value([answered], [truth])

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: (T, A) of each drive."""
        return by_drive(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        found = _applied(_small(batch.image.numpy()), require_fitted(self._weights))
        return np.clip(found, self._spec.low, self._spec.high)

    def _features_of(self, view: View) -> Array:
        return np.concatenate([_small(image) for image in view.field("image")])

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "ridge.npz", {"weights": require_fitted(self._weights)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "ridge.npz"
        self._weights = read_arrays(path, weights=2)["weights"]
        require(self._weights.shape[1] == len(self._spec.controls), path, "another number of controls")


def _applied(features: Array, weights: Array) -> Array:
    return np.asarray(features @ weights[:-1] + weights[-1])


def _small(image: Array) -> Array:
    """(N, P) float64: frames (N, C, H, W) averaged over blocks, from 0 to 1."""
    down, across = max(1, image.shape[2] // _ROWS), max(1, image.shape[3] // _COLUMNS)
    rows, columns = image.shape[2] // down, image.shape[3] // across
    cut = image[:, :, : rows * down, : columns * across].astype(np.float32)
    blocks = cut.reshape(len(image), image.shape[1], rows, down, columns, across).mean(axis=(3, 5))
    return np.asarray(blocks.reshape(len(image), -1) / 255.0, np.float64)
