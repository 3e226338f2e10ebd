"""Pictures with boxes drawn on them.

Shapes: H height, W width, n boxes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtraError
from assay.report.images import thumbnail

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: Colours that every colour vision tells apart (Okabe and Ito 2008), one a class, again from the start after eight.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
           (255, 255, 255))  # fmt: skip
_SIZE = 224


def boxes_drawn(picture: Array, boxes: Array, classes: Array, dashed: Array | None = None, size: int = _SIZE) -> str:
    """A picture with boxes, a data URI.

    Args:
        picture: uint8 of shape (H, W), (H, W, 1) or (H, W, 3).
        boxes: (n, 4) x0, y0, x1, y1 in its pixels.
        classes: (n,) int, which decide the colours.
        dashed: (n,) bool, drawn with gaps: what is missing or wrong; None for none.
        size: the longer side at most, in pixels.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    import numpy as np

    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError("drawing pictures", "image") from None
    flat = picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    image = Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")
    scale = min(1.0, size / max(image.size))
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    draw = ImageDraw.Draw(image)
    for number in range(len(boxes)):
        x0, y0, x1, y1 = (float(value) * scale for value in boxes[number][:4])
        colour = COLOURS[int(classes[number]) % len(COLOURS)]
        if dashed is not None and dashed[number]:
            _dashed(draw, (x0, y0, x1, y1), colour)
        else:
            draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour)
    return thumbnail(np.asarray(image), size)


def _dashed(draw: Any, box: tuple[float, float, float, float], colour: tuple[int, int, int], dash: float = 4.0) -> None:
    x0, y0, x1, y1 = box
    for start, end in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        long = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        steps = max(1, int(long / dash))
        for step in range(0, steps, 2):
            at, until = step / steps, min(1.0, (step + 1) / steps)
            draw.line(
                [(start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
                 for share in (at, until)], fill=colour
            )  # fmt: skip
