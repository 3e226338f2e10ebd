"""What a user reads of the cells found in a picture, and the same as GeoJSON for QuPath."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.evaluation.cells import TOTAL, Cell, CellCount, Cells, beside_total
from assay.samples.cell_spec import CellSpec

Array = np.ndarray[Any, Any]
#: Outlines are simplified as far as no point moves by more than this, in pixels.
_TOLERANCE = 0.5


def cells_in_words(cells: Cells, spec: CellSpec) -> str:
    """How many there are, and of each class where there are several."""
    counts = {name: int((cells.label == number).sum()) for number, name in enumerate(spec.classes)}
    of = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    unknown = int((cells.label < 0).sum()) if spec.classes else 0
    parts = ", ".join(filter(None, (of if len(spec.classes) > 1 else "", f"{unknown:,} unclassed" if unknown else "")))
    return f"{len(cells):,} cells{f' ({parts})' if parts else ''}"


def cell_count(found: Cells, spec: CellSpec) -> CellCount:
    """The answer about one picture, its cells from top to bottom."""
    cells = answered_cells(found, spec)
    by_class = {name: int((found.label == number).sum()) for number, name in enumerate(spec.classes)}
    area = max(found.width * found.height, 1) / 1e6
    density = cells_per_megapixel(len(found), by_class, area)
    return CellCount(len(found), by_class, density, found.width, found.height, cells)


def cells_per_megapixel(count: int, by_class: Mapping[str, int], area: float) -> dict[str, float]:
    """See `CellCount.per_megapixel`; `area` in millions of pixels."""
    called = beside_total(by_class)
    counts = {TOTAL: count, **{called[name]: of for name, of in by_class.items()}}
    return {name: round(of / area, 2) for name, of in counts.items()}


def answered_cells(found: Cells, spec: CellSpec) -> tuple[Cell, ...]:
    """Each cell as a user reads it, from top to bottom."""
    order = np.lexsort((found.x, found.y))
    return tuple(_cell(found, int(place), spec.classes, spec.kinds) for place in order)


def _cell(found: Cells, place: int, classes: tuple[str, ...], kinds: int) -> Cell:
    kind = classes[int(found.label[place])] if classes else ""
    share = round(float(found.shares[place].max()), 4) if kinds and found.shares.shape[1] else None
    polygon = polygon_of(found.outlines[place]) if found.outlined else None
    x, y = round(float(found.x[place]), 2), round(float(found.y[place]), 2)
    return Cell(x, y, kind, round(float(found.probability[place]), 4), share, polygon)


def polygon_of(spans: Array) -> tuple[tuple[float, float], ...] | None:
    """The longest edge around what rows (K, 3) cover, as pairs of x and y; None where they cover nothing."""
    from skimage.measure import approximate_polygon, find_contours

    if not len(spans):
        return None
    top, left = int(spans[:, 0].min()), int(spans[:, 1].min())
    bottom, right = int(spans[:, 0].max()) + 1, int(spans[:, 2].max())
    own = np.zeros((bottom - top + 2, right - left + 2), bool)
    for row, first, last in spans.tolist():
        own[row - top + 1, first - left + 1 : last - left + 1] = True
    line = max(find_contours(own.astype(float), 0.5), key=len)
    simple = approximate_polygon(line, _TOLERANCE)
    points = simple if len(simple) > 3 else line
    return tuple((round(float(x) + left - 1, 2), round(float(y) + top - 1, 2)) for y, x in points)


def geojson(answer: Mapping[str, Any]) -> str:
    """An answer (`CellCount` as JSON) as a GeoJSON feature collection of detections, as QuPath imports it.

    QuPath counts from the corner of the first pixel, so that half a pixel is added.
    """
    kinds = sorted({cell["kind"] for cell in answer["cells"]})
    colours = {kind: _colour(number, len(kinds)) for number, kind in enumerate(kinds)}
    features = [_feature(cell, colours) for cell in answer["cells"]]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _feature(cell: Mapping[str, Any], colours: Mapping[str, list[int]]) -> dict[str, Any]:
    polygon = cell.get("polygon")
    if polygon:
        ring = [[x + 0.5, y + 0.5] for x, y in polygon]
        geometry: dict[str, Any] = {
            "type": "Polygon",
            "coordinates": [ring if ring[0] == ring[-1] else [*ring, ring[0]]],
        }
    else:
        geometry = {"type": "Point", "coordinates": [cell["x"] + 0.5, cell["y"] + 0.5]}
    properties: dict[str, Any] = {
        "objectType": "detection",
        "measurements": {"Probability": cell["probability"]},
    }
    if cell.get("kind_probability") is not None:
        properties["measurements"]["Class probability"] = cell["kind_probability"]
    if cell["kind"]:
        properties["classification"] = {"name": cell["kind"], "color": colours[cell["kind"]]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _colour(number: int, count: int) -> list[int]:
    return [round(255 * part) for part in colorsys.hsv_to_rgb(number / max(count, 1), 0.85, 0.9)]
