"""Remedies: which changes are proposed, how they are tried, and what is said of what they brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evidence_examples import NOTHING, Application, Settings, always_first, classes, context
from torch import nn

from assay.errors import TrainingError
from assay.evaluation.metrics import Accuracy
from assay.evidence import side as evidence_side
from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.evidence.overfitting import find
from assay.evidence.remedy import LONGER, against_memorising, against_underfitting, try_changes
from assay.samples.samples import build_samples
from assay.samples.split import TRAIN, VALIDATION
from assay.sources.source import DataOptions, open_source
from assay.training.plan import Plan
from fakes import sequence

COUNT = 400
HOLDS_BACK = {"augment.flip": (0.0, 0.5), "augment.crop": (1.0, 0.6), "mixup": (0.0, 0.4)}


class Side:
    """Side trainings whose answers are right about a given share of the validation side."""

    def __init__(self, brings: Mapping[str, float], before: float, steps: int = 1000) -> None:
        self.brings, self.before, self.steps = brings, before, steps
        self.asked: dict[str, dict[str, Any]] = {}

    def train(self, name: str, units: Any, **how: Any) -> Any:
        self.asked[name] = {"units": units, **how}
        right = next((value for key, value in self.brings.items() if key in name), self.before)
        if right < 0:
            raise TrainingError("the loss is nan", "Look at the data.")
        return SimpleNamespace(predictor=SimpleNamespace(outputs=lambda view: classes(COUNT, right).outputs))


def trained(side: Any, own: float = 1.0, new: float = 0.7, **more: Any) -> Context:
    """A finished training with `own` of its training samples right and `new` of its validation samples."""
    task = Application(Accuracy(), holds_back=HOLDS_BACK)
    sides = np.repeat([TRAIN, VALIDATION], [600, COUNT])
    samples = SimpleNamespace(side=sides, view=lambda number: number)
    plan = {"augment": {"flip": 0.0, "crop": 1.0}, "steps": 1000, "weight_decay": 3.0, "learning_rate": 1e-3}
    made = context(
        classes(600, own), classes(COUNT, new), NOTHING, plan=plan,
        predictor=SimpleNamespace(network=nn.Linear(2, 2)), samples=samples, side=side, fit_seconds=100.0, **more,
    )  # fmt: skip
    task.guesses = always_first(COUNT)
    return replace(made, task=task, floor=SimpleNamespace(test=NOTHING, model=None))  # type: ignore[arg-type]


def options(changes: Any) -> list[str]:
    return [change.option.removeprefix("--set ") for change in changes]


def test_what_is_not_in_use_is_proposed_in_the_order_of_the_application() -> None:
    made = trained(None, settings=Settings(dropout=0.0))
    assert options(against_memorising(made)) == ["augment.flip=0.5", "augment.crop=0.6", "mixup=0.4", "dropout=0.3"]
    used = replace(made.plan, augment={"flip": 0.5, "crop": 0.7}, weight_decay=0.0)
    assert options(against_memorising(replace(made, plan=used))) == ["mixup=0.4", "dropout=0.3", "weight_decay=2"]
    assert options(against_memorising(replace(made, settings=Settings(dropout=0.1))))[-1] == "mixup=0.4"


def test_an_augmentation_that_the_plan_does_not_know_is_not_proposed() -> None:
    made = trained(None, settings=Settings(dropout=0.1))
    assert options(against_memorising(replace(made, plan=replace(made.plan, augment={"crop": 1.0})))) == [
        "augment.crop=0.6", "mixup=0.4",
    ]  # fmt: skip


def test_against_underfitting_what_holds_back_goes() -> None:
    made = trained(None, settings=Settings(dropout=0.3))
    plan = replace(made.plan, augment={"flip": 0.5, "crop": 1.0}, mixup=0.4)
    found = options(against_underfitting(replace(made, plan=plan)))
    assert found == [LONGER.option, "learning_rate=0.003", "dropout=0", "weight_decay=0", "augment.flip=0", "mixup=0"]


def test_the_best_change_is_told_with_what_it_brought() -> None:
    side = Side({"crop": 0.82, "flip": 0.68, "mixup": 0.72}, before=0.7)
    found = find(trained(side))
    assert found.status == "watch"
    assert found.next.startswith("Train again with --set augment.crop=0.6 (best of 3 changes tried, +12.0 points [")
    gain = found.numbers["gain of the change tried"]
    assert gain.value == pytest.approx(0.12) and gain.low is not None and 0.07 < gain.low < 0.12
    rows = found.figures[-1].data["rows"]
    assert [row["label"] for row in rows] == ["augment.crop=0.6", "mixup=0.4", "augment.flip=0.5"]
    assert "for 30 steps" in found.certainty and "400 validation samples" in found.certainty


def test_a_trial_goes_on_from_the_trained_weights_on_the_training_side_alone() -> None:
    side = Side({}, before=0.7)
    made = trained(side, settings=Settings(dropout=0.0))
    try_changes(made, against_memorising(made))
    assert next(iter(side.asked)) == "on-as-before"
    for how in side.asked.values():
        assert how["units"].tolist() == list(range(600))
        assert how["start"].keys() == {"weight", "bias"}
        assert how["plan"]["steps"] == 30
        assert how["plan"]["learning_rate"] == pytest.approx(0.3e-3)
    assert side.asked["on-augment.flip-0.5"]["plan"]["augment"] == {"flip": 0.5, "crop": 1.0}
    assert side.asked["on-dropout-0.3"]["settings"] == {"dropout": 0.3}


def test_weight_decay_is_tried_as_strong_as_it_comes_in_the_whole_training() -> None:
    side = Side({}, before=0.7)
    made = trained(side, settings=Settings(dropout=0.1))
    made = replace(made, plan=replace(made.plan, weight_decay=0.0, augment={}), task=Application(Accuracy()))
    try_changes(made, against_memorising(made))
    assert side.asked["on-weight_decay-2"]["plan"]["weight_decay"] == pytest.approx(2 * 1000 / 30 / 0.3)


def test_a_gain_that_may_be_chance_is_called_so() -> None:
    found = find(trained(Side({"crop": 0.71}, before=0.7)))
    assert found.next.startswith("Try --set augment.crop=0.6 (") and "which may be chance" in found.next


def test_a_change_that_brought_nothing_in_a_few_steps_is_called_so() -> None:
    found = find(trained(Side({"crop": 0.6, "flip": 0.69, "mixup": 0.6}, before=0.7)))
    assert found.next.startswith(
        "In a few steps no change brought anything. Try a whole training with --set augment.flip"
    )
    assert "(best of 3 changes tried, -1.0 points [" in found.next


def test_changes_that_do_harm_are_not_advised() -> None:
    found = find(trained(Side({"crop": 0.5, "flip": 0.6, "mixup": 0.5}, before=0.7)))
    assert found.next.startswith("Every change that was tried did harm: --set augment.flip=0.5 the least (")
    assert found.next.endswith("Rather collect more data.")


def test_underfitting_is_tried_by_going_on() -> None:
    side = Side({"as-before": 0.66, "learning_rate": 0.61}, before=0.5)
    found = find(trained(side, own=0.56, new=0.55))
    assert found.status == "act"
    assert found.next.startswith("Train again with a longer training (--budget) (best of 4 changes tried, +11.0 points")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"thorough": False}, "quick evidence was asked for"),
        ({"side": None}, "this application has no side trainings"),
        ({"validation": classes(20, 0.7), "test": classes(400, 0.7)}, "20 independent validation samples are too few"),
        ({"side": Side({}, 0.7, steps=100)}, "the training was too short for trials beside it"),
        ({"side": Side({"before": -1.0}, 0.7)}, "a trial failed (the loss is nan)"),
    ],
)
def test_why_nothing_was_tried_is_said(change: dict[str, Any], why: str) -> None:
    found: Finding = find(replace(trained(Side({}, 0.7)), **change))
    assert found.status == "watch"
    assert f"No change was tried: {why}" in found.certainty
    assert "gain of the change tried" not in found.numbers
    assert found.next == "Try --set augment.flip=0.5; or collect more data."


def test_a_good_fit_costs_no_trial() -> None:
    side = Side({}, 0.9)
    assert find(trained(side, own=0.9, new=0.9)).status == "good"
    assert not side.asked


def test_no_more_is_tried_than_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trial takes 4 of 100 seconds: as before and two changes stay within 15."""
    from assay.evidence import remedy

    now, side = [0.0], Side({}, 0.7)
    original = side.train

    def slow(name: str, units: Any, **how: Any) -> Any:
        now[0] += 4.0
        return original(name, units, **how)

    side.train = slow  # type: ignore[method-assign]
    monkeypatch.setattr(remedy.time, "monotonic", lambda: now[0])
    made = trained(side)
    assert len(try_changes(made, against_memorising(made)).tried) == 2
    assert now[0] <= 15


