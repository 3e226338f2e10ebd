"""From the bytes of an image to an array (H, W, C), upright, and from there to the size that a network takes.

Values of more than 8 bits: whatever a network is to see is read by `decode_values` (or `decode_within`), which leaves
values as they are, and brought to 8 bits by what is black and white in the training pictures, in every application
alike (`assay.samples.pixel_values`). Scans in units of their own (DICOM, NIfTI) have a window instead. `decode_image`
is for where nothing was learned: looking for copies, thumbnails.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.errors import DataError
from assay.sources._image_header import MOST_PIXELS, TOO_LARGE, content_format, open_image, orientation_of

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]
#: How much larger than needed a JPEG is decoded: what is left for the antialiased filter to do.
_SPARE = 2.0
ResizeMode = Literal["squash", "cover", "pad"]

# H height, W width, C channels


def decode_image(
    payload: bytes | Array, *, name: str = "image", least_side: int | None = None, channels: int | None = None
) -> Array:
    """An image's values, turned upright as its EXIF orientation says; safe to call from threads.

    Args:
        payload: the bytes of an image file, or an array (H, W), (H, W, C) or, with few channels, (C, H, W).
        name: what messages call the image.
        least_side: a large JPEG may be decoded smaller (several times faster), both sides no shorter than this.
        channels: convert to so many channels: 1 (grey) or a repeated grey; None keeps what there is.

    Returns:
        (H, W, C) uint8, or uint16 where the image has 16 bits: grey has C = 1, colour C = 3 (transparency is put on
        white, palettes and CMYK become RGB); a TIFF keeps all of its channels. Float arrays are scaled to uint8.

    Raises:
        DataError: damaged bytes, too many pixels, or values that are no image.

    >>> import numpy as np
    >>> decode_image(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 1)
    """
    values = as_integers(_upright_values(payload, name, least_side), name)
    return values if channels is None else with_channels(values, channels, name)


def decode_values(payload: bytes | Array, *, name: str = "image", least_side: int | None = None) -> Array:
    """As `decode_image`, (H, W, C), with the values as they are: uint8, uint16, or float32 for all others."""
    return unscaled(_upright_values(payload, name, least_side), name)


def unscaled(values: Array, name: str = "image", finite: bool = True) -> Array:
    """Values as uint8, uint16 or float32 without a guess of what is white; raises `DataError`.

    Args:
        values: any shape; bool (true is white), integers or floats.
        name: what messages call the image.
        finite: whether values that are not are refused.
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype in (np.uint8, np.uint16, np.bool_):
        return as_integers(values, name)
    _check_numbers(values, name, finite)
    return np.ascontiguousarray(values, np.float32)


def decode_within(
    payload: bytes | Array, height: int, width: int, *, name: str = "image"
) -> tuple[Array, tuple[int, int]]:
    """An image that is going to be shrunk until it fits into a frame, decoded no larger than that needs.

    Args:
        payload: as `decode_image` takes it.
        height: of the frame, pixels.
        width: of the frame, pixels.
        name: what messages call the image.

    Returns:
        (H, W, C) as `decode_values` gives it; a large JPEG at a half, a fourth or an eighth of its size, its sides at
        least `_SPARE` times those in the frame; and height and width of the whole image, upright.
    """
    if isinstance(payload, bytes) and content_format(payload) == "JPEG":
        header = open_image(payload, name)
        wide, high = header.size if orientation_of(header) < 5 else header.size[::-1]
        ratio = _SPARE * min(height / high, width / wide)
        if ratio < 1:
            return decode_image(payload, name=name, least_side=math.ceil(ratio * min(high, wide))), (high, wide)
    image = decode_values(payload, name=name)
    return image, (image.shape[0], image.shape[1])


def image_array(array: Array, name: str = "image") -> Array:
    """An array (H, W), (H, W, C) or (C, H, W) as (H, W, C) uint8 or uint16; raises `DataError`."""
    return as_integers(_channels_last(array, name), name)


def _upright_values(payload: bytes | Array, name: str, least_side: int | None = None) -> Array:
    """(H, W, C) of any type."""
    return (
        _channels_last(payload, name) if isinstance(payload, np.ndarray) else _decode_bytes(payload, name, least_side)
    )


def _channels_last(array: Array, name: str) -> Array:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape:
        raise DataError(
            f"an image has the shape (H, W) or (H, W, C), not {array.shape}",
            "Give grey as (H, W) and colour as (H, W, 3).",
            file=name,
        )
    if channels_lead(array.shape):
        array = array.transpose(1, 2, 0)
    return array


def picture_array(picture: Image.Image) -> Array:
    """A PIL image of any mode as (H, W, C) uint8 or uint16; its EXIF orientation is followed."""
    return as_integers(_pixels(_upright(picture)))


def channels_lead(shape: tuple[int, ...]) -> bool:
    """Whether (C, H, W) is the likelier reading of three sizes than (H, W, C)."""
    return shape[0] in (1, 3, 4) and shape[2] not in (1, 2, 3, 4) and shape[1] > 4


def as_integers(values: Array, name: str = "image", top: float | None = None) -> Array:
    """Values as uint8 or uint16 in C order.

    Args:
        values: any shape; bool, integers, or floats from 0 to 1, to 255 or to 65535.
        name: what messages call the image.
        top: the largest value that can occur (1 or 255 or more); None takes it from these values.

    Raises:
        DataError: values that are no numbers or not finite.
    """
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(values)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    _check_numbers(values, name)
    low, high = float(values.min(initial=0)), float(values.max(initial=0) if top is None else top)
    if low < 0 or high > 65535:
        span = max(high - low, 1e-12)
        return _rounded((values.astype(np.float64) - low) * (255 / span), 255)
    if high > 255:
        return _rounded(values, 65535)
    scaled = values * values.dtype.type(255) if values.dtype.kind == "f" and high <= 1 else values
    return _rounded(scaled, 255)


