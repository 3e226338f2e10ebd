"""Made-up trainings for findings to ask: answers of any quality, and a context around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.metrics import Accuracy, Metric
from assay.evidence.context import Context, FittedBaseline
from assay.task import Confusion, Drawing
from assay.training.plan import Plan

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Settings:
    """Of a network that has a width, an activation and dropout."""

    width: int = 32
    activation: str = "relu"
    dropout: float = 0.1


def evaluation(outputs: Any, truths: Any, groups: Any = None) -> Evaluation:
    """Outputs beside truths (U,), each unit a group of its own unless said."""
    units = np.arange(len(truths))
    whose = units if groups is None else np.asarray(groups)
    return Evaluation(units, outputs, truths, whose, np.zeros(len(units)), 0.1)


NOTHING = evaluation([], [])


def classes(count: int, right: float, groups: Any = None) -> Evaluation:
    """`count` answers to a question with two classes in turn, the given share of them right."""
    truths = np.arange(count) % 2
    wrong = np.arange(count) >= round(right * count)
    return evaluation(np.eye(2)[np.where(wrong, 1 - truths, truths)], truths, groups)


def always_first(count: int, truths: Any = None) -> Evaluation:
    """The first class for everything."""
    return evaluation(np.eye(2)[np.zeros(count, int)], np.arange(count) % 2 if truths is None else truths)


def numbers(count: int, error: float, spread: float = 1.0, seed: int = 0) -> Evaluation:
    """Answers to truths with a standard deviation of `spread` about 100, with errors of a deviation of `error`."""
    random = np.random.default_rng(seed)
    truths = 100 + spread * random.standard_normal(count)
    return evaluation(truths + error * random.standard_normal(count), truths)


def mean_number(like: Evaluation) -> Evaluation:
    """Nearly the mean for everything, as a floor that was fitted on other samples gives it."""
    truths = np.asarray(like.truths)
    return evaluation(np.full(len(truths), truths.mean() + 0.05 * truths.std()), truths)


class Floor:
    """A dummy model that is only a name."""

    name, features, reading, floor = "always the same", "none", "one answer", True


class Linear:
    """A classical model that is only a name."""

    name, features, reading, floor = "a linear model", "the columns as they are", "one weight a column", False
    hardware = "a processor"


def fitted(model: Any, test: Evaluation) -> FittedBaseline:
    return FittedBaseline(model, test, 1.5, "80 training samples", 1200, 3_000_000)


@dataclass
class Application:
    """A task with one metric, whose floor gives `guesses` on whatever side it is asked about."""

    metric: Metric
    guesses: Evaluation = NOTHING
    asked: list[tuple[Any, Any]] = field(default_factory=list)
    name: str = "made-up"
    holds_back: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    confused: Sequence[Confusion] = ()

    def in_loop(self, spec: Any) -> bool:
        return False

    def metrics(self, spec: Any) -> Sequence[Metric]:
        return (self.metric,)

    def evaluate(self, predictor: Any, view: Any) -> Evaluation:
        self.asked.append((predictor, view))
        return self.guesses

    def draw(self, samples: Any, unit: int, spec: Any) -> Drawing:
        return Drawing(lines=(str(unit),))

    def draw_window(self, samples: Any, unit: int, window: int, spec: Any) -> Drawing:
        return self.draw(samples, unit, spec)

    def draw_answered(self, samples: Any, unit: int, output: Any, truth: Any, spec: Any) -> Drawing:
        return self.draw(samples, unit, spec)

    def figures(self, answers: Evaluation, spec: Any) -> tuple[()]:
        return ()

    def figures_beside(self, answers: Evaluation, classical: Evaluation, name: str, spec: Any) -> tuple[()]:
        return ()

    def confusions(self, outputs: Any, truths: Any, spec: Any) -> Sequence[Confusion]:
        return self.confused

    def amount(self, samples: Any, units: Any, spec: Any) -> None:
        return None

    def in_use(self, predictor: Any, samples: Any) -> None:
        return None

    def recital(self, predictor: Any, samples: Any, budget_s: float) -> None:
        return None

    def things(self, spec: Any) -> Any:
        return None

    def mistakes(self, outputs: Any, truths: Any, spec: Any) -> None:
        return None

    def regularisation(self, spec: Any) -> Mapping[str, tuple[float, float]]:
        return self.holds_back

    def probabilities(self, outputs: Any, spec: Any) -> None:
        return None

    def doubts(self, outputs: Any, truths: Any, spec: Any) -> Any:
        return None

    def confidences(self, outputs: Any, truths: Any, spec: Any) -> None:
        return None

    def losses(self, outputs: Any, truths: Any, spec: Any) -> Array:
        return np.full(len(outputs), np.nan)

    def words(self, output: Any, spec: Any) -> str:
        return str(output)

    def truth_words(self, truth: Any, spec: Any) -> str:
        return str(truth)


def context(
    train: Evaluation,
    validation: Evaluation,
    test: Evaluation,
    floor: Evaluation | None = None,
    *,
    metric: Metric | None = None,
    settings: Any = None,
    plan: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> Context:
    """A finished training with these answers; `floor` are those of guessing on the test side."""
    made = Context(
        Application(metric or Accuracy()),  # type: ignore[arg-type]
        spec=None,
        samples=SimpleNamespace(  # type: ignore[arg-type]
            view=lambda side: ("view", side), index=pa.table({}), side=np.zeros(0, np.int8)
        ),
        predictor=SimpleNamespace(network=None, likeness=None),  # type: ignore[arg-type]
        network="made-up",
        settings=settings or Settings(),
        plan=replace(Plan(), **(plan or {})),
        history=history,
        fit_seconds=10.0,
        test=test,
        validation=validation,
        train=train,
        floor=None if floor is None else fitted(Floor(), floor),
    )
    return replace(made, **more)
