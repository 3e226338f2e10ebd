"""Transcripts as subtitles: SubRip (SRT) and WebVTT (W3C).

A line appears with its first word and goes with its last, or with the next line. It ends at a pause, at the end of a
sentence, or before it gets too long to be read.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
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
    """An answer in pieces that can be read; in its segments where no words with times are known."""
    words = answer.get("words") or ()
    found = (
        _grouped(words) if words else [Subtitle(one["text"], one["start"], one["end"]) for one in answer["segments"]]
    )
    following = [*[cue.start for cue in found[1:]], float("inf")][: len(found)]
    return [
        Subtitle(cue.text, cue.start, max(cue.start + 0.001, min(max(cue.end, cue.start + _SHORT_S), after)))
        for cue, after in zip(found, following, strict=True)
    ]


def _grouped(words: Sequence[Mapping[str, Any]]) -> list[Subtitle]:
    found: list[Subtitle] = []
    held: list[Mapping[str, Any]] = []
    for word in words:
        if held and _parted(held, word):
            found.append(_of(held))
            held = []
        held.append(word)
    return [*found, _of(held)] if held else found


def _parted(held: Sequence[Mapping[str, Any]], word: Mapping[str, Any]) -> bool:
    """Whether a word begins another subtitle."""
    text = " ".join(one["text"] for one in held)
    return bool(
        word["start"] - held[-1]["end"] > _PAUSE_S
        or word["end"] - held[0]["start"] > _LONG_S
        or len(text) + 1 + len(word["text"]) > _WIDE * _LINES
        or (len(text) >= _LEAST_SENTENCE and held[-1]["text"].endswith(_ENDS))
    )


def _of(words: Sequence[Mapping[str, Any]]) -> Subtitle:
    return Subtitle(" ".join(word["text"] for word in words), words[0]["start"], words[-1]["end"])


def _broken(text: str) -> str:
    """A text in at most two lines of about one length; a line that looks like a time's arrow is kept from being one."""
    text = " ".join(text.split()).replace("-->", "->")
    if len(text) <= _WIDE:
        return text
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    if not spaces:
        return text
    middle = min(spaces, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def _time(seconds: float, point: str) -> str:
    thousandths = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
