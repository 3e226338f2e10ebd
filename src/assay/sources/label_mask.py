"""A class for each pixel of a picture, kept as runs: what a mask of annotators and an answer have in common.

Shapes: H, W pixels, R runs, C classes.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.errors import DataError

Array = np.ndarray[Any, Any]
#: The value of a pixel that is of no known class, as Pascal VOC has it: it is neither learned from nor judged.
VOID = 255
_HEAD = struct.Struct("<II")
#: No picture has more pixels: a text that says so is damaged.
_MOST = 1 << 31


@dataclass(frozen=True, eq=False)
class LabelMask:
    """Class numbers of all pixels, row by row, as runs of equal ones.

    Attributes:
        height: H.
        width: W.
        values: (R,) uint8, the class of each run; 255 for none.
        lengths: (R,) uint32, how many pixels it goes on; they sum to H W.

    Example:
        >>> mask = LabelMask.of(np.asarray([[0, 0, 1], [1, 1, 255]]))
        >>> mask.lengths.tolist(), LabelMask.from_text(mask.to_text()).array().tolist()
        ([2, 3, 1], [[0, 0, 1], [1, 1, 255]])
    """

    height: int
    width: int
    values: Array
    lengths: Array

    @staticmethod
    def of(mask: Array) -> LabelMask:
        """The runs of class numbers (H, W)."""
        flat = np.ascontiguousarray(mask, np.uint8).ravel()
        starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]]) if flat.size else np.zeros(0, np.int64)
        lengths = np.diff(np.r_[starts, flat.size]).astype(np.uint32)
        return LabelMask(int(mask.shape[0]), int(mask.shape[1]), flat[starts], lengths)

    def array(self) -> Array:
        """(H, W) uint8."""
        return np.repeat(self.values, self.lengths).reshape(self.height, self.width)

    def renumbered(self, numbers: Array) -> LabelMask:
        """The same mask with other numbers: `numbers` (256,) uint8 has one for each."""
        return replace(self, values=numbers[self.values])

    def pixels(self, classes: int) -> Array:
        """(C,) int64, how many pixels are of each class."""
        counts = np.bincount(self.values, self.lengths, VOID + 1)
        return np.asarray(counts[:classes], np.int64)

    def to_text(self) -> str:
        """For a column of a table."""
        packed = zlib.compress(self.values.astype("<u1").tobytes() + self.lengths.astype("<u4").tobytes(), 6)
        return base64.b85encode(_HEAD.pack(self.height, self.width) + packed).decode("ascii")

    @staticmethod
    def from_text(text: str) -> LabelMask:
        """The inverse of `to_text`; raises `DataError` where the text is damaged."""
        try:
            raw = base64.b85decode(text)
            height, width = _HEAD.unpack_from(raw)
            content = zlib.decompress(raw[_HEAD.size :])
        except (ValueError, struct.error, zlib.error, binascii.Error) as error:
            raise DataError(f"a stored mask is damaged ({error})", "Read the source again.") from error
        runs = len(content) // 5
        values = np.frombuffer(content, "<u1", runs)
        lengths = np.frombuffer(content[runs : 5 * runs], "<u4", runs).astype(np.uint32)
        if len(content) != 5 * runs or int(lengths.sum(dtype=np.int64)) != height * width or height * width > _MOST:
            raise DataError("a stored mask is damaged (its runs do not fill it)", "Read the source again.")
        return LabelMask(height, width, values.astype(np.uint8), lengths)


def confusion_counts(truth: LabelMask, answer: LabelMask, classes: int) -> Array:
    """(C, C) int64: how many pixels of each true class (row) got each class as answer (column); void ones are left out.

    Counted along the runs of both, so that a large picture costs no more than its outlines.

    Raises:
        DataError: the two are of different size.
    """
    if (truth.height, truth.width) != (answer.height, answer.width):
        raise DataError(
            f"a mask has {truth.width} x {truth.height} pixels, its answer {answer.width} x {answer.height}",
            "Bring both to the size of the picture.",
        )
    ends, others = (np.cumsum(mask.lengths, dtype=np.int64) for mask in (truth, answer))
    cuts = np.union1d(ends, others)
    lengths = np.diff(np.r_[0, cuts])
    true = truth.values[np.searchsorted(ends, cuts)].astype(np.int64)
    predicted = answer.values[np.searchsorted(others, cuts)].astype(np.int64)
    known = (true < classes) & (predicted < classes)
    counts = np.bincount(true[known] * classes + predicted[known], lengths[known], classes * classes)
    return np.asarray(counts, np.int64).reshape(classes, classes)
