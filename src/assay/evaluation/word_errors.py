"""Which words transcripts get wrong: for each how often it was taken for another, missed or added.

Shapes: U recordings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from assay.evaluation.metrics import Values
from assay.evaluation.transcription_metrics import WordErrorRate, aligned
from assay.task_parts import Confusion


@dataclass
class WordErrors:
    """What became of one word.

    Attributes:
        said: how often it was said.
        missing: how often nothing was told in its place.
        added: how often it was told where nothing was said.
        instead: what was told in its place, with how often.
        wrong_in: by recording, how often it was said and not told.
        said_in: by recording, how often it was said.
    """

    said: int = 0
    missing: int = 0
    added: int = 0
    instead: Counter[str] = field(default_factory=Counter)
    wrong_in: Counter[int] = field(default_factory=Counter)
    said_in: Counter[int] = field(default_factory=Counter)

    @property
    def wrong(self) -> int:
        """How often it was said and not told."""
        return self.missing + self.instead.total()

    @property
    def errors(self) -> int:
        """What it adds to the word error rate's count: each substitution counts for the word that was said."""
        return self.wrong + self.added


def word_errors(outputs: Values, truths: Values, language: str = "") -> dict[str, WordErrors]:
    """By word, in the form in which transcripts are compared, what became of it; its errors sum up to those of WER.

    Args:
        outputs: (U,) `Heard`, `Hypothesis` or strings.
        truths: (U,) strings.
        language: of the transcripts, a code such as "en".
    """
    found: dict[str, WordErrors] = {}
    for row, pairs in enumerate(aligned(*WordErrorRate(language).forms(outputs, truths))):
        for truth, told in pairs:
            if truth is None:
                found.setdefault(str(told), WordErrors()).added += 1
                continue
            word = found.setdefault(truth, WordErrors())
            word.said += 1
            word.said_in[row] += 1
            if told is None:
                word.missing += 1
            elif told != truth:
                word.instead[told] += 1
            word.wrong_in[row] += truth != told
    return found


def confusions(outputs: Values, truths: Values, language: str = "") -> list[Confusion]:
    """Which word was taken for which, those of most recordings first; arguments as of `word_errors`."""
    rows: dict[tuple[str, str], list[int]] = {}
    for row, pairs in enumerate(aligned(*WordErrorRate(language).forms(outputs, truths))):
        for truth, told in dict.fromkeys(pairs):
            if truth is not None and told is not None and truth != told:
                rows.setdefault((truth, told), []).append(row)
    order = sorted(rows, key=lambda pair: (-len(rows[pair]), pair))
    return [Confusion(truth, told, tuple(rows[truth, told])) for truth, told in order]
