"""The U-Net: sizes, small batches, and where its answer for a pixel comes from."""

from __future__ import annotations

import pytest
import torch

from assay.networks.unet import SmallEncoder, TimmEncoder, UNet


def small(**others: object) -> UNet:
    torch.manual_seed(0)
    return UNet(SmallEncoder(3, (8, 16, 32)), inputs=3, widths=(16, 8, 8), outputs=2, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (50, 71), (1, 1), (8, 64)])
def test_every_size_gets_an_answer_of_its_own_size(height: int, width: int) -> None:
    assert small()(torch.zeros(2, 3, height, width)).shape == (2, 2, height, width)


def test_a_coarser_answer() -> None:
    assert small(stride=4)(torch.zeros(1, 3, 50, 64)).shape == (1, 2, 13, 16)


def test_fewer_steps_give_the_same_size() -> None:
    network = UNet(SmallEncoder(3, (8, 16, 32)), inputs=3, widths=(8,), outputs=4)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 4, 64, 64)


@pytest.mark.parametrize("widths", [(), (8, 8, 8, 8)])
def test_as_many_steps_as_the_encoder_has_maps(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="from 1 to 3 steps"):
        UNet(SmallEncoder(3, (8, 16, 32)), inputs=3, widths=widths, outputs=2)


def test_an_image_is_answered_alike_alone_and_among_others() -> None:
    network, images = small().train(), torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(network(images)[:1], network(images[:1]), atol=1e-5, rtol=1e-4)


def test_a_shift_by_the_coarsest_cell_shifts_the_answer() -> None:
    """Convolutions know no place: far from the edges, a moved image gives a moved answer."""
    encoder = SmallEncoder(1, (8, 8), depth=0)
    network = UNet(encoder, inputs=1, widths=(8, 8), outputs=1).eval()
    image = torch.zeros(1, 1, 64, 64)
    image[..., 30:34, 26:30] = 1
    moved = image.roll(4, 3)
    with torch.no_grad():
        torch.testing.assert_close(network(moved)[..., 12:-12, 16:-12], network(image)[..., 12:-12, 12:-16])


@pytest.mark.parametrize("pretrained_statistics", [True, False])
def test_a_network_of_timms_trains_on_one_small_image(pretrained_statistics: bool) -> None:
    pytest.importorskip("timm")
    encoder = TimmEncoder("tf_efficientnet_lite0", pretrained=False, inputs=3)
    encoder.keep_statistics = pretrained_statistics
    network = UNet(encoder, inputs=3, widths=(32, 16, 16, 8), outputs=2).train()
    network(torch.randn(1, 3, 32, 32)).mean().backward()
    assert network(torch.zeros(1, 3, 40, 96)).shape == (1, 2, 40, 96)
    normal = [module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(module.training is not pretrained_statistics for module in normal)


def test_it_learns_the_pixels_that_are_bright() -> None:
    network = small()
    images = torch.randn(4, 3, 32, 32)
    truth = (images.sum(1) > 0).long()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), truth).backward()
        optimizer.step()
    assert (network(images).argmax(1) == truth).float().mean() > 0.95


@pytest.mark.parametrize(("views", "sides"), [(2, [3]), (4, [2]), (4, [2, 3])])
def test_with_views_averaged_a_mirrored_image_gets_the_mirrored_answer(views: int, sides: list[int]) -> None:
    network = UNet(SmallEncoder(3, (8, 16)), 3, (8,), 2, stride=2, views=views).eval()
    image = torch.rand(1, 3, 32, 48)
    torch.testing.assert_close(network(image.flip(sides)), network(image).flip(sides))


def test_with_eight_views_averaged_a_transposed_image_gets_the_transposed_answer() -> None:
    network = UNet(SmallEncoder(3, (8, 16)), 3, (8,), 2, views=8).eval()
    image = torch.rand(1, 3, 32, 48)
    torch.testing.assert_close(network(image.transpose(2, 3)), network(image).transpose(2, 3))


def test_views_are_averaged_in_answers_but_not_in_training() -> None:
    torch.manual_seed(0)
    network = UNet(SmallEncoder(3, (8, 16)), 3, (8,), 2, views=4)
    single = UNet(SmallEncoder(3, (8, 16)), 3, (8,), 2)
    single.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(network(image), single(image))
    assert not torch.allclose(network.eval()(image), single.eval()(image))
