"""One mask from its bytes: which values or colours it holds and where, before it is known what they mean.

Shapes: H, W pixels, D different values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._image_header import MOST_PIXELS, TOO_LARGE, content_format, open_image
from assay.sources.label_mask import LabelMask

Array = np.ndarray[Any, Any]
#: A compressed picture of two levels has so large a share of its pixels so near to one of them.
_NEAR = 40
#: More values than this are no classes, and are not told apart further.
_MOST_VALUES = 255


@dataclass(frozen=True, eq=False)
class RawMask:
    """What one file of a mask holds.

    Attributes:
        file: its name.
        height, width: in pixels.
        values: (D,) int64, the different values, ascending; colours as r 65536 + g 256 + b.
        coloured: whether they are colours.
        bits: 8 or 16.
        lossy: the file is a JPEG.
        places: which of the values each pixel has, as its place among them; None where there are too many.
        foreground: where the value is not 0.
        bright: where the value is above half of the largest that 8 bits have.
        two_levels: the share of pixels that are nearly 0 or nearly 255; 0 where none is nearly 255, since the small
            numbers of objects are no level.
    """

    file: str
    height: int
    width: int
    values: Array
    coloured: bool
    bits: int
    lossy: bool
    places: LabelMask | None
    foreground: LabelMask
    bright: LabelMask
    two_levels: float

    @property
    def many(self) -> bool:
        """Whether the values are more than classes would be, as compression or smoothing leaves them behind."""
        blurred = len(self.values) > 16 and not self.numbered and (self.lossy or self.two_levels > 0.97)
        return self.places is None or blurred

    @property
    def numbered(self) -> bool:
        """Whether the values are 0 to n or 1 to n, as numbers of objects are."""
        first = int(self.values[0])
        return first in (0, 1) and int(self.values[-1]) - first + 1 == len(self.values)


def read_mask(payload: bytes, file: str, by_colour: bool) -> RawMask:
    """A mask from the bytes of its file.

    Args:
        payload: of an image of any format.
        file: its name.
        by_colour: take a palette's colours, not its indices.

    Raises:
        DataError: no image, or too large a one.
    """
    values, bits, lossy = _pixels(payload, file, by_colour)
    coloured = values.ndim == 3
    flat = _packed(values)
    if flat.max(initial=0) < 65536:
        counts = np.bincount(flat.ravel())
        distinct = np.flatnonzero(counts)
        table = np.cumsum(counts > 0) - 1
        places = table[flat] if len(distinct) <= _MOST_VALUES else None
    else:
        distinct, inverse = np.unique(flat, return_inverse=True)
        places = inverse.reshape(flat.shape) if len(distinct) <= _MOST_VALUES else None
    level = values.max(axis=2) if coloured else values
    high = (level >= 255 - _NEAR) & (level <= 255)
    near = (level <= _NEAR) | high
    return RawMask(
        file,
        flat.shape[0],
        flat.shape[1],
        distinct.astype(np.int64),
        coloured,
        bits,
        lossy,
        None if places is None else LabelMask.of(places),
        LabelMask.of(flat != 0),
        LabelMask.of(level > 127),
        float(near.mean()) if lossy or high.any() else 0.0,
    )


def _packed(values: Array) -> Array:
    """(H, W) int64 of values or colours."""
    if values.ndim == 2:
        return values.astype(np.int64)
    red, green, blue = (values[:, :, place].astype(np.int64) for place in range(3))
    return np.asarray(red << 16 | green << 8 | blue)


def _pixels(payload: bytes, file: str, by_colour: bool) -> tuple[Array, int, bool]:
    """(H, W) or, where channels differ, (H, W, 3); the bits of a value; whether the file is a JPEG."""
    from assay.sources._tiff import plain_tiff, read_tiff

    if not payload:
        raise DataError("the mask is empty", "Write it again.", file=file)
    kind = content_format(payload)
    if kind == "TIFF" and plain_tiff(payload) is None:
        values = np.asarray(read_tiff(payload, file))
        return _tidy(values, file), 8 * values.dtype.itemsize, False
    image = open_image(payload, file)
    if image.width * image.height > MOST_PIXELS:
        raise DataError(TOO_LARGE.replace("image", "mask"), "Cut picture and mask into parts.", file=file)
    try:
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA") or (image.mode == "P" and by_colour):
            image = image.convert("RGB")
        values = np.asarray(image)
    except Exception as error:  # Pillow's decoders fail on damaged data in every way that Python knows
        raise DataError(
            f"the mask is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=file,
        ) from error
    bits = 16 if image.mode.startswith("I") else 8
    return _tidy(values, file), bits, kind == "JPEG"


def _tidy(values: Array, file: str) -> Array:
    """Values of one channel where all say the same, else three; whole numbers that are not negative."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or (values != np.rint(values)).any():
            raise DataError("the mask holds values that are no whole numbers", "Write class numbers.", file=file)
        values = values.astype(np.int64)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        colour, opaque = values[:, :, :-1], values[:, :, -1]
        values = opaque if colour.min() == colour.max() and opaque.min() < opaque.max() else colour
    if values.ndim == 3 and (values.shape[2] == 1 or (values[:, :, :1] == values[:, :, 1:]).all()):
        values = values[:, :, 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3):
        raise DataError(
            f"a mask has one channel or three, not the shape {values.shape}",
            "Save it with one value a pixel, or in colour.",
            file=file,
        )
    if values.dtype.kind == "i" and values.size and values.min() < 0:
        raise DataError("the mask holds negative values", "Write 255 for pixels of no class.", file=file)
    return values.astype(np.uint8) if values.dtype == np.bool_ else values
