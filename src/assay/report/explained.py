"""How an explanation is drawn: weights laid over a picture, under the words of a text, or beside the values of a row.

Shapes: H height, W width, P columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.report.images import thumbnail

if TYPE_CHECKING:
    import numpy as np

    from assay.task import Drawing

    Array = np.ndarray[Any, Any]

#: What speaks for an answer is orange, what speaks against it blue: light and dark, told apart by every colour vision.
FOR, AGAINST = (255, 168, 32), (32, 96, 232)
SPANS_CAPTION = (
    "Underlined with a line is what spoke for the answer, with dots what spoke against it; the thicker, the more."
)
_CELLS = 28  # along the shorter side: finer weights are drawn as their neighbourhood's mean
_STRONGEST = 0.85
_MINUS = "\u2212"


def overlay(picture: Array, weights: Array, size: int = 112) -> str:
    """A picture in grey with the places that weighed in colour, as a data URI.

    Args:
        picture: uint8 of shape (H, W), (H, W, 1) or (H, W, 3).
        weights: (H, W) of any scale; the strongest hundredth is drawn in full colour.
        size: see `thumbnail`.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    grey = np.asarray(picture, np.float64).reshape(*picture.shape[:2], -1).mean(axis=2, keepdims=True)
    drawn = _soft(np.nan_to_num(np.asarray(weights, np.float32)))
    full = float(np.quantile(np.abs(drawn), 0.99)) or float(np.abs(drawn).max()) or 1.0
    strength = np.clip(np.abs(drawn) / full, 0, 1)[:, :, None] * _STRONGEST
    colour = np.where(drawn[:, :, None] > 0, np.asarray(FOR, float), np.asarray(AGAINST, float))
    below, above = 45 + 0.6 * grey, colour * (0.45 + 0.55 * grey / 255)
    mixed = below * (1 - strength) + above * strength
    return thumbnail(mixed.round().clip(0, 255).astype(np.uint8), size)


def shaded(drawing: Drawing) -> dict[str, list[tuple[str, float | None]]]:
    """A drawing's spans as a gallery's item takes them: nothing, or `spans` with null for a weight that is NaN."""
    if not drawing.spans:
        return {}
    return {"spans": [(text, None if math.isnan(weight) else weight) for text, weight in drawing.spans]}


def heard(drawing: Drawing) -> dict[str, str]:
    """A drawing's sound as a gallery's item takes it: nothing, or `audio`."""
    return {} if drawing.audio is None else {"audio": drawing.audio}


def pictured(drawing: Drawing) -> dict[str, Any]:
    """A drawing's picture and sound as a gallery's item takes them."""
    return {"image": drawing.image, **({"large": True} if drawing.large else {}), **heard(drawing)}


def _soft(weights: Array) -> Array:
    """Weights (H, W) as means over about `_CELLS` cells a side, where they are finer."""
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("drawing pictures", "image") from None
    height, width = weights.shape
    if min(height, width) < 2 * _CELLS:
        return weights
    factor = min(height, width) / _CELLS
    small = Image.fromarray(weights).resize((round(width / factor), round(height / factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def explained_cells(cells: Sequence[tuple[str, str]], weights: Array, share: bool, most: int = 8) -> tuple[str, ...]:
    """The columns that weighed most, each with its value and what it added: "alcohol: 13.2 (+21 %)".

    Args:
        cells: P names with their values as text.
        weights: (P,) what each added.
        share: the weights are shares of a probability, written in per cent.
        most: how many columns.
    """
    import numpy as np

    strongest = np.argsort(-np.abs(weights), kind="stable")[:most]
    return tuple(
        f"{cells[place][0]}: {cells[place][1]} ({signed(float(weights[place]), share)})" for place in strongest
    )


def signed(weight: float, share: bool) -> str:
    """A weight with its sign: "+21 %", "−0.034"."""
    text = f"{100 * abs(weight):.3g} %" if share else f"{abs(weight):.3g}"
    return f"{'+' if weight >= 0 else _MINUS}{text}"
