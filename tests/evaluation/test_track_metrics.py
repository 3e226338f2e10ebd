"""Metrics of tracks: known answers, and how units are weighed."""

from __future__ import annotations

import numpy as np
import pytest

from assay.evaluation.track_metrics import (
    AbsoluteTrajectoryError,
    HorizontalError,
    PositionError,
    RelativePoseError,
    RotationalDrift,
    TranslationalDrift,
    track_metrics,
)
from assay.evaluation.tracks import Track, answered, largest_sigma


def straight(seconds: float = 100.0, speed: float = 10.0, *, anchored: bool = True, off: float = 0.0) -> Track:
    time = np.arange(0, seconds, 0.1)
    place = np.stack([speed * time, np.full(len(time), off)], axis=1)
    return Track(time, place, np.zeros(len(time)), np.tile([1.0, 1.0, 0.0, 0.01], (len(time), 1)), anchored)


def test_a_scale_is_drift_and_an_offset_is_none() -> None:
    truth = straight()
    assert TranslationalDrift().value([straight(speed=10.1)], [truth]) == pytest.approx(0.01, rel=0.02)
    assert TranslationalDrift().value([straight(off=5.0)], [truth]) == pytest.approx(0, abs=1e-12)
    assert RotationalDrift().value([straight(speed=10.1)], [truth]) == pytest.approx(0, abs=1e-9)


def test_an_offset_counts_where_the_track_knows_where_it_is() -> None:
    truth = straight()
    assert PositionError().value([straight(off=5.0)], [truth]) == pytest.approx(5.0)
    assert PositionError().value([straight(off=5.0, anchored=False)], [truth]) == pytest.approx(0, abs=1e-9)
    assert AbsoluteTrajectoryError().value([straight(off=5.0)], [truth]) == pytest.approx(0, abs=1e-9)


def test_shares_of_places() -> None:
    truth = straight()
    place = truth.place.copy()
    place[:, 1] = np.where(np.arange(len(place)) % 10 == 0, 9.0, 1.0)  # one in ten is 9 m off
    found = Track(truth.time, place, truth.heading, truth.spread, True)
    assert HorizontalError(0.5).value([found], [truth]) == pytest.approx(1.0)
    assert HorizontalError(0.95).value([found], [truth]) == pytest.approx(9.0)
    assert HorizontalError(0.95).name == "horizontal_95"


def test_relative_errors_are_over_ten_seconds() -> None:
    assert RelativePoseError().value([straight(speed=10.1)], [straight()]) == pytest.approx(1.0, rel=1e-3)


def test_tracks_are_compared_at_the_truths_times() -> None:
    track, truth = straight(50.0), straight(100.0)
    late = Track(
        truth.time[::7] + 0.03, truth.place[::7] + np.asarray([0.3, 0.0]), truth.heading[::7], truth.spread[::7], True
    )
    assert PositionError().value([track], [late]) == pytest.approx(0.0, abs=1e-9)
    elsewhere = Track(track.time + 1000, track.place, track.heading, track.spread, True)
    assert np.isnan(PositionError().value([elsewhere], [truth]))


def test_the_primary_metric_follows_from_whether_there_are_fixes() -> None:
    assert track_metrics(True, (100.0,))[0].name == "position_error"
    assert track_metrics(False, (100.0,))[0].name == "drift"


def test_an_answer_tells_degrees_and_the_largest_deviation() -> None:
    track = straight(2.0)
    spread = np.tile([2.5, 2.5, 1.5, np.radians(2) ** 2], (len(track), 1))
    assert largest_sigma(spread) == pytest.approx(np.full(len(track), 2.0))
    turned = Track(track.time, track.place, track.heading + 3 * np.pi / 2, spread, True, (48.0, 11.0))
    first = answered(turned).poses[0]
    assert (first.heading, first.sigma_m, first.sigma_deg) == pytest.approx((-90.0, 2.0, 2.0))
    assert (first.latitude, first.longitude) == pytest.approx((48.0, 11.0))
