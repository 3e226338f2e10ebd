"""What is heard in a stream, when, and how often; and that none of it depends on how the stream is cut."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from assay.errors import SettingError
from assay.serving.deciding import Decider
from assay.serving.listening import Detector, Heard, Hearing
from assay.serving.voice_activity import VoiceActivity, frame_powers
from fakes.tones import OTHER, RATE_HZ, TONES_HZ, mixed, tone

CLASSES = ["low", "high", OTHER]
HEARING = Hearing(RATE_HZ, window_s=0.5, hop_s=0.05, smoothing_s=0.15, refractory_s=0.6, threshold=0.6)


def by_ear(windows: np.ndarray) -> np.ndarray:
    """(B, 3): the share of a window's energy at each tone, of the whole where the rest is small."""
    spectrum = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    hertz = np.fft.rfftfreq(windows.shape[1], 1 / RATE_HZ)
    bands = [spectrum[:, np.abs(hertz - tone_hz) < 60].sum(axis=1) for tone_hz in TONES_HZ.values()]
    shares = np.stack(bands, axis=1) / np.maximum(spectrum.sum(axis=1), 20.0)[:, None]
    return np.c_[shares, 1 - shares.sum(axis=1)]


def detector(**changes: Any) -> Detector:
    hearing = Hearing(**{**vars(HEARING), **changes})
    return Detector(by_ear, CLASSES, hearing, silent=[OTHER])


def listen(ear: Detector, sound: np.ndarray, *sizes: int) -> list[Heard]:
    heard, start, turn = [], 0, 0
    while start < len(sound):
        size = sizes[turn % len(sizes)] if sizes else len(sound)
        heard += ear.push(sound[start : start + size])
        start, turn = start + size, turn + 1
    return heard + ear.close()


def test_commands_are_heard_where_they_are_and_soon() -> None:
    words = [("low", 1.0), ("high", 3.0), ("high", 5.0), ("low", 6.0)]
    heard = listen(detector(), mixed(words, 8.0))
    assert [one.command for one in heard] == [kind for kind, _ in words]
    for one, (_, at_s) in zip(heard, words, strict=True):
        assert one.start_s == pytest.approx(at_s, abs=0.06)
        assert at_s < one.end_s <= at_s + 0.25 + 0.06
        assert at_s < one.at_s < at_s + 0.25 + 0.3  # within 300 ms of its end
        assert HEARING.threshold <= one.confidence <= 1


@pytest.mark.parametrize("smoothing_s", [0.05, 0.15, 0.3])
def test_the_confidence_is_the_peak_and_not_what_a_low_threshold_saw_first(smoothing_s: float) -> None:
    sound = mixed([("low", 1.0), ("high", 3.0)], 5.0)
    ear = detector(threshold=0.2, smoothing_s=smoothing_s)
    rows = np.concatenate([ear.smoothed(sound), ear.smoothed_end()])
    heard = listen(detector(threshold=0.2, smoothing_s=smoothing_s), sound)
    assert [one.command for one in heard] == ["low", "high"]
    for one in heard:
        place = CLASSES.index(one.command)
        crossed = int(np.flatnonzero(rows[:, place] >= 0.2)[0])
        within = rows[crossed : crossed + round(smoothing_s / 0.05), place]
        assert one.confidence == pytest.approx(float(within.max()), abs=1e-4)
        assert one.at_s - (crossed + 1) * 0.05 < smoothing_s
        assert one.confidence > 0.8


def test_of_two_that_are_likely_the_one_with_the_higher_peak_is_heard() -> None:
    decider = Decider(np.asarray([0.3, 0.3, np.inf]), 10, 3)
    rows = [[0.35, 0.1, 0], [0.5, 0.4, 0], [0.5, 0.7, 0], [0.4, 0.9, 0], [0.3, 0.95, 0]]
    told = [decider.step(hop, np.asarray(row)) for hop, row in enumerate(rows)]
    assert told == [None, None, None, (1, 0.9), None]
    quick = Decider(np.asarray([0.3, 0.3, np.inf]), 10, 3)
    assert [quick.step(hop, np.asarray([value, 0, 0])) for hop, value in enumerate([0.4, 0.6, 0.5])] == [
        None, None, (0, 0.6)]  # fmt: skip


@pytest.mark.parametrize("sizes", [(1,), (399, 400, 401), (7, 5000, 64), (60_000,)])
def test_how_the_stream_is_cut_changes_nothing(sizes: tuple[int, ...]) -> None:
    sound = mixed([("low", 0.3), ("high", 1.8)], 3.0)
    expected = listen(detector(), sound)
    assert len(expected) == 2
    assert listen(detector(), sound, *sizes) == expected


def test_a_word_at_the_very_start_and_at_the_very_end() -> None:
    heard = listen(detector(), mixed([("low", 0.0), ("high", 1.75)], 2.0))
    assert [one.command for one in heard] == ["low", "high"]
    assert heard[0].start_s < 0.03
    assert heard[1].end_s <= 2.05


def test_a_clip_shorter_than_a_window() -> None:
    assert [one.command for one in listen(detector(), tone("high", 0.2))] == ["high"]
    assert listen(detector(), np.zeros(1, np.float32)) == []


