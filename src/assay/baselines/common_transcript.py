"""The floor of transcription: whatever is heard, the commonest transcript of the training side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from assay.baselines._fitting import require_fitted, require_training
from assay.baselines._storage import read_json, write_json
from assay.baselines.baseline import Baseline
from assay.evaluation.transcripts import Heard, Stretch

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View


class CommonTranscript(Baseline):
    """Always the commonest training transcript; among equally common ones the first by the alphabet."""

    name = "the commonest transcript"
    features = "none"
    reading = "it is one sentence"
    floor = True

    def __init__(self) -> None:
        self._text: str | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        texts = [str(text) for text in train.truths()]
        require_training(len(texts))
        counts = Counter(texts)
        self._text = min(counts, key=lambda text: (-counts[text], text))
        return f"{counts[self._text]:,} of {len(texts):,} training recordings say it"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        text = require_fitted(self._text)
        return [Heard((Stretch(text, 0.0, 0.0, 0.0, 1),)) for _ in range(len(view))]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "common.json", {"text": require_fitted(self._text)})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        self._text = read_json(folder / "common.json", text=str)["text"]
