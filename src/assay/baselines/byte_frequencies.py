"""What guessing reaches in foretelling text: how often each byte occurs, and nothing of what stands before it.

Shapes: U units.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import require_fitted, require_training
from assay.baselines._storage import read_arrays, require, write_arrays
from assay.baselines.baseline import Baseline
from assay.samples.unit_texts import unit_bytes

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

_ALPHABET = 256


class ByteFrequencies(Baseline):
    """Gives every byte the probability that it has in the training text, with one added to each count.

    Args:
        field: the ragged field of bytes that holds the text.
    """

    name = "frequencies of single bytes"
    features = "none"
    reading = "how often each byte occurs"
    floor = True

    def __init__(self, field: str = "text") -> None:
        self.field = field
        self._logs: np.ndarray[Any, Any] | None = None  # (256,)

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        counts = np.ones(_ALPHABET)
        for text in unit_bytes(train, self.field):
            counts += np.bincount(np.frombuffer(text, np.uint8), minlength=_ALPHABET)
        size = int(counts.sum()) - _ALPHABET
        require_training(size)
        self._logs = np.log(counts / counts.sum())
        return f"{size:,} bytes of training text"

    def predict(self, view: View) -> Values:
        """Nats of each unit (U,): minus the natural logarithm of the probability of all its bytes."""
        logs = require_fitted(self._logs)
        texts = unit_bytes(view, self.field)
        return -np.asarray([logs[np.frombuffer(text, np.uint8)].sum() for text in texts], float)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_arrays(folder / "bytes.npz", {"logs": require_fitted(self._logs)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "bytes.npz"
        logs = read_arrays(path, logs=1)["logs"]
        require(logs.shape == (_ALPHABET,) and bool((logs < 0).all()), path, "no logarithms of probabilities of bytes")
        self._logs = logs
