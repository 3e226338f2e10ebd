"""How dense cells lie where in a picture, of all classes and of each: a map of cells on a million pixels.

Each cell is spread by a Gaussian that is mirrored at the picture's edges, so that a map's mean is the picture's density
and edges are no thinner than they are.

Shapes: h rows and w columns of the map.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.evaluation.cells import TOTAL, beside_total

Array = np.ndarray[Any, Any]
#: The longer side of a map in its own points; its Gaussian's deviation as a share of the picture's longer side.
_MOST, _SPREAD = 256, 0.03
#: From the least to the greatest density: white, blue, nearly black; the sizes of a drawn map, in pixels.
_RAMP = np.asarray([(255, 255, 255), (158, 202, 225), (33, 113, 181), (8, 28, 68)], np.float64)
_SIDE, _MARGIN, _LINE, _ACROSS = 320, 12, 16, 3


def density_maps(answer: Mapping[str, Any]) -> dict[str, Array]:
    """By class, all together first as "all", a map (h, w) of cells on a million pixels of a picture.

    The map of a class that is itself called "all" is named by `beside_total`.

    Args:
        answer: a `CellCount` as JSON.
    """
    height, width = max(1, answer["height"]), max(1, answer["width"])
    step = max(1, math.ceil(max(height, width) / _MOST))
    shape = math.ceil(height / step), math.ceil(width / step)
    down, across = (_spreading(size, _SPREAD * max(height, width) / step) for size in shape)
    cells = answer["cells"]
    kinds = list(answer["by_class"]) if len(answer["by_class"]) > 1 else []
    called = beside_total(kinds)
    found = {}
    for kind in [None, *kinds]:
        counts = np.zeros(shape)
        for cell in cells:
            if kind in (None, cell["kind"]):
                row, column = (min(max(0, int((cell[axis] + 0.5) / step)), size - 1)
                               for axis, size in zip("yx", shape, strict=True))  # fmt: skip
                counts[row, column] += 1
        found[TOTAL if kind is None else called[kind]] = (
            down @ counts @ across.T * (shape[0] * shape[1] * 1e6 / (height * width))
        )
    return found


def _spreading(size: int, deviation: float) -> Array:
    """(size, size) what each place gives to each other, mirrored at both ends; each gives one in all."""
    to, of = np.mgrid[:size, :size]
    given = np.zeros((size, size))
    for mirrored in (of, -1 - of, 2 * size - 1 - of):
        given += np.exp(-0.5 * ((to - mirrored) / max(deviation, 0.5)) ** 2)
    return np.asarray(given / given.sum(axis=0, keepdims=True))


def density_png(answer: Mapping[str, Any]) -> bytes:
    """The maps as a PNG, side by side and each on a scale of its own, which is written above it."""
    from PIL import Image, ImageDraw

    maps = density_maps(answer)
    of = {called: answer["by_class"][name] for name, called in beside_total(answer["by_class"]).items()}
    counts = {**of, TOTAL: answer["count"]}
    first = next(iter(maps.values()))
    scale = _SIDE / max(first.shape)
    high, wide = (max(1, round(side * scale)) for side in first.shape)
    across, down = min(_ACROSS, len(maps)), math.ceil(len(maps) / _ACROSS)
    cell_wide, cell_high = max(wide, _SIDE) + _MARGIN, high + 2 * _LINE + _MARGIN
    sheet = Image.new("RGB", (across * cell_wide + _MARGIN, down * cell_high + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (name, values) in enumerate(maps.items()):
        left, top = _MARGIN + place % across * cell_wide, _MARGIN + place // across * cell_high
        draw.text((left, top), f"{name}: {counts[name]:,} cells", fill="black")
        draw.text((left, top + _LINE), f"white 0, darkest {values.max():,.0f} on a million pixels", fill="black")
        picture = Image.fromarray(_coloured(values)).resize((wide, high), Image.Resampling.BILINEAR)
        sheet.paste(picture, (left, top + 2 * _LINE))
        draw.rectangle((left, top + 2 * _LINE, left + wide - 1, top + 2 * _LINE + high - 1), outline=(200, 200, 200))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _coloured(values: Array) -> Array:
    """(h, w, 3) uint8 of a map, from 0 to its greatest value."""
    share = values / max(float(values.max()), 1e-12) * (len(_RAMP) - 1)
    ends = np.arange(len(_RAMP))
    channels = [np.interp(share, ends, _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=2).round().astype(np.uint8)
