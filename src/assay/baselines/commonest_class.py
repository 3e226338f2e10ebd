"""The floor where each pixel has a class: the commonest one, everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import require_fitted, require_training
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline
from assay.baselines.pixel_forest import merged
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import WindowShares

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]


class CommonestClass(Baseline):
    """Answers each pixel with how often each class is met.

    Args:
        spec: its classes.
    """

    name = "the commonest class everywhere"
    features = "none"
    reading = "the most frequent class"
    floor = True

    def __init__(self, spec: MaskSpec) -> None:
        self.spec = spec
        self._shares: Array | None = None  # (C,)

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        require_training(len(train))
        classes = len(self.spec.classes)
        counts = np.sum([truth.pixels(classes) for truth in train.truths()], axis=0)
        self._shares = counts / max(1, counts.sum())
        return f"from the masks of {len(train):,} training pictures"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return list(merged(self, view))

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        side = batch.image.shape[-1]
        shares = require_fitted(self._shares).astype(np.float16)[:, None, None]
        everywhere = np.broadcast_to(shares, (len(shares), side, side))
        return [WindowShares(everywhere, place) for place in batch.place.numpy()]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "commonest.npz", {"shares": require_fitted(self._shares)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "commonest.npz"
        shares = read_arrays(path, shares=1)["shares"]
        require(len(shares) == len(self.spec.classes), path, "another number of classes")
        self._shares = shares
