"""Depthwise convolutions with quick gradients give what PyTorch gives."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from assay.networks.depthwise import input_gradient, quicken, weight_gradient

SIZES = [(5, 1, 2), (5, 2, 2), (5, 2, 0), (3, 2, 1), (3, 1, 1), (7, 1, 3), (7, 2, 3), (4, 2, 1), (6, 3, 2)]


@pytest.mark.parametrize(("side", "stride", "padding"), SIZES)
@pytest.mark.parametrize("shape", [(13, 16), (12, 11)])
def test_gradients_are_those_of_pytorch(side: int, stride: int, padding: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, *shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, 1, side, side, dtype=torch.float64, requires_grad=True)
    found = nn.functional.conv2d(x, weight, None, stride, padding, 1, 8)
    gradient = torch.randn_like(found)
    of_x, of_weight = torch.autograd.grad(found, (x, weight), gradient)
    assert torch.allclose(input_gradient(gradient, x.detach(), weight.detach(), stride, padding), of_x)
    assert torch.allclose(weight_gradient(gradient, x.detach(), weight.detach(), stride, padding), of_weight)


def test_a_quickened_network_learns_the_same_and_answers_exactly_the_same() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.Conv2d(16, 16, 5, padding=2, groups=16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=16, bias=False),
        nn.Conv2d(16, 16, 5, padding=2),
    )
    quick = copy.deepcopy(plain)
    quicken(quick)
    assert [type(one) is type(other) for one, other in zip(plain, quick, strict=True)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert quick.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(4, 3, 20, 24)
    with torch.no_grad():
        assert torch.equal(quick(x), plain(x))
    for one, other in zip(_gradients(quick, x), _gradients(plain, x), strict=True):
        assert float((one - other).norm()) <= 0.01 * float(other.norm())
    again = copy.deepcopy(quick)
    assert torch.equal(_gradients(again, x)[0], _gradients(quick, x)[0])


def test_what_pads_by_itself_stays_so() -> None:
    layers = pytest.importorskip("timm.layers")
    torch.manual_seed(0)
    plain: Any = layers.Conv2dSame(8, 8, 5, stride=2, groups=8, bias=False)
    quick = copy.deepcopy(plain)
    quicken(quick)
    assert type(quick) is not type(plain)
    x = torch.randn(2, 8, 15, 18)
    one, other = _gradients(quick, x)[0], _gradients(plain, x)[0]
    assert float((one - other).norm()) <= 0.01 * float(other.norm())


def _gradients(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Of all weights, of a training in bfloat16."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(x).float().square().mean()
    loss.backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
