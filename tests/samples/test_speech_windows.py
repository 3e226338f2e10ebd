"""Long recordings in windows of speech: the same whatever the chunks, nothing said is lost, silence gives none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.samples.speech_windows import SpeechCutter, speech_pieces

RATE = 8000


def recording(seed: int, speech: list[tuple[float, float]], seconds: float, noise: float = 0.002) -> np.ndarray:
    """Noise with louder tones from second to second."""
    random = np.random.default_rng(seed)
    sound = random.normal(0, noise, round(RATE * seconds))
    for start, end in speech:
        part = slice(round(start * RATE), round(end * RATE))
        sound[part] += 0.2 * np.sin(2 * np.pi * 300 * np.arange(len(sound))[part] / RATE)
    return sound.astype(np.float32)


SPEECH = [(1.0, 2.4), (2.6, 3.1), (6.0, 7.5), (12.0, 21.0), (24.0, 24.4)]
SOUND = recording(0, SPEECH, 26.3)


def pieces(chunks: list[np.ndarray], longest_s: float = 5.0) -> list[tuple[int, bytes]]:
    return [(one.start, one.sound.tobytes()) for one in speech_pieces(chunks, RATE, longest_s)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=20))
def test_the_chunks_in_which_sound_comes_change_nothing(sizes: list[int]) -> None:
    chunks, start, number = [], 0, 0
    while start < len(SOUND):
        size = sizes[number % len(sizes)] if sizes[number % len(sizes)] > 50 or number < 40 else 9999
        chunks.append(SOUND[start : start + size])
        start, number = start + size, number + 1
    assert pieces(chunks) == pieces([SOUND])


@pytest.mark.parametrize("longest_s", [3.0, 5.0, 12.0, 30.0])
def test_everything_said_is_in_a_window_and_none_is_too_long(longest_s: float) -> None:
    found = list(speech_pieces([SOUND], RATE, longest_s))
    covered = np.zeros(len(SOUND), int)
    for one in found:
        assert len(one.sound) <= longest_s * RATE
        assert np.array_equal(one.sound, SOUND[one.start : one.start + len(one.sound)])
        covered[one.start : one.start + len(one.sound)] += 1
    assert covered.max() == 1
    for start, end in SPEECH:
        assert covered[round(start * RATE) : round(end * RATE)].all()
    assert covered.sum() < 0.8 * len(SOUND)


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    sound = recording(1, [(0.5, 14.5)], 15.0)
    dip = slice(round(4.3 * RATE), round(4.4 * RATE))
    sound[dip] *= 0.2
    first, second, *_ = speech_pieces([sound], RATE, 5.0)
    assert first.start + len(first.sound) == second.start
    assert dip.start <= second.start <= dip.stop


@pytest.mark.parametrize("level", [0.0, 0.001, 0.02])
def test_nobody_speaks(level: float) -> None:
    assert not list(speech_pieces([recording(2, [], 20.0, level)], RATE, 5.0))
    assert not list(speech_pieces([], RATE, 5.0))
    assert not list(speech_pieces([np.zeros(3, np.float32)], RATE, 5.0))


def test_who_waits_gets_shorter_windows() -> None:
    sound = recording(4, [(start, start + 1.6) for start in np.arange(0.5, 28.0, 2.4)], 29.0)
    found = {}
    for live in (True, False):
        cutter = SpeechCutter(RATE, 12.0, live)
        found[live] = [len(one.sound) / RATE for one in (*cutter.push(sound), *cutter.close())]
    assert len(found[False]) < len(found[True]) and max(found[True]) < 7 and max(found[False]) <= 12
    assert sum(found[False]) > 27 and sum(found[True]) > 26


def test_memory_is_that_of_a_window() -> None:
    cutter = SpeechCutter(RATE, 5.0)
    for _ in range(20):
        cutter.push(SOUND)
        assert cutter._sound.nbytes < 8 * RATE * 4 and len(cutter._waiting) < RATE


def test_a_window_that_is_being_filled_can_be_looked_at() -> None:
    cutter = SpeechCutter(RATE, 5.0)
    assert cutter.going_on is None
    cutter.push(SOUND[: 2 * RATE])
    going = cutter.going_on
    assert going is not None and np.array_equal(going.sound, SOUND[going.start : going.start + len(going.sound)])
    cutter.close()
    assert cutter.going_on is None
