"""Recall and false alarms of a stream, their exact bounds, and the threshold that a rate asks for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from assay.errors import DataError, SettingError
from assay.evaluation.false_alarms import Spoken, Trace, calibrate, heard, matched, poisson_upper, rates, trace
from assay.serving.listening import Detector, Hearing

CLASSES, SILENT = ("on", "off", "other"), ("other",)
HEARING = Hearing(smoothing_s=0.1, refractory_s=0.5)


def test_the_bound_is_the_exact_one() -> None:
    assert poisson_upper(0, 1) == pytest.approx(-math.log(0.05))
    for count, hours in ((0, 2.5), (1, 1.0), (7, 3.0)):
        rate = poisson_upper(count, hours) * hours
        tail = sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(count + 1))
        assert tail == pytest.approx(0.05)
    assert poisson_upper(3, 0) == math.inf


def test_what_counts_as_found() -> None:
    spoken = [Spoken("on", 1.0, 1.4), Spoken("off", 3.0, 3.4), Spoken("on", 9.0, 9.4)]
    events = [("on", 1.5), ("on", 1.9), ("on", 3.5), ("off", 3.6), ("on", 6.0), ("on", 10.5)]
    delays, alarms = matched(events, spoken)
    assert delays == pytest.approx([0.1, 0.2])  # the third came too late
    assert alarms == 4  # once more, the wrong one, from nothing, too late


def peaks(events: list[tuple[float, int, float]], seconds: float) -> Trace:
    """A trace with one-hop peaks: at a second, of a class, that high."""
    smoothed = np.zeros((round(seconds * 10), 3), np.float32)
    for at_s, place, height in events:
        smoothed[round(at_s * 10) - 1, place] = height
    return Trace(smoothed, seconds)


def known(random: np.random.Generator) -> list[Trace]:
    """Two hours with ten false peaks of each command, and sixty words whose peaks are mostly higher."""
    heights = np.linspace(0.5, 0.95, 10)
    places = [random.choice(7000, 10, replace=False) + 1 for _ in range(2)]
    quiet = [(float(places[place][turn]), place, float(heights[turn])) for place in (0, 1) for turn in range(10)]
    words = [Spoken(("on", "off")[turn % 2], 10.0 * turn + 5, 10.0 * turn + 5.5) for turn in range(60)]
    heights = np.linspace(0.7, 0.999, 60)
    told = [(word.end_s + 0.2, turn % 2, float(heights[turn])) for turn, word in enumerate(words)]
    return [peaks(quiet, 7200), replace(peaks(told, 600), spoken=tuple(words))]


def test_rates_against_a_hand_count() -> None:
    traces = known(np.random.default_rng(0))
    found = rates(traces, CLASSES, SILENT, replace(HEARING, threshold=0.89))
    assert found.false_alarms == 2 * 2  # .90 and .95 of each command
    assert found.spoken == 60
    assert found.found == int(np.sum(np.linspace(0.7, 0.999, 60).astype(np.float32) >= 0.89))
    assert found.recall == found.found / 60
    assert found.recall_low < found.recall < found.recall_high
    assert found.hours == pytest.approx(7800 / 3600)
    assert found.per_hour < found.per_hour_high == poisson_upper(4, found.hours)
    assert found.delays_s == pytest.approx([0.2] * found.found, abs=1e-6)


def test_exact_interval_at_the_ends() -> None:
    word = Spoken("on", 1.0, 1.5)
    one = replace(peaks([(1.6, 0, 0.99)], 10), spoken=(word,))
    assert rates([one], CLASSES, SILENT, HEARING).recall_low == pytest.approx(0.025)
    assert rates([one], CLASSES, SILENT, HEARING).recall_high == 1
    assert math.isnan(rates([peaks([], 10)], CLASSES, SILENT, HEARING).recall)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("per_hour", [0.5, 1.0, 3.0])
def test_the_lowest_threshold_that_keeps_to_a_rate(each: bool, per_hour: float) -> None:
    traces = known(np.random.default_rng(1))
    hearing, found = calibrate(traces, CLASSES, SILENT, HEARING, per_hour, each=each)
    assert found.per_hour <= per_hour
    assert set(hearing.thresholds) == ({"on", "off"} if each else set())
    limit = hearing.threshold_of("on")
    lower = replace(hearing, threshold=limit - 0.06, thresholds={})
    assert rates(traces, CLASSES, SILENT, lower).per_hour > per_hour
    assert rates(traces, CLASSES, SILENT, replace(lower, threshold=0.5)).recall >= found.recall


def test_a_bound_needs_enough_sound() -> None:
    quiet = [peaks([], 3600 * 4)]
    hearing, found = calibrate(quiet, CLASSES, SILENT, HEARING, 1.0, bounded=True)
    assert found.per_hour_high < 1
    assert hearing.threshold < 0.5
    with pytest.raises(DataError, match="do not show") as caught:
        calibrate([peaks([], 3600)], CLASSES, SILENT, HEARING, 1.0, bounded=True)
    assert "at least 3 h" in caught.value.hint


@pytest.mark.parametrize("each", [False, True])
def test_without_commands_there_is_no_threshold(each: bool) -> None:
    with pytest.raises(SettingError, match="no command"):
        calibrate([peaks([], 3600)], CLASSES, CLASSES, HEARING, each=each)


def test_a_trace_replays_what_was_heard_live() -> None:
    random = np.random.default_rng(0)

    def guess(windows: np.ndarray) -> np.ndarray:
        loud = np.abs(windows[:, -8000:]).mean(axis=1) * 3
        share = np.minimum(loud, 1)
        return np.stack([share, 1 - share, 0 * share], axis=1) * (loud > 0.3)[:, None]

    sound = random.normal(0, 0.001, 16_000 * 20).astype(np.float32)
    for at_s in (2, 6, 11, 15):
        sound[at_s * 16_000 : at_s * 16_000 + 9000] = random.uniform(-0.9, 0.9, 9000)
    chunks = [sound[start : start + 5000] for start in range(0, len(sound), 5000)]
    live = Detector(guess, CLASSES, HEARING, SILENT)
    events = [event for chunk in chunks for event in live.push(chunk)] + live.close()
    assert len(events) >= 4
    recorded = trace(Detector(guess, CLASSES, HEARING, SILENT), chunks)
    assert recorded.seconds == 20
    replayed = heard(recorded, CLASSES, SILENT, HEARING)
    assert replayed == [(event.command, pytest.approx(event.at_s)) for event in events]


def test_a_trace_of_nothing_or_of_unknown_words() -> None:
    ear = Detector(lambda windows: np.zeros((len(windows), 3)), CLASSES, HEARING, SILENT)
    with pytest.raises(DataError, match="empty"):
        trace(ear, [])
    with pytest.raises(SettingError, match="'lights'"):
        trace(ear, [], [Spoken("lights", 0, 1)])
