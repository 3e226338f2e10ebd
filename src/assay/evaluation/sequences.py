"""What a search for a sequence, such as a translation, gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """The sequence that a search found best.

    Attributes:
        text: as a user reads it.
        log_probability: the logarithm (nats) of the probability that the model gives to the whole sequence.
        tokens: how many tokens the model wrote, the one that ends it included where it writes one.
    """

    text: str
    log_probability: float
    tokens: int
