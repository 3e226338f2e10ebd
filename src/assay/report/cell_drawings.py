"""Pictures of cells with what was marked and what was found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cell_matching import judged_cells, matched_cells, matched_outlines
from assay.evaluation.cells import painted
from assay.evaluation.palette import BLACK, NAMES, OKABE_ITO, WHITE
from assay.report.close_ups import close_up, framed, overlaid_close_up
from assay.report.images import thumbnail
from assay.report.masks import edges
from assay.samples.cell_tiles import Tile
from assay.samples.mask_windows import shrunk
from assay.task_parts import Drawing

if TYPE_CHECKING:
    from assay.evaluation.cells import Cells
    from assay.samples.cell_spec import CellSpec
    from assay.samples.samples import Samples

Array = np.ndarray[Any, Any]
#: What is drawn where a class is not known, where a cell was missed, and where one was found for nothing.
UNKNOWN, MISSED, FALSE = (190, 190, 190), WHITE, BLACK
_MOST_SIDE, _SIZE = 1024, 320


def whole_picture(samples: Samples, unit: int, most: int = _MOST_SIDE) -> Array:
    """(H, W, 3) uint8 of a unit, put together from its tiles; of one with longer sides than `most` the upper left."""
    windows = samples.view_of(np.asarray([unit])).windows
    places = [Tile.of(numbers) for numbers in np.asarray(samples.field("place", windows))]
    height, width = min(places[0].picture_height, most), min(places[0].picture_width, most)
    canvas = np.zeros((height, width, 3), np.uint8)
    for window, tile in zip(windows, places, strict=True):
        if tile.top >= height or tile.left >= width:
            continue
        image = np.asarray(samples.field("image", np.asarray([window])))[0].transpose(1, 2, 0)
        down, across = min(tile.height, height - tile.top), min(tile.width, width - tile.left)
        canvas[tile.top : tile.top + down, tile.left : tile.left + across] = image[:down, :across]
    return canvas


def marked(picture: Array, cells: Cells, colours: list[tuple[int, int, int]], radius: float) -> Array:
    """A copy of a picture (H, W, 3) uint8 with a ring around each cell, of a colour each."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for x, y, colour in zip(cells.x.tolist(), cells.y.tolist(), colours, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    return np.asarray(image)


