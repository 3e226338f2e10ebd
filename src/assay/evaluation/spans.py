"""What answering a question out of a text gives: the place of the answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """The part of a text that answers a question; start and end are -1 and the text is "" where it holds no answer.

    Attributes:
        start: the character at which it starts.
        end: the character behind its last one.
        text: what stands there.
        probability: how sure the model is that this is the answer.
    """

    start: int
    end: int
    text: str
    probability: float

    @property
    def answered(self) -> bool:
        """False where it says that the text holds no answer."""
        return self.start >= 0
