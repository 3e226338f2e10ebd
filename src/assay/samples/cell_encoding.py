"""Pictures with their cells as tiles for the cache, and what the training pictures teach about all of them.

Shapes: W windows (tiles), T a tile's side, P places for cells.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, DataError, SettingError
from assay.evaluation.cells import Cells, painted
from assay.samples.cell_spec import MARGIN, RADIUS, TILES, CellSpec, target_cells, target_sizes, tile_side
from assay.samples.cell_tiles import PLACE, cells_in, cut, depth_map, tiles_of
from assay.samples.pixel_values import DEEPER, PixelRange, as_colour, mean_and_deviation, some_pixels
from assay.sources.slides import Slide
from assay.task import Encoded

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
_LOOK_AT = 64
#: A picture is bright where its mean is above this, and in colour where its channels differ by this, in pixel values.
_BRIGHT, _COLOURED = 110.0, 6.0


def picture_at(records: Records, location: str) -> Array | Slide:
    """(H, W, C) of a picture, see `decode_values`, or the open slide; raises `DataError` where it cannot be decoded."""
    from assay.sources.decode import decode_values

    payload = records.loader(location)
    return payload if isinstance(payload, Slide) else decode_values(payload, name=location)


def _part(picture: Array | Slide, left: int, top: int, side: int, pixels: PixelRange) -> Array:
    """(side, side, 3) uint8 of a picture or a slide; what lies beyond its right and lower edge is mirrored."""
    if not isinstance(picture, Slide):
        return cut(picture, left, top, side)
    inside = (min(side, picture.height - top), min(side, picture.width - left))
    return cut(as_colour(picture.read(top, left, *inside), pixels), 0, 0, side)


def _size(picture: Array | Slide) -> tuple[int, int]:
    return (picture.height, picture.width) if isinstance(picture, Slide) else (picture.shape[0], picture.shape[1])


def slides_of(records: Records, spec: CellSpec, log: ProblemLog) -> Iterator[tuple[str, Iterator[Array]]] | None:
    """Of records that are to be predicted the slides: their ids and their rows (n, W, C); None where there are none."""
    facts = records.facts.get("slides")
    return _slide_rows(records, spec, log) if facts else None


def _slide_rows(records: Records, spec: CellSpec, log: ProblemLog) -> Iterator[tuple[str, Iterator[Array]]]:
    for batch in records.batches():
        columns = (batch.column(name).to_pylist() for name in ("id", "location", "slide"))
        for name, location, is_slide in zip(*columns, strict=True):
            if is_slide:
                yield name, _rows_at(records, location, spec, log)


def _rows_at(records: Records, location: str, spec: CellSpec, log: ProblemLog) -> Iterator[Array]:
    slide = records.loader(location)
    if not isinstance(slide, Slide):
        raise DataError("this is no slide", "Give records as `read_cell_pictures` makes them.", file=location)
    if not spec.pixels.knows(slide.dtype):
        log.add(DEEPER, "kept", location)
    try:
        yield from slide.rows()
    finally:
        slide.close()


def fitted_cell_spec(records: Records, train: Array, options: DataOptions) -> CellSpec:
    """See `Task.fit_spec`."""
    from assay.arrow import pa
    from assay.sources._cell_records import cell_labels

    index = records.index()
    learned = index.filter(pa.array(train))
    looked = _look_at(records, train)
    shapes = np.asarray([size for size, _ in looked])
    pixels = PixelRange.of([values for _, values in looked])
    target = learned.column("target")
    sizes = target_sizes(target)
    outlined = records.facts.get("marked_by") == "outlines"
    radius = _radius(options)
    counts = np.asarray([len(cells) for cells in target_cells(target, (), outlined)], float)
    tile = tile_side(shapes[:, 0], shapes[:, 1], options.extra.get("tile"))
    area = float(np.median(shapes.prod(axis=1)))
    density = max(float(counts.mean()) / area, 1e-7)
    dense = float(counts.max(initial=1.0)) / area
    some = some_pixels([as_colour(values, pixels) for _, values in looked])
    mean, deviation = mean_and_deviation(some)
    coloured = float(np.abs(some - some.mean(axis=1, keepdims=True)).mean())
    return CellSpec(
        tile=tile,
        margin=min(MARGIN, tile // 4),
        mean=mean,
        deviation=deviation,
        classes=tuple(cell_labels(target)),
        outlined=outlined,
        radius=radius,
        size=round(float(np.median(sizes)), 2) if len(sizes) else radius,
        density=density,
        most=int(np.ceil(max(16, 2 * dense * tile * tile))),
        stained=bool(some.mean() > _BRIGHT and coloured > _COLOURED),
        pixels=pixels,
    )


def _radius(options: DataOptions) -> float:
    given = options.extra.get("radius")
    if given is None:
        return RADIUS
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    if not 1 <= value <= 200:
        raise SettingError(f"--radius {given} is not possible", "Give a number of pixels from 1 to 200.")
    return value


def _look_at(records: Records, train: Array) -> list[tuple[tuple[int, int], Array]]:
    """Size and pixels of up to `_LOOK_AT` training pictures, evenly spread, of a slide of its middle.

    Raises:
        SettingError: none can be decoded.
    """
    places = records.index().column("location").to_pylist()
    rows = np.flatnonzero(train)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(np.int64)]

    def decode(row: int) -> tuple[tuple[int, int], Array] | None:
        try:
            picture = picture_at(records, places[row])
            height, width = _size(picture)
            if not isinstance(picture, Slide):
                return (height, width), picture
            side = min(height, width, TILES[-1])
            return (height, width), picture.read((height - side) // 2, (width - side) // 2, side, side)
        except AssayError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pictures = [picture for picture in pool.map(decode, rows.tolist()) if picture is not None]
    if not pictures:
        raise SettingError("none of the training images can be decoded", "See the problems that assay inspect lists.")
    return pictures


def encoded_cells(batch: pa.RecordBatch, records: Records, spec: CellSpec, log: ProblemLog) -> Encoded:
    """See `Task.encode`: tiles, where each lies, the cells in it, and how deep in a cell each pixel is.

    Where the records hold a region that is ignored, each tile says which of its pixels are.
    """
    from assay.arrow import pa

    names = batch.column("id").to_pylist()
    locations = batch.column("location").to_pylist()
    known = "target" in batch.schema.names and not pa.types.is_null(batch.schema.field("target").type)
    cells = target_cells(batch.column("target"), spec.classes, spec.outlined) if known else None
    sizes = _sizes(batch) if known else None
    parts: dict[str, list[Array]] = {name: [] for name in ("image", "place", "cells", "depth", "ignored")}
    rows: list[int] = []
    for row, (name, location) in enumerate(zip(names, locations, strict=True)):
        try:
            picture = picture_at(records, location)
        except AssayError:
            log.add("undecodable-image", "skipped", name)
            continue
        own = None if cells is None or sizes is None else (cells[row], sizes[row])
        if not spec.pixels.knows(picture.dtype):
            log.add(DEEPER, "kept", name)
        if own is not None and (other := _of_other_classes(own[0], batch.column("target")[row], spec)):
            log.add("class-not-in-training", "kept", name, count=other)
        try:
            rows += [row] * _add_tiles(parts, picture, own, spec)
        except AssayError:  # of a slide, of which a part is damaged
            log.add("undecodable-image", "skipped", name)
    wanted = {
        "image": True, "place": True, "cells": known, "depth": known and spec.outlined,
        "ignored": known and bool(records.facts.get("ignored_regions")),
    }  # fmt: skip
    fields = {name: _stacked(name, values, spec) for name, values in parts.items() if wanted[name]}
    return Encoded(fields, np.asarray(rows))


def _sizes(batch: pa.RecordBatch) -> list[Array]:
    from assay.arrow import pc

    target = batch.column("target")
    flat = np.asarray(pc.struct_field(target.flatten(), "radius").to_numpy(zero_copy_only=False), np.float32)
    ends = np.cumsum(pc.fill_null(pc.list_value_length(target), 0).to_pylist())
    return [each[each >= 0] for each in np.split(flat, ends[:-1].astype(int))]


def _of_other_classes(cells: Cells, target: pa.ListScalar, spec: CellSpec) -> int:
    """How many cells are of a class that no training picture shows: they are judged as cells of no known class."""
    from assay.arrow import pc

    named = (
        len(target.values) - pc.struct_field(target.values, "label").null_count if len(cells) and spec.classes else 0
    )
    return max(0, named - int((cells.label >= 0).sum()))


def _add_tiles(
    parts: dict[str, list[Array]], picture: Array | Slide, own: tuple[Cells, Array] | None, spec: CellSpec
) -> int:
    """Cut one picture; returns how many tiles it gave."""
    height, width = _size(picture)
    tiles = list(tiles_of(height, width, spec.tile, spec.margin))
    picture = picture if isinstance(picture, Slide) else as_colour(picture, spec.pixels)
    images = [_part(picture, tile.left, tile.top, spec.tile, spec.pixels).transpose(2, 0, 1) for tile in tiles]
    depth = depth_map(own[0], height, width) if own is not None and spec.outlined else None
    ignored = painted(own[0].ignored, height, width) > 0 if own is not None and own[0].ignored else None
    for tile, image in zip(tiles, images, strict=True):
        parts["image"].append(np.ascontiguousarray(image))
        parts["place"].append(tile.numbers)
        if own is not None:
            parts["cells"].append(cells_in(own[0], own[1], tile, spec.tile, spec.most))
        if depth is not None:
            parts["depth"].append(np.ascontiguousarray(cut(depth, tile.left, tile.top, spec.tile)))
        parts["ignored"].append(_none_of(spec) if ignored is None else cut(ignored, tile.left, tile.top, spec.tile))
    return len(tiles)


def _none_of(spec: CellSpec) -> Array:
    """(T, T) bool: no pixel of a tile; a view of a single one, for most pictures have no region that is ignored."""
    return np.broadcast_to(np.False_, (spec.tile, spec.tile))


def _stacked(name: str, values: list[Array], spec: CellSpec) -> Array:
    if values:
        return np.stack(values)
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "image": ((3, spec.tile, spec.tile), np.uint8),
        "place": ((PLACE,), np.int32),
        "cells": ((spec.most, 4), np.float32),
        "depth": ((spec.tile, spec.tile), np.uint8),
        "ignored": ((spec.tile, spec.tile), np.bool_),
    }
    shape, kind = shapes[name]
    return np.zeros((0, *shape), kind)
