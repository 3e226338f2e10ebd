"""The comparison with classical machine learning, in words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, Application, Linear, always_first, classes, context, fitted

from assay.evaluation.metrics import Accuracy
from assay.evidence.baseline import find, judge


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
    assert found.figures[1].data["rows"] == [
        ["training", "10 s", "1.5 s"],
        ["one answer, many at once", "500 µs", "500 µs"],
        ["memory that training took", "not measured here", "3 MB"],
        ["size on disk", "0 B", "1.2 kB"],
        ["hardware", "a processor was enough; a GPU makes large ones quicker", "a processor"],
        ["features", "learned from this data", "the columns as they are"],
        ["how it can be read", "by its answers alone", "one weight a column"],
    ]


def test_test_samples_of_one_group_do_not_tell_which_is_better() -> None:
    own, other = (replace(classes(200, right), groups=np.zeros(200, np.int64)) for right in (0.95, 0.3))
    found = find(context(own, own, own, always_first(200), baseline=fitted(Linear(), other)))
    assert found.status == "unknown"
    assert found.verdict.startswith("Test samples of a single group do not tell which")


def test_without_a_test_side_nothing_is_compared() -> None:
    side = classes(200, 0.9)
    found = find(context(side, side, NOTHING, NOTHING, baseline=fitted(Linear(), NOTHING)))
    assert found.status == "unknown" and "--split" in found.next


def test_the_table_asks_the_application_and_the_network() -> None:
    class Explains(Application):
        def explain(self, predictor: Any, batch: Any) -> Any: ...

    network = SimpleNamespace(parameters=lambda: [SimpleNamespace(device=SimpleNamespace(type="cuda"))])
    side = classes(200, 0.9)
    made = context(side, side, side, always_first(200), baseline=fitted(Linear(), classes(200, 0.8)))
    made = replace(
        made, task=Explains(Accuracy()), predictor=SimpleNamespace(network=network), features="learned before",
        fit_memory_bytes=5_000_000,
    )  # fmt: skip
    rows = {row[0]: row[1] for row in find(made).figures[1].data["rows"]}
    assert rows["how it can be read"] == "by what weighed in single answers"
    assert rows["hardware"].startswith("a GPU") and rows["features"] == "learned before"
    assert rows["memory that training took"] == "5 MB"


@pytest.mark.parametrize(
    ("only_first", "only_second", "verdict"), [(30, 5, "network"), (5, 30, "baseline"), (9, 6, "tie")]
)
def test_the_verdict_follows_from_the_pairs(only_first: int, only_second: int, verdict: str) -> None:
    truths = np.zeros(500, int)
    first, second = truths.copy(), truths.copy()
    second[:only_first] = 1
    first[only_first : only_first + only_second] = 1
    found, gain = judge(Accuracy(), np.eye(2)[first], np.eye(2)[second], truths, np.arange(500))
    assert found == verdict and gain.value == pytest.approx((only_first - only_second) / 500)
