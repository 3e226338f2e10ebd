"""What a picture of cells is, learned from the training pictures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.cells import Cells
from assay.samples.pixel_values import NOT_LEARNED, PixelRange
from assay.task_export import Preparation

Array = np.ndarray[Any, Any]
#: Sides of tiles, in pixels; multiples of the coarsest cell of any encoder.
TILES = (64, 128, 192, 256, 320, 384, 512)
#: A tile sees so much beyond what it answers for, in pixels; half of the smallest tiles' overlap.
MARGIN = 32
#: Where nobody says how large cells are: the radius within which the field calls two centres one cell, in pixels.
RADIUS = 6.0


@dataclass(frozen=True)
class CellSpec:
    """The form in which every picture reaches the network.

    Attributes:
        tile: the side of a window in pixels.
        margin: how far a tile's neighbours reach into it from each side, in pixels.
        mean, deviation: of red, green and blue, in pixel values.
        classes: names of the classes, the commonest first; empty where no cell has one.
        outlined: cells have outlines.
        radius: within which two centres are the same cell, in pixels.
        size: the radius of a usual cell, in pixels.
        density: cells on a pixel.
        most: cells in a tile at most, about.
        stained: pictures are bright and in colour, as stained tissue under white light is.
        pixels: how values of more than 8 bits become bytes.
    """

    tile: int
    margin: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    classes: tuple[str, ...]
    outlined: bool
    radius: float
    size: float
    density: float
    most: int
    stained: bool
    pixels: PixelRange = NOT_LEARNED

    @property
    def kinds(self) -> int:
        """How many classes the network tells apart; 0 where there is nothing to tell."""
        return len(self.classes) if len(self.classes) > 1 else 0

    @property
    def apart(self) -> float:
        """Two finds closer than this, in pixels, are one cell."""
        return max(2.0, 0.7 * self.size)

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"decode, cut tiles of {self.tile} pixels that overlap by {2 * self.margin}"
        after = "after it: peaks above the threshold, outlines by a watershed, doubles of two tiles dropped"
        return Preparation(("scale 3 channels of uint8",), (outside, after))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "pixels": self.pixels.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> CellSpec:
        """The inverse of `to_json`."""
        lists = {name: tuple(data[name]) for name in ("mean", "deviation", "classes")}
        return CellSpec(**{**data, **lists, "pixels": PixelRange.from_json(data.get("pixels"))})


def tile_side(heights: Array, widths: Array, asked: Any = None) -> int:
    """The side of the tiles for pictures of these sizes: the smallest that holds most of them, up to the largest.

    Raises:
        SettingError: `--tile` is no multiple of 32 from 64 to 1024.
    """
    if asked is not None:
        if not str(asked).isdecimal() or int(asked) % 32 or not 64 <= int(asked) <= 1024:
            raise SettingError(f"--tile {asked} is not possible", "Give a multiple of 32 from 64 to 1024.")
        return int(asked)
    longest = float(np.median(np.maximum(heights, widths)))
    return next((side for side in TILES if side >= longest), TILES[-1])


def target_cells(values: Any, classes: tuple[str, ...], outlined: bool) -> list[Cells]:
    """The true cells of each picture, and its ignored regions.

    Args:
        values: an Arrow array of `sources._cell_records.CELLS`.
        classes: names of the classes; any other is not known.
        outlined: cells have outlines.
    """
    from assay.arrow import pa, pc

    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    flat = array.flatten()
    x, y, radius = (pc.struct_field(flat, name).to_numpy(zero_copy_only=False) for name in ("x", "y", "radius"))
    ignored = radius < 0
    known = pc.index_in(pc.struct_field(flat, "label"), pa.array(classes, pa.string()))
    label = np.asarray(pc.fill_null(known, -1).to_numpy(zero_copy_only=False), np.int64)
    spans = pc.struct_field(flat, "spans")
    runs = np.asarray(spans.flatten().to_numpy(zero_copy_only=False), np.int32)
    run_ends = np.cumsum([0, *pc.fill_null(pc.list_value_length(spans), 0).to_pylist()])
    ends = np.cumsum([0, *pc.fill_null(pc.list_value_length(array), 0).to_pylist()])
    found = []
    for first, last in itertools.pairwise(ends):
        every = [runs[run_ends[at] : run_ends[at + 1]].reshape(-1, 3) for at in range(first, last)]
        part = first + np.flatnonzero(~ignored[first:last])
        sure, nothing = np.ones(len(part), np.float32), np.zeros((len(part), 0), np.float32)
        outlines = tuple(every[at - first] for at in part)
        regions = tuple(every[at] for at in np.flatnonzero(ignored[first:last]))
        found.append(Cells(x[part], y[part], label[part], sure, nothing, outlines, outlined, ignored=regions))
    return found


def target_sizes(values: Any) -> Array:
    """(N,) the radius of each cell in pixels, where it is known."""
    from assay.arrow import pa, pc

    array = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    radius = np.asarray(pc.struct_field(array.flatten(), "radius").to_numpy(zero_copy_only=False), np.float64)
    return np.asarray(radius[radius > 0])
