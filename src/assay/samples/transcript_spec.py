"""What a recording and its transcript are, learned from the training recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError
from assay.samples.tokens import Tokenizer
from assay.task_export import Preparation

if TYPE_CHECKING:
    from assay.sources.records import Records
    from assay.sources.source import DataOptions

#: Training transcripts that are looked at before the first step, and those that are kept, at most.
_LOOK_AT, _KEPT = 100_000, 20_000
_PIECES = 512
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
        sentences: training transcripts without case and punctuation, for a language model and for classical models.
        most_tokens: of a transcript that a network can learn; 0 for any number.
    """

    tokenizer: Tokenizer
    longest_s: float
    language: str = ""
    plain: bool = True
    sentences: tuple[str, ...] = ()
    most_tokens: int = 0

    def tokens_of(self, texts: Sequence[str]) -> list[np.ndarray[Any, Any]]:
        """(N,) int32 of each transcript: in plain form, or as a pretrained network writes it, after a space."""
        from assay.evaluation.spoken_text import spoken

        said = [spoken(text, self.language) if self.plain else f" {text.strip()}" for text in texts]
        return self.tokenizer.encode_batch(said)

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"decode, one channel, {RATE} Hz, windows of {self.longest_s:g} s at most that end in pauses"
        after = "after it: a search for the text, with the language model of the transcripts"
        return Preparation(("log-mel energies",), (outside, after))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "tokenizer": self.tokenizer.to_json(), "sentences": list(self.sentences)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TranscriptSpec:
        """The inverse of `to_json`."""
        tokenizer, sentences = Tokenizer.from_json(data["tokenizer"]), tuple(data["sentences"])
        return TranscriptSpec(**{**data, "tokenizer": tokenizer, "sentences": sentences})


def fitted_spec(records: Records, train: np.ndarray[Any, Any], options: DataOptions) -> TranscriptSpec:
    """A vocabulary of the training transcripts, or that of the pretrained network; how long a window is.

    Args:
        records: all recordings.
        train: (rows,) bool, True for a row of the training side.
        options: `language` and `tokens` count here.

    Raises:
        DataError: the transcripts hold no words, or all recordings are too long.
        SettingError: there is no such kind of tokens.
    """
    from assay.evaluation.spoken_text import guessed_language, spoken
    from assay.networks.text_networks import pretrained_argument
    from assay.samples.recording_windows import window_seconds
    from assay.samples.tokens import characters, pretrained, train_bpe
    from assay.samples.unit_texts import training_texts

    texts = training_texts(records, train, "target", _LOOK_AT)
    language = str(options.extra.get("language") or guessed_language(texts))
    longest_s, name = window_seconds(records, train), pretrained_argument(options.network)
    said = [text for text in (spoken(text, language) for text in texts) if text]
    kept = tuple(said[:: max(1, -(-len(said) // _KEPT))])
    if name is not None:
        from assay.networks.speech_marks import most_tokens

        return TranscriptSpec(pretrained(name), longest_s, language, False, kept, most_tokens(name))
    kind = options.extra.get("tokens", "characters")
    if kind not in ("characters", "pieces"):
        raise SettingError(f"--tokens {kind} is not possible", "Give characters or pieces.")
    if not said:
        raise DataError("the training transcripts hold no words", "Give what is said in the recordings.")
    tokenizer = characters(said) if kind == "characters" else train_bpe(said, _PIECES)
    return TranscriptSpec(tokenizer, longest_s, language, True, kept)