def test_intervals_of_several_changes_hold_together() -> None:
    made = trained(Side({"crop": 0.75}, before=0.7))
    several = try_changes(made, against_memorising(made)).tried[0].gain
    one = try_changes(made, against_memorising(made)[1:2]).tried[0].gain
    assert several.value == one.value == pytest.approx(0.05)
    assert several.high - several.low > 1.1 * (one.high - one.low)  # type: ignore[operator]


def test_a_side_training_goes_on_from_the_weights_that_it_is_given(tmp_path: Path) -> None:
    """Without a step that moves them, they come back; those given are left as they are."""
    task, records = sequence.Backwards(), sequence.Backwards().read(open_source(sequence.examples(40)), DataOptions())
    side = np.zeros(40, np.int8)
    spec = task.fit_spec(records, side == TRAIN, DataOptions())
    samples = build_samples(task, records, spec, side, folder=tmp_path / "cache")
    kind = task.networks(spec)[0]
    runs = evidence_side.Side(task, spec, samples, kind, kind.settings(), Plan(batch_size=16, steps=100))
    fresh = runs.train("fresh", np.arange(40), plan={"learning_rate": 0.0}).predictor.network.state_dict()
    start = {name: value + 1 for name, value in fresh.items()}
    still = runs.train("still", np.arange(40), plan={"learning_rate": 0.0}, start=start).predictor.network.state_dict()
    moved = runs.train("moved", np.arange(40), start=start).predictor.network.state_dict()
    assert runs.steps == 100
    assert all(torch.equal(value, start[name]) for name, value in still.items())
    assert not all(torch.equal(value, start[name]) for name, value in moved.items())
    assert all(torch.equal(value, fresh[name] + 1) for name, value in start.items())
