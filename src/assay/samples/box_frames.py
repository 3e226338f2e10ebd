"""Pictures of any size in a network's field: scaled as a whole, centred, the rest filled; and boxes likewise.

A box is (x0, y0, x1, y1) in pixels, its right and bottom edge exclusive; columns after these four stay as they are.

Shapes: n boxes, C channels; h, w of a picture, H, W of the field.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.samples.box_spec import BoxSpec

Array = np.ndarray[Any, Any]


def letterbox(image: Array, spec: BoxSpec, frame: tuple[int, int] | None = None) -> Array:
    """A picture (h, w, C) uint8 in the field, (C, H, W) uint8; what it does not cover has the training mean.

    `frame` is the picture's own height and width, where it was decoded smaller.
    """
    from assay.sources.decode import resize

    (top, left), (high, wide) = _place(image.shape[:2] if frame is None else frame, spec)
    fill = np.rint(np.asarray(spec.mean)).clip(0, 255).astype(np.uint8)
    field = np.empty((spec.height, spec.width, spec.channels), np.uint8)
    field[:] = fill
    field[top : top + high, left : left + wide] = resize(image, high, wide, "squash")
    return np.ascontiguousarray(field.transpose(2, 0, 1))


def into_frame(boxes: Array, frame: Any, spec: BoxSpec) -> Array:
    """Boxes (n, 4 or more) of a picture of `frame` (height, width), in pixels of the field, float32.

    >>> import numpy as np
    >>> spec = BoxSpec(3, 32, 64, (0.0,) * 3, (1.0,) * 3, ("car",))
    >>> into_frame(np.asarray([[0, 0, 100, 100]]), (100, 100), spec).tolist()
    [[16.0, 0.0, 48.0, 32.0]]
    """
    (top, left), (high, wide) = _place(frame, spec)
    moved = np.array(boxes, np.float64)
    moved[:, [0, 2]] = moved[:, [0, 2]] * (wide / float(frame[1])) + left
    moved[:, [1, 3]] = moved[:, [1, 3]] * (high / float(frame[0])) + top
    return moved.astype(np.float32)


def out_of_frame(boxes: Array, frame: Any, spec: BoxSpec) -> Array:
    """The inverse of `into_frame`, cut to the picture: boxes (n, 4 or more) in pixels of the picture, float32."""
    (top, left), (high, wide) = _place(frame, spec)
    moved = np.array(boxes, np.float64)
    moved[:, [0, 2]] = ((moved[:, [0, 2]] - left) * (float(frame[1]) / wide)).clip(0, float(frame[1]))
    moved[:, [1, 3]] = ((moved[:, [1, 3]] - top) * (float(frame[0]) / high)).clip(0, float(frame[0]))
    return moved.astype(np.float32)


def _place(frame: Any, spec: BoxSpec) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a picture of (height, width) lies in the field: (top, left) and (height, width)."""
    have_high, have_wide = int(frame[0]), int(frame[1])
    ratio = min(spec.height / have_high, spec.width / have_wide)
    high = min(spec.height, max(1, round(have_high * ratio)))
    wide = min(spec.width, max(1, round(have_wide * ratio)))
    return ((spec.height - high) // 2, (spec.width - wide) // 2), (high, wide)
