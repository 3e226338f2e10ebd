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


class SpokenLanguage:
    """Kneser-Ney n-grams over token sequences; see `assay.ngrams.kneser_ney`.

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
        self._after = lru_cache(maxsize=50_000)(self._nats)
        self._size = size

    def __call__(self, prefix: tuple[int, ...]) -> Array:
        """(V,) nats of each token after a prefix."""
        seen = self._model.order - 1
        context = (self._size, *prefix)
        return self._after(context[max(0, len(context) - seen) :] if seen else ())

    def _nats(self, context: tuple[int, ...]) -> Array:
        return np.log(self._model.distribution(context))
