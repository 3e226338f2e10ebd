"""Streams made of clips, and the thresholds that follow from them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.errors import DataError
from assay.evaluation.command_streams import said_over, seconds_for
from assay.evaluation.command_thresholds import command_thresholds
from assay.evaluation.false_alarms import Spoken, Trace
from assay.evaluation.settled_listening import settle_thresholds
from assay.evidence.sound_in_use import sound_in_use
from assay.serving.listening import Detector, Hearing

RATE, CLASSES, SILENT = 8000, ("on", "off", "other"), ("other",)
HEARING = Hearing(RATE, 0.5, hop_s=0.1, smoothing_s=0.1, threshold=0.6)


def burst(seconds: float, long: float, hertz: float = 500.0) -> np.ndarray:
    """A tone in the middle of silence."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    first, count = round((seconds - long) / 2 * RATE), round(long * RATE)
    sound[first : first + count] = 0.3 * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)
    return sound


def test_clips_are_said_where_the_stream_says_and_so_much_louder() -> None:
    clips = [burst(0.5, 0.3), 0.1 * burst(0.6, 0.2), burst(0.5, 0.4)]
    noise = np.random.default_rng(0).normal(0, 0.7, round(seconds_for(clips, RATE) * RATE)).astype(np.float32)
    stream = said_over(clips, ["on", "off", "on"], noise, RATE, 20.0, 0)
    assert [one.command for one in stream.spoken] == ["on", "off", "on"]
    powers = []
    for word, long in zip(stream.spoken, (0.3, 0.2, 0.4), strict=True):
        assert word.end_s - word.start_s == pytest.approx(long, rel=0.1)
        powers.append(np.mean(stream.sound[round(word.start_s * RATE) : round(word.end_s * RATE)] ** 2))
    between = stream.sound[round(stream.spoken[0].end_s * RATE) + 1000 : round(stream.spoken[1].start_s * RATE) - 1000]
    assert 10 * np.log10(np.asarray(powers) / np.mean(between**2)) == pytest.approx([20, 20, 20], abs=0.7)
    gaps = [after.start_s - before.end_s for before, after in zip(stream.spoken, stream.spoken[1:], strict=False)]
    assert min(gaps) > 1.2


def test_nothing_of_a_background_is_heard_twice() -> None:
    clips = [burst(0.5, 0.3)] * 10
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * RATE).astype(np.float32)
    stream = said_over(clips, ["on"] * 10, noise, RATE, 20.0, 0)
    assert len(stream.sound) == len(noise) and 2 <= len(stream.spoken) <= 4
    with pytest.raises(DataError):
        said_over(clips, ["on"] * 10, noise[:RATE], RATE, 20.0, 0)


def test_a_silent_clip_is_said_somewhere() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 8 * RATE).astype(np.float32)
    (word,) = said_over([np.zeros(4000, np.float32)], ["on"], noise, RATE, 20.0, 0).spoken
    assert word.start_s < word.end_s


def said(heights: dict[str, np.ndarray]) -> Trace:
    """Words every two seconds, each with one hop of a smoothed probability."""
    words, rows = [], np.zeros((2000, 3), np.float32)
    at = 0
    for command, values in heights.items():
        for value in values:
            at += 2
            words.append(Spoken(command, float(at), at + 0.5))
            rows[at * 10 + 6, CLASSES.index(command)] = value
    return Trace(rows, 200.0, tuple(words))


def quiet(peak: float, command: str) -> Trace:
    rows = np.zeros((600, 3), np.float32)
    rows[300, CLASSES.index(command)] = peak
    return Trace(rows, 60.0)


def thresholds(peak: float) -> dict[str, float]:
    words = said({"on": np.linspace(0.5, 0.99, 40), "off": np.full(4, 0.7)})
    found = command_thresholds([words], [quiet(peak, "on")], CLASSES, SILENT, HEARING)
    return {"on": found.threshold_of("on"), "off": found.threshold_of("off"), "all": found.threshold}