def draw_found_cells(samples: Samples, unit: int, found: Cells, truth: Cells, spec: CellSpec) -> Drawing:
    """One unit with its found cells as rings of their class's colour, misses as white, false finds as black squares."""
    from PIL import Image, ImageDraw

    picture = whole_picture(samples, unit)
    height, width = picture.shape[:2]
    found = judged_cells(found, truth)
    pairs = matched_outlines(found, truth) if spec.outlined else matched_cells(found, truth, spec.radius)
    right, wrong = found.only(pairs[:, 0]), found.only(np.setdiff1d(np.arange(len(found)), pairs[:, 0]))
    missed = truth.only(np.setdiff1d(np.arange(len(truth)), pairs[:, 1]))
    radius = 0.9 * spec.size
    drawn = Image.fromarray(marked(picture, right, class_colours(right, spec), radius))
    draw = ImageDraw.Draw(drawn)
    for cells, colour in ((missed, MISSED), (wrong, FALSE)):
        for x, y in cells.places.tolist():
            if x < width and y < height:
                draw.rectangle((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    told = f"found: {len(right):,}", f"missed (white): {len(missed):,}", f"found for nothing (black): {len(wrong):,}"
    names = tuple(f"{NAMES[number % len(NAMES)]}: {name}" for number, name in enumerate(spec.classes) if spec.kinds)
    return Drawing(image=thumbnail(np.asarray(drawn), _SIZE), lines=(samples.id(unit), *told, *names), large=True)


def draw_doubted_cell(samples: Samples, unit: int, mark: Array | None, find: Array | None, spec: CellSpec) -> Drawing:
    """What lies around a cell that is in doubt, with all that is marked there.

    Args:
        samples: all samples.
        unit: the picture.
        mark: (2,) x and y of the marked cell that is in doubt, which is drawn in white; None where none is.
        find: (2,) where a cell was found, in a dashed frame; None where none was.
        spec: classes and sizes.
    """
    picture, truth = whole_picture(samples, unit, most=1 << 30), _truth(samples, unit, spec)
    places = np.stack([place for place in (mark, find) if place is not None]).astype(float)
    around = 1.5 * spec.size
    part, scale, (left, top) = close_up(
        picture, (*(places.min(axis=0) - around), *(places.max(axis=0) + around)), _SIZE
    )
    drawn = enlarged_marks(part, _seen(truth, part, scale, (left, top), around), scale, spec)
    if mark is not None:
        own = truth.only(np.asarray([int(np.hypot(*(truth.places - mark).T).argmin())])).moved(-left, -top)
        drawn = enlarged_marks(drawn, own, scale, spec, doubted=True)
    if find is not None:
        x, y = (find - (left, top) + 0.5) * scale
        reach = 1.2 * spec.size * scale
        drawn = framed(drawn, (x - reach, y - reach, x + reach, y + reach))
    lines = samples.id(unit), "in dashes: where a cell was found", "in white: the label in doubt"
    return Drawing(image=thumbnail(drawn, _SIZE), lines=lines, large=True)


def draw_confused_cell(samples: Samples, unit: int, found: Cells, box: Sequence[float], spec: CellSpec) -> Drawing:
    """What lies around a cell that was found as one of another class, in a dashed frame, with all that was found there.

    Args:
        samples: all samples.
        unit: the picture.
        found: all that was found in it.
        box: (4,) x0, y0, x1, y1 around the cell.
        spec: classes and sizes.
    """
    picture = whole_picture(samples, unit, most=1 << 30)
    wide = 1.5 * spec.size
    part, scale, corner = close_up(picture, (box[0] - wide, box[1] - wide, box[2] + wide, box[3] + wide), _SIZE)
    drawn = enlarged_marks(part, _seen(found, part, scale, corner, wide), scale, spec)
    drawn = framed(drawn, [(side + 0.5 - corner[place % 2]) * scale for place, side in enumerate(box)])
    names = tuple(f"{NAMES[number % len(NAMES)]}: {name}" for number, name in enumerate(spec.classes))
    key = "rings: all that was found here, in the colour of the class that was told"
    return Drawing(image=thumbnail(drawn, _SIZE), lines=(samples.id(unit), "dashed: the cell", key, *names), large=True)


def _seen(cells: Cells, part: Array, scale: float, corner: tuple[int, int], around: float) -> Cells:
    """Those of a picture's cells that can be seen in an enlarged part of it, in the part's own pixels."""
    left, top = corner
    near = (cells.places >= (left - around, top - around)) & (
        cells.places < (left + part.shape[1] / scale + around, top + part.shape[0] / scale + around)
    )
    return cells.only(np.asarray(near.all(axis=1))).moved(-left, -top)


def draw_weights(samples: Samples, unit: int, weights: Array, window: int | None) -> Drawing:
    """A tile of a unit in grey with what weighed in colour; where that lies close together, only what lies around it.

    Args:
        samples: all samples.
        unit: the picture.
        weights: (T, T) of the tile's pixels.
        window: the tile's number among the samples; None for the picture's first.
    """
    number = samples.view_of(np.asarray([unit])).windows[:1] if window is None else np.asarray([window])
    tile = Tile.of(np.asarray(samples.field("place", number))[0])
    picture = np.asarray(samples.field("image", number))[0].transpose(1, 2, 0)[: tile.height, : tile.width]
    image = overlaid_close_up(picture, weights[: tile.height, : tile.width], _SIZE)
    return Drawing(image=image, lines=(samples.id(unit), "explained: the surest cell"), large=True)


def enlarged_marks(picture: Array, cells: Cells, scale: float, spec: CellSpec, doubted: bool = False) -> Array:
    """A copy of an enlarged part of a picture (H, W, 3) with cells as outlines, or as rings where none are known.

    Args:
        picture: uint8.
        cells: in the pixels of the part before it was enlarged.
        scale: how many pixels make one of these.
        spec: classes and sizes.
        doubted: draw them in white with a black rim, not in the colours of their classes.
    """
    from scipy.ndimage import binary_dilation

    high, wide = picture.shape[:2]
    if cells.outlined:
        numbers = painted(cells.outlines, max(1, round(high / scale)), max(1, round(wide / scale)))
        numbers = shrunk(numbers, high, wide)
    else:
        numbers = np.zeros((high, wide), np.int32)
        rows, columns = np.mgrid[:high, :wide]
        for place, (x, y) in enumerate((cells.places + 0.5) * scale, 1):
            numbers[np.hypot(columns - x, rows - y) <= 0.9 * spec.size * scale] = place
    line = edges(numbers) & (numbers > 0)
    drawn = np.array(picture)
    if doubted:
        drawn[binary_dilation(line, iterations=2)] = 0
        drawn[binary_dilation(line)] = 255
        return drawn
    colours = np.asarray([(0, 0, 0), *class_colours(cells, spec)], np.uint8)
    drawn[line] = colours[numbers[line]]
    return drawn


def class_colours(cells: Cells, spec: CellSpec) -> list[tuple[int, int, int]]:
    """The colour of each cell's class; the first for all where there are no classes."""
    labels = cells.label.tolist() if spec.kinds else [0] * len(cells)
    return [OKABE_ITO[label % len(OKABE_ITO)] if label >= 0 else UNKNOWN for label in labels]


def draw_cells(samples: Samples, unit: int, spec: CellSpec) -> Drawing:
    """One unit with its true cells, coloured by class; without any where they are not known."""
    picture = whole_picture(samples, unit)
    lines = [samples.id(unit)]
    if "target" in samples.index.column_names:
        truth = _truth(samples, unit, spec)
        inside = truth.only((truth.x < picture.shape[1]) & (truth.y < picture.shape[0]))
        picture = marked(picture, inside, class_colours(inside, spec), 0.9 * spec.size)
        lines.append(f"cells: {len(truth):,}")
    return Drawing(image=thumbnail(picture, _SIZE), lines=tuple(lines), large=True)


def _truth(samples: Samples, unit: int, spec: CellSpec) -> Cells:
    """The cells that are marked in a unit."""
    found: Cells = samples.task.truths(samples.index.column("target").take([unit]), spec)[0]
    return found
