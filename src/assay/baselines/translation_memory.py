"""What a translation memory reaches: the translation of the most similar sentence seen, as it is.

Sources: tf-idf (Spärck Jones 1972) over words and pairs of words, compared by the cosine.

Shapes: N sentence pairs, U units, D n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import require_fitted, require_training
from assay.baselines._storage import read_integers, require, write_arrays
from assay.baselines._text_grams import Grams, fit_grams
from assay.baselines._words import JOINER, tokens
from assay.baselines.baseline import Baseline
from assay.evaluation.sequences import Hypothesis
from assay.samples.unit_texts import unit_texts

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_MOST_BYTES = 30e6  # of source text
_CELLS_AT_ONCE = 10e6  # similarities
_LEAST = 1e-6  # the similarity of what has nothing in common


@dataclass(frozen=True)
class _Memory:
    """The pairs (N), the n-grams of their source texts, and the rows (N, D) of these, sparse."""

    sources: list[str]
    targets: list[str]
    grams: Grams
    rows: Any


class TranslationMemory(Baseline):
    """Answers with the translation of the training sentence that shares most words with what is asked.

    Of equally similar ones it takes the first. The probability that an answer states is the similarity: 1 where the
    words are the same.

    Args:
        source: the ragged field of bytes that holds the text.
        target: the ragged field of bytes that holds its translation.
    """

    name = "the translation of the most similar sentence"
    features = "none"
    reading = "the sentences that it has seen"
    floor = True

    def __init__(self, source: str = "source_text", target: str = "target_text") -> None:
        self.source, self.target = source, target
        self._memory: _Memory | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        pairs = zip(unit_texts(train, self.source), unit_texts(train, self.target), strict=True)
        kept = [pair for pair in pairs if pair[0].strip() and pair[1].strip()]
        require_training(len(kept))
        sizes = np.cumsum([len(source.encode()) for source, _ in kept])
        kept = kept[: max(1, int(np.searchsorted(sizes, _MOST_BYTES, "right")))]
        self._memory = _memory([source for source, _ in kept], [target for _, target in kept])
        return f"{len(kept):,} sentence pairs"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: a `Hypothesis` for each unit."""
        return self.translate(unit_texts(view, self.source))

    def translate(self, texts: Sequence[str]) -> list[Hypothesis]:
        """The remembered translation for each text."""
        memory = require_fitted(self._memory)
        found: list[Hypothesis] = []
        count = max(1, int(_CELLS_AT_ONCE // len(memory.targets)))
        for start in range(0, len(texts), count):
            inputs = memory.grams.inputs(_spaced(texts[start : start + count]))
            alike = (inputs @ memory.rows.T).toarray()  # (U, N)
            for row, place in zip(alike, alike.argmax(axis=1).tolist(), strict=True):
                likeness = float(np.clip(row[place], _LEAST, 1.0))
                found.append(Hypothesis(memory.targets[place], float(np.log(likeness)), 1))
        return found

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        memory = require_fitted(self._memory)
        arrays: dict[str, Array] = {}
        for name, given in (("source", memory.sources), ("target", memory.targets)):
            data = [text.encode() for text in given]
            arrays[name] = np.frombuffer(b"".join(data), np.uint8)
            arrays[f"{name}_lengths"] = np.asarray([len(one) for one in data], np.int64)
        write_arrays(folder / "memory.npz", arrays)

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "memory.npz"
        stored = read_integers(path, source=1, source_lengths=1, target=1, target_lengths=1)
        sides = [list(_texts(stored[name], stored[f"{name}_lengths"], path)) for name in ("source", "target")]
        require(0 < len(sides[0]) == len(sides[1]), path, "another number of translations than sentences")
        self._memory = _memory(*sides)


def _memory(sources: list[str], targets: list[str]) -> _Memory:
    grams, rows = fit_grams("words", _spaced(sources))
    return _Memory(sources, targets, grams, rows)


def _spaced(texts: Sequence[str]) -> list[str]:
    """Texts with spaces around words and signs, also in scripts that have none."""
    return [" ".join(tokens(text)).replace(JOINER, "") for text in texts]


def _texts(data: Array, lengths: Array, path: Path) -> Iterator[str]:
    fits = data.dtype == np.uint8 and bool((lengths >= 0).all()) and lengths.sum() == len(data)
    require(fits, path, "texts of other lengths than it says")
    for end, size in zip(np.cumsum(lengths).tolist(), lengths.tolist(), strict=True):
        yield data[end - size : end].tobytes().decode("utf-8", errors="replace")
