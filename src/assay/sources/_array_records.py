"""From arrays of images and labels to `Records`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._digest import array_digest
from assay.sources._image_files import ImageCheck
from assay.sources._image_records import image_records
from assay.sources._image_targets import class_names, read_targets
from assay.sources._listing import listing
from assay.sources._parallel import ordered_map
from assay.sources._splits import asks_for_shares
from assay.sources.decode import as_integers, channels_lead
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
_BLOCK = 1024

# N images, H height, W width, C channels, K classes


@dataclass(frozen=True)
class ArrayPart:
    """Images of one side.

    Attributes:
        name: how ids and locations begin.
        images: (N, H, W), (N, H, W, C) or (N, C, H, W).
        labels: (N,), (N, 1), (N, K) of 0 and 1, or None.
        side: "train", "validation", "test" or None.
    """

    name: str
    images: Array
    labels: Array | None
    side: str | None


def array_records(parts: Sequence[ArrayPart], options: DataOptions, label: str) -> Records:
    """Records over arrays; `load("NAME:ROW")` gives (H, W, C) uint8 or uint16, rows counted from 0.

    Raises:
        DataError: arrays of unequal length, with a wrong shape, of no numbers, or not finite.
    """
    rows = {part.name: _Images(part) for part in parts}
    checks = [check for part in parts for check in rows[part.name].checks()]
    locations = [check.name for check in checks]
    labelled = [part for part in parts if part.labels is not None]
    targets, kind = None, "none"
    if labelled:
        values = [_label_values(part) for part in parts if part.labels is not None]
        targets, kind = read_targets(_joined(values), options, "labels")
    if targets is not None and len(targets) != len(checks):
        raise DataError(
            f"there are {len(checks)} images, but {len(targets)} labels.",
            "Give each image a label, and each label an image.",
            file=label,
        )
    sides = None
    if all(part.side for part in parts) and not asks_for_shares(options):
        sides = [str(part.side) for part in parts for _ in range(len(part.images))]
    log = ProblemLog()

    def load(location: str) -> Array:
        name, _, row = location.rpartition(":")
        return rows[name].row(int(row))

    images = listing(id=locations, location=locations, target=targets, split=sides)
    return image_records(images, checks, load, log, target={"name": "labels", "kind": kind}, label=label)


class _Images:
    """The images of one part, each as (H, W, C) uint8 or uint16, scaled alike."""

    def __init__(self, part: ArrayPart) -> None:
        images = part.images
        if images.dtype == object or images.dtype.kind not in "biuf":
            raise DataError(
                f"the images are {images.dtype}, not numbers.", "Store them as uint8, uint16 or floats.", file=part.name
            )
        if images.ndim not in (3, 4) or 0 in images.shape:
            raise DataError(
                f"images have the shape (N, H, W) or (N, H, W, C), not {images.shape}.",
                "Store grey images as (N, H, W) and colour as (N, H, W, 3).",
                file=part.name,
            )
        if images.ndim == 3:
            images = images[..., None]
        elif channels_lead(images.shape[1:]):
            images = images.transpose(0, 2, 3, 1)
        if part.labels is not None and len(part.labels) != len(images):
            raise DataError(
                f"there are {len(images)} images, but {len(part.labels)} labels.",
                "Give each image a label, and each label an image.",
                file=part.name,
            )
        self._name, self._images = part.name, images
        self._range = None if images.dtype in (np.uint8, np.uint16) else self._extent()

    def row(self, number: int) -> Array:
        """One image, (H, W, C)."""
        values = np.asarray(self._images[number])
        if self._range is None:
            return np.ascontiguousarray(values)
        low, high = self._range
        if low < 0:  # such as images that were normalised already: the range of all of them becomes 0 to 255
            values, high = (values.astype(np.float32) - low) / (high - low), 1.0
        return as_integers(values, self._name, high)

    def checks(self) -> list[ImageCheck]:
        """A check of every image: all are usable."""
        height, width, channels = self._images.shape[1:]
        mode = self._images.dtype.name

        def check(number: int) -> ImageCheck:
            row = self.row(number)
            return ImageCheck(
                f"{self._name}:{number}",
                (),
                array_digest(row),
                height,
                width,
                channels,
                8 * row.dtype.itemsize,
                mode,
                "array",
            )

        return list(ordered_map(check, range(len(self._images)), chunk=_BLOCK))

    def _extent(self) -> tuple[float, float]:
        """The smallest and the largest value of all images, block by block."""
        low, high = np.inf, -np.inf
        for start in range(0, len(self._images), _BLOCK):
            block = self._images[start : start + _BLOCK]
            low, high = min(low, float(block.min())), max(high, float(block.max()))
            if not np.isfinite(block).all():
                raise DataError(
                    "the images hold values that are not finite.",
                    "Look for NaN and infinity, and leave these images out.",
                    file=self._name,
                )
        return low, max(high, low + 1e-12)


def _label_values(part: ArrayPart) -> pa.Array:
    """The labels of one part as a column: text, numbers, or lists of class numbers as text."""
    values = np.asarray(part.labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype == object or values.dtype.kind not in "biufUS" or values.ndim not in (1, 2):
        raise DataError(
            f"labels of the type {values.dtype} and the shape {values.shape} cannot be read.",
            "Expected (N,) classes or numbers, or (N, K) of 0 and 1.",
            file=part.name,
        )
    if values.ndim == 1:
        return pa.array(values.astype(str) if values.dtype.kind in "US" else values)
    if not np.isin(values, (0, 1)).all():
        raise DataError(
            "labels of the shape (N, K) hold only 0 and 1.",
            "Write 1 where an image has the label, else 0.",
            file=part.name,
        )
    if (values.sum(axis=1) == 1).all():
        return pa.array(class_names(values.argmax(axis=1)))
    return pa.array([class_names(np.flatnonzero(row)) for row in values], pa.list_(pa.string()))


def _joined(values: Sequence[pa.Array]) -> pa.Array:
    """The columns of all parts as one; of different types, as text."""
    if len({column.type for column in values}) == 1:
        return pa.concat_arrays(values)
    if any(pa.types.is_list(column.type) for column in values):
        lists = [
            column
            if pa.types.is_list(column.type)
            else pa.array([[value] for value in column.to_pylist()], pa.list_(pa.string()))
            for column in values
        ]
        return pa.concat_arrays(lists)
    return pa.concat_arrays([column.cast(pa.string()) for column in values])
