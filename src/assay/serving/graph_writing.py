"""Texts written token by token by a graph, which is given what it remembers and gives what it has to remember next.

Shapes: R rows that are written at once, T tokens, P tokens so far, H heads, D channels of a head, V tokens of the
vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.networks.row_writing import Decoding
from assay.serving.stand_in import Array

#: What the inputs that are remembered between steps are called.
PAST = "past_"


class GraphWriting(Decoding):
    """Rows that a graph writes.

    Args:
        graph: takes `tokens` (R, T), `earlier` (R, E) where tokens before them count, what `beside` holds, and `past_…`
            (R, H, P, D); gives the logits (R, V), what is remembered in the order of `past_…`, and then anything else.
        rows: written at once.
        longest: tokens of a row at most.
        looks_back: how many tokens before it change what is said of a token.
        beside: by name, what the graph takes at every step, (R, ...), such as what is known of other texts.
        following: takes the logits, the tokens so far (R, E + T) and what else the graph gave, and gives other logits.
        prefix: tokens before the first that it is given.
    """

    arrays = True

    def __init__(
        self,
        graph: Any,
        rows: int,
        longest: int,
        looks_back: int = 0,
        beside: Mapping[str, Array] | None = None,
        following: Callable[[Array, Array, tuple[Array, ...]], Array] | None = None,
        prefix: Sequence[int] = (),
    ) -> None:
        self._graph, self._longest, self._looks_back, self._following = graph, longest, looks_back, following
        self._beside = dict(beside or {})
        self._past = {name: np.zeros((rows, shape[1], 0, shape[3]), np.float32)
                      for name, shape in graph.shapes.items() if name.startswith(PAST)}  # fmt: skip
        self._earlier = np.zeros((rows, 0), np.int64)
        self._prefix = np.asarray(prefix, np.int64)
        self._length = 0

    @property
    def room(self) -> int:
        """Tokens that can still be appended to each row."""
        return self._longest - self._length

    def step(self, tokens: Array) -> Array:
        """See `Decoding.step`."""
        if len(self._prefix):
            tokens = np.concatenate([np.broadcast_to(self._prefix, (len(tokens), len(self._prefix))), tokens], axis=1)
            self._prefix = self._prefix[:0]
        fed = {"tokens": tokens, **self._beside, **self._past}
        if "earlier" in self._graph.inputs:
            fed["earlier"] = self._earlier
        logits, *rest = self._graph(**fed)
        self._past = dict(zip(self._past, rest[: len(self._past)], strict=True))
        whole = np.concatenate([self._earlier, tokens], axis=1)
        self._earlier = whole[:, max(0, whole.shape[1] - self._looks_back) :]
        self._length += tokens.shape[1]
        if self._following is None:
            return np.asarray(logits)
        return self._following(logits, whole, tuple(rest[len(self._past) :]))

    def keep(self, rows: Array, texts: Array | None = None) -> None:
        """See `Decoding.keep`."""
        if len(rows) != len(self._earlier) or not np.array_equal(rows, np.arange(len(rows))):
            self._past = {name: value[rows] for name, value in self._past.items()}
            self._earlier = self._earlier[rows]
        if texts is not None:
            self._beside = {name: value[rows] for name, value in self._beside.items()}
