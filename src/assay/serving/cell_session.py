"""Cells of a picture that comes row by row: a slide of any size in constant memory, without seams or double counts.

Tiles lie on the grid of `samples.cell_tiles`, so that a slide gives the cells that it would give as one picture. What
is found near the lower edge of a line of tiles waits for the next line, where the same cell may be found again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.cells import Cell, CellCount, Cells
from assay.networks.cell_decoding import Deciding, merged_cells, tile_cells
from assay.samples.cell_tiles import Tile, cut, strips
from assay.samples.pixel_values import as_colour
from assay.serving.cell_answers import answered_cells, cells_per_megapixel
from assay.sources.decode import unscaled
from assay.task_sessions import Session

if TYPE_CHECKING:
    from assay.samples.cell_spec import CellSpec
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
_AT_ONCE = 4


@dataclass(frozen=True)
class CellRows:
    """The cells of some rows of a picture.

    Attributes:
        first_row, last_row: the rows, the last not included.
        width: of the picture in pixels.
        cells: the cells; their centres may lie a little above the first row.
    """

    first_row: int
    last_row: int
    width: int
    cells: tuple[Cell, ...]


class CellSession(Session):
    """Takes rows (n, W, C) from the top, of as many bits as pictures may have, and gives `CellRows`.

    Args:
        predictor: the trained network.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        found: Any = predictor.network
        self._network = found
        self.spec: CellSpec = predictor.spec
        self._how = Deciding.of(predictor.options, found)
        self._rows: list[Array] = []
        self._top, self._held, self._told = 0, 0, 0
        self._waiting: Cells = Cells.none(self.spec.kinds, self.spec.outlined)
        self._width = 0

    def push(self, chunk: Any) -> Sequence[CellRows]:
        """See `Session.push`; raises `DataError` where rows differ in length, or it is not known what is white."""
        values = unscaled(np.asarray(chunk), "the picture", finite=False)
        if values.ndim != 3 or (self._width and values.shape[1] != self._width):
            raise DataError(
                f"rows of shape {values.shape} do not continue a picture {self._width} pixels wide",
                "Give whole rows of one picture from the top, (n, W, 3) uint8.",
            )
        if values.dtype.kind == "f" and self.spec.pixels.floats is None:
            raise DataError(
                "rows of floating-point values do not say what is white, and no training picture has such values",
                "Write the picture with 8 or 16 bits, or train on pictures of such values.",
            )
        rows = as_colour(values, self.spec.pixels)
        self._width = rows.shape[1]
        self._rows.append(rows)
        self._held += len(rows)
        found = []
        while self._held > self.spec.tile:
            found.append(self._line(last=False))
        return found

    def close(self) -> Sequence[CellRows]:
        """See `Session.close`."""
        return [self._line(last=True)] if self._held else []

    def _line(self, last: bool) -> CellRows:
        """The cells of one line of tiles, but for those that the next may find, too."""
        side, margin = self.spec.tile, self.spec.margin
        step = side - 2 * margin
        band = self._rows[0] if len(self._rows) == 1 else np.concatenate(self._rows)
        first = self._top + margin if self._top else 0
        end = self._top + self._held if last else self._top + step + margin
        cells = self._found(band[:side], first, end)
        joined = merged_cells([self._waiting, cells], self.spec)
        border = np.inf if last else end - 4 * self.spec.apart
        settled = joined.only(joined.y < border)
        self._waiting = joined.only(joined.y >= border)
        begin, self._told = self._told, end
        self._rows, self._held, self._top = ([], 0, 0) if last else ([band[step:]], self._held - step, self._top + step)
        return CellRows(begin, end, self._width, answered_cells(settled, self.spec))

    def _found(self, band: Array, first: int, end: int) -> Cells:
        """The cells of the tiles that begin at the top of a band of rows; they answer for rows `first` to `end`."""
        side, height = self.spec.tile, self._top + self._held
        tiles = [
            Tile(
                left,
                self._top,
                min(side, self._width - left),
                len(band),
                first_x,
                last_x,
                first,
                end,
                self._width,
                height,
            )
            for left, first_x, last_x in strips(self._width, side, self.spec.margin)
        ]
        parts: list[Cells] = []
        for start in range(0, len(tiles), _AT_ONCE):
            some = tiles[start : start + _AT_ONCE]
            images = np.stack([cut(band, tile.left, 0, side).transpose(2, 0, 1) for tile in some])
            places = np.stack([tile.numbers for tile in some])
            with self._predictor.inference():
                batch = (self._predictor.given(np.ascontiguousarray(images)), self._predictor.given(places))
                parts += tile_cells(self._network, *batch, self.spec, self._how)
        return merged_cells(parts, self.spec)


def gathered_cells(said: Iterable[CellRows], spec: CellSpec) -> CellCount:
    """The answer to a whole picture out of all that a session said."""
    answers = list(said)
    cells = tuple(cell for answer in answers for cell in answer.cells)
    width, height = (answers[-1].width, answers[-1].last_row) if answers else (0, 0)
    by_class = {name: sum(cell.kind == name for cell in cells) for name in spec.classes}
    area = max(width * height, 1) / 1e6
    return CellCount(len(cells), by_class, cells_per_megapixel(len(cells), by_class, area), width, height, cells)
