"""What classical image recognition measures by hand: histograms of oriented gradients, and where the colours are.

All of it runs on whole batches. Shapes: N images, C channels, H rows, W columns, R and S rows and columns of cells,
K orientation bins, D features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

LONGEST_SIDE = 64  # pixels; what is larger is averaged down to it
_AT_ONCE = 512
_GROUP_WEIGHTS = (1.0, 0.7, 0.7)  # gradients, thumbnail, colour histogram


@dataclass(frozen=True)
class ImageFeatures:
    """Turns images into rows of features, in three groups: gradients, thumbnail, and colours where there are three.

    Gradients are Dalal & Triggs' (2005) histograms with 18 signed orientations, and with the 9 unsigned ones that their
    sums give (Felzenszwalb et al. 2010), on cells of about 4 pixels, between 4 and 8 a side. The thumbnail
    is the mean of each cell. Colours are the square roots of a 4 x 4 x 4 histogram of the whole image.

    Attributes:
        scale: the largest value of some of the training images; values are divided by it.
    """

    scale: float

    def rows(self, images: Array) -> Array:
        """The features (N, D) float32 of images (N, C, H, W) of any number type."""
        import torch

        parts = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
        with torch.inference_mode():
            return np.concatenate([self._part(part) for part in parts])

    def groups(self, shape: tuple[int, ...]) -> list[int]:
        """The number of features in each group, for images (C, H, W)."""
        import torch

        return [part.shape[1] for part in self._groups(torch.zeros(1, *shape))]

    def _part(self, images: Array) -> Array:
        import torch

        values = torch.from_numpy(np.asarray(images, np.float32) / np.float32(self.scale))
        return np.asarray(torch.cat(self._groups(values), dim=1).numpy(), np.float32)

    def _groups(self, images: Tensor) -> list[Tensor]:
        import torch
        from torch.nn.functional import adaptive_avg_pool2d

        small = reduce_area(images)
        rows, columns = (_cells(side) for side in small.shape[2:])
        cell = (small.shape[2] / rows, small.shape[3] / columns)
        signed = cell_histograms(small, cell, 18, signed=True, interpolate=True)
        unsigned = signed[..., :9] + signed[..., 9:]
        gradients = [normalise_blocks(part, block=min(2, rows, columns), epsilon=0.01) for part in (signed, unsigned)]
        thumbnail = adaptive_avg_pool2d(small, (rows, columns)).flatten(1)
        colours = [colour_histogram(small)] if images.shape[1] == 3 else []
        return [torch.cat(gradients, dim=1), thumbnail, *colours]


def _cells(side: int) -> int:
    """How many cells a side of so many pixels is cut into."""
    return min(side, max(4, min(8, round(side / 4))))


def reduce_area(images: Tensor) -> Tensor:
    """Images (N, C, H, W) float, averaged by area so that the longer side has at most `LONGEST_SIDE` pixels."""
    from torch.nn.functional import adaptive_avg_pool2d

    height, width = images.shape[2:]
    share = LONGEST_SIDE / max(height, width)
    if share >= 1:
        return images
    return adaptive_avg_pool2d(images, (max(1, round(height * share)), max(1, round(width * share))))


def hog(
    images: Tensor,
    cell: tuple[float, float],
    bins: int,
    *,
    signed: bool = False,
    interpolate: bool = False,
    block: int = 2,
) -> Tensor:
    """Histograms of oriented gradients (Dalal & Triggs 2005) of a whole batch.

    With the defaults it gives what `skimage.feature.hog` gives with `block_norm="L2-Hys"`, for all images at once.

    Args:
        images: (N, C, H, W) float; at each pixel the channel with the steepest gradient counts.
        cell: rows and columns of a cell in pixels; may be fractions of a pixel with `interpolate`.
        bins: orientations told apart, over 180 degrees, or 360 where `signed`.
        signed: light-to-dark is another orientation than dark-to-light.
        interpolate: share each pixel among the two nearest bins and the four nearest cells.
        block: cells a side of the squares that are normalised together.

    Returns:
        (N, D), with D = (R - block + 1) (S - block + 1) block² bins.
    """
    return normalise_blocks(cell_histograms(images, cell, bins, signed=signed, interpolate=interpolate), block=block)


def cell_histograms(images: Tensor, cell: tuple[float, float], bins: int, *, signed: bool, interpolate: bool) -> Tensor:
    """The mean gradient magnitude of each cell and orientation bin, (N, R, S, K); see `hog`."""
    import torch

    down, right = _gradients(images)
    magnitude = torch.hypot(down, right)
    turn = 360.0 if signed else 180.0
    if not interpolate:  # a gradient exactly between two bins must fall where double precision puts it
        down, right = down.double(), right.double()
    place = torch.rad2deg(torch.atan2(down, right)).remainder(turn) * (bins / turn)  # (N, H, W) in bins
    spread = torch.zeros(len(images), bins, *images.shape[2:], dtype=magnitude.dtype)  # (N, K, H, W)
    low = place.floor()
    share = (place - low).to(magnitude.dtype) if interpolate else torch.zeros_like(magnitude)
    first = low.long().remainder(bins)[:, None]
    spread.scatter_(1, first, (magnitude * (1 - share))[:, None])
    if interpolate:
        spread.scatter_(1, (first + 1).remainder(bins), (magnitude * share)[:, None])
    over_rows, over_columns = (
        _pooling(side, size, interpolate) for side, size in zip(images.shape[2:], cell, strict=True)
    )
    over_pixels = torch.kron(over_rows, over_columns).to(magnitude.dtype)  # (R S, H W)
    cells = (spread.flatten(2) @ over_pixels.T).transpose(1, 2)
    return cells.reshape(len(images), len(over_rows), len(over_columns), bins)


def _gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences along rows and columns, (N, H, W) each, zero at the border; of the steepest channel."""
    import torch

    down, right = torch.zeros_like(images), torch.zeros_like(images)
    down[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    right[..., 1:-1] = images[..., 2:] - images[..., :-2]
    if images.shape[1] == 1:
        return down[:, 0], right[:, 0]
    steepest = (down**2 + right**2).argmax(dim=1, keepdim=True)
    return down.gather(1, steepest)[:, 0], right.gather(1, steepest)[:, 0]


def _pooling(side: int, cell: float, interpolate: bool) -> Tensor:
    """(cells, side): how much each pixel counts for each cell; a triangle over the neighbours with `interpolate`."""
    import torch

    count = max(1, int(side / cell + 1e-6))
    centre = (torch.arange(count) + 0.5) * cell
    distance = (torch.arange(side) + 0.5 - centre[:, None]).abs() / cell  # in cells
    weight = (1 - distance).clamp(min=0) if interpolate else (distance <= 0.5).float()
    return weight / cell


def normalise_blocks(histograms: Tensor, *, block: int, epsilon: float = 1e-5) -> Tensor:
    """Overlapping squares of cells (N, R, S, K) at length 1, no value above 0.2 before the last scaling: (N, D)."""
    import torch

    squares = histograms.unfold(1, block, 1).unfold(2, block, 1).movedim(3, 5).flatten(3)  # (N, R', S', block² K)
    for clip in (0.2, None):
        squares = squares / torch.sqrt((squares**2).sum(dim=3, keepdim=True) + epsilon**2)
        squares = squares.clamp(max=clip) if clip is not None else squares
    return squares.flatten(1)


def colour_histogram(images: Tensor) -> Tensor:
    """(N, 64): the square root of the share of pixels in each of 4 x 4 x 4 boxes of colour; values 0 to 1."""
    import torch

    level = (images * 4).long().clamp(0, 3)  # (N, 3, H, W)
    box = ((level[:, 0] * 4 + level[:, 1]) * 4 + level[:, 2]).flatten(1)
    counts = torch.zeros(len(images), 64).scatter_add_(1, box, torch.ones(box.shape))
    return torch.sqrt(counts / box.shape[1])


@dataclass(frozen=True)
class Projection:
    """Features on their principal components: the same distances, in a tenth of the numbers.

    Attributes:
        mean: (D,) the training mean.
        axes: (D, P) the principal axes, each feature weighed by its group.
    """

    mean: Array
    axes: Array

    def __call__(self, features: Array) -> Array:
        """(N, D) to (N, P) float32."""
        return np.asarray((features - self.mean) @ self.axes, np.float32)


def fit_projection(features: Array, groups: Iterable[int], components: int, seed: int) -> Projection:
    """Principal components by random projection (Halko, Martinsson & Tropp 2011).

    Args:
        features: (N, D) of training images.
        groups: how many columns belong to each group; each group's variance is brought to its weight.
        components: how many axes at most.
        seed: of the random projection.
    """
    mean = features.mean(axis=0)
    centred = features - mean
    weight = np.concatenate(list(_weights(centred, groups)))
    centred *= weight
    wanted = min(components, *features.shape)
    draw = np.random.default_rng(seed).standard_normal((features.shape[1], min(wanted + 16, *features.shape)))
    basis = centred @ draw.astype(np.float32)
    for _ in range(2):
        basis = centred @ (centred.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    axes = np.linalg.svd(basis.T @ centred, full_matrices=False)[2][:wanted].T
    return Projection(mean.astype(np.float32), np.ascontiguousarray(weight[:, None] * axes, np.float32))


def _weights(centred: Array, groups: Iterable[int]) -> Iterator[Array]:
    """The factor of each column (D,), group by group."""
    start = 0
    for wanted, size in zip(_GROUP_WEIGHTS, groups, strict=False):
        spread = float(np.sqrt((centred[:, start : start + size] ** 2).sum(axis=1).mean())) if len(centred) else 0.0
        yield np.full(size, wanted / spread if spread > 1e-6 else 0.0, np.float32)
        start += size


__all__ = ["ImageFeatures", "Projection", "cell_histograms", "fit_projection", "hog", "reduce_area"]
