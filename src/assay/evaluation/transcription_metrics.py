"""How far transcripts are from what was said: word and character error rates, as jiwer aligns texts.

Shapes: U recordings.
"""

from __future__ import annotations

from abc import abstractmethod
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
        said = [self.form(str(truth)) for truth in truths]
        told = [self.form(str(getattr(output, "text", output))) for output in outputs]
        return edits(said, told, self.characters)

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
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtraError("word error rates", "audio") from error
    counts = np.zeros((len(said), 4))
    if not said:
        return counts
    found: Any = jiwer.process_characters(said, told) if characters else jiwer.process_words(said, told)
    for row, (chunks, truth) in enumerate(zip(found.alignments, found.references, strict=True)):
        counts[row, 3] = len(truth)
        for chunk in chunks:
            if chunk.type == "substitute":
                counts[row, 0] += chunk.ref_end_idx - chunk.ref_start_idx
            elif chunk.type == "delete":
                counts[row, 1] += chunk.ref_end_idx - chunk.ref_start_idx
            elif chunk.type == "insert":
                counts[row, 2] += chunk.hyp_end_idx - chunk.hyp_start_idx
    return counts
