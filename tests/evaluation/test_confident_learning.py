"""Confident learning on labels of which it is known which are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from assay.evaluation.confident_learning import find_label_issues

Array = np.ndarray[Any, Any]


def planted(count: int, classes: int, share: float, seed: int, sharp: float = 3.0) -> tuple[Array, Array, Array]:
    """Probabilities of a good network, labels of which a share was changed, and which."""
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, count)
    logits = random.normal(0, 1, (count, classes)) + sharp * np.eye(classes)[true]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    changed = random.random(count) < share
    labels = np.where(changed, (true + random.integers(1, classes, count)) % classes, true)
    return scores, labels, changed


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_changed_labels_come_first(classes: int) -> None:
    scores, labels, changed = planted(3000, classes, 0.05, 1, sharp=5.0)
    issues = find_label_issues(scores, labels)
    first = np.argsort(issues.quality, kind="stable")[: changed.sum()]
    assert changed[first].mean() > 0.9
    assert changed[issues.wrong].mean() > 0.9 and issues.wrong[changed].mean() > 0.7


def test_the_suggestion_is_the_true_class() -> None:
    scores, labels, changed = planted(3000, 4, 0.05, 2, sharp=6.0)
    issues = find_label_issues(scores, labels)
    named = issues.wrong & changed
    assert (issues.suggested[named] == scores[named].argmax(axis=1)).all()
    assert (issues.suggested[named] != labels[named]).all()


def test_the_joint_counts_every_label_once() -> None:
    scores, labels, _ = planted(2000, 5, 0.1, 3)
    joint = find_label_issues(scores, labels).joint
    assert joint.sum(axis=1) == pytest.approx(np.bincount(labels, minlength=5))


def test_labels_that_all_agree_are_not_accused() -> None:
    scores, labels, _ = planted(500, 3, 0.0, 4, sharp=12.0)
    assert not find_label_issues(scores, labels).wrong.any()


def test_a_network_that_only_guesses_gives_finite_numbers() -> None:
    random = np.random.default_rng(5)
    scores = np.full((1000, 4), 0.25) + random.normal(0, 1e-6, (1000, 4))
    labels = random.integers(0, 4, 1000)
    issues = find_label_issues(scores, labels)
    assert np.isfinite(issues.quality).all()


def test_a_class_without_labels_and_probabilities_of_zero_and_one() -> None:
    scores = np.eye(4)[[0, 0, 1, 1, 2, 0]]
    labels = np.asarray([0, 0, 1, 1, 1, 0])
    issues = find_label_issues(scores, labels)
    assert np.isfinite(issues.quality).all() and issues.quality[4] == 0
    assert issues.suggested[4] == 2


@pytest.mark.parametrize("classes", [2, 10])
def test_as_the_reference_has_it(classes: int) -> None:
    """cleanlab, by the authors of the source: the same order, the same joint, the same labels accused."""
    count = pytest.importorskip("cleanlab.count")
    rank = pytest.importorskip("cleanlab.rank")
    scores, labels, _ = planted(2000, classes, 0.1, 7)
    issues = find_label_issues(scores, labels)
    own = rank.get_label_quality_scores(labels, scores, method="self_confidence")
    assert np.allclose(own, issues.quality)
    joint, places = count.compute_confident_joint(labels, scores, return_indices_of_off_diagonals=True)
    assert np.allclose(joint, issues.joint, atol=1.0)  # the reference rounds to whole units
    accused = np.flatnonzero(issues.wrong)
    assert set(accused) <= set(places) and len(accused) > 0.8 * len(places)