def test_a_threshold_lets_most_words_be_heard() -> None:
    scores = np.linspace(0.5, 0.99, 40)
    found = thresholds(0.1)
    assert np.mean(scores >= found["on"]) == pytest.approx(0.95, abs=0.03)
    assert found["off"] == found["all"]  # said four times only


def test_false_alarms_raise_it_but_not_for_ever() -> None:
    scores = np.linspace(0.5, 0.99, 40)
    low, middle, high = (thresholds(peak)["on"] for peak in (0.1, 0.57, 0.97))
    assert low < 0.57 < middle < high
    assert np.mean(scores >= high) == pytest.approx(0.8, abs=0.03)


def test_a_word_counts_only_where_its_held_decision_comes_in_time() -> None:
    from dataclasses import replace

    from assay.evaluation.false_alarms import rates

    slow = replace(HEARING, smoothing_s=0.4)  # held for three hops
    random = np.random.default_rng(0)
    rows, words = np.zeros((4000, 3), np.float32), []
    for turn in range(60):
        at = 60 * turn + 30
        words.append(Spoken("on", at / 10, at / 10 + 0.5))
        rise = np.sort(random.uniform(0.2, 1, 8))
        rows[at + 2 : at + 10, 0], rows[at + 10 : at + 16, 0] = rise, rise[-1] * np.linspace(0.9, 0.1, 6)
    said = Trace(rows, 400.0, tuple(words))
    found = command_thresholds([said], [], CLASSES, SILENT, slow)
    came = rates([said], CLASSES, SILENT, found, tolerance_s=0.3)
    assert came.recall >= 0.94


def test_without_words_the_hearing_keeps_its_own() -> None:
    assert command_thresholds([], [], CLASSES, SILENT, HEARING).threshold == HEARING.threshold


class View:
    """A validation side out of arrays."""

    def __init__(self, sounds: np.ndarray, targets: np.ndarray) -> None:
        self._fields = {"sound": sounds, "target": targets}
        self.windows = np.arange(len(sounds))
        self.samples = SimpleNamespace(field=lambda name, windows: self._fields[name][windows])

    def field(self, name: str) -> Any:
        yield self._fields[name]


def by_pitch(windows: np.ndarray) -> np.ndarray:
    """Knows two tones by their frequency; what lies between them is neither."""
    size = np.abs(np.fft.rfft(windows, axis=1))
    hertz = size.argmax(axis=1) * RATE / windows.shape[1]
    loud = size.max(axis=1) > 20
    on, off = np.exp(-np.abs(hertz - 500) / 100) * loud, np.exp(-np.abs(hertz - 1500) / 100) * loud
    return np.stack([on, off, np.maximum(1 - on - off, 0)], axis=1).astype(np.float32)


@pytest.mark.parametrize("recorded", [True, False])
def test_what_is_settled_lets_a_listener_hear(recorded: bool) -> None:
    random = np.random.default_rng(0)
    sounds, targets = [], []
    for number in range(40):
        sounds.append(burst(0.5, random.uniform(0.2, 0.4), (500, 1500)[number % 2] * random.uniform(0.97, 1.03)))
        targets.append(number % 2)
    for _ in range(30 if recorded else 0):
        sounds.append(burst(0.5, 0.4, random.uniform(800, 1200)))
        targets.append(2)
    view = View((32767 * np.stack(sounds)).astype(np.int16), np.asarray(targets))
    found = settle_thresholds(lambda: by_pitch, CLASSES, 2, HEARING, view)  # type: ignore[arg-type]
    assert set(found) == {"threshold", "thresholds", "validation"} and set(found["thresholds"]) == {"on", "off"}
    told = found["validation"]
    assert told["said"] == 40 and told["found"] >= (0.9 if recorded else 0.8) * told["said"]
    hearing = Hearing(RATE, 0.5, 0.1, 0.1, threshold=found["threshold"], thresholds=found["thresholds"])
    detector = Detector(by_pitch, CLASSES, hearing, SILENT)
    stream = np.concatenate([np.zeros(8000), burst(0.5, 0.3), np.zeros(16000), burst(0.5, 0.3, 1500), np.zeros(8000)])
    assert [one.command for one in [*detector.push(stream), *detector.close()]] == ["on", "off"]


