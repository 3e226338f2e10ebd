"""What a recording and its transcript are, learned from the training recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.samples.tokens import Tokenizer

#: Values a second of all recordings, in hertz, once they are read.
RATE = 16_000


@dataclass(frozen=True)
class TranscriptSpec:
    """The form in which recordings and transcripts reach a network.

    Attributes:
        tokenizer: how transcripts become tokens.
        longest_s: seconds of sound that a network hears at once; a longer recording is heard in windows.
        language: of the transcripts, a code such as "en"; empty where it is not known.
        plain: a network learns transcripts in the form in which they are compared, without case and punctuation.
        sentences: training transcripts in that form, for a language model; empty where a network needs none.
    """

    tokenizer: Tokenizer
    longest_s: float
    language: str = ""
    plain: bool = True
    sentences: tuple[str, ...] = ()

    def tokens_of(self, texts: Sequence[str]) -> list[np.ndarray[Any, Any]]:
        """(N,) int32 of each transcript: in plain form, or as a pretrained network writes it, after a space."""
        from assay.evaluation.spoken_text import spoken

        said = [spoken(text, self.language) if self.plain else f" {text.strip()}" for text in texts]
        return self.tokenizer.encode_batch(said)

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "tokenizer": self.tokenizer.to_json(), "sentences": list(self.sentences)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TranscriptSpec:
        """The inverse of `to_json`."""
        tokenizer, sentences = Tokenizer.from_json(data["tokenizer"]), tuple(data["sentences"])
        return TranscriptSpec(**{**data, "tokenizer": tokenizer, "sentences": sentences})
