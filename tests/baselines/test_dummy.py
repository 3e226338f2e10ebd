from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from baseline_examples import split

from assay.baselines.dummy import Dummy
from assay.errors import DataError, RunError
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget


def test_class_is_the_prior_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn.dummy import DummyClassifier

    truths = np.random.default_rng(0).choice(3, 200, p=[0.2, 0.5, 0.3])
    train, validation, test = split(truths)
    dummy = Dummy(ClassTarget(("a", "b", "c")))
    dummy.fit(train, validation, 1.0, 0)
    reference = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), train.truths())
    np.testing.assert_allclose(dummy.predict(test), reference.predict_proba(np.zeros((len(test), 1))))
    assert dummy.floor
    dummy.save(tmp_path)
    again = Dummy(ClassTarget(("a", "b", "c")))
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), dummy.predict(test))
    with pytest.raises(RunError):
        Dummy(ClassTarget(("a", "b"))).load(tmp_path)


def test_labels_and_numbers() -> None:
    labels = (np.random.default_rng(0).random((50, 2)) < 0.3).astype(np.float32)
    train, validation, test = split(labels)
    dummy = Dummy(LabelsTarget(("a", "b")))
    dummy.fit(train, validation, 1.0, 0)
    np.testing.assert_allclose(np.asarray(dummy.predict(test))[0], train.truths().mean(axis=0), atol=1e-6)
    train, validation, test = split(np.arange(50.0))
    number = Dummy(NumberTarget(0.0, 1.0))
    number.fit(train, validation, 1.0, 0)
    assert np.shape(number.predict(test)) == (10,)
    assert number.predict(test)[0] == pytest.approx(train.truths().mean())


def test_without_training_samples() -> None:
    train, validation, _ = split(np.full(10, -1))
    with pytest.raises(DataError):
        Dummy(ClassTarget(("a",))).fit(train, validation, 1.0, 0)
    with pytest.raises(RunError):
        Dummy(ClassTarget(("a",))).predict(train)
