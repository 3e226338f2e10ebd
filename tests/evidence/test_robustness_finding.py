"""Robustness: what the finding says of a made-up network that any corruption can be made to hurt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evidence_examples import NOTHING, Application, always_first, context, evaluation, fitted

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.metrics import R2, Accuracy
from assay.evidence.context import Context
from assay.evidence.finding import Finding
from assay.evidence.robustness import find
from assay.report.figures import draw
from assay.task import Corruption
from assay.task_evidence import TaskEvidence

Array = np.ndarray[Any, Any]
CLEAN = 0.95


@dataclass(frozen=True)
class Inputs:
    """A batch whose inputs are how likely each is answered wrongly."""

    index: Any
    hurt: Array


@dataclass(frozen=True)
class Units:
    """A view of made-up units: what was changed in them is noted."""

    units: Array
    change: Any = None

    def changed(self, change: Any) -> Units:
        return replace(self, change=change)

    def batch(self) -> Inputs:
        batch = Inputs(torch.from_numpy(self.units), np.full(len(self.units), 1 - CLEAN))
        return batch if self.change is None else self.change(batch)


@dataclass
class Hurting(Application):
    """Answers classes in turn, right but for the share that a corruption takes at each strength."""

    costs: dict[str, tuple[float, ...]] = field(default_factory=dict)
    against: dict[str, tuple[str, float]] = field(default_factory=dict)
    means: dict[str, tuple[str, ...]] = field(default_factory=dict)
    worsened = TaskEvidence.worsened

    def corruptions(self, spec: Any) -> dict[str, Corruption]:
        def of(costs: tuple[float, ...]) -> Any:
            return lambda batch, at, draws: replace(batch, hurt=batch.hurt + costs[at - 1])

        return {
            name: Corruption(of(costs), self.against.get(name), self.means.get(name, ()))
            for name, costs in self.costs.items()
        }


@dataclass
class Answerer:
    """A network, or a classical model that is hurt half as much; it takes its seconds for each answer."""

    seconds: float = 0.0
    share: float = 1.0
    spec: Any = None
    likeness: Any = None
    name, features, reading, floor = "a linear model", "made by hand", "one weight a column", False

    def outputs(self, view: Units) -> Any:
        time.sleep(self.seconds * len(view.units))
        return answered(view.units, self.share * view.batch().hurt).outputs

    predict = outputs


def answered(units: Array, hurt: Any) -> Evaluation:
    """The wrong ones are always the same units, and more of them the more it hurts."""
    truths = units % 2
    wrong = np.random.default_rng(0).permutation(1000)[units] < 1000 * hurt - 1e-9
    found = evaluation(np.eye(2)[np.where(wrong, 1 - truths, truths)], truths)
    return replace(found, units=units)


def made(count: int = 1000, fit_seconds: float = 10.0, plan: Any = None, seconds: float = 0.0, **more: Any) -> Context:
    task = Hurting(Accuracy(), **more)
    test = answered(np.arange(count), 1 - CLEAN)
    samples = SimpleNamespace(view_of=Units, view=lambda side: SimpleNamespace(sample=lambda most: ()))
    return context(
        NOTHING,
        NOTHING,
        test,
        always_first(count),
        task=task,
        samples=samples,
        fit_seconds=fit_seconds,
        plan=plan,
        predictor=Answerer(seconds),
    )


def drawable(found: Finding) -> bool:
    return all("<svg" in draw(figure) for figure in found.figures)


GENTLE = {"dust": (0.0, 0.01, 0.02, 0.03, 0.04), "rain": (0.0, 0.0, 0.0, 0.01, 0.01)}


def test_a_network_that_holds_is_good() -> None:
    found = find(made(costs=GENTLE))
    assert found.status == "good" and found.next == "" and "dust at strength 5" in found.verdict
    assert found.numbers["unchanged"].value == pytest.approx(CLEAN, abs=0.01)
    assert found.numbers["dust, strength 5"].value == pytest.approx(CLEAN - 0.04, abs=0.012)
    assert "1,000 test samples" in found.certainty and "2 ways" in found.certainty
    assert drawable(found)
    labels = [one["label"] for one in found.figures[0].data["series"]]
    assert labels == ["dust", "rain", "guessing"]
    assert found.figures[0].data["series"][0]["x"] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("at", "status"), [(1, "act"), (2, "watch"), (3, "watch"), (4, "good"), (5, "good")])
def test_the_worst_is_named_with_the_strength_that_takes_a_fifth(at: int, status: str) -> None:
    """A fifth of the way from guessing (50 %) to 95 % is 9 points."""
    costs = tuple(0.08 if strength < at else 0.10 for strength in range(1, 6))
    found = find(made(costs={**GENTLE, "fog": costs}))
    assert found.status == status
    assert found.verdict.startswith(f"Fog hurts it most: at strength {at} of 5")
    assert found.numbers["strength at which fog takes a fifth"].value == at
    assert "collect" in found.next and "fog" in found.next


def test_the_augmentation_that_helps_is_named_where_it_is_weak() -> None:
    costs, against = {"glare": (0.3,) * 5}, {"glare": ("jitter", 0.4)}
    for jitter, wanted in ((0.0, True), (0.2, True), (0.4, False)):
        found = find(made(costs=costs, against=against, plan={"augment": {"jitter": jitter}}))
        assert ("--set augment.jitter=0.4" in found.next) == wanted
    assert "augment" not in find(made(costs=costs, against=against)).next


def test_a_loss_that_chance_explains_does_not_count() -> None:
    costs = {"fog": (0.0, 0.0, 0.0, 0.0, 0.11)}
    assert "fifth" in find(made(costs=costs)).verdict
    few = find(made(count=70, costs={"fog": (0.02,) * 5}))
    assert few.status == "good"


def test_the_classical_model_is_asked_the_same() -> None:
    given = made(costs={"fog": (0.1, 0.2, 0.3, 0.4, 0.4)})
    found = find(replace(given, baseline=fitted(Answerer(share=0.5), given.test)))
    network, classical = found.figures[1].data["series"]
    assert (network["label"], classical["label"]) == ("network", "a linear model")
    assert classical["y"][3] > network["y"][3] + 0.1
    assert network["low"][3] < network["y"][3] < network["high"][3]
    assert drawable(found)


def test_time_is_kept_to_by_fewer_samples() -> None:
    begun = time.monotonic()
    found = find(made(costs=GENTLE, fit_seconds=30.0, seconds=0.0003))
    assert time.monotonic() - begun < 2.0
    count = int(found.certainty.split()[0].replace(",", ""))
    assert 100 < count < 420 and f"{count:,} test samples" in found.certainty


def test_slow_answers_are_asked_at_fewer_strengths_and_very_slow_ones_not_at_all() -> None:
    given = made(count=500, costs=GENTLE, seconds=0.002)
    slow = find(replace(given, test=replace(given.test, seconds=500 * 0.002)))
    assert "at 3 strengths" in slow.certainty or "at 1 strength" in slow.certainty
    none = find(replace(given, test=replace(given.test, seconds=500 * 0.5)))
    assert none.status == "unknown" and "too long" in none.verdict and not none.numbers


@pytest.mark.parametrize("count", [5, 59])
def test_few_test_samples_say_nothing(count: int) -> None:
    found = find(made(count=count, costs=GENTLE))
    assert found.status == "unknown" and f"Only {count}" in found.verdict


def test_no_test_side_and_no_corruptions_say_nothing() -> None:
    assert find(made()).status == "unknown"
    assert find(replace(made(costs=GENTLE), test=NOTHING)).status == "unknown"


def test_a_network_that_guesses_has_nothing_to_lose() -> None:
    given = made(costs=GENTLE)
    found = find(replace(given, test=answered(np.arange(1000), 0.5)))
    assert found.status == "unknown" and "guessing" in found.verdict


def test_a_metric_that_is_not_defined_says_nothing() -> None:
    constant = evaluation(np.ones(200), np.ones(200))
    given = made(costs=GENTLE)
    task = Hurting(R2(), costs=GENTLE)
    assert find(replace(given, task=task, test=constant, floor=None)).status == "unknown"  # type: ignore[arg-type]


def test_strengths_are_told_by_what_they_are() -> None:
    means = {"dust": tuple(f"{grams} g of dust" for grams in (1, 2, 4, 8, 16))}
    found = find(made(costs={"dust": (0.0, 0.0, 0.3, 0.3, 0.4), "rain": (0.0,) * 5}, means=means))
    assert "Dust hurts it most: at strength 3 of 5 (4 g of dust) more than a fifth of what" in found.verdict
    table = found.figures[-1]
    assert [row[:3] for row in table.data["rows"]] == [["dust", at + 1, means["dust"][at]] for at in range(5)]
    assert table.data["rows"][0][3].startswith("95.0 % [") and table.data["rows"][4][3].startswith("55.0 % [")
    assert "16 g of dust" in draw(table)


def test_it_says_on_how_many_samples_likeness_was_learned_or_why_not() -> None:
    given = made(costs=GENTLE)
    learned = replace(given, predictor=Answerer(likeness=SimpleNamespace(learned=1200, judged=340)))
    told = "Inputs unlike the training data are told beside 1,200 training samples, by 340 validation samples."
    assert find(learned).certainty.endswith(f"explain it. {told}")
    assert find(replace(learned, test=NOTHING)).certainty == told
    known = Answerer(likeness=SimpleNamespace(learned=1200, judged=0))
    assert find(replace(given, predictor=known)).certainty.endswith("training samples, by the validation side.")
    untold = find(replace(given, no_likeness="there are too few training samples"))
    assert untold.certainty.endswith("the training data is not known: there are too few training samples.")
    assert find(given).certainty.endswith("chance does not explain it.")
