"""What answering a question out of a text gives: the place of the answer.

A long text is read in windows, each by itself. What a network says about a window is told in log-odds against there
being no answer in it, so that windows can be compared and put together: the probability of a span is its share of the
odds of all spans of all windows, and of those of no answer, which are one, where a text may hold none.

Source: the comparison of a span's score with that of no answer is that of P. Rajpurkar, R. Jia, P. Liang, "Know what
you don't know: unanswerable questions for SQuAD", ACL 2018, and of J. Devlin et al., "BERT", NAACL 2019.

Shapes: C tokens of the part of the text that a window holds, U questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Reading:
    """What a network says of the spans of one window.

    Attributes:
        start: the character of the text at which the span starts that shares most with what the answer may be.
        end: the character behind its last one.
        text: what stands there.
        best: the log-odds of the most probable span against there being no answer in the window.
        total: the log-odds of all spans together.
        places: (C, 2) int32, the first character of each token, and the one behind its last.
        odds: (C, 2) float32, what a span's first token and its last add to its log-odds.
    """

    start: int
    end: int
    text: str
    best: float
    total: float
    places: Array
    odds: Array

    def log_odds(self, start: int, end: int) -> float:
        """The log-odds of the span between two characters; minus infinity where no tokens begin and end there."""
        first, last = self.odds[self.places[:, 0] == start, 0], self.odds[self.places[:, 1] == end, 1]
        return float(first.max() + last.max()) if len(first) and len(last) else -np.inf


@dataclass(frozen=True)
class Span:
    """The part of a text that answers a question; start and end are -1 and the text is "" where it holds no answer.

    Attributes:
        start: the character at which it starts.
        end: the character behind its last one.
        text: what stands there.
        probability: how sure the model is that this is the answer.
        readings: what a network says of each window, where one was asked.
    """

    start: int
    end: int
    text: str
    probability: float
    readings: tuple[Reading, ...] = ()

    @property
    def answered(self) -> bool:
        """False where it says that the text holds no answer."""
        return self.start >= 0


def decide(readings: Sequence[Reading], may_lack: bool) -> Span:
    """The answer out of what was read in all windows of a text.

    Args:
        readings: of each window, one at least.
        may_lack: the text may hold no answer, which is the answer where it is more probable than any span.
    """
    best = readings[surest_window(readings)]
    kept = tuple(readings)
    answer = Span(best.start, best.end, best.text, probability_of(kept, best.start, best.end, may_lack), kept)
    none = probability_of(kept, -1, -1, may_lack)
    return Span(-1, -1, "", none, kept) if may_lack and best.best < 0 else answer


def surest_window(readings: Sequence[Reading]) -> int:
    """The position of the window that holds the most probable span."""
    return int(np.argmax([reading.best for reading in readings]))


def probability_of(readings: Sequence[Reading], start: int, end: int, may_lack: bool) -> float:
    """The probability that a span, or -1 and -1 for none, is the answer.

    Args:
        readings: of each window of a text.
        start: the first character of the span.
        end: the character behind its last.
        may_lack: the text may hold no answer.
    """
    total = np.logaddexp.reduce([reading.total for reading in readings] + ([0.0] if may_lack else []))
    if start < 0:
        return float(np.exp(-total)) if may_lack else 0.0
    own = np.logaddexp.reduce([reading.log_odds(start, end) for reading in readings])
    return float(min(1.0, np.exp(own - total)))


def left_of(outputs: Values, answered: Values, may_lack: bool) -> Array:
    """(U,) the probability of what was answered, as other outputs to the same questions have it.

    A model that gives no readings is taken to hold all but its own answer for impossible.
    """
    return np.asarray(
        [_left(output, answer, may_lack) for output, answer in zip(outputs, answered, strict=True)], float
    )


def _left(output: Span, answer: Span, may_lack: bool) -> float:
    if output.readings:
        return probability_of(output.readings, answer.start, answer.end, may_lack)
    return output.probability if (output.start, output.end) == (answer.start, answer.end) else 0.0
