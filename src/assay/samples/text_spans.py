"""What of a text stands word for word in another.

Shapes: N characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Recital:
    """How much of what a network writes stands in what it learned from.

    Attributes:
        longest: the longest span of what it wrote that stands in the training text.
        written: how many characters it wrote.
        unseen: the longest span, likewise, of as much text that it never saw: what people repeat by themselves.
    """

    longest: str
    written: int
    unseen: str


def longest_copy(texts: Sequence[str], source: str) -> str:
    """The longest span of any of the texts that stands in the source; "" where none does.

    Takes time as the characters of the texts times those of the source.
    """
    longest = ""
    for text in texts:
        start = 0
        for end in range(1, len(text) + 1):
            while end - start > len(longest) and text[start:end] not in source:
                start += 1
            if end - start > len(longest):
                longest = text[start:end]
    return longest
