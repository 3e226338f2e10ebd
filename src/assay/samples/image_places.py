"""Places in an image by name, and images in which a place says nothing.

Shapes: B images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]


class Field(Protocol):
    """What is asked of a spec: the size of its images in pixels, and the mean of each channel in pixel values."""

    @property
    def height(self) -> int:
        """See the class."""

    @property
    def width(self) -> int:
        """See the class."""

    @property
    def mean(self) -> tuple[float, ...]:
        """See the class."""


_ROWS = ("top", "middle", "bottom")
_COLUMNS = ("left", "", "right")


def image_parts(spec: Field) -> Mapping[str, Array]:
    """The rim, the corners, the centre, and the ninths of an image, each a bool array (H, W).

    The rim is an eighth of the shorter side wide; corners and centre are a quarter of each side long. The ninths alone
    cover the image, without overlap.
    """
    height, width = spec.height, spec.width
    rim = rim_of(height, width)
    tall, wide = max(1, round(height / 4)), max(1, round(width / 4))
    found = {"rim": rim}
    for row, down in (("top", slice(0, tall)), ("bottom", slice(height - tall, height))):
        for column, across in (("left", slice(0, wide)), ("right", slice(width - wide, width))):
            found[f"{row} {column} corner"] = _rectangle(spec, down, across)
    top, left = (height - tall) // 2, (width - wide) // 2
    found["centre"] = _rectangle(spec, slice(top, top + tall), slice(left, left + wide))
    return {**found, **_ninths(spec)}


def rim_of(height: int, width: int) -> Array:
    """(H, W) bool, what lies within an eighth of the shorter side from an edge."""
    depth = max(1, round(min(height, width) / 8))
    rim = np.ones((height, width), bool)
    rim[depth : height - depth, depth : width - depth] = False
    return rim


def _ninths(spec: Field) -> dict[str, Array]:
    down = np.linspace(0, spec.height, 4).round().astype(int)
    across = np.linspace(0, spec.width, 4).round().astype(int)
    found = {}
    for row, high in enumerate(_ROWS):
        for column, aside in enumerate(_COLUMNS):
            name = f"{high} {aside}".strip()
            found[name] = _rectangle(spec, slice(down[row], down[row + 1]), slice(across[column], across[column + 1]))
    return found


def _rectangle(spec: Field, down: slice, across: slice) -> Array:
    part = np.zeros((spec.height, spec.width), bool)
    part[down, across] = True
    return part


def mask_images(image: Tensor, kept: Tensor, spec: Field, instead: Tensor | None = None) -> Tensor:
    """Images (B, C, H, W) with the training mean, or the pixels of other images, wherever nothing is kept.

    Args:
        image: of any type of pixel; the type stays.
        kept: (H, W) or (B, H, W) bool.
        spec: its mean is in pixel values, one a channel.
        instead: as many other images of the same type; None for the mean.
    """
    import torch

    where = kept.unsqueeze(-3)  # for all channels alike
    if instead is None:
        mean = torch.tensor(spec.mean)
        instead = (mean if image.is_floating_point() else mean.round()).to(image.dtype).view(1, -1, 1, 1)
    return torch.where(where, image, instead)
