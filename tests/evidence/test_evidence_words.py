"""Numbers as verdicts write them."""

from __future__ import annotations

import math

import pytest

from assay.evaluation.generation_metrics import BitsPerByte
from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Accuracy, RootMeanSquaredError
from assay.evaluation.transcription_metrics import WordErrorRate
from assay.evidence.words import duration, gained, number, shown, size, spread, three_digits, title, unit_of
from assay.report._words import measure


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"), (2e-6, "2 µs"), (0.00321, "3.21 ms"), (0.4, "0.4 s"), (12.34, "12.3 s"), (61.2, "1 min 1 s"),
        (3599.7, "1 h"), (7500, "2 h 5 min"), (360000, "100 h"), (None, "not known"), (math.nan, "not known"),
        (-1, "not known"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_900, "1,000 kB"), (1_854_336, "1.85 MB"),
                        (3e9, "3 GB"), (5e12, "5,000 GB")],
)  # fmt: skip
def test_sizes(count: float, told: str) -> None:
    assert size(count) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.01234, "0.0123"), (45.64, "45.6"), (999.4, "999"), (999.6, "1,000"), (-7890.1, "-7,890")],
)
def test_three_digits(value: float, told: str) -> None:
    assert three_digits(value) == told


def test_values_of_metrics() -> None:
    assert shown(Accuracy(), 0.98765) == "98.8 %"
    assert shown(RootMeanSquaredError(), 12345.6) == "12,346"
    assert shown(Accuracy(), math.nan) == shown(Accuracy(), None) == "unknown"
    assert spread(Accuracy(), Estimate(0.5, 0.25, 0.75)) == "50.0 % [25.0, 75.0]"
    assert spread(Accuracy(), Estimate(0.5)) == "50.0 %"


def test_a_unit_stands_behind_a_value_unless_the_name_says_it() -> None:
    class Error(RootMeanSquaredError):
        name, unit = "position_error", "m"

    assert shown(Error(), 2.345) == "2.35 m" and shown(Error(), math.nan) == "unknown"
    assert (
        spread(Error(), Estimate(2.345, 1.0, 3.0)) == "2.35 m [1.00, 3.00]" and spread(Error(), Estimate(2.0)) == "2 m"
    )
    assert shown(BitsPerByte(), 2.345) == "2.35" and unit_of(BitsPerByte()) == "bits"


def test_differences_of_metrics() -> None:
    assert gained(Accuracy(), Estimate(0.0231, -0.004, 0.05)) == "+2.3 points [-0.4, 5.0]"
    assert gained(Accuracy(), Estimate(-0.0231)) == "-2.3 points"
    assert gained(Accuracy(), Estimate(0.0, -0.0001, 0.0)) == "+0.0 points [0.0, 0.0]"
    assert gained(RootMeanSquaredError(), Estimate(0.1234, 0.1, 0.15)) == "+0.123 [0.1, 0.15]"


def test_error_rates_are_told_in_per_cent() -> None:
    metric = WordErrorRate("en")
    assert title(metric) == "word error rate"
    assert spread(metric, Estimate(1.125, 1.0, 1.5)) == "112.5 % [100.0, 150.0]"
    assert gained(metric, Estimate(-0.031, -0.05, -0.01)) == "-3.1 points [-5.0, -1.0]"
    told = number(Estimate(0.0512, 0.04, 0.0625), unit_of(metric))
    assert measure(told.value, told.low, told.high, told.unit) == ("5.1\u00a0%", "[4.0, 6.2]")
