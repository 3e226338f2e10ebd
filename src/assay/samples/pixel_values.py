"""Pictures of any depth as bytes: one rule for pictures, tiles and slides, and what it needs from the training side.

Eight bits stay as they are. Values of more bits are brought from black to white, which are what a thousandth of a
training picture's values falls below or exceeds: of the darkest picture and of the brightest. So do those who train on
deep pictures (a window of percentiles over the training set: Isensee et al., "nnU-Net", 2021), for cameras hardly ever
use all of the sixteen bits, and files have offsets; the range of the type would make 12 bits nearly black. The same
value is then the same brightness in every picture, whether it is learned from or asked about, small or a part of a
slide: nothing is stretched from the darkest to the brightest value of the picture at hand, for brightness may be the
answer.

Shapes: H, W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.sources.decode import as_integers

Array = np.ndarray[Any, Any]
#: White is what so large a share of a picture's values does not exceed, black likewise; a few pixels are always off.
_WHITE = 0.999
#: Values of a picture that are looked at, about.
_LOOK_AT = 1 << 20
#: Rows and columns of a picture from which its mean and deviation are taken, about.
_GRID = 64
#: The problem of a picture of more bits than any training picture: what is white in it is not known.
DEEPER = "more-bits-than-in-training"


@dataclass(frozen=True)
class PixelRange:
    """What becomes black and white of values of more than 8 bits.

    Attributes:
        white: the value of 16 bits that becomes 255; None where no training picture has 16 bits: then it is the
            largest that there is.
        floats: the floating-point values that become 0 and 255; None where no training picture has such: then they are
            taken from 0 to 1, to 255 or to 65535, as each picture's own values suggest.
        black: the value of 16 bits that becomes 0.
    """

    white: float | None = None
    floats: tuple[float, float] | None = None
    black: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return dict(vars(self))

    @staticmethod
    def from_json(data: Mapping[str, Any] | None) -> PixelRange:
        """The inverse of `to_json`; of runs that say nothing about it None."""
        if data is None:
            return NOT_LEARNED
        floats = data["floats"]
        return PixelRange(data["white"], None if floats is None else (floats[0], floats[1]), data.get("black", 0.0))

    @staticmethod
    def of(pictures: Sequence[Array]) -> PixelRange:
        """The range of training pictures (H, W, C), each uint8, uint16 or float32 as `decode_values` gives them."""
        deep = [picture for picture in map(_some, pictures) if picture.dtype == np.uint16]
        floats = [known for known in map(_some, pictures) if known.dtype == np.float32 and len(known)]
        white = max(1.0, *(float(np.quantile(picture, _WHITE)) for picture in deep)) if deep else None
        black = 0.0  # as it is in pictures of 8 bits, where there are such, too
        if white is not None and len(deep) == len(pictures):
            darkest = min(float(np.quantile(picture, 1 - _WHITE)) for picture in deep)
            black = darkest if darkest < white else 0.0
        if not floats:
            return PixelRange(white, None, black)
        low = min(0.0, min(float(np.quantile(picture, 1 - _WHITE)) for picture in floats))
        high = max(float(np.quantile(picture, _WHITE)) for picture in floats)
        return PixelRange(white, (low, high if high > low else low + 1.0), black)

    def knows(self, kind: np.dtype[Any]) -> bool:
        """Whether training pictures told what is black and white among values of this type."""
        return kind == np.uint8 or (self.floats if kind.kind == "f" else self.white) is not None

    def bytes_of(self, picture: Array) -> Array:
        """(H, W, C) uint8 of uint8, uint16 or float32."""
        if picture.dtype.kind == "f" and self.floats is None:
            picture = as_integers(picture)
        if picture.dtype == np.uint8:
            return picture
        whole = (self.black, self.white or 65535.0)
        low, high = self.floats if picture.dtype.kind == "f" and self.floats else whole
        scaled = (picture.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
        return np.asarray(np.rint(scaled).clip(0, 255), np.uint8)


#: Where training pictures told nothing.
NOT_LEARNED = PixelRange()


def as_colour(picture: Array, pixels: PixelRange) -> Array:
    """(H, W, 3) uint8 of a picture of any depth and channels: grey repeated, of more channels the first three."""
    if picture.shape[2] < 3:
        return np.repeat(pixels.bytes_of(picture[:, :, :1]), 3, axis=2)
    return np.ascontiguousarray(pixels.bytes_of(picture[:, :, :3]))


def some_pixels(pictures: Sequence[Array]) -> Array:
    """(N, C) float64: of each picture (H, W, C) uint8 about as many pixels, evenly spread."""
    steps = [(max(1, picture.shape[0] // _GRID), max(1, picture.shape[1] // _GRID)) for picture in pictures]
    some = [
        picture[::down, ::across].reshape(-1, picture.shape[2])
        for picture, (down, across) in zip(pictures, steps, strict=True)
    ]
    return np.concatenate(some).astype(np.float64)


def mean_and_deviation(pixels: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each channel of pixels (N, C); a channel of one value deviates by the whole range."""
    deviation = pixels.std(axis=0)
    deviation = np.where(deviation > 1e-3, deviation, 255.0)
    return tuple(pixels.mean(axis=0).round(4).tolist()), tuple(deviation.round(4).tolist())


def _some(picture: Array) -> Array:
    """(N,) some of the finite values of a picture, evenly spread."""
    values = picture.reshape(-1)
    values = values[:: max(1, values.size // _LOOK_AT)]
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values
