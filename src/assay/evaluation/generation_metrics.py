"""How well a text is foretold."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.evaluation.metrics import Additive, Values, _ratio

Array = np.ndarray[Any, Any]


class BitsPerByte(Additive):
    """Minus the logarithm to base two of the probability given to the text, over its bytes in UTF-8.

    Outputs are (U,) nats of each text, minus the natural logarithm of its probability; truths its bytes and its
    characters (U, 2). Whatever the tokens of a model are, the number means the same: how small the text would get if it
    were compressed with it.
    """

    name = "bits_per_byte"
    higher_is_better = False
    best_known = False
    unit = "bits"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): bits, bytes."""
        return np.stack([np.asarray(outputs, float) / np.log(2), np.asarray(truths, float)[:, 0]], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])


class NatsPerCharacter(Additive):
    """Minus the natural logarithm of the probability given to the text, over its characters.

    The loss that is told of networks whose tokens are characters. Outputs and truths as in `BitsPerByte`.
    """

    name = "nats_per_character"
    higher_is_better = False
    best_known = False
    unit = "nats"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): nats, characters."""
        return np.stack([np.asarray(outputs, float), np.asarray(truths, float)[:, 1]], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return _ratio(sums[:, 0], sums[:, 1])
