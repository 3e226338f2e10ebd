"""What a user reads about a picture's pixels: the area of each class, and where it lies."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.palette import BLACK, OKABE_ITO, WHITE
from assay.samples.mask_windows import Segmented
from assay.sources.coco_rle import decode_rle, encode_rle

Array = np.ndarray[Any, Any]
#: Colours of classes in files and on the page.
COLOURS = (
    BLACK, *OKABE_ITO, WHITE, (128, 128, 128), (160, 82, 45), (128, 255, 0), (148, 0, 211), (0, 255, 255),
)  # fmt: skip


@dataclass(frozen=True)
class ClassArea:
    """Where a class lies.

    Attributes:
        label: its name.
        value: its number, as it stands in masks that are written.
        size: height and width in pixels.
        counts: COCO's run-length encoding.
    """

    label: str
    value: int
    size: tuple[int, int]
    counts: str


@dataclass(frozen=True)
class MaskAnswer:
    """The answer to a picture.

    Attributes:
        height, width: of the picture, in pixels.
        confidence: the mean over the pixels of the probability of the class answered.
        pixels: the area of each class in pixels.
        percent: likewise in per cent of the picture.
        areas: where each class lies that was found, but for the background.
    """

    height: int
    width: int
    confidence: float
    pixels: Mapping[str, int]
    percent: Mapping[str, float]
    areas: tuple[ClassArea, ...]


def mask_answer(output: Segmented, classes: Sequence[str], background: int | None) -> MaskAnswer:
    """The answer that an output means."""
    counts = output.mask.pixels(len(classes))
    whole, size = output.mask.array(), (output.mask.height, output.mask.width)
    areas = tuple(
        ClassArea(name, number, size, encode_rle(whole == number))
        for number, name in enumerate(classes)
        if number != background and counts[number]
    )
    shares = 100 * counts / max(1, counts.sum())
    return MaskAnswer(
        *size,
        round(output.confidence, 4),
        dict(zip(classes, counts.tolist(), strict=True)),
        {name: round(share, 3) for name, share in zip(classes, shares.tolist(), strict=True)},
        areas,
    )


def mask_png(answer: Mapping[str, Any]) -> bytes:
    """A PNG of an answer in JSON, with a palette, whose pixel values are the numbers of the classes.

    Its text holds the names of the classes. A pixel of no area has the value of the class that is not listed among
    them, or 255.
    """
    from PIL import Image, PngImagePlugin

    areas, names = answer["areas"], list(answer["pixels"])
    whole = np.full((answer["height"], answer["width"]), _rest(names, areas), np.uint8)
    for area in areas:
        whole[decode_rle(area["counts"], *area["size"])] = area["value"]
    picture = Image.fromarray(whole, "P")
    picture.putpalette([channel for number in range(256) for channel in class_colour(number)])
    note = PngImagePlugin.PngInfo()
    note.add_text("classes", ", ".join(f"{number} {name}" for number, name in enumerate(names)))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=note)
    return buffer.getvalue()


def _rest(names: Sequence[str], areas: Sequence[Mapping[str, Any]]) -> int:
    listed = {area["value"] for area in areas}
    return next((number for number in range(len(names)) if number not in listed), 255)


def class_colour(number: int) -> tuple[int, int, int]:
    """The colour of a class."""
    return COLOURS[number % len(COLOURS)] if number < 255 else (192, 192, 192)
