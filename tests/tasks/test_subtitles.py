"""Subtitles out of answers of transcription."""

from __future__ import annotations

import itertools
import re

import pytest

from assay.serving.subtitles import srt, subtitles, vtt

ANSWER = {
    "text": "Hello there. This goes on & on",
    "segments": [{"text": "Hello there.", "start": 0.0, "end": 2.0}],
    "words": [
        {"text": word, "start": 3600 + place, "end": 3600.4 + place, "confidence": 1.0}
        for place, word in enumerate(["Hello", "there", "world."])
    ]
    + [
        {"text": f"word{place}", "start": 3603.1 + place / 5, "end": 3603.3 + place / 5, "confidence": 1.0}
        for place in range(60)
    ],
}


def test_subtitles_can_be_read() -> None:
    lines = subtitles(ANSWER)
    assert " ".join(line.text for line in lines).split() == [word["text"] for word in ANSWER["words"]]
    for line, after in itertools.pairwise(lines):
        assert line.end <= after.start + 1e-9 and line.end - line.start <= 6.8
    assert all(len(line.text) <= 84 for line in lines)
    text = srt(ANSWER)
    assert text.startswith("1\n01:00:00,000 --> ") and re.search(r"^\d+\n\d\d:\d\d:\d\d,\d{3} --> ", text, re.M)
    bare = {"segments": [{"text": "a & b --> c", "start": 59.9996, "end": 61.0}], "words": []}
    assert vtt(bare) == "WEBVTT\n\n00:01:00.000 --> 00:01:01.000\na &amp; b -&gt; c\n\n"
    assert srt({"segments": [], "words": []}) == ""


def test_subtitles_have_the_spaces_of_the_text() -> None:
    signs = "今日はとても良い天気ですね明日もきっと晴れるでしょう" * 3
    words = [{"text": sign, "start": place / 8, "end": (place + 1) / 8, "confidence": 1.0}
             for place, sign in enumerate(signs)]  # fmt: skip
    lines = subtitles({"text": signs, "segments": [], "words": words})
    assert "".join(line.text for line in lines) == signs and not any(" " in line.text for line in lines)
    assert len(lines) > 1 and all(line.end - line.start <= 6.01 for line in lines)
    mixed = {"text": "OK 今日は", "segments": [], "words": [{**words[0], "text": "OK"}, *words[1:2], words[2]]}
    mixed["words"] = [{**one, "text": text} for one, text in zip(words, ("OK", "今", "日", "は"), strict=False)]
    assert [line.text for line in subtitles(mixed)] == ["OK 今日は"]
    assert all(len(line) <= 42 for line in srt({"text": signs, "segments": [], "words": words}).splitlines())


def test_subtitles_without_times_of_words_are_short_too() -> None:
    text = " ".join(f"word{place}" for place in range(40))
    lines = subtitles({"text": text, "segments": [{"text": text, "start": 100.0, "end": 128.0}], "words": []})
    assert " ".join(line.text for line in lines) == text and len(lines) >= 5
    assert lines[0].start == 100 and lines[-1].end == pytest.approx(128, abs=0.01)
    assert all(len(line.text) <= 84 and line.end - line.start <= 6.8 for line in lines)
    assert all(line.end <= after.start + 1e-9 for line, after in itertools.pairwise(lines))
