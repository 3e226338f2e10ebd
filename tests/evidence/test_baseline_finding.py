"""The comparison with classical machine learning, in words."""

from __future__ import annotations

import pytest
from evidence_examples import NOTHING, Linear, always_first, classes, context, fitted

from assay.evidence.baseline import find


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (
            "--evidence none was asked for",
            "The network was not compared with classical machine learning: --evidence none was asked for.",
        ),
        (
            "no classical model is known for driving",
            "The network was not compared with classical machine learning: no classical model is known for driving.",
        ),
        ("", "The network was not compared with classical machine learning."),
    ],
)
def test_without_a_baseline_the_reason_is_given(reason: str, verdict: str) -> None:
    side = classes(200, 0.9)
    found = find(context(side, side, side, always_first(200), no_baseline=reason))
    assert (found.status, found.verdict) == ("unknown", verdict)
    assert {name: number.value for name, number in found.numbers.items()} == {"network": 0.9, "guessing": 0.5}
    assert [row["label"] for row in found.figures[0].data["rows"]] == ["the network", "guessing"]
    assert find(context(side, side, NOTHING, no_baseline=reason)).numbers == {}


@pytest.mark.parametrize(
    ("own", "other", "status", "begins"),
    [
        (0.95, 0.7, "good", "The network is better than a linear model: accuracy 95.0 %"),
        (0.7, 0.95, "act", "A linear model is better than the network: accuracy 95.0 %"),
        (0.9, 0.9, "watch", "No difference can be shown: accuracy 90.0 %"),
    ],
)
def test_which_is_better(own: float, other: float, status: str, begins: str) -> None:
    side = classes(200, own)
    found = find(context(side, side, side, always_first(200), baseline=fitted(Linear(), classes(200, other))))
    assert found.status == status
    assert found.verdict.startswith(begins)
    assert list(found.numbers) == ["network", "baseline", "guessing", "difference"]
    assert found.numbers["difference"].value == pytest.approx(own - other)
    assert [row["series"] for row in found.figures[0].data["rows"]] == [0, 1, 2]
    assert found.certainty.endswith("200 independent test units, pair by pair. A linear model: 80 training samples.")
    assert found.figures[1].data["rows"][0] == ["training", "10 s", "1.5 s"]


def test_without_a_test_side_nothing_is_compared() -> None:
    side = classes(200, 0.9)
    found = find(context(side, side, NOTHING, NOTHING, baseline=fitted(Linear(), NOTHING)))
    assert found.status == "unknown" and "--split" in found.next
