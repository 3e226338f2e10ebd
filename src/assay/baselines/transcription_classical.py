"""Which classical recogniser can be set against a network that transcribes."""

from __future__ import annotations

from assay.baselines.baseline import Baseline
from assay.baselines.common_transcript import CommonTranscript
from assay.baselines.dtw_words import DtwWords
from assay.baselines.pocketsphinx_words import PocketSphinxWords
from assay.evaluation.spoken_text import is_english
from assay.samples.transcript_spec import RATE, TranscriptSpec

#: Templates are for vocabularies of so many words at most.
MOST_WORDS = 50


def transcription_baselines(spec: TranscriptSpec) -> tuple[Baseline, ...]:
    """The one for the language and the words of the training transcripts, if any; the floor last."""
    if is_english(spec.language):
        return (PocketSphinxWords(spec.language), CommonTranscript())
    if 0 < words_of(spec) <= MOST_WORDS:
        return (DtwWords(RATE, spec.language), CommonTranscript())
    return (CommonTranscript(),)


def why_none(spec: TranscriptSpec) -> str:
    """Why there is none but the floor; empty where there is one."""
    if len(transcription_baselines(spec)) > 1:
        return ""
    language = f"{spec.language!r}" if spec.language else "a language that --language does not name"
    return (
        f"PocketSphinx comes with English alone, not with {language}, and templates are for at most {MOST_WORDS} "
        f"different words, of which the transcripts have {words_of(spec):,}"
    )


def words_of(spec: TranscriptSpec) -> int:
    """Different words of the training transcripts that the spec keeps."""
    return len({word for sentence in spec.sentences for word in sentence.split()})
