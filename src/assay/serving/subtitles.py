"""Transcripts as subtitles: SubRip (SRT) and WebVTT (W3C).

A line appears with its first word and goes with its last, or with the next line. It ends at a pause, at the end of a
sentence, or before it gets too long to be read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Characters of a subtitle's line, lines of it, seconds that it stands at most and at least; a pause that parts two.
_WIDE, _LINES, _LONG_S, _SHORT_S, _PAUSE_S = 42, 2, 6.0, 0.7, 0.8
_ENDS = (".", "!", "?", "…", "。", "！", "？")
_LEAST_SENTENCE = 12


@dataclass(frozen=True)
class Subtitle:
    """What stands on the screen from one second to another."""

    text: str
    start: float
    end: float


def srt(answer: Mapping[str, Any]) -> str:
    """An answer (`assay.evaluation.transcripts.Transcript` as JSON) in the form of SubRip."""
    cues = subtitles(answer)
    return "".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_broken(cue.text)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(answer: Mapping[str, Any]) -> str:
    """An answer in the form of WebVTT."""
    body = "".join(
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{html.escape(_broken(cue.text), quote=False)}\n\n"
        for cue in subtitles(answer)
    )
    return f"WEBVTT\n\n{body}"


def subtitles(answer: Mapping[str, Any]) -> list[Subtitle]:
    """An answer in pieces that can be read; where no times of words are known a segment's are shared out by length."""
    words = answer.get("words") or ()
    timed = _spaced(words, answer.get("text", "")) if words else [
        one for segment in answer["segments"] for one in _shared_out(segment)
    ]  # fmt: skip
    found = [_of(group) for group in _grouped(timed)]
    following = [*[cue.start for cue in found[1:]], float("inf")][: len(found)]
    return [
        Subtitle(cue.text, cue.start, max(cue.start + 0.001, min(max(cue.end, cue.start + _SHORT_S), after)))
        for cue, after in zip(found, following, strict=True)
    ]


@dataclass(frozen=True)
class _Timed:
    """A word with its time, the white space before it, and whether it begins a segment that stands by itself."""

    text: str
    start: float
    end: float
    before: str
    first: bool = False


def _spaced(words: Sequence[Mapping[str, Any]], text: str) -> Iterator[_Timed]:
    """Words with what parts them in the text: nothing in languages without spaces."""
    at = 0
    for word in words:
        place = text.find(word["text"], at)
        gap = text[at:place] if place >= 0 else " "
        before = gap if not gap.strip() else " "
        at = place + len(word["text"]) if place >= 0 else at
        yield _Timed(word["text"], word["start"], word["end"], before)


def _shared_out(segment: Mapping[str, Any]) -> Iterator[_Timed]:
    """The words of a segment, or its letters where it has no spaces, as if each letter took as long."""
    text = segment["text"].strip()
    each = (segment["end"] - segment["start"]) / max(1, len(text))
    for number, found in enumerate(re.finditer(r"\S+" if " " in text or len(text) <= _WIDE else r"\S", text)):
        start = segment["start"] + each * found.start()
        before = text[: found.start()][len(text[: found.start()].rstrip()) :]
        yield _Timed(found[0], start, segment["start"] + each * found.end(), before, not number)


def _grouped(words: Iterable[_Timed]) -> Iterator[list[_Timed]]:
    held: list[_Timed] = []
    for word in words:
        if held and _parted(held, word):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def _parted(held: Sequence[_Timed], word: _Timed) -> bool:
    """Whether a word begins another subtitle."""
    text = _joined(held)
    return (
        word.first
        or word.start - held[-1].end > _PAUSE_S
        or word.end - held[0].start > _LONG_S
        or len(text) + len(word.before) + len(word.text) > _WIDE * _LINES
        or (len(text) >= _LEAST_SENTENCE and held[-1].text.endswith(_ENDS))
    )


def _of(words: Sequence[_Timed]) -> Subtitle:
    return Subtitle(_joined(words), words[0].start, words[-1].end)


def _joined(words: Sequence[_Timed]) -> str:
    return "".join(f"{word.before if place else ''}{word.text}" for place, word in enumerate(words))


def _broken(text: str) -> str:
    """A text in at most two lines of about one length; a line that looks like a time's arrow is kept from being one."""
    text = " ".join(text.split()).replace("-->", "->")
    if len(text) <= _WIDE:
        return text
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    if not spaces:
        half = -(-len(text) // 2)
        return f"{text[:half]}\n{text[half:]}"
    middle = min(spaces, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def _time(seconds: float, point: str) -> str:
    thousandths = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
