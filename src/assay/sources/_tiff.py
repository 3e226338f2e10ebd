"""TIFF images that Pillow cannot hold: more than four channels, several pages, 16 bits in colour, OME-TIFF."""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import AssayError, DataError, MissingExtraError
from assay.sources._image_header import MOST_PIXELS, TOO_LARGE, open_image

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]

CUT_OFF = "the image ends too early"

#: Modes that Pillow reads from a TIFF without losing anything.
_PLAIN = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "F", "YCbCr"}
#: More pages than this are frames of a film or a stack in depth, not channels.
_MOST_CHANNELS = 64


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF holds: its size, its channels, bits for each value, and how many planes beside the first."""

    height: int
    width: int
    channels: int
    bits: int
    frames: int


def plain_tiff(payload: bytes) -> Image.Image | None:
    """The opened TIFF where Pillow's own reading of it loses nothing, else None: then `read_tiff` reads it."""
    try:
        image = open_image(payload)
        bits = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        deep = max(bits if isinstance(bits, tuple) else (bits,)) > 8 and image.mode not in ("I;16", "I;16B", "F")
        return image if image.mode in _PLAIN and not deep and getattr(image, "n_frames", 1) == 1 else None
    except Exception:  # Pillow refuses many valid TIFF images; tifffile has the last word
        return None


def tiff_layout(payload: bytes, name: str) -> TiffLayout:
    """The layout of a TIFF from its tags, without its pixels; raises `DataError`, `MissingExtraError`."""
    try:
        with load_tifffile().TiffFile(io.BytesIO(payload)) as tiff:
            series = tiff.series[0]
            sizes = dict(zip(series.axes, series.shape, strict=True))
            kept = _channel_axes(series.axes, series.shape)
            channels = int(np.prod([sizes[axis] for axis in kept], dtype=np.int64))
            frames = int(np.prod(series.shape, dtype=np.int64)) // max(1, sizes["Y"] * sizes["X"] * channels)
            if sizes["Y"] * sizes["X"] > MOST_PIXELS:
                raise DataError(
                    f"{TOO_LARGE} ({sizes['X']} x {sizes['Y']})", "Cut it into parts, or make it smaller.", file=name
                )
            ends = (
                offset + count
                for page in series.pages
                if page is not None
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            )
            if max(ends, default=0) > len(payload) or _pages_lost(payload):
                raise DataError(CUT_OFF, "Copy it again.", file=name)
            return TiffLayout(sizes["Y"], sizes["X"], channels, series.dtype.itemsize * 8, frames)
    except AssayError:
        raise
    except Exception as error:  # tifffile fails on damaged tags in every way that Python knows
        raise DataError(
            f"the TIFF image is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=name,
        ) from error


def read_tiff(payload: bytes, name: str) -> Array:
    """The values of a TIFF as (H, W, C); of further planes (time, depth) the first. Raises `DataError`."""
    tiff_layout(payload, name)  # refuses a bomb before anything is decoded
    try:
        with load_tifffile().TiffFile(io.BytesIO(payload)) as tiff:
            series = tiff.series[0]
            axes = series.axes
            try:
                values = series.asarray()
            except ValueError as error:
                if "imagecodecs" not in str(error):
                    raise
                values, axes = _by_pillow(payload)
            return _channels_last(values, axes)
    except AssayError:
        raise
    except Exception as error:  # as above
        raise DataError(
            f"the TIFF image is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=name,
        ) from error


def _pages_lost(payload: bytes) -> bool:
    """Whether the chain of pages leads beyond the end of the file."""
    order = "<" if payload[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", payload, 2)[0] == 43
    count_form, entry, offset_form = ("Q", 20, "Q") if big else ("H", 12, "I")
    place, seen = 8 if big else 4, set[int]()
    while True:
        if place + struct.calcsize(offset_form) > len(payload):
            return True
        page = struct.unpack_from(order + offset_form, payload, place)[0]
        if page == 0 or page in seen:
            return False
        seen.add(page)
        if page + struct.calcsize(count_form) > len(payload):
            return True
        entries = struct.unpack_from(order + count_form, payload, page)[0]
        place = page + struct.calcsize(count_form) + entry * entries


def _channel_axes(axes: str, shape: tuple[int, ...]) -> str:
    """The axes that are channels: C and S where there are any, else pages, if they are few."""
    named = [axis for axis in axes if axis in "CS"]
    if named:
        return "".join(named)
    pages = [axis for axis, size in zip(axes, shape, strict=True) if axis in "QIZ" and size <= _MOST_CHANNELS]
    return pages[0] if pages else ""


def _channels_last(values: Array, axes: str) -> Array:
    """Values with named axes as (H, W, C): other axes keep their first plane."""
    kept = _channel_axes(axes, values.shape)
    for place in reversed(range(len(axes))):
        if axes[place] not in "YX" + kept:
            values = values.take(0, axis=place)
            axes = axes[:place] + axes[place + 1 :]
    order = [axes.index("Y"), axes.index("X"), *(axes.index(axis) for axis in kept)]
    upright = values.transpose(order)
    return np.ascontiguousarray(upright.reshape(*upright.shape[:2], -1))


def _by_pillow(payload: bytes) -> tuple[Array, str]:
    """Pages of a TIFF whose compression only Pillow's own library knows, and the names of their axes."""
    image = open_image(payload)
    pages = []
    for page in range(getattr(image, "n_frames", 1)):
        image.seek(page)
        pages.append(np.array(image))
    stacked = np.stack([page for page in pages if page.shape == pages[0].shape])
    return stacked, "QYXS"[: stacked.ndim]


def load_tifffile(feature: str = "TIFF images with many channels", extra: str = "tiff") -> Any:
    """The library tifffile, silent; raises `MissingExtraError`, which names the feature that asked for it."""
    try:
        import tifffile
    except ImportError as error:
        raise MissingExtraError(feature, extra) from error
    if not (log := logging.getLogger("tifffile")).handlers:
        log.addHandler(logging.NullHandler())  # what it says about damaged tags is told by our own problems
    return tifffile
