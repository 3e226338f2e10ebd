"""What a driver without eyes does: at random in a simulator; of records always the same.

Shapes: B frames, A controls.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._drives import by_drive
from assay.baselines._fitting import require_fitted
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline
from assay.samples.draws import key_of, uniform
from assay.samples.drive_spec import DriveSpec

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]


class RandomDriver(Baseline):
    """Sets every control anew at each step, anywhere within its bounds.

    Args:
        spec: what a drive is.
    """

    name = "a random driver"
    features = "none"
    reading = "chance"
    floor = True

    def __init__(self, spec: DriveSpec) -> None:
        self._spec = spec

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        return "nothing to fit"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: (T, A) of each drive."""
        return by_drive(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        numbers = batch.index.numpy()
        drawn = np.stack([uniform(key_of("random driver", name), numbers) for name in self._spec.controls], axis=1)
        low, high = np.asarray(self._spec.low), np.asarray(self._spec.high)
        return np.asarray(low + drawn * (high - low))

    def save(self, folder: Path) -> None:
        """See `Baseline.save`: there is nothing to keep."""
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""


class UsualControls(Baseline):
    """Answers the same at every frame: the median of each control, which no other constant beats in mean distance.

    Args:
        spec: what a drive is.
    """

    name = "always the same controls"
    features = "none"
    reading = "the median of each control"
    floor = True

    def __init__(self, spec: DriveSpec) -> None:
        self._spec = spec
        self._usual: Array | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        actions = train.array("action")
        self._usual = np.median(actions, axis=0).astype(np.float64)
        told = ", ".join(f"{name} {value:g}" for name, value in zip(self._spec.controls, self._usual, strict=True))
        return f"from {len(actions):,} frames: {told}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: (T, A) of each drive."""
        return by_drive(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return np.repeat(require_fitted(self._usual)[None], len(batch.index), axis=0)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "usual.npz", {"usual": require_fitted(self._usual)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "usual.npz"
        self._usual = read_arrays(path, usual=1)["usual"]
        require(len(self._usual) == len(self._spec.controls), path, "another number of controls")
