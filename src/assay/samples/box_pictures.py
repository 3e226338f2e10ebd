"""From pictures with boxes to a spec and to what the cache holds.

Shapes: W pictures, C channels, H height and W width of the field, n objects of a picture.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, DataError, SettingError
from assay.samples.box_frames import into_frame, letterbox
from assay.samples.box_spec import BoxSpec
from assay.samples.pixel_values import DEEPER, PixelRange, as_colour, mean_and_deviation, some_pixels

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.sources.records import ProblemLog, Records
    from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
#: The field's sides are multiples of this, the stride of the coarsest map.
STEP = 32
#: The longer side of the field where pictures are larger.
_SIDE = 416
_LOOK_AT = 256
#: The share of objects that is smaller than the spec's `side`.
_SMALL = 0.1


def fit_box_spec(records: Records, train: Array, options: DataOptions) -> BoxSpec:
    """Classes, field and pixel values of the training pictures.

    Args:
        records: all pictures.
        train: (rows,) bool, True for a training picture.
        options: `image_size` is the field's longer side, or WIDTHxHEIGHT.

    Raises:
        DataError: no training picture has a box.
        SettingError: `--image-size` is not possible, or no training picture can be decoded.
    """
    index = records.index()
    rows = np.flatnonzero(train)
    targets = index.column("target")
    counts = np.asarray([len(targets[int(row)].as_py() or ()) for row in rows])
    classes = sorted({box["label"] for row in rows for box in targets[int(row)].as_py() or ()})
    if not classes:
        raise DataError("no training picture has a labelled object", "Look at the problems that assay inspect lists.")
    looked = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOK_AT)).astype(np.int64)]
    images = _images(records, [index.column("location")[int(row)].as_py() for row in looked], (_SIDE, _SIDE))
    shapes = [(*frame, image.shape[2]) for image, frame, _ in filter(None, images)]
    if not shapes:
        raise SettingError("none of the training pictures can be decoded", "See the problems that assay inspect lists.")
    channels = 3 if max(shape[2] for shape in shapes) == 3 else max(shape[2] for shape in shapes)
    height, width = _field(shapes, options.extra.get("image_size"))
    blank = BoxSpec(channels, height, width, (0.0,) * channels, (1.0,) * channels, tuple(classes))
    pixels = PixelRange.of([image for image, _, _ in filter(None, images)])
    brought = [_brought(image, channels, pixels) for image, _, _ in filter(None, images)]
    mean, deviation = mean_and_deviation(some_pixels(brought))
    sides = [_sides(targets[int(row)].as_py() or (), found[1], blank)
             for row, found in zip(looked, images, strict=True) if found is not None]  # fmt: skip
    known = np.concatenate(sides)
    side = float(np.quantile(known, _SMALL)) if len(known) else float(STEP)
    objects = round(float(counts.mean()), 3)
    return BoxSpec(channels, height, width, mean, deviation, tuple(classes), objects, round(side, 2), pixels)


def encode_pictures(
    batch: pa.RecordBatch, records: Records, spec: BoxSpec, log: ProblemLog
) -> tuple[dict[str, Any], Array]:
    """The fields of the pictures of a record batch, and the rows (W,) that could be decoded.

    Fields: `image` (W, C, H, W) uint8; `frame` (W, 2) int32, height and width of the picture; where there are targets
    `objects`, (n, 6) float32 each: x0, y0, x1, y1 in pixels of the field, class, difficult.
    """
    names = batch.column("id").to_pylist()
    decoded = _images(
        records,
        batch.column("location").to_pylist(),
        (spec.height, spec.width),
        lambda image, frame: letterbox(_brought(image, spec.channels, spec.pixels), spec, frame),
    )
    rows = np.asarray([row for row, one in enumerate(decoded) if one is not None], np.int64)
    for name, one in zip(names, decoded, strict=True):
        if one is None:
            log.add("undecodable-image", "skipped", name)
        elif not spec.pixels.knows(one[2]):
            log.add(DEEPER, "kept", name)
    kept = [one for one in decoded if one is not None]
    image = (
        np.stack([one[0] for one in kept]) if kept else np.zeros((0, spec.channels, spec.height, spec.width), np.uint8)
    )
    frames = np.asarray([one[1] for one in kept], np.int32).reshape(-1, 2)
    fields: dict[str, Any] = {"image": image, "frame": frames}
    if "target" in batch.schema.names:
        targets = batch.column("target")
        arrays = [object_array(targets[int(row)].as_py(), spec, log, names[row]) for row in rows]
        fields["objects"] = [into_frame(one, frame, spec) for one, frame in zip(arrays, frames, strict=True)]
    return fields, rows


def encode_frames(pixels: Array, spec: BoxSpec) -> dict[str, Array]:
    """The fields of frames of a video (n, h, w, C) uint8, as `encode_pictures` gives those of pictures."""
    fields = [letterbox(_brought(frame, spec.channels, spec.pixels), spec) for frame in pixels]
    return {"image": np.stack(fields), "frame": np.tile(np.asarray(pixels.shape[1:3], np.int32), (len(pixels), 1))}


def object_array(
    boxes: Sequence[Mapping[str, Any]] | None, spec: BoxSpec, log: ProblemLog | None = None, name: str = ""
) -> Array:
    """(n, 6) float32 of a picture's target: x0, y0, x1, y1 in its pixels, class, difficult.

    Objects of a class that no training picture shows are left out: nothing can be learned about them.
    """
    number = {label: place for place, label in enumerate(spec.classes)}
    known = [box for box in boxes or () if box["label"] in number]
    if log is not None and len(known) < len(boxes or ()):
        log.add("class-not-in-training", "skipped", name, count=len(boxes or ()) - len(known))
    rows = [(box["x0"], box["y0"], box["x1"], box["y1"], number[box["label"]], box["hard"]) for box in known]
    return np.asarray(rows, np.float32).reshape(-1, 6)


def _images(
    records: Records,
    locations: Sequence[str],
    within: tuple[int, int],
    then: Callable[[Array, tuple[int, int]], Array] = lambda image, frame: image,
) -> list[tuple[Array, tuple[int, int], np.dtype[Any]] | None]:
    """What `then` makes of each picture, its height and width, and its type of values; None where it is damaged.

    Args:
        records: hold the pictures.
        locations: of the pictures.
        within: height and width that the network needs of a picture, at most; a large JPEG is decoded smaller.
        then: takes a picture (h, w, C) as `decode_values` gives it, and its own height and width.
    """
    from assay.sources.decode import decode_within

    load = records.loader

    def one(location: str) -> tuple[Array, tuple[int, int], np.dtype[Any]] | None:
        try:
            payload = load(location)
            if not isinstance(payload, bytes | np.ndarray):  # a video, which is answered as a whole
                return None
            image, frame = decode_within(payload, *within, name=location)
            return then(image, frame), frame, image.dtype
        except AssayError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, locations))


def _brought(image: Array, channels: int, pixels: PixelRange) -> Array:
    """(h, w, C) with 8 bits a pixel and so many channels: grey repeated, further ones left out."""
    if channels == 3:
        return as_colour(image, pixels)
    image, have = pixels.bytes_of(image), image.shape[2]
    if have == channels:
        return image
    if channels == 1:
        return np.asarray(image.mean(axis=2, keepdims=True).round(), np.uint8)
    repeated = np.repeat(image[:, :, :1], channels, axis=2) if have < channels else image[:, :, :channels]
    return np.ascontiguousarray(repeated)


def _field(shapes: Sequence[tuple[int, ...]], asked: Any) -> tuple[int, int]:
    """Height and width of the field: of the pictures' proportions, no larger than they are."""
    height, width = (float(np.median([shape[axis] for shape in shapes])) for axis in (0, 1))
    if asked is None:
        scale = min(1.0, _SIDE / max(height, width))
    elif "x" in str(asked):
        wide, _, high = str(asked).partition("x")
        return _whole(_side(high, asked)), _whole(_side(wide, asked))
    else:
        scale = _side(str(asked), asked) / max(height, width)
    return _whole(height * scale), _whole(width * scale)


def _side(text: str, asked: Any) -> float:
    if not text.isdecimal() or not STEP <= int(text) <= 4096:
        raise SettingError(
            f"--image-size {asked} is not possible",
            f"Give the longer side, or WIDTHxHEIGHT, from {STEP} to 4096 pixels.",
        )
    return float(text)


def _whole(side: float) -> int:
    """The next multiple of `STEP`; a pixel or two are not worth another one."""
    return max(STEP, math.ceil((side - 2) / STEP) * STEP)


def _sides(boxes: Sequence[Mapping[str, Any]], frame: tuple[int, ...], spec: BoxSpec) -> Array:
    """(n,) the square root of each object's area in the field."""
    moved = into_frame(object_array(boxes, spec), frame, spec)
    return np.asarray(np.sqrt((moved[:, 2] - moved[:, 0]).clip(0) * (moved[:, 3] - moved[:, 1]).clip(0)))
