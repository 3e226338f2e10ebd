"""Which classical recogniser can be set against a network that transcribes."""

from __future__ import annotations

from assay.baselines.baseline import Baseline
from assay.baselines.best_words import BestWords
from assay.baselines.common_transcript import CommonTranscript
from assay.baselines.dtw_words import DtwWords
from assay.baselines.pocketsphinx_words import PocketSphinxWords
from assay.evaluation.spoken_text import is_english
from assay.samples.transcript_spec import RATE, TranscriptSpec

#: Templates are for vocabularies of so many words at most.
MOST_WORDS = 50


def transcription_baselines(spec: TranscriptSpec) -> tuple[Baseline, ...]:
    """Those for the language and the words of the training transcripts, the better of two; the floor last."""
    found: list[Baseline] = [PocketSphinxWords(spec.language)] if is_english(spec.language) else []
    if 0 < words_of(spec) <= MOST_WORDS:
        found.append(DtwWords(RATE, spec.language))
    if len(found) > 1:
        found = [BestWords(spec.language, found)]
    return (*found, CommonTranscript())


def why_none(spec: TranscriptSpec) -> str:
    """Why there is none but the floor; empty where there is one."""
    if len(transcription_baselines(spec)) > 1:
        return ""
    language = f"{spec.language!r}" if spec.language else "a language that --language does not name"
    count = words_of(spec)
    many = f"of which the transcripts have {count:,}" if count else "and none of the transcripts' words are known"
    return (
        f"PocketSphinx comes with English alone, not with {language}, and templates are for at most {MOST_WORDS} "
        f"different words, {many}"
    )


def words_of(spec: TranscriptSpec) -> int:
    """Different words of the training transcripts that the spec keeps."""
    return len({word for sentence in spec.sentences for word in sentence.split()})
