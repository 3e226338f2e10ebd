"""The head of a pretrained network, fitted to the features of its body."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.networks.head import deviations, set_head


def test_with_many_samples_a_feature_has_its_own_deviation() -> None:
    features = np.random.default_rng(0).normal(0, [1.0, 3.0, 0.2], (200_000, 3))
    assert np.allclose(deviations(features), [1.0, 3.0, 0.2], rtol=0.03)


def test_with_few_samples_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    features = np.random.default_rng(0).normal(size=(20, 50))
    features[:, 0] = 1e-9 * features[:, 0]
    common = np.sqrt(features.var(axis=0).mean())
    scale = deviations(features)
    assert np.allclose(scale[0] ** 2, 100 / 120 * common**2, rtol=1e-3), "100 samples of the common one, 20 of none"
    assert (np.diff(scale[1:][np.argsort(features.var(axis=0)[1:])]) >= 0).all(), "the order stays"


@pytest.mark.parametrize("classes", [(0, 1), (0, 2, 3)])
def test_the_head_tells_the_classes_and_never_answers_one_that_training_does_not_show(classes: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    targets = np.asarray(classes)[random.integers(0, len(classes), 300)]
    features = random.normal(size=(300, 6)) + 4 * np.eye(6)[targets]
    head = nn.Linear(6, 5)
    set_head(head, features, targets)
    answered = head(torch.from_numpy(features).float()).argmax(dim=1).numpy()
    assert (answered == targets).mean() > 0.97
    assert set(answered.tolist()) == set(classes)


def test_one_class_alone_leaves_the_head_as_it_is() -> None:
    head = nn.Linear(3, 2)
    before = head.weight.detach().clone()
    set_head(head, np.random.default_rng(0).normal(size=(9, 3)), np.zeros(9, int))
    assert torch.equal(head.weight, before)
