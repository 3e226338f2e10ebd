"""Pictures of any size as tiles that overlap: each answers for its inner part, and all of them for the whole picture.

Tiles lie on one grid, whose step is a multiple of the coarsest cell of the networks, so that a cell looks alike in
every tile that sees it whole.

Shapes: H, W a picture's sides, T a tile's side, N cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cells import Cells, painted

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
#: The numbers of a tile's place, see `Tile.numbers`.
PLACE = 10


@dataclass(frozen=True)
class Tile:
    """Where a tile lies in its picture, in pixels.

    Attributes:
        left, top: of the tile.
        width, height: how much of it lies in the picture.
        first_x, last_x, first_y, last_y: the part of the picture that it answers for, the last not included.
        picture_width, picture_height: of the picture.
    """

    left: int
    top: int
    width: int
    height: int
    first_x: int
    last_x: int
    first_y: int
    last_y: int
    picture_width: int
    picture_height: int

    @property
    def numbers(self) -> Array:
        """(10,) int32, the attributes in their order."""
        return np.asarray(tuple(vars(self).values()), np.int32)

    @staticmethod
    def of(numbers: Sequence[int]) -> Tile:
        """The inverse of `numbers`."""
        return Tile(*(int(number) for number in numbers))

    def answers_for(self, x: Array, y: Array, slack: float = 0.0) -> Array:
        """(N,) bool: the centres, in the picture's pixels, that lie in the part that it answers for, or so close."""
        across = (x >= self.first_x - 0.5 - slack) & (x < self.last_x - 0.5 + slack)
        down = (y >= self.first_y - 0.5 - slack) & (y < self.last_y - 0.5 + slack)
        return np.asarray(across & down)


def strips(length: int, tile: int, margin: int) -> list[tuple[int, int, int]]:
    """Along one side of a picture: where each tile begins, and the first and last pixel that it answers for."""
    step = tile - 2 * margin
    count = 1 if length <= tile else -(-(length - tile) // step) + 1
    inner = [0, *(place * step + margin for place in range(1, count)), length]
    return [(place * step, inner[place], inner[place + 1]) for place in range(count)]


def tiles_of(height: int, width: int, tile: int, margin: int) -> Iterator[Tile]:
    """The tiles of a picture, row by row."""
    for top, first_y, last_y in strips(height, tile, margin):
        for left, first_x, last_x in strips(width, tile, margin):
            inside = (min(tile, width - left), min(tile, height - top))
            yield Tile(left, top, *inside, first_x, last_x, first_y, last_y, width, height)


def cut(picture: Array, left: int, top: int, tile: int) -> Array:
    """(T, T, ...) of a picture (H, W, ...); what lies beyond its right and lower edge is mirrored."""
    part = picture[top : top + tile, left : left + tile]
    down, right = tile - part.shape[0], tile - part.shape[1]
    if not down and not right:
        return part
    return np.pad(part, [(0, down), (0, right), *[(0, 0)] * (picture.ndim - 2)], mode="symmetric")


def cells_in(cells: Cells, size: Array, tile: Tile, side: int, most: int) -> Array:
    """(most, 4) float32 of the cells in a tile: x and y in its pixels, class (-1: not known), radius (0: not known).

    Rows without a cell have the class -2; of more cells than there are rows the last are left out.
    """
    x, y = cells.x - tile.left, cells.y - tile.top
    inside = (x > -0.5) & (y > -0.5) & (x < side - 0.5) & (y < side - 0.5)
    rows = np.stack([x, y, cells.label, size], axis=1)[inside][:most]
    filled = np.zeros((most, 4), np.float32)
    filled[:, 2] = -2
    filled[: len(rows)] = rows
    return filled


def inside_picture(place: Tensor, size: Sequence[int]) -> Tensor:
    """(B, H, W) bool, which pixels of tiles of a size (H, W) lie in their picture, by their places (B, 10)."""
    import torch

    across = torch.arange(size[1]) < place[:, 2, None]
    down = torch.arange(size[0]) < place[:, 3, None]
    return down[:, :, None] & across[:, None, :]


def depth_map(cells: Cells, height: int, width: int) -> Array:
    """(H, W) uint8: 0 outside of all cells, more in each, to 255 where it is deepest.

    The distance to the edge over the largest in the cell (the Euclidean distance transform): between cells that touch
    lies a valley, along which they can be cut.
    """
    from scipy.ndimage import distance_transform_edt

    numbers = painted(cells.outlines, height, width)
    found = np.zeros((height, width), np.uint8)
    for number, outline in enumerate(cells.outlines, 1):
        if not len(outline):
            continue
        top, bottom = max(0, int(outline[:, 0].min())), int(outline[:, 0].max()) + 1
        left, right = max(0, int(outline[:, 1].min())), int(outline[:, 2].max())
        own = np.pad(numbers[top:bottom, left:right] == number, 1)
        if not own.any():
            continue
        depth = distance_transform_edt(own)[1:-1, 1:-1]
        inside = own[1:-1, 1:-1]
        scaled = np.rint(255 * depth / depth.max())
        found[top:bottom, left:right][inside] = scaled[inside].astype(np.uint8)
    return found
