"""From what a network says about places to cells: peaks, their classes, and outlines by a watershed from them.

Shapes: B pictures, C classes, N cells, h and w places of the answer, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.errors import SettingError
from assay.evaluation.cells import Cells, spans_of
from assay.networks.cell_counting import LEAST, least_counted
from assay.networks.cell_neighbours import reach_of, with_neighbours
from assay.networks.views import VIEWS
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import Tile
from assay.task_parts import number_of

if TYPE_CHECKING:
    from assay.networks.cell_network import CellMaps

Array = np.ndarray[Any, Any]
#: Outlines of fewer pixels than this share of a usual cell's area are none.
_LEAST_AREA = 0.08
#: Tiles that go through the network together, and pixels by which a tile tells of more than its own part.
_AT_ONCE, _SLACK = 4, 2.0


@dataclass(frozen=True)
class CellReadings:
    """What the network says about places (h, w) of pictures, ready to be looked through; tensors or arrays.

    Attributes:
        middle: (B, h, w) the probability that a cell's middle is near.
        peak: (B, h, w) bool, whether that is the highest among the places around.
        shares: (B, C, h, w) the probability of each class; None where there are none.
        inside: (B, H, W) bool, what is cell; None where no outlines are known.
        depth: (B, H, W) from 0 to 1, how deep in a cell; None likewise.
        stride: pixels of the picture to a place.
    """

    middle: Any
    peak: Any
    shares: Any = None
    inside: Any = None
    depth: Any = None
    stride: int = 1


def cells_of(
    maps: CellMaps | CellReadings, threshold: float | Sequence[float], apart: float, size: float
) -> list[Cells]:
    """The cells in each picture, the surest first.

    Args:
        maps: what the network says.
        threshold: the probability from which a peak is a cell, of all pictures or of each.
        apart: of two peaks closer than this, in pixels, the higher counts.
        size: the radius of a usual cell in pixels.
    """
    read = _arrays(maps)
    peak = read.peak & (read.middle >= np.asarray(threshold, np.float32).reshape(-1, 1, 1))
    found = []
    for place in range(len(peak)):
        row, column = np.nonzero(peak[place])
        surface = None if read.inside is None else (read.inside[place], read.depth[place])
        shares = None if read.shares is None else read.shares[place]
        found.append(_picture(read.middle[place], row, column, shares, read.stride, apart, size, surface))
    return found


def _arrays(maps: CellMaps | CellReadings) -> CellReadings:
    if not isinstance(maps, CellReadings):
        from assay.networks.cell_network import readings_of

        maps = readings_of(maps)
    names = ("middle", "peak", "shares", "inside", "depth")
    values = {name: None if getattr(maps, name) is None else array_of(getattr(maps, name)) for name in names}
    return CellReadings(**values, stride=maps.stride)


@dataclass(frozen=True)
class Deciding:
    """How finds become answers.

    Attributes:
        threshold: the probability from which a peak is a cell.
        views: how many views of a tile are averaged, see `UNet`.
        neighbours: how much the classes of near cells count, see `cell_neighbours`.
        counting: slope and offset of what says how many of a tile's surest candidates are cells, see `cell_counting`;
            None where the threshold does.
    """

    threshold: float
    views: int
    neighbours: float = 0.0
    counting: tuple[float, float] | None = None

    @staticmethod
    def of(options: Mapping[str, Any], network: Any) -> Deciding:
        """As an answer's options ask, or as the network is used to; raises `SettingError`."""
        views = round(number_of(options, "views", network.views, 1, max(VIEWS), whole=True))
        if views not in VIEWS:
            raise SettingError(f"--views {views} is not possible", "Give 1, 2, 4 or 8.")
        threshold = number_of(options, "threshold", float(network.threshold), 0.0, 1.0)
        slope, offset = float(network.count_slope), float(network.count_offset)
        counting = (slope, offset) if slope > 0 and options.get("threshold") is None else None
        return Deciding(threshold, views, float(network.neighbours), counting)


def tile_cells(network: Any, image: Any, place: Any, spec: CellSpec, how: Deciding) -> list[Cells]:
    """The cells that each tile answers for, in the pixels of its picture.

    Args:
        network: a `CellNetwork` in evaluation mode, or what stands in for one.
        image: (B, 3, T, T).
        place: (B, 10), see `samples.cell_tiles.Tile`.
        spec: the sample spec.
        how: what decides.
    """
    found = []
    for start in range(0, len(image), _AT_ONCE):
        read = _arrays(network.maps(image[start : start + _AT_ONCE], how.views))
        tiles = [Tile.of(numbers.tolist()) for numbers in place[start : start + _AT_ONCE]]
        for cells, tile in zip(
            cells_of(read, _cuts(read, tiles, spec, how), spec.apart, spec.size), tiles, strict=True
        ):
            told = with_neighbours(cells, how.neighbours, reach_of(spec.size, spec.margin))
            own = replace(_own(told, tile), width=tile.picture_width, height=tile.picture_height)
            found.append(replace(own, outlines=tuple(_clipped(own, tile))))
    return found


def _own(cells: Cells, tile: Tile) -> Cells:
    """The cells of a tile that it tells of, in the pixels of its picture."""
    whole = cells.moved(tile.left, tile.top)
    # A little more than its own part: where two tiles see a middle on the other's side, neither would tell it.
    kept = whole.only(tile.answers_for(whole.x, whole.y, _SLACK))
    inside = (kept.x < tile.picture_width - 0.5) & (kept.y < tile.picture_height - 0.5)
    return kept.only(inside & (kept.x > -0.5) & (kept.y > -0.5))