def test_a_long_tone_is_one_command_and_a_repeated_one_is_heard_again() -> None:
    sound = mixed([], 6.0)
    sound[8000:40_000] += tone("low", 4.0)
    assert len(listen(detector(), sound)) == 1
    assert len(listen(detector(), mixed([("low", 1.0), ("low", 2.0), ("low", 3.0)], 5.0))) == 3


def test_the_refractory_time_covers_every_command() -> None:
    sound = mixed([("low", 1.0), ("high", 1.3)], 4.0)
    assert [one.command for one in listen(detector(refractory_s=0.2), sound)] == ["low", "high"]
    assert [one.command for one in listen(detector(refractory_s=2.0), sound)] == ["low"]


def test_a_command_has_its_own_threshold() -> None:
    sound = mixed([("low", 1.0), ("high", 3.0)], 5.0)
    assert [one.command for one in listen(detector(thresholds={"high": 1.0}), sound)] == ["low"]


def test_silence_and_what_is_no_command_are_not_told() -> None:
    calls = []

    def counting(windows: np.ndarray) -> np.ndarray:
        calls.append(len(windows))
        return np.tile(np.float32([0, 0, 1]), (len(windows), 1))

    ear = Detector(counting, CLASSES, HEARING, silent=[OTHER])
    assert ear.commands == ("low", "high")
    assert listen(ear, np.zeros(10 * RATE_HZ, np.float32)) == []
    assert not calls  # nobody is asked about silence
    assert listen(ear, mixed([("low", 0.5)], 2.0)) == []
    assert calls


def test_steady_noise_is_not_classified_and_a_voice_above_it_is() -> None:
    calls: list[int] = []

    def counting(windows: np.ndarray) -> np.ndarray:
        calls.append(len(windows))
        return by_ear(windows)

    ear = Detector(counting, CLASSES, HEARING, silent=[OTHER])
    noise = 0.02
    ear.push(mixed([], 5.0, noise=noise))
    assert sum(calls) > 20  # it takes a while to know the room
    calls.clear()
    ear.push(mixed([], 10.0, seed=1, noise=noise))
    assert sum(calls) < 10  # of 200
    heard = ear.push(mixed([("high", 1.0)], 3.0, seed=2, noise=noise))
    assert [one.command for one in heard] == ["high"]


def test_not_finite_samples_count_as_silence() -> None:
    sound = mixed([("low", 1.0)], 3.0)
    sound[[100, 8500, 20_000]] = [np.nan, np.inf, -np.inf]
    assert [one.command for one in listen(detector(), sound)] == ["low"]


def test_a_stream_of_two_channels_is_refused() -> None:
    with pytest.raises(SettingError, match=r"\(100, 2\)"):
        detector().push(np.zeros((100, 2), np.float32))


@pytest.mark.parametrize("bad", [{"hop_s": 0.6}, {"hop_s": 0.0}, {"rate_hz": 0}, {"threshold": 0.0},
                                 {"thresholds": {"low": 1.5}}, {"window_s": 100.0}])  # fmt: skip
def test_impossible_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        detector(**bad)


def test_memory_stays_flat_and_the_detector_itself_is_quick() -> None:
    ear = Detector(lambda windows: np.tile(np.float32([0.1, 0.1, 0.8]), (len(windows), 1)), CLASSES, HEARING, [OTHER])
    sound = mixed([("low", 1.0), ("high", 5.0)], 10.0)
    ear.push(sound)
    tracemalloc.start()
    begun = time.process_time()
    for _ in range(12):
        ear.push(sound)
    took = time.process_time() - begun
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000
    assert took / 120 < 0.05  # of real time, with the measuring of memory on top


def test_hops_without_anything_may_be_left_out_of_the_decision() -> None:
    random = np.random.default_rng(0)
    smoothed = random.uniform(0, 1, (4000, 3)) * (np.sin(np.arange(4000) / 9) > 0.5)[:, None]
    limits = np.asarray([0.6, 0.8, np.inf])
    every, some = Decider(limits, 12, 3), Decider(limits, 12, 3)
    whole = [(hop, every.step(hop, smoothed[hop])) for hop in range(4000)]
    above = (smoothed >= limits).any(axis=1)
    loud = np.flatnonzero(np.convolve(above, np.ones(4), "full")[:4000]).tolist()
    assert len(loud) < 2500
    part = [(hop, some.step(hop, smoothed[hop])) for hop in loud]
    told = [event for event in whole if event[1] is not None]
    assert told == [event for event in part if event[1] is not None]
    assert len(told) > 50
    assert min(np.diff([hop for hop, _ in told])) >= 12


def test_the_floor_follows_the_room() -> None:
    voice = VoiceActivity()
    voice.push([1e-4] * 300)
    assert voice.push([1e-4, 2e-4, 1e-3]) == [False, False, True]
    loud = voice.push([1e-2] * 300)
    assert all(loud[:100]) and not any(loud[-50:])
    quiet = voice.push([1e-6] * 100)
    assert not any(quiet)
    assert voice.push([1e-4])[0]


def test_powers_leave_an_offset_out() -> None:
    wave = np.sin(np.arange(1000) * 0.3).astype(np.float32) + 0.5
    starts = np.asarray([0, 300, 600])
    expected = [np.var(wave[a:b].astype(float)) for a, b in ((0, 300), (300, 600), (600, 1000))]
    assert frame_powers(wave, starts) == pytest.approx(expected, rel=1e-6)
