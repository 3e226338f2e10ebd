"""Oriented gradients and colours of a picture on grids of cells of several sizes.

Instead of scaling a picture for each size of object, the cells are made larger: gradients are taken once an octave, and
summed over the cells of each size (Dollár et al. 2014 show how little that loses). A cell's features are those
of Felzenszwalb et al. (2010): 18 signed and 9 unsigned orientations, each normalised by the four blocks around it and
cut at 0.2, and the energy in these blocks; and the mean colour.

Shapes: C channels, H rows, W columns of a picture; R, S rows and columns of cells; D features of a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_BINS = 18
#: A cell has at least so many pixels a side in the octave in which its gradients are taken, where the picture has them:
#: to enlarge it for smaller cells takes longer than all else.
_CELL = 3.0
_CUT = 0.2
_COLOUR = 1.0  # how much a colour counts beside the gradients


def features_of_cell(channels: int) -> int:
    """D, for pictures of so many channels."""
    return _BINS + _BINS // 2 + 4 + channels


def cell_grids(image: Array, sizes: Sequence[float]) -> Iterator[Array]:
    """The features (R, S, D) float32 of a picture for each size of cell.

    Args:
        image: (C, H, W) uint8.
        sizes: of a cell, in pixels, ascending; may be fractions.
    """
    octave, planes = 99, np.zeros(0)
    scaled = np.zeros(0)
    for size in sizes:
        wanted = max(0, int(np.floor(np.log2(size / _CELL))))
        if wanted != octave:
            octave, scaled = wanted, _at_octave(image, wanted)
            planes = _planes(scaled)
        yield _grid(planes, image.shape[1:], size, len(image))


def grid_shape(shape: tuple[int, ...], size: float) -> tuple[int, int]:
    """Rows and columns of cells of that size in a picture (..., H, W)."""
    return max(1, int(shape[-2] / size + 1e-6)), max(1, int(shape[-1] / size + 1e-6))


def _at_octave(image: Array, octave: int) -> Array:
    """(H', W', C) float32, values 0 to 1: the picture halved so many times."""
    values = image.transpose(1, 2, 0).astype(np.float32) * np.float32(1 / 255)
    for _ in range(octave):
        high, wide = (side - side % 2 for side in values.shape[:2])
        if min(high, wide) < 2:
            break
        even = values[:high, :wide]
        values = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
    return values


def _planes(values: Array) -> Array:
    """(H', W', 18 + C): how steep each pixel is in each orientation, and its colour."""
    down, right = np.zeros_like(values), np.zeros_like(values)
    down[1:-1] = values[2:] - values[:-2]
    right[:, 1:-1] = values[:, 2:] - values[:, :-2]
    steep = down**2 + right**2
    best = steep.argmax(axis=2)[..., None]
    down, right, steep = (np.take_along_axis(part, best, 2)[..., 0].ravel() for part in (down, right, steep))
    magnitude = np.sqrt(steep)
    place = (np.arctan2(down, right) * np.float32(_BINS / (2 * np.pi))) % _BINS
    low = place.astype(np.int64)
    share = place - low
    planes = np.zeros((len(magnitude), _BINS + values.shape[2]), np.float32)
    every = np.arange(len(magnitude))
    planes[every, low % _BINS] = magnitude * (1 - share)
    planes[every, (low + 1) % _BINS] = magnitude * share
    planes[:, _BINS:] = values.reshape(len(magnitude), -1)
    return planes.reshape(*values.shape[:2], -1)


def _grid(planes: Array, shape: tuple[int, ...], size: float, channels: int) -> Array:
    """The features of all cells of one size, out of the planes of an octave."""
    rows, columns = grid_shape(shape, size)
    down = np.rint(np.arange(rows + 1) * (size * planes.shape[0] / shape[0])).astype(np.int64)
    right = np.rint(np.arange(columns + 1) * (size * planes.shape[1] / shape[1])).astype(np.int64)
    down, right = down.clip(max=planes.shape[0]), right.clip(max=planes.shape[1])
    inside = planes[: down[-1], : right[-1]]
    sums = np.add.reduceat(np.add.reduceat(inside, down[:-1], axis=0), right[:-1], axis=1)
    means = sums / (np.diff(down)[:, None, None] * np.diff(right)[None, :, None]).clip(min=1)
    signed = means[..., :_BINS]
    unsigned = signed[..., : _BINS // 2] + signed[..., _BINS // 2 :]
    both = np.concatenate([signed, unsigned], axis=2)
    features = np.zeros((rows, columns, features_of_cell(channels)), np.float32)
    for place, scale in enumerate(_block_scales(unsigned)):
        cut = np.minimum(both * scale, _CUT)
        features[..., : both.shape[2]] += 0.5 * cut
        features[..., both.shape[2] + place] = 0.2357 * cut[..., :_BINS].sum(axis=2)
    features[..., both.shape[2] + 4 :] = _COLOUR * (means[..., _BINS:] - 0.5)
    return features


def _block_scales(unsigned: Array) -> list[Array]:
    """For each of the four blocks of 2 x 2 cells that hold a cell, one over its length, (R, S, 1)."""
    energy = np.pad((unsigned**2).sum(axis=2), 1, mode="edge")
    block = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
    scale = (1 / np.sqrt(block + 1e-4))[..., None]
    return [scale[:-1, :-1], scale[1:, :-1], scale[:-1, 1:], scale[1:, 1:]]