def _cuts(read: CellReadings, tiles: Sequence[Tile], spec: CellSpec, how: Deciding) -> list[float]:
    """From which probability on a peak of each tile is a cell."""
    if how.counting is None:
        return [how.threshold] * len(tiles)
    # Before outlines grow: what is no cell must take no part of one that is.
    candidates = cells_of(replace(read, inside=None, depth=None), LEAST, spec.apart, spec.size)
    told = [_own(cells, tile).probability for cells, tile in zip(candidates, tiles, strict=True)]
    return [least_counted(probability, *how.counting) for probability in told]


def _clipped(cells: Cells, tile: Tile) -> list[Array]:
    """Outlines without what lies beyond the picture."""
    found = []
    for outline in cells.outlines:
        within = outline[outline[:, 0] < tile.picture_height].copy()
        within[:, 2] = np.minimum(within[:, 2], tile.picture_width)
        found.append(within[within[:, 1] < within[:, 2]])
    return found


def merged_cells(parts: list[Cells], spec: CellSpec) -> Cells:
    """The cells of all tiles of a picture; of two that are closer than `spec.apart` the surer."""
    joined = Cells.joined(parts)
    return joined if len(parts) == 1 else joined.only(strongest(joined.places, joined.probability, spec.apart))


def _picture(
    middle: Array, row: Array, column: Array, shares: Array | None, stride: int, apart: float, size: float,
    surface: tuple[Array, Array] | None,
) -> Cells:  # fmt: skip
    """The cells at the peaks (N,) of one picture."""
    sure = middle[row, column]
    down, right = _between(middle, row, column)
    places = np.stack([column + right, row + down], axis=1) * stride + (stride - 1) / 2
    kept = strongest(places, sure, apart)
    row, column, places, sure = row[kept], column[kept], places[kept].astype(np.float32), sure[kept]
    kinds = 0 if shares is None else len(shares)
    each = np.zeros((len(kept), 0), np.float32) if shares is None else shares[:, row, column].T
    label = each.argmax(axis=1) if kinds else np.zeros(len(kept), np.int64)
    outlines: tuple[Array, ...] = (np.zeros((0, 3), np.int32),) * len(kept)
    if surface is not None:
        outlines = outlines_around(places, *surface)
    cells = Cells(places[:, 0], places[:, 1], label, sure, each, outlines, surface is not None)
    if surface is None:
        return cells
    least = _LEAST_AREA * np.pi * size**2
    areas = np.asarray([(outline[:, 2] - outline[:, 1]).sum() for outline in outlines], float)
    return cells.only(areas >= max(3.0, least))


def strongest(places: Array, sure: Array, apart: float) -> Array:
    """(M,) which of the places (N, 2) are left when of two closer than `apart` the surer stays; the surest first."""
    from scipy.spatial import cKDTree

    order = np.argsort(-sure, kind="stable")
    if len(order) < 2:
        return order
    near = cKDTree(places[order]).query_pairs(apart, output_type="ndarray")
    gone = np.zeros(len(order), bool)
    low = np.minimum(near[:, 0], near[:, 1])
    for first, second in near[np.argsort(low, kind="stable")].tolist():
        better, worse = min(first, second), max(first, second)
        if not gone[better]:
            gone[worse] = True
    return np.asarray(order[~gone])


def outlines_around(places: Array, inside: Array, depth: Array) -> tuple[Array, ...]:
    """What belongs to each middle (N, 2), as rows (see `Cells.outlines`): a watershed of the depth, from the middles.

    Args:
        places: x and y, in pixels.
        inside: (H, W) bool, what is cell.
        depth: (H, W) float, the deeper, the more inward.
    """
    from skimage.segmentation import watershed

    nothing = np.zeros((0, 3), np.int32)
    if not len(places):
        return ()
    height, width = inside.shape
    markers = np.zeros((height, width), np.int32)
    column = np.clip(np.rint(places[:, 0]).astype(int), 0, width - 1)
    row = np.clip(np.rint(places[:, 1]).astype(int), 0, height - 1)
    markers[row, column] = np.arange(1, len(places) + 1)
    labels = watershed(-depth, markers, mask=inside)
    ids, spans = spans_of(np.asarray(labels, np.int32))
    known = dict(zip(ids.tolist(), spans, strict=True))
    return tuple(known.get(number, nothing) for number in range(1, len(places) + 1))


def _between(middle: Array, row: Array, column: Array) -> tuple[Array, Array]:
    """(N,) how far below and to the right of its place each peak lies, from -0.5 to 0.5: a parabola's top."""
    height, width = middle.shape

    def top(before: Array, here: Array, after: Array) -> Array:
        curve = before - 2 * here + after
        bent = curve < -1e-6
        return np.asarray(np.where(bent, 0.5 * (before - after) / np.where(bent, curve, 1), 0).clip(-0.5, 0.5))

    here = middle[row, column]
    above, below = middle[(row - 1).clip(min=0), column], middle[(row + 1).clip(max=height - 1), column]
    left, right = middle[row, (column - 1).clip(min=0)], middle[row, (column + 1).clip(max=width - 1)]
    return top(above, here, below), top(left, here, right)
