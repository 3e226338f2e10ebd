"""How the features of a pretrained body are scaled before a head is fitted to them."""

from __future__ import annotations

import numpy as np

from assay.networks.timm_networks import _scale


def test_with_many_samples_a_feature_has_its_own_deviation() -> None:
    features = np.random.default_rng(0).normal(0, [1.0, 3.0, 0.2], (200_000, 3))
    assert np.allclose(_scale(features), [1.0, 3.0, 0.2], rtol=0.03)


def test_with_few_samples_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    features = np.random.default_rng(0).normal(size=(20, 50))
    features[:, 0] = 1e-9 * features[:, 0]
    common = np.sqrt(features.var(axis=0).mean())
    scale = _scale(features)
    assert 0.85 * common < scale[0] < common, "100 samples of the common deviation beside 20 of none"
    assert np.allclose(scale[0] ** 2, 100 / 120 * common**2, rtol=1e-3)
    assert (np.diff(scale[1:][np.argsort(features.var(axis=0)[1:])]) >= 0).all(), "the order stays"
