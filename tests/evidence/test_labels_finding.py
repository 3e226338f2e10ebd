"""Labels that networks disagree with that have not seen them, the worst first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from evidence_examples import NOTHING, Application, context, evaluation

from assay.evaluation.metrics import Accuracy
from assay.evidence.context import Context, FittedBaseline
from assay.evidence.labels import find
from assay.serving.predictor import Classical
from assay.task import Doubt, Doubts, Drawing

_UNITS = 400


class Sorter(Application):
    """An application whose outputs are probabilities."""

    def __init__(self, told: bool = True) -> None:
        super().__init__(Accuracy())
        self.told = told

    def probabilities(self, outputs: Any, spec: Any) -> Any:
        return np.asarray(outputs) if self.told else None


def judged(
    changed: Any,
    sure: float = 0.9,
    divided: bool = True,
    told: bool = True,
    classical: float | None = None,
    long: bool = True,
) -> Context:
    """400 units of four classes, of which `changed` carry the next class; 300 of them in two folds, 100 tested.

    The main training was `long` enough. The networks are `sure` of the true class; so is
    a classical model of `classical`, where there is one.
    """
    true = np.arange(_UNITS) % 4
    labels = true.copy()
    labels[changed] = (labels[changed] + 1) % 4
    scores = answers(true, sure)
    halves = (np.arange(0, 150), np.arange(150, 300))
    run = SimpleNamespace(predictor=SimpleNamespace(outputs=lambda view: scores[view.units]))
    other = SimpleNamespace(predict=lambda view: answers(true, classical or 0.0)[view.units])
    side = SimpleNamespace(
        halves=halves if divided else None,
        worth=lambda part: long,
        out_of_fold=lambda: [(run, half) for half in halves if divided],
        classical_out_of_fold=lambda seconds: [(Classical(None, None, other), half) for half in halves],  # type: ignore[arg-type]
    )
    samples = SimpleNamespace(
        view_of=lambda units: SimpleNamespace(units=units, truths=lambda: labels[units]),
        id=lambda unit: f"{unit}.png",
    )
    test = asked_of(scores, labels)
    made = context(NOTHING, NOTHING, test, samples=samples, side=side)
    if classical is None:
        return replace(made, task=Sorter(told))  # type: ignore[arg-type]
    baseline = FittedBaseline(other, asked_of(answers(true, classical), labels), 1.0, "")  # type: ignore[arg-type]
    return replace(made, task=Sorter(told), baseline=baseline)  # type: ignore[arg-type]


def answers(true: Any, sure: float) -> Any:
    """Probabilities (400, 4): `sure` of the true class."""
    scores = np.full((_UNITS, 4), (1 - sure) / 3)
    scores[np.arange(_UNITS), true] = sure
    return scores + np.random.default_rng(0).uniform(0, 1e-3, scores.shape)


def asked_of(scores: Any, labels: Any) -> Any:
    return replace(evaluation(scores[300:], labels[300:]), units=np.arange(300, _UNITS))


def test_changed_labels_are_named_on_all_sides() -> None:
    changed = [3, 155, 310, 311]
    found = find(judged(changed))
    assert found.status == "watch" and found.verdict == "4 of 400 labels look wrong (1.0 %)."
    assert found.numbers["labels that look wrong"].value == 4 and found.numbers["labels looked at"].value == _UNITS
    (gallery, table) = found.figures
    assert {row[0] for row in table.data["rows"]} == {f"{unit}.png" for unit in changed}
    assert len(gallery.data["items"]) == 4
    row = next(row for row in table.data["rows"] if row[0] == "155.png")
    assert row[1:] == [str((155 + 1) % 4), str(155 % 4)]


def test_many_wrong_labels_call_for_action_and_none_is_good() -> None:
    many = find(judged(np.arange(0, _UNITS, 9)))
    assert many.status == "act" and many.next
    none = find(judged([]))
    assert none.status == "good" and none.verdict == "None of 400 labels looks wrong." and not none.next


@pytest.mark.parametrize(
    ("sure", "classical", "named"), [(0.95, None, 4), (0.8, None, 0), (0.8, 0.98, 4), (0.98, 0.7, 0)]
)
def test_a_label_looks_wrong_where_network_and_classical_model_all_but_rule_it_out(
    sure: float, classical: float | None, named: int
) -> None:
    found = find(judged([3, 155, 310, 311], sure, classical=classical))
    assert found.numbers["labels that look wrong"].value == named
    assert ("a classical model" in found.certainty) == (classical is not None)


def test_a_network_that_only_guesses_is_no_judge() -> None:
    found = find(judged(np.random.default_rng(1).permutation(_UNITS)[:320]))
    assert found.status == "unknown" and "too seldom" in found.verdict and not found.figures


def test_without_folds_or_classes_nothing_is_said() -> None:
    whole, other = find(judged([], divided=False)), find(judged([], told=False))
    assert whole.status == other.status == "unknown" and whole.next and other.next
    assert "too small to be divided" in whole.verdict and "one class of several" in other.verdict


class Boxes(Sorter):
    """An application with several labels a unit, some of which it doubts wherever `doubted` says."""

    def __init__(self, doubted: Any, agreed: float = 0.8) -> None:
        super().__init__(told=False)
        self.traits = SimpleNamespace(doubting={})
        self.doubted, self.agreed = doubted, agreed
        self.able: dict[int, float] = {}
        self.seen = -1  # units so far; the first call only asks whether it can tell at all

    def doubts(self, outputs: Any, truths: Any, spec: Any) -> Doubts:
        assert len(outputs) == len(truths)
        first, self.seen = max(0, self.seen), max(0, self.seen) + (len(outputs) if self.seen >= 0 else 0)
        kinds = ("missing", "another class")
        found = [Doubt(kinds[row % 2], "cat", "dog", 0.9, row, row - first)
                 for row in self.doubted if first <= row < first + len(outputs)]  # fmt: skip
        return Doubts(2 * len(outputs), self.able.get(len(outputs), self.agreed), tuple(found))

    def draw_doubted(self, samples: Any, unit: int, doubt: Doubt, spec: Any) -> Drawing:
        return Drawing(lines=(samples.id(unit), f"at {doubt.place}"))


def test_labels_of_which_a_unit_has_several_are_doubted_by_the_application() -> None:
    found = find(replace(judged([]), task=Boxes([5, 160, 310])))  # type: ignore[arg-type]
    assert found.status == "good" and "3 labels look wrong or seem to be missing" in found.verdict
    assert "missing: 2" in found.verdict and found.numbers["of these another class"].value == 1
    assert found.numbers["labels looked at"].value == 2 * _UNITS
    gallery, table = found.figures
    # The first 150 are those of the second half's network, as the folds come.
    assert [row[0] for row in table.data["rows"]] == ["5.png", "160.png", "310.png"]
    assert gallery.data["items"][0]["lines"] == ["what: another class", "label: cat", "looks like: dog (90 %)", "at 5"]


def test_no_doubts_many_doubts_and_a_judge_who_cannot_judge() -> None:
    none = find(replace(judged([]), task=Boxes([])))  # type: ignore[arg-type]
    assert none.status == "good" and not none.figures and "None of 800 labels looks wrong" in none.verdict
    many = find(replace(judged([]), task=Boxes(range(0, 400, 4))))  # type: ignore[arg-type]
    assert many.status == "act" and many.next
    unable = find(replace(judged([]), task=Boxes([3], agreed=0.2)))  # type: ignore[arg-type]
    assert unable.status == "unknown" and "too seldom" in unable.verdict


def test_labels_of_a_side_that_cannot_be_judged_are_left_out() -> None:
    alone = find(replace(judged([], divided=False), task=Boxes([3])))  # type: ignore[arg-type]
    assert alone.numbers["labels looked at"].value == 2 * 100 and "too few samples, or groups" in alone.certainty
    assert "beside 200 that could be judged" in alone.verdict
    short = find(replace(judged([], long=False), task=Boxes([3])))  # type: ignore[arg-type]
    assert short.numbers["labels looked at"].value == 2 * 100 and "too short for trainings" in short.certainty
    weak = Boxes([3, 310])
    weak.able = {100: 0.9, 150: 0.2}  # the halves agree too seldom, the main network does not
    found = find(replace(judged([]), task=weak))  # type: ignore[arg-type]
    assert found.numbers["labels looked at"].value == 2 * 100 and "half of it agree too seldom" in found.certainty
    assert [row[0] for row in found.figures[1].data["rows"]] == ["310.png"]
