"""The model of many workers: known answers, and the simulation beside an exact formula."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("_scaling")


def test_a_line_is_found_again_and_never_falls_below_zero(scaling: Any) -> None:
    assert scaling.line([1, 2, 4, 8], [0.3, 0.5, 0.9, 1.7]) == pytest.approx((0.1, 0.2))
    fixed, each = scaling.line([1, 2, 4], [1.0, 2.5, 6.0])
    assert fixed == 0.0 and each > 0
    assert scaling.line([1, 2, 4], [3.0, 2.0, 1.0]) == pytest.approx((2.0, 0.0))


def test_the_ring_of_two_is_what_two_processes_measured(scaling: Any) -> None:
    links = scaling.links_of({4: 2e-4 + 4e-9, 4_000_000: 2e-4 + 4e-3})
    assert links.latency_s == pytest.approx(1e-4) and links.bytes_per_s == pytest.approx(1e9)
    assert scaling.ring_s(2, 4_000_000, links) == pytest.approx(2e-4 + 4e-3)
    assert scaling.ring_s(1, 1e9, links) == 0.0
    # Twice as many workers send hardly more bytes each, but wait for twice as many messages.
    assert scaling.ring_s(1024, 1e9, links) == pytest.approx(2046 * 1e-4 + 2 * 1023 / 1024)


@pytest.mark.parametrize("workers", [1, 8, 64, 1024])
def test_the_simulation_finds_the_slowest_as_the_formula_does(scaling: Any, workers: int) -> None:
    ratios = np.random.default_rng(0).lognormal(0, 0.1, 200).tolist()
    one = scaling.Measured(128, 0.0, 0.0, 1e-3, ratios, None)
    drawn = scaling.simulated(one, workers, 128, scaling.Links(0.0, 1e9))
    exact = scaling.slowest_of(ratios, workers) * 0.128
    assert drawn["step_s"] == pytest.approx(exact, rel=0.01)
    assert drawn["step_s"] <= max(ratios) * 0.128 + 1e-12


def test_a_batch_cannot_be_divided_further_than_its_windows(scaling: Any) -> None:
    one = scaling.Measured(64, 4e6, 1e-3, 1e-3, [1.0], 256.0)
    rows = {row["workers"]: row for row in scaling.same_batch(one, scaling.Links(1e-5, 1e10))}
    assert rows[1]["faster"] == pytest.approx(1.0) and 1 < rows[8]["faster"] < 8
    assert rows[64]["faster"] > rows[8]["faster"] and "step_s" not in rows[1024]
    assert "64 windows" in rows[1024]["limit"]


def test_a_batch_beyond_the_noise_scale_brings_little(scaling: Any) -> None:
    one = scaling.Measured(64, 0.0, 0.0, 1e-3, [1.0], 256.0)
    rows = {row["workers"]: row for row in scaling.grown_batch(one, scaling.Links(0.0, 1e10))}
    assert rows[1]["sooner"] == pytest.approx(1.0)
    assert rows[8]["sooner"] == pytest.approx((1 + 4) / (1 + 0.5))
    assert rows[1024]["sooner"] < 5.0 and "noise scale" in rows[1024]["limit"]


def test_the_noise_scale_of_made_up_gradients_is_found(scaling: Any) -> None:
    """Gradients of one sample: a mean of squared norm 4 in noise of variance 200 in all."""
    random = np.random.default_rng(0)
    mean = np.full(100, 0.2)
    draws = mean + random.normal(0, np.sqrt(2.0), (20000, 100))
    small = np.mean([np.square(draws[start : start + 8].mean(0)).sum() for start in range(0, 16000, 8)])
    large = np.mean([np.square(draws[start : start + 400].mean(0)).sum() for start in range(0, 20000, 400)])
    assert scaling.noise_scale(small, large, 8, 400) == pytest.approx(50.0, rel=0.1)
    assert scaling.noise_scale(1.0, 1.0, 8, 400) is None


def test_costs_grow_with_the_samples(scaling: Any) -> None:
    read = {"sample_bytes": 8e3, "decoded_bytes": 12e3, "memory_fixed": 2e8, "memory_each": 100.0,
            "inspect_fixed_s": 1.0, "inspect_each_s": 1e-5, "bytes_per_s": 1e8, "decoded_per_s": 1e3}  # fmt: skip
    few, many = scaling.data_costs(read, (1e3, 1e9))
    assert few["memory_bytes"] == pytest.approx(2.001e8) and many["memory_bytes"] == pytest.approx(1.002e11)
    assert many["read_s"] == pytest.approx(8e4) and many["decode_core_s"] == pytest.approx(1e6)


def test_the_page_takes_exactly_the_figures_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    page = importlib.import_module("_scale_page")
    text = "a\n<!-- scale:x -->\nold\n<!-- scale end -->\nb\n"
    assert page.filled(text, {"x": "new"}) == "a\n<!-- scale:x -->\nnew\n<!-- scale end -->\nb\n"
    assert page.filled(page.filled(text, {"x": "new"}), {"x": "old"}) == text
    with pytest.raises(SystemExit):
        page.filled(text, {"y": "new"})
    assert page.seconds(0.5) == "500 ms" and page.seconds(7200) == "2 h" and page.size(2.5e9) == "2.5 GB"
