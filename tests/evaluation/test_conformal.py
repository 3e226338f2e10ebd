"""Sets and intervals keep their promise, and equal those of MAPIE and crepes on the same scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from assay.evaluation.conformal import class_sets, threshold

Array = np.ndarray[Any, Any]


def drawn(count: int, shares: tuple[float, ...] = (0.6, 0.3, 0.1), seed: int = 0) -> tuple[Array, Array]:
    """Probabilities of a mediocre, badly calibrated network, and labels."""
    random = np.random.default_rng(seed)
    truths = random.choice(len(shares), count, p=shares)
    logits = random.standard_normal((count, len(shares))) + 1.3 * np.eye(len(shares))[truths]
    return softmax(3 * logits, axis=1), truths


def test_the_threshold_is_the_right_one_of_the_sorted_scores() -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1, 100) / 100)
    assert threshold(scores, 0.1) == 0.9
    assert threshold(scores[:9], 0.1) == scores[:9].max()
    assert threshold(scores[:8], 0.1) == math.inf
    assert threshold(np.arange(19.0), 0.1) == 17


def test_each_class_is_covered_as_promised() -> None:
    """The average over draws, of which each has the noise of its own calibration units."""
    overall, smallest = [], []
    for seed in range(40):
        shares, truths = drawn(1500, seed=seed)
        sets = class_sets(shares[:600], truths[:600]).sets(shares[600:])
        covered = sets[np.arange(900), truths[600:]]
        overall.append(covered.mean())
        smallest.append(covered[truths[600:] == 2].mean())
    assert 0.895 < np.mean(overall) < 0.912
    assert 0.89 < np.mean(smallest) < 0.93


def test_without_thresholds_by_class_the_smallest_would_not_be_covered() -> None:
    """What the thresholds by class are for: one for all would leave the smallest class short."""
    short = []
    for seed in range(20):
        shares, truths = drawn(1500, (0.8, 0.17, 0.03), seed)
        shares = shares * [1.0, 0.5, 0.1]
        shares /= shares.sum(axis=1, keepdims=True)
        scores = 1 - shares[np.arange(600), truths[:600]]
        covered = 1 - shares[600:][np.arange(900), truths[600:]] <= threshold(scores)
        short.append(covered[truths[600:] == 2].mean())
    assert np.mean(short) < 0.75


def test_a_class_with_few_units_takes_the_threshold_of_all() -> None:
    shares, truths = drawn(400)
    truths = np.where((truths == 2) & (np.cumsum(truths == 2) > 19), 0, truths)
    found = class_sets(shares, truths)
    assert found.own.tolist() == [True, True, False]
    assert found.thresholds[2] == threshold(1 - shares[np.arange(400), truths])
    assert class_sets(shares, np.zeros(400, int)).own.tolist() == [True, False, False]


def test_too_few_units_give_sets_of_everything() -> None:
    shares, truths = drawn(8)
    assert class_sets(shares, truths).sets(shares).all()


def test_probabilities_of_exactly_nought_and_one() -> None:
    truths = np.arange(300) % 3
    right = np.eye(3)[truths]
    assert np.array_equal(class_sets(right, truths).sets(right), right.astype(bool))
    wrong = np.where((np.arange(300) % 4 == 0)[:, None], np.roll(right, 1, axis=1), right)
    assert class_sets(wrong, truths).sets(wrong).all()


def test_the_sets_equal_those_of_mapie() -> None:
    """One threshold for all classes, by the same score."""
    classification = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """Says what it is asked about."""

        def __init__(self) -> None:
            self.classes_ = np.arange(3)
            self.is_fitted_ = True

        def fit(self, X: Array, y: Array) -> Given:
            return self

        def predict_proba(self, X: Array) -> Array:
            return X

        def predict(self, X: Array) -> Array:
            return X.argmax(axis=1)

    shares, truths = drawn(1000)
    peer = classification.SplitConformalClassifier(Given(), confidence_level=0.9, conformity_score="lac", prefit=True)
    peer.conformalize(shares[:500], truths[:500])
    theirs = np.asarray(peer.predict_set(shares[500:])[1]).reshape(500, 3)
    limit = threshold(1 - shares[:500][np.arange(500), truths[:500]])
    assert np.array_equal(theirs, 1 - shares[500:] <= limit)


def test_the_sets_by_class_equal_those_of_crepes() -> None:
    crepes = pytest.importorskip("crepes")
    shares, truths = drawn(1400)
    scores = 1 - shares
    own = scores[:700][np.arange(700), truths[:700]]
    found = class_sets(shares[:700], truths[:700]).sets(shares[700:])
    for label in range(3):
        peer = crepes.ConformalClassifier()
        peer.fit(own[truths[:700] == label])
        values = np.asarray(peer.predict_p(scores[700:, [label]], all_classes=True, smoothing=False)).ravel()
        assert np.array_equal(values > 0.1, found[:, label])


def test_intervals_of_numbers_hold_the_truth() -> None:
    covered = []
    for seed in range(200):
        errors = np.abs(np.random.default_rng(seed).standard_t(3, 400))
        covered.append((errors[200:] <= threshold(errors[:200])).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
