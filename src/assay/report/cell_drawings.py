"""Pictures of cells with what was marked and what was found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.cell_matching import matched_cells, matched_outlines
from assay.evaluation.palette import BLACK, NAMES, OKABE_ITO, WHITE
from assay.report.images import thumbnail
from assay.samples.cell_tiles import Tile
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
    pairs = matched_outlines(found, truth) if spec.outlined else matched_cells(found, truth, spec.radius)
    right, wrong = found.only(pairs[:, 0]), found.only(np.setdiff1d(np.arange(len(found)), pairs[:, 0]))
    missed = truth.only(np.setdiff1d(np.arange(len(truth)), pairs[:, 1]))
    radius = 0.9 * spec.size
    drawn = Image.fromarray(marked(picture, right, class_colours(right), radius))
    draw = ImageDraw.Draw(drawn)
    for cells, colour in ((missed, MISSED), (wrong, FALSE)):
        for x, y in cells.places.tolist():
            if x < width and y < height:
                draw.rectangle((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    told = f"found: {len(right):,}", f"missed (white): {len(missed):,}", f"found for nothing (black): {len(wrong):,}"
    names = tuple(f"{NAMES[number % len(NAMES)]}: {name}" for number, name in enumerate(spec.classes) if spec.kinds)
    return Drawing(image=thumbnail(np.asarray(drawn), _SIZE), lines=(samples.id(unit), *told, *names), large=True)


def class_colours(cells: Cells) -> list[tuple[int, int, int]]:
    """The colour of each cell's class."""
    return [OKABE_ITO[label % len(OKABE_ITO)] if label >= 0 else UNKNOWN for label in cells.label.tolist()]


def draw_cells(samples: Samples, unit: int, spec: CellSpec) -> Drawing:
    """One unit with its true cells, coloured by class; without any where they are not known."""
    picture = whole_picture(samples, unit)
    lines = [samples.id(unit)]
    index = samples.index
    if "target" in index.column_names:
        truth = samples.task.truths(index.column("target").take([unit]), spec)[0]
        inside = truth.only((truth.x < picture.shape[1]) & (truth.y < picture.shape[0]))
        picture = marked(picture, inside, class_colours(inside), 0.9 * spec.size)
        lines.append(f"cells: {len(truth):,}")
    return Drawing(image=thumbnail(picture, _SIZE), lines=tuple(lines), large=True)
