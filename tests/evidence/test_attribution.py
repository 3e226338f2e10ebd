"""Attributions with known answers, and beside Captum's where that is installed."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay.evidence.attribution import integrated_gradients, randomised, shapley_values

Array = np.ndarray[Any, Any]


def bent_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1))


def inputs(count: int = 5) -> Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(1))


def test_integrated_gradients_sum_to_the_difference() -> None:
    network, x = bent_network(), inputs()
    baseline = torch.full((1, 6), 0.3)
    found = integrated_gradients(lambda z: network(z)[:, 0], x, baseline, steps=200)
    with torch.no_grad():
        difference = (network(x) - network(baseline))[:, 0]
    torch.testing.assert_close(found.sum(dim=1), difference, atol=1e-5, rtol=1e-3)
    assert difference.abs().min() > 0.005


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_of_a_linear_model_they_are_weights_times_inputs(noise: float) -> None:
    weight = torch.tensor([1.0, -2.0, 0.0, 3.0, 0.5, -0.5])
    baseline = torch.full((1, 6), 0.25)
    found = integrated_gradients(lambda z: z @ weight + 7, inputs(), baseline, 4, noise)
    torch.testing.assert_close(found, weight * (inputs() - baseline))


def test_integrated_gradients_are_captums() -> None:
    attr = pytest.importorskip("captum.attr")
    network, x = bent_network(), inputs()
    baseline = torch.zeros(1, 6)
    own = integrated_gradients(lambda z: network(z)[:, 0], x, baseline, steps=64)
    other = attr.IntegratedGradients(lambda z: network(z)[:, 0]).attribute(
        x, baseline, n_steps=64, method="riemann_middle"
    )
    torch.testing.assert_close(own, other.float(), atol=1e-5, rtol=1e-4)


def test_an_attribution_does_not_depend_on_its_neighbours() -> None:
    network, x = bent_network(), inputs()

    def score(z: Tensor) -> Tensor:
        return network(z)[:, 0]

    together = integrated_gradients(score, x, torch.zeros(1, 6), 8, 0.3)
    alone = torch.cat([integrated_gradients(score, one[None], torch.zeros(1, 6), 8, 0.3) for one in x])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_gradients_are_not_left_behind() -> None:
    network = bent_network()
    integrated_gradients(lambda z: network(z)[:, 0], inputs(), torch.zeros(1, 6), 2)
    assert all(parameter.grad is None for parameter in network.parameters())


def game(kept: Array) -> Array:
    """(M, 2) two inputs: one whose value is a sum, one in which parts work together."""
    single = kept @ np.asarray([1.0, -2.0, 4.0, 0.0])
    joint = 3.0 * (kept[:, 0] & kept[:, 1]) + 1.0 * kept[:, 2] + 0.5
    return np.stack([single, joint], axis=1)


def exact_shapley(value: Any, parts: int) -> Array:
    """By their definition: the gain of each part averaged over all orders."""
    orders = list(permutations(range(parts)))
    total = np.zeros((2, parts))
    for order in orders:
        kept = np.zeros((1, parts), bool)
        for part in order:
            before = value(kept)[0]
            kept[0, part] = True
            total[:, part] += value(kept)[0] - before
    return total / len(orders)


def test_shapley_values_of_a_sum_are_its_terms() -> None:
    np.testing.assert_allclose(shapley_values(game, 4, pairs=1)[0], [1, -2, 4, 0], atol=1e-12)


def test_shapley_values_approach_their_definition_and_always_sum_to_the_whole() -> None:
    expected = exact_shapley(game, 4)
    np.testing.assert_allclose(expected[1], [1.5, 1.5, 1, 0])
    np.testing.assert_allclose(shapley_values(game, 4, pairs=2000), expected, atol=0.05)
    for pairs in (1, 3):
        whole = game(np.ones((1, 4), bool))[0] - game(np.zeros((1, 4), bool))[0]
        np.testing.assert_allclose(shapley_values(game, 4, pairs, seed=pairs).sum(axis=1), whole)


def test_random_weights_are_the_same_numbers_in_other_places() -> None:
    network = bent_network()
    before = [parameter.clone() for parameter in network.parameters()]
    other = randomised(network, 0)
    for own, kept, shuffled in zip(network.parameters(), before, other.parameters(), strict=True):
        assert torch.equal(own, kept), "the network itself stays as it is"
        assert torch.equal(own.flatten().sort().values, shuffled.flatten().sort().values)
    assert not torch.equal(next(iter(other.parameters())), before[0])
    assert torch.equal(next(iter(randomised(network, 0).parameters())), next(iter(other.parameters())))
