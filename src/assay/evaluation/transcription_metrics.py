"""How far transcripts are from what was said: word and character error rates, as jiwer aligns texts.

Shapes: U recordings.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np

from assay.errors import MissingExtraError
from assay.evaluation.metrics import Additive, Values
from assay.evaluation.spoken_text import has_no_spaces, spoken, units_of

Array = np.ndarray[Any, Any]


class _ErrorRate(Additive):
    """Edits over what was said, both in the form of `assay.evaluation.spoken_text`.

    Outputs are `Heard`, `Hypothesis` or strings; truths strings. Statistics are counts of each recording, so that rates
    of resampled recordings are exact.

    Args:
        language: of the transcripts, a code such as "en".
    """

    higher_is_better = False
    unit = "rate"
    #: Whether characters are counted, or words.
    characters: ClassVar[bool]

    def __init__(self, language: str = "") -> None:
        self.language = language

    @abstractmethod
    def form(self, text: str) -> str:
        """A text as it is compared."""

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 4): wrong, missing and added units, and the units of the truth."""
        return edits(*self.forms(outputs, truths), self.characters)

    def forms(self, outputs: Values, truths: Values) -> tuple[list[str], list[str]]:
        """(U,) what was said and (U,) what was told, both as they are compared."""
        told = [self.form(str(getattr(output, "text", output))) for output in outputs]
        return [self.form(str(truth)) for truth in truths], told

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`; NaN where nothing was said."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[:, 3] > 0, sums[:, :3].sum(axis=1) / sums[:, 3], np.nan)


class WordErrorRate(_ErrorRate):
    """Words that are wrong, missing or added, over the words that were said; it may be above 1."""

    name = "wer"
    characters = False

    def form(self, text: str) -> str:
        """Words; characters, each for itself, where the language writes no spaces."""
        return units_of(text, self.language)


class CharacterErrorRate(_ErrorRate):
    """Characters that are wrong, missing or added, over those that were said, spaces counted where there are any."""

    name = "cer"
    characters = True

    def form(self, text: str) -> str:
        """Characters; spaces among them where the language writes any."""
        said = spoken(text, self.language)
        return said.replace(" ", "") if has_no_spaces(self.language) else said


def edits(said: list[str], told: list[str], characters: bool = False) -> Array:
    """(U, 4): substitutions, deletions, insertions, and the words or characters of what was said, as jiwer counts."""
    counts = np.zeros((len(said), 4))
    for row, pairs in enumerate(aligned(said, told, characters)):
        for truth, word in pairs:
            kind = 2 if truth is None else 1 if word is None else 0
            counts[row, kind] += truth != word
            counts[row, 3] += truth is not None
    return counts


def aligned(said: list[str], told: list[str], characters: bool = False) -> list[list[tuple[str | None, str | None]]]:
    """For each of U texts its words or characters beside those that were told, as jiwer aligns them.

    Args:
        said: (U,) the truths in the form in which they are compared.
        told: (U,) what was told, likewise.
        characters: whether characters are aligned, or words.

    Returns:
        (U,) pairs in their order: equal, substituted; None in the place of what is missing, on either side.
    """
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtraError("word error rates", "audio") from error
    if not said:
        return []
    found: Any = jiwer.process_characters(said, told) if characters else jiwer.process_words(said, told)
    return [
        [
            pair
            for chunk in chunks
            for pair in zip_longest(
                truth[chunk.ref_start_idx : chunk.ref_end_idx], words[chunk.hyp_start_idx : chunk.hyp_end_idx]
            )
        ]
        for chunks, truth, words in zip(found.alignments, found.references, found.hypotheses, strict=True)
    ]
