"""Quick convolutions give what PyTorch gives: gradients, and answers to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from assay.networks.quick_convolutions import QuickConv, quicken
from assay.networks.quick_gradients import input_gradient, weight_gradient
from assay.networks.timm_networks import normalise_by_statistics

SIZES = [(5, 1, 2), (5, 2, 2), (5, 2, 0), (3, 2, 1), (3, 1, 1), (7, 1, 3), (7, 2, 3), (4, 2, 1), (6, 3, 2)]


@pytest.mark.parametrize(("side", "stride", "padding"), SIZES)
@pytest.mark.parametrize("shape", [(13, 16), (12, 11)])
def test_gradients_are_those_of_pytorch(side: int, stride: int, padding: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, *shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, 1, side, side, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    found = nn.functional.conv2d(x, weight, bias, stride, padding, 1, 8)
    gradient = torch.randn_like(found)
    of_x, of_weight, of_bias = torch.autograd.grad(found, (x, weight, bias), gradient)
    given = (gradient, x.detach(), weight.detach(), stride, padding)
    assert torch.allclose(input_gradient(*given), of_x)
    assert torch.allclose(weight_gradient(*given)[0], of_weight)
    assert torch.allclose(weight_gradient(*given)[1], of_bias)


class Small(nn.Module):
    """Convolutions of all kinds, normalised and not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.deep = nn.Conv2d(16, 16, 5, padding=2, groups=16)
        self.step, self.other = nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False), nn.BatchNorm2d(16)
        self.shared, self.twice = nn.Conv2d(16, 16, 5, padding=2), nn.BatchNorm2d(16)
        for norm in (self.norm, self.other, self.twice):
            nn.init.normal_(norm.weight, 1, 0.1)
            nn.init.normal_(norm.bias, 0, 0.1)
            norm.running_mean = 0.1 * torch.randn(16)
            norm.running_var = 1 + torch.rand(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.deep(self.norm(self.stem(x)).relu())
        x = self.other(self.step(x))
        x = self.shared(x)
        return self.twice(x) + x


def test_a_quickened_network_learns_the_same_and_answers_exactly_the_same() -> None:
    torch.manual_seed(0)
    plain = Small()
    quick = copy.deepcopy(plain)
    quicken(quick, 3, True)
    assert quick.training
    assert quick.state_dict().keys() == plain.state_dict().keys()
    assert [name for name, module in quick.named_modules() if isinstance(module, QuickConv) and module.norm] == []
    # The last normalisation's input is used beside it, so that the whole is not the same with it folded.
    x = torch.randn(4, 3, 20, 24)
    _compared(quick, plain, x)


def test_normalisation_that_keeps_its_statistics_goes_into_the_weights() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
        nn.Conv2d(16, 16, 5, 2, 2, groups=16, bias=False), nn.BatchNorm2d(16),
        nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8, affine=False),
    )  # fmt: skip
    for _ in range(20):
        plain(2 * torch.randn(8, 3, 16, 16) + 1)
    quick = copy.deepcopy(plain)
    quicken(quick, 3, True)
    assert [module.norm == (quick[at + 1],) for at, module in enumerate(quick) if isinstance(module, QuickConv)] == [
        True
    ] * 3
    _compared(quick, plain, torch.randn(4, 3, 20, 24))
    again = copy.deepcopy(quick)
    assert again[0].norm[0] is again[1]
    _train(quick)
    with torch.no_grad():
        assert not torch.equal(quick[0](torch.ones(1, 3, 8, 8)), plain[0](torch.ones(1, 3, 8, 8)))
    quick.train()  # its statistics move again
    assert torch.equal(quick[0](torch.ones(1, 3, 8, 8)), plain[0](torch.ones(1, 3, 8, 8)))


def test_networks_of_timm_learn_the_same() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    plain: Any = timm.create_model("tf_efficientnet_lite0", num_classes=3)
    with torch.no_grad():
        plain(torch.randn(8, 3, 64, 64))
    quick = copy.deepcopy(plain)
    quicken(quick, 3, True)
    convolutions = [module for module in quick.modules() if isinstance(module, nn.Conv2d)]
    assert all(isinstance(module, QuickConv) and module.norm for module in convolutions)
    _compared(quick, plain, torch.randn(2, 3, 64, 80))


def test_what_takes_one_size_alone_stays_unfolded() -> None:
    class Sized(nn.Sequential):
        def forward(self, input: Tensor) -> Tensor:
            assert input.shape[2] == 20, "another size"
            return super().forward(input)

    quick = Sized(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    quicken(quick, 3, True)
    assert quick(torch.zeros(1, 3, 20, 20)).shape == (1, 4, 18, 18)


def _compared(quick: nn.Module, plain: nn.Module, x: Tensor) -> None:
    """Answers are the same; gradients in float64, too; those in bfloat16 are as near to them as PyTorch's."""
    quick.eval()
    plain.eval()
    with torch.no_grad():
        assert torch.equal(quick(x), plain(x))
    twin, other = copy.deepcopy(quick).double(), copy.deepcopy(plain).double()
    exact = _gradients(other, x.double(), False)
    assert _distance(_gradients(twin, x.double(), False), exact) <= 1e-6
    assert 0 < _distance(_gradients(quick, x), exact) <= 1.3 * _distance(_gradients(plain, x), exact)


def _distance(found: list[Tensor], wanted: list[Tensor]) -> float:
    """As a share of the gradients' size, each weight's counted alike."""
    pairs = zip(found, wanted, strict=True)
    return sum(float((one - other).norm() / other.norm().clamp(min=1e-9)) for one, other in pairs) / len(wanted)


def _train(network: nn.Module) -> None:
    network.train()
    normalise_by_statistics(network)


def _gradients(network: nn.Module, x: Tensor, half: bool = True) -> list[Tensor]:
    """Of all weights in a training, in bfloat16 or as they are, whose normalisation keeps its statistics."""
    _train(network)
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = network(x).float().square().mean()
    loss.backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