def test_what_was_settled_tells_the_words_that_were_heard_in_time() -> None:
    sounds = [burst(0.5, 0.2, (500, 1500)[number % 2]) for number in range(24)]
    view = View((32767 * np.stack(sounds)).astype(np.int16), np.arange(24) % 2)

    def late(windows: np.ndarray) -> np.ndarray:
        """Knows a tone only once most of a window of silence has followed it, which is after 0.4 s."""
        found = by_pitch(windows)
        quiet = np.abs(windows[:, round(0.14 * RATE) :]).max(axis=1) < 0.06
        return np.where(quiet[:, None], found, np.asarray([0.0, 0.0, 1.0])).astype(np.float32)

    hearing = Hearing(RATE, 0.5, hop_s=0.05, smoothing_s=0.05, threshold=0.6)
    told = settle_thresholds(lambda: late, CLASSES, 2, hearing, view)["validation"]  # type: ignore[arg-type]
    assert told["said"] == 24
    assert told["found"] == 0


def test_no_more_words_are_said_than_tell_something() -> None:
    sounds = [burst(0.3, 0.2, (500, 1500)[number % 2]) for number in range(120)]
    view = View((32767 * np.stack(sounds)).astype(np.int16), np.arange(120) % 2)
    assert settle_thresholds(lambda: by_pitch, CLASSES, 2, HEARING, view)["validation"]["said"] == 40  # type: ignore[arg-type]


def test_what_a_user_is_told_of_listening_is_counted_on_the_streams_of_a_side() -> None:
    from assay.evaluation.false_alarms import poisson_upper

    random = np.random.default_rng(1)
    words = [burst(0.5, 0.3, (500, 1500)[number % 2]) for number in range(20)]
    others = [burst(0.5, 0.4, random.uniform(850, 1150)) for _ in range(30)]
    others[7] = others[25] = burst(0.5, 0.4)  # to by_pitch they say "on"
    view = View((32767 * np.stack(words + others)).astype(np.int16), np.r_[np.arange(20) % 2, np.full(30, 2)])
    found = sound_in_use(lambda: by_pitch, CLASSES, 2, HEARING, view)  # type: ignore[arg-type]
    assert found is not None
    heard, alarms = found.numbers["words heard in a stream"], found.numbers["false alarms"]
    assert heard.value is not None and heard.low is not None
    assert heard.value >= 0.9 > heard.low
    assert alarms.value == pytest.approx(2 / (15 / 3600))
    assert (alarms.low, alarms.high) == (0, pytest.approx(poisson_upper(2, 15 / 3600)))
    assert (
        f"{round(20 * heard.value)} of 20 words" in found.words
        and "2 false alarms in 0.2 minutes of sounds of no command" in found.words
    )
    assert found.words.endswith("at most 1600 an hour.")  # 1511, and never told as less
    made = sound_in_use(lambda: by_pitch, CLASSES, 2, HEARING, View(view._fields["sound"][:20], np.arange(20) % 2))  # type: ignore[arg-type]
    assert made is not None and "no other sounds were given" in made.words


def test_a_side_without_commands_settles_nothing() -> None:
    sounds = np.zeros((3, 4000), np.int16)
    for view in (View(sounds, np.full(3, 2)), View(sounds[:0], np.zeros(0, np.int64))):
        assert sound_in_use(lambda: by_pitch, CLASSES, 2, HEARING, view) is None  # type: ignore[arg-type]
        assert settle_thresholds(lambda: by_pitch, CLASSES, 2, HEARING, view) == {}  # type: ignore[arg-type]
