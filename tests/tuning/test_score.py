"""By what trials and trainings of a search are compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.evaluation.unseen_loss import unseen_errors, unseen_loss
from assay.registry import load_task
from assay.targets.class_target import ClassTarget
from assay.tuning.score import is_better


def task_and_spec() -> tuple[Any, Any]:
    return load_task("table"), SimpleNamespace(target=ClassTarget(("a", "b", "c")))


def test_answers_with_probabilities_are_compared_by_their_squared_errors() -> None:
    task, spec = task_and_spec()
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])  # too few for a temperature
    found = unseen_errors(task, spec, shares, np.array([0, 2]), np.arange(2))
    assert found == pytest.approx([0.25 + 0.09 + 0.04, 0.01 + 0.64 + 0.81])


def test_a_sure_mistake_does_not_outweigh_what_is_right() -> None:
    """The log loss says the opposite of which of two networks is right more often."""
    task, spec = task_and_spec()
    truths, groups = np.zeros(400, np.int64), np.arange(400)
    often, seldom = np.tile([0.97, 0.02, 0.01], (400, 1)), np.tile([0.9, 0.06, 0.04], (400, 1))
    often[:4], seldom[:16] = [1e-9, 1 - 2e-9, 1e-9], [0.35, 0.4, 0.25]
    assert unseen_loss(task, spec, often, truths, groups) > 4 * unseen_loss(task, spec, seldom, truths, groups)
    errors = [unseen_errors(task, spec, shares, truths, groups).mean() for shares in (often, seldom)]
    assert errors[0] < errors[1]


def test_better_is_more_than_a_standard_error() -> None:
    dice = np.random.default_rng(0)
    noise = dice.normal(0, 1, 400)
    noise -= noise.mean()
    error, alone = noise.std() / 20, np.arange(400)
    others = np.ones(400)
    assert is_better(others - noise - 1.1 * error, others, alone)
    assert not is_better(others - noise - 0.9 * error, others, alone)
    assert not is_better(others, others, alone)


def test_errors_of_a_group_count_once() -> None:
    gains = np.repeat([0.3, -0.1, 0.2, -0.2, 0.4, -0.25], 50)
    assert is_better(-gains, np.zeros(300), np.arange(300))
    assert not is_better(-gains, np.zeros(300), np.repeat(np.arange(6), 50))


def test_a_single_number_is_compared_as_it_is() -> None:
    assert is_better(np.array([1.0]), np.array([1.1]), np.arange(9))
    assert not is_better(np.array([1.0]), np.array([1.0]), np.arange(9))


def test_units_of_which_nothing_can_be_said_are_left_out() -> None:
    dice = np.random.default_rng(0)
    others, alone = np.abs(dice.normal(1, 0.1, 400)), np.arange(400)
    some = others - 0.1
    some[::3], others[1::3] = np.nan, np.nan
    assert is_better(some, others, alone)
    assert not is_better(others, some, alone)


def test_infinitely_wrong_is_worse_than_anything() -> None:
    finite, infinite = np.ones(9), np.array([*np.zeros(8), np.inf])
    assert is_better(finite, infinite, np.arange(9))
    assert not is_better(infinite, finite, np.arange(9))


def test_an_infinite_loss_is_not_compared_with_a_metric() -> None:
    """The accuracy of a network that has diverged, with its sign turned, would look better than any loss."""
    spec = SimpleNamespace()
    task = _Losses()
    for losses, wanted in (((0.5, np.inf), [0.5, np.inf]), ((0.5, np.nan), [0.5, np.nan]), ((np.nan, np.nan), [-0.75])):
        found = unseen_errors(task, spec, np.array(losses), np.zeros(2), np.arange(2))  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, wanted)


class _Losses:
    """An application whose answers are its losses, without probabilities."""

    def probabilities(self, outputs: Any, spec: Any) -> None:
        return None

    def losses(self, outputs: Any, truths: Any, spec: Any) -> Any:
        return outputs

    def metrics(self, spec: Any) -> list[Any]:
        return [SimpleNamespace(value=lambda outputs, truths: 0.75, higher_is_better=True)]
