"""The convolutional network: shapes, stages, and that it can learn."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from assay.errors import SettingError
from assay.networks.convnet import Block, ConvNet, ConvNetSettings, stage_count, stem_stride


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 13), (28, 28), (32, 32), (47, 200), (64, 64), (128, 96)])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_any_size_and_number_of_channels(height: int, width: int, channels: int) -> None:
    network = ConvNet(channels, height, width, 7, ConvNetSettings(width=16))
    images = torch.randn(2, channels, height, width)
    assert network(images).shape == (2, 7)
    assert network.features(images).shape == (2, network.head.in_features)


@pytest.mark.parametrize(
    ("side", "stride", "stages", "last"), [(8, 1, 2, 4), (28, 2, 3, 4), (32, 2, 3, 4), (64, 4, 3, 4), (128, 4, 4, 4)]
)
def test_downsampling_follows_from_the_size(side: int, stride: int, stages: int, last: int) -> None:
    assert stem_stride(side) == stride
    assert stage_count(side) == stages
    network = ConvNet(1, side, side, 2, ConvNetSettings(width=16))
    assert network.body(torch.zeros(1, 1, side, side)).shape == (1, 16 * 2 ** (stages - 1), last, last)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_depth_counts_the_blocks_of_a_stage(depth: int) -> None:
    network = ConvNet(1, 28, 28, 10, ConvNetSettings(depth=depth, width=16))
    assert sum(isinstance(module, Block) for module in network.modules()) == 3 * depth


def test_one_image_of_the_smallest_size_can_be_trained_on() -> None:
    network = ConvNet(1, 8, 8, 2, ConvNetSettings(width=16)).train()
    network(torch.randn(1, 1, 8, 8)).sum().backward()


def test_logits_come_from_the_features() -> None:
    network = ConvNet(3, 28, 28, 5, ConvNetSettings(width=16, dropout=0.5)).eval()
    images = torch.randn(3, 3, 28, 28)
    assert torch.allclose(network(images), network.head(network.features(images)))


def test_stochastic_depth_skips_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    block = Block(4, "relu", skipped=0.5).train()
    images = torch.ones(4000, 4, 3, 3)
    added = (block(images) - images).amax(dim=(1, 2, 3))
    full = block.unit(images).amax()
    share = (added == 0).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.05)
    assert torch.allclose(added[added > 0], 2 * full.expand(int((added > 0).sum())))


def test_stochastic_depth_is_off_in_evaluation() -> None:
    network = ConvNet(1, 28, 28, 3, ConvNetSettings(width=16, stochastic_depth=0.9)).eval()
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(network(images), network(images))


def test_it_learns_eight_images_by_heart() -> None:
    torch.manual_seed(0)
    network = ConvNet(1, 28, 28, 4, ConvNetSettings(width=16)).train()
    images, labels = torch.randn(8, 1, 28, 28), torch.arange(8) % 4
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(SettingError, match="no activation"):
        ConvNet(1, 28, 28, 2, ConvNetSettings(activation="rellu"))


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_stochastic_depth_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="stochastic_depth"):
        ConvNet(1, 28, 28, 2, ConvNetSettings(stochastic_depth=share))
