"""Changes of the light of pictures: one function for scans, objects, masks and cells, and what each asks of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.samples import box_augment, cell_augment, mask_augment
from assay.samples.augment import jitter, relit
from assay.samples.draws import Draws

DRAWS = Draws(3, 1, torch.arange(5))
IMAGES = torch.from_numpy(np.random.default_rng(0).uniform(60, 120, (5, 3, 8, 6))).float()


def test_brightness_moves_the_mean_and_contrast_the_spread_about_it() -> None:
    bright = torch.tensor([[1.1], [0.9], [1.0], [1.2], [1.0]])
    contrast = torch.tensor([[1.0], [1.2], [0.5], [0.8], [1.0]])
    found = relit(IMAGES, bright, contrast)
    mean, spread = (IMAGES.mean(dim=(1, 2, 3)), IMAGES.std(dim=(1, 2, 3)))
    torch.testing.assert_close(found.mean(dim=(1, 2, 3)), mean * bright[:, 0])
    torch.testing.assert_close(found.std(dim=(1, 2, 3)), spread * contrast[:, 0])
    torch.testing.assert_close(found[4], IMAGES[4])


def test_channels_change_about_their_own_means_and_alike_both_are_a_factor() -> None:
    random = torch.Generator().manual_seed(0)
    bright = 0.5 + 0.5 * torch.rand(5, 3, generator=random)
    contrast = bright * torch.rand(5, 3, generator=random)  # so that nothing is cut off at black or white
    found = relit(IMAGES, bright, contrast)
    torch.testing.assert_close(found.mean(dim=(2, 3)), IMAGES.mean(dim=(2, 3)) * bright)
    torch.testing.assert_close(relit(IMAGES, bright, bright), IMAGES * bright[:, :, None, None])
    assert relit(IMAGES, 9 * bright, bright, 200.0).max() == 200


def light(image: Tensor, strength: float, draws: Draws) -> Tensor:
    valid, cells = torch.ones(5, 8, 6, dtype=torch.bool), torch.zeros(5, 1, 4)
    return cell_augment.cells_augmented(
        cell_augment.Seen(image, cells, None, valid), {"jitter": strength}, False, draws
    ).image


#: The mean of each changed picture at a strength of one half, as these changes were before they shared their code.
KNOWN: list[tuple[Callable[[Tensor, float, Draws], Tensor], list[float]]] = [
    (lambda image, strength, draws: jitter(image, strength, 255.0, draws), [83.067, 46.8, 60.986, 92.896, 84.714]),
    (box_augment.colour, [113.364, 64.342, 86.023, 92.633, 78.4]),
    (mask_augment.colour, [88.14, 94.381, 79.79, 79.211, 67.923]),
    (light, [121.904, 68.399, 105.507, 91.171, 63.424]),
]


@pytest.mark.parametrize(("change", "means"), KNOWN)
def test_pictures_change_as_before(change: Callable[[Tensor, float, Draws], Tensor], means: list[float]) -> None:
    found = change(IMAGES, 0.5, DRAWS)
    assert found.mean(dim=(1, 2, 3)).tolist() == pytest.approx(means, rel=1e-4)
