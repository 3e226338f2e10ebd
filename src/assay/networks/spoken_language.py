"""A language model of transcripts' tokens, for the search through what a CTC network says.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Tokens of the longest n-gram, and how many n-grams there are at most.
_ORDER, _MOST = 8, 3_000_000
#: Of what stands after a prefix, bytes that are remembered, about, and how many at most and at least.
_REMEMBERED, _MOST_REMEMBERED, _LEAST_REMEMBERED = 16 << 20, 20_000, 256


class SpokenLanguage:
    """Kneser-Ney n-grams over token sequences; see `assay.ngrams.kneser_ney`.

    Attributes:
        remembered: of how many prefixes it remembers what stands after them, so that memory stays flat.

    Args:
        sequences: the tokens of each training transcript.
        size: V.
    """

    def __init__(self, sequences: Sequence[Any], size: int) -> None:
        from assay.ngrams.counts import count_ngrams, join
        from assay.ngrams.kneser_ney import build, estimated

        grams = count_ngrams(join(sequences, size), _ORDER, _MOST)
        order = len(grams)
        self._model = build(grams, size, order, estimated(grams, order))
        self.remembered = min(_MOST_REMEMBERED, max(_LEAST_REMEMBERED, _REMEMBERED // (4 * size)))
        self._after = lru_cache(maxsize=self.remembered)(self._nats)
        self._size = size

    def __call__(self, prefix: tuple[int, ...]) -> Array:
        """(V,) nats of each token after a prefix."""
        seen = self._model.order - 1
        context = (self._size, *prefix)
        return self._after(context[max(0, len(context) - seen) :] if seen else ())

    def _nats(self, context: tuple[int, ...]) -> Array:
        return np.asarray(np.log(self._model.distribution(context)), np.float32)
