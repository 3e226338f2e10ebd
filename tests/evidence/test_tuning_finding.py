"""What a search brought, in words: the gain over the defaults, what mattered, and where to search further."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from evidence_examples import NOTHING, classes, context

from assay.errors import SettingError
from assay.evidence.finding import Finding
from assay.evidence.tuned import Trial, Tuned
from assay.evidence.tuning import find
from assay.report.figures import draw


def trial(number: int, value: float | None, state: Any = "complete") -> Trial:
    values = {"learning_rate": 0.01 * (number + 1), "depth": 2}
    return Trial(number, state, value, {2: 1.0}, "mlp", values, 3.0, "it broke" if state == "failed" else "")


def tuned(found: float, defaults: float, **changed: Any) -> Tuned:
    trials = [trial(0, 0.5), trial(1, None, "stopped"), trial(2, 0.4), trial(3, None, "failed"), trial(4, 0.45)]
    whole = Tuned(
        trials, trials[2], {"learning_rate": 0.01, "depth": 2}, {"learning_rate": "0.002 to 0.05 (ratios)"}, (),
        {"learning_rate": 0.97, "depth": 0.03}, "found", False, False, (0.4, 0.5),
        (classes(300, found), classes(300, defaults)), (200, 1500), 150, 15.0,
    )  # fmt: skip
    return replace(whole, **changed)


def told(what: Tuned) -> Finding:
    return find(replace(context(what.test[0], what.test[0], what.test[0]), tuned=what))


@pytest.mark.parametrize(
    ("found", "defaults", "status", "begins"),
    [
        (0.95, 0.8, "good", "The search paid: accuracy +15.0 points ["),
        (0.9, 0.9, "watch", "No gain can be shown: accuracy +0.0 points ["),
        (0.8, 0.95, "act", "The network that was found is worse than the defaults: accuracy -15.0 points ["),
    ],
)
def test_the_gain_is_told_with_its_interval(found: float, defaults: float, status: str, begins: str) -> None:
    finding = told(tuned(found, defaults))
    assert finding.status == status and finding.verdict.startswith(begins)
    gain = finding.numbers["gain over the defaults"]
    assert gain.value == pytest.approx(found - defaults) and gain.low is not None and gain.unit == "points"
    assert finding.numbers["stopped early"].value == finding.numbers["failed"].value == 1
    assert "300 test units, paired" in finding.certainty


def test_where_the_defaults_were_kept_it_says_why() -> None:
    assert told(tuned(0.8, 0.9, kept="defaults")).verdict.startswith("The defaults were kept: trained again")
    same = told(tuned(0.9, 0.9, kept="defaults", same=True))
    assert same.verdict == "Of 5 trials none was better on the validation side than the defaults, which were kept."
    assert same.status == "watch" and "--budget" in same.next


def test_it_says_for_how_long_both_were_trained() -> None:
    in_full, brief = told(tuned(0.95, 0.8)), told(tuned(0.95, 0.8, brief=True))
    assert "the same time" in in_full.certainty and "the same time" in in_full.figures[0].caption
    for words in (brief.certainty, brief.figures[0].caption):
        assert "the same time" not in words and "what was found as long as its trial" in words


def test_a_value_at_the_end_of_its_range_is_the_next_step() -> None:
    finding = told(tuned(0.95, 0.8, edges=("learning_rate",)))
    assert "--search learning_rate=LOW..HIGH" in finding.next


def test_figures_tell_the_path_what_mattered_and_what_did_not() -> None:
    chart, path, importance, values = told(tuned(0.95, 0.8)).figures
    assert [row["label"] for row in chart.data["rows"]] == ["tuned", "defaults"]
    assert path.data["series"][0] == {"label": "best so far", "x": [1, 3, 5], "y": [0.5, 0.4, 0.4]}
    assert importance.caption.endswith("Not worth tuning here: depth.")
    assert values.data["rows"][0] == ["learning_rate", "0.03", "0.01", "0.002 to 0.05 (ratios)", "97 %"]
    assert len(told(tuned(0.95, 0.8, importance={})).figures) == 3


def test_without_a_test_side_no_gain_is_claimed() -> None:
    finding = told(tuned(0.9, 0.9, test=(NOTHING, NOTHING)))
    assert finding.status == "unknown" and "gain over the defaults" not in finding.numbers
    assert finding.numbers["trials"].value == 5


def test_a_run_that_was_not_tuned_has_no_such_finding() -> None:
    side = classes(20, 0.5)
    with pytest.raises(SettingError):
        find(context(side, side, side))


def test_its_figures_are_drawn() -> None:
    finding = told(tuned(0.95, 0.8))
    assert Finding.from_json(finding.to_json()) == finding
    assert all(draw(figure).startswith("<figure") for figure in finding.figures)