def _check_numbers(values: Array, name: str, finite: bool = True) -> None:
    if values.dtype.kind not in "iuf":
        raise DataError(
            f"an image holds numbers, not {values.dtype}", "Convert it to uint8, uint16 or floats.", file=name
        )
    if finite and values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(
            "the image holds values that are not finite",
            "Look for NaN and infinity, and write finite values.",
            file=name,
        )


def _rounded(values: Array, top: int) -> Array:
    """Values as the smallest unsigned integers that hold `top`."""
    rounded: Array = np.clip(np.rint(values), 0, top).astype(np.uint8 if top == 255 else np.uint16)
    return rounded


def with_channels(values: Array, channels: int, name: str = "image") -> Array:
    """(H, W, C) with another number of channels: colour to grey by luminance, grey repeated; raises `DataError`."""
    have = values.shape[2]
    if have == channels:
        return values
    if have == 1:
        return np.repeat(values, channels, axis=2)
    if channels == 1:
        weights = np.array([0.299, 0.587, 0.114], np.float32) if have == 3 else np.full(have, 1 / have, np.float32)
        grey: Array = np.rint(values @ weights).astype(values.dtype)
        return grey[:, :, None]
    raise DataError(
        f"the image has {have} channels; {channels} are expected", "Save all images with as many channels.", file=name
    )


def resize(image: Array, height: int, width: int, mode: ResizeMode = "squash") -> Array:
    """An image in another size, antialiased.

    Args:
        image: (H, W, C) uint8 or uint16.
        height: the new height in pixels.
        width: the new width in pixels.
        mode: "squash" changes the proportions; "cover" scales the shorter side and cuts the centre; "pad" scales the
            longer side and adds zeros around.

    Returns:
        (height, width, C) of the same type.
    """
    have_height, have_width = image.shape[:2]
    if (have_height, have_width) == (height, width):
        return image
    if mode == "squash":
        return _scale(image, height, width)
    ratios = (height / have_height, width / have_width)
    ratio = max(ratios) if mode == "cover" else min(ratios)
    scaled = _scale(image, max(1, round(have_height * ratio)), max(1, round(have_width * ratio)))
    if mode == "cover":
        top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
        return np.ascontiguousarray(scaled[top : top + height, left : left + width])
    top, left = (height - scaled.shape[0]) // 2, (width - scaled.shape[1]) // 2
    canvas = np.zeros((height, width, image.shape[2]), image.dtype)
    canvas[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return canvas


def _scale(image: Array, height: int, width: int) -> Array:
    """(H, W, C) in the size (height, width), through Pillow's antialiased bilinear filter."""
    from PIL import Image

    size = (width, height)
    if image.dtype == np.uint8 and image.shape[2] == 3:
        picture = Image.fromarray(np.ascontiguousarray(image))
        return np.array(picture.resize(size, Image.Resampling.BILINEAR))
    planes = []
    for channel in range(image.shape[2]):
        plane = np.ascontiguousarray(image[:, :, channel])
        picture = Image.fromarray(plane if plane.dtype == np.uint8 else plane.astype(np.float32))
        planes.append(np.asarray(picture.resize(size, Image.Resampling.BILINEAR)))
    stacked = np.stack(planes, axis=2)
    return stacked if stacked.dtype == image.dtype else np.rint(stacked).clip(0, 65535).astype(image.dtype)


def _decode_bytes(payload: bytes, name: str, least_side: int | None) -> Array:
    from assay.sources._tiff import plain_tiff, read_tiff

    if content_format(payload) == "TIFF" and plain_tiff(payload) is None:
        return read_tiff(payload, name)
    image = open_image(payload, name)
    if image.width * image.height > MOST_PIXELS:
        raise DataError(
            f"{TOO_LARGE} ({image.width} x {image.height})", "Cut it into parts, or make it smaller.", file=name
        )
    try:
        if least_side is not None and image.format == "JPEG":
            ratio = least_side / min(image.size)
            image.draft(None, (max(1, int(image.width * ratio)), max(1, int(image.height * ratio))))
        return _pixels(_upright(image))
    except Exception as error:  # Pillow's decoders fail on damaged data in every way that Python knows
        raise DataError(
            f"the image is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=name,
        ) from error


def _upright(image: Image.Image) -> Image.Image:
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    orientation = orientation_of(image)
    image.load()
    return image.transpose(turns[orientation]) if orientation in turns else image


def _pixels(image: Image.Image) -> Array:
    """(H, W, C) of a decoded image of any mode: grey, RGB, or values of more than 8 bits."""
    from PIL import Image

    mode = image.mode
    if mode == "P":
        mode = "RGBA" if "transparency" in image.info else "RGB"
        image = image.convert(mode)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, coloured).convert("L" if mode in ("LA", "La") else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode not in ("L", "RGB", "F") and not mode.startswith("I"):
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.dtype.kind in "iu" and values.dtype not in (np.uint8, np.uint16):
        values = values.clip(0, 65535).astype(np.uint16)
    return np.array(values[:, :, None] if values.ndim == 2 else values)
