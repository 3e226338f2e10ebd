"""What was said, and when: the outputs and answers of a transcription."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Word:
    """A word with its time.

    Attributes:
        text: the word as it is written, with its punctuation.
        start: seconds from the beginning of the recording.
        end: likewise.
        confidence: the mean probability (geometric) of its tokens.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Stretch:
    """What was said between two pauses, or in as much as a network hears at once.

    Attributes:
        text: what was said.
        start: seconds from the beginning of the recording.
        end: likewise.
        log_probability: of all tokens, in nats.
        tokens: how many there are, the end counted where there is one.
        words: with their times; empty where they are not known.
    """

    text: str
    start: float
    end: float
    log_probability: float
    tokens: int
    words: tuple[Word, ...] = ()

    def moved(self, seconds: float) -> Stretch:
        """The same, so much later."""
        words = tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in self.words)
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


@dataclass(frozen=True)
class Heard:
    """All that was said in a recording, in stretches that follow one another."""

    stretches: tuple[Stretch, ...] = ()

    @property
    def text(self) -> str:
        """What was said."""
        return " ".join(one.text for one in self.stretches if one.text)

    @property
    def log_probability(self) -> float:
        """Of all tokens, in nats."""
        return sum(one.log_probability for one in self.stretches)

    @property
    def tokens(self) -> int:
        """How many there are."""
        return sum(one.tokens for one in self.stretches)

    @property
    def confidence(self) -> float:
        """The mean probability (geometric) of its tokens."""
        return math.exp(min(0.0, self.log_probability / max(1, self.tokens)))

    @staticmethod
    def joined(parts: Sequence[Heard]) -> Heard:
        """What was said in several windows, in their order."""
        return Heard(tuple(one for part in parts for one in part.stretches))


@dataclass(frozen=True)
class Segment:
    """A line of an answer: what was said from one second to another."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording.

    Attributes:
        text: what was said.
        confidence: the mean probability (geometric) of its tokens.
        segments: the same in lines with their times.
        words: the same in words with theirs; empty where they are not known.
    """

    text: str
    confidence: float
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Partial:
    """What was understood so far, while a recording still goes on.

    Attributes:
        text: of a stretch of speech.
        start: seconds from the beginning, where the stretch begins.
        end: seconds up to which was listened.
        final: False where the stretch still goes on and its text may change.
        confidence: the mean probability (geometric) of its tokens.
        tokens: how many there are.
        words: of a final stretch.
    """

    text: str
    start: float
    end: float
    final: bool
    confidence: float
    tokens: int
    words: tuple[Word, ...] = ()
