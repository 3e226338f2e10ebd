"""Pictures small enough to stand in the page as data URIs."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.report.kinds.heat import COLOURS

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

_TINY = 48  # below this many pixels smoothing would hide what the network saw


def thumbnail(array: np.ndarray[Any, Any], size: int = 112) -> str:
    """A small copy of a picture.

    Args:
        array: uint8 of shape (H, W), (H, W, 1) or (H, W, 3).
        size: the longer side at most, in pixels. A picture under 48 pixels is enlarged by a whole factor, its
            pixels kept as squares.

    Returns:
        A data URI; WebP where Pillow has it, else PNG.

    Raises:
        ValueError: the array has another type or shape, or no pixels.
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("drawing pictures", "image") from None
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8 or array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(
            f"a picture is uint8 of shape (H, W), (H, W, 1) or (H, W, 3), not {array.dtype} of shape {array.shape}"
        )
    picture = Image.fromarray(np.ascontiguousarray(array))
    longest = max(picture.size)
    if longest < _TINY:
        factor = max(1, size // longest)
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        return _encoded(picture, lossless=True)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return _encoded(picture, lossless=False)


def heatmap(array: np.ndarray[Any, Any], size: int = 64) -> str:
    """A map of numbers, such as a channel's activations, in the viridis colours from its least to its greatest.

    Args:
        array: float of shape (H, W); what is not finite is drawn as the least.
        size: the longer side in pixels, about.

    Returns:
        A data URI; WebP where Pillow has it, else PNG.

    Raises:
        ValueError: the array is not two-dimensional, or has no pixels.
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"a heat map is made of an array of shape (H, W), not {array.shape}")
    values = np.asarray(array, dtype=np.float64)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    # Halved before they are subtracted: the span of the largest floats has no float of its own.
    shares = (np.where(np.isfinite(values), values, low) / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)
    return thumbnail(viridis(shares), size)


def viridis(shares: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(H, W, 3) uint8, the viridis colours of shares (H, W) from 0 to 1."""
    import numpy as np

    stops = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in COLOURS], dtype=np.float64)
    places = np.linspace(0.0, 1.0, len(stops))
    channels = [np.interp(shares, places, stops[:, channel]) for channel in range(3)]
    return np.asarray(np.stack(channels, axis=-1).round(), np.uint8)


def _encoded(picture: Image, *, lossless: bool) -> str:
    from PIL import features

    buffer = io.BytesIO()
    if features.check("webp"):
        picture.save(buffer, "WEBP", lossless=lossless, quality=80)
        kind = "webp"
    else:
        picture.save(buffer, "PNG", optimize=True)
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
