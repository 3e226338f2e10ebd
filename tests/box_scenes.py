"""Pictures of bright rectangles and dark discs on a dull ground, with their boxes as Pascal VOC has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CLASSES = ("disc", "plate")


def picture(random: np.random.Generator, height: int = 64, width: int = 64, most: int = 3) -> tuple[Array, Array]:
    """(H, W, 3) uint8 and its objects (n, 5): x0, y0, x1, y1, class."""
    image = random.normal(110, 12, (height, width, 3))
    objects: list[tuple[int, int, int, int, int]] = []
    for _ in range(int(random.integers(1, most + 1))):
        wide, high = (int(value) for value in random.integers(12, 26, 2))
        kind = int(random.integers(0, 2))
        if kind == 0:
            high = wide
        x, y = int(random.integers(0, width - wide + 1)), int(random.integers(0, height - high + 1))
        if any(x < x1 + 2 and x + wide + 2 > x0 and y < y1 + 2 and y + high + 2 > y0 for x0, y0, x1, y1, _ in objects):
            continue
        rows, columns = np.mgrid[y : y + high, x : x + wide]
        if kind == 0:
            inside = (rows - y - (high - 1) / 2) ** 2 + (columns - x - (wide - 1) / 2) ** 2 <= (wide / 2) ** 2
            image[rows[inside], columns[inside]] = (30, 40, 90)
        else:
            image[y : y + high, x : x + wide] = (230, 210, 60)
        objects.append((x, y, x + wide, y + high, kind))
    return image.clip(0, 255).astype(np.uint8), np.asarray(objects)


def write_voc(
    folder: Path,
    count: int = 90,
    seed: int = 0,
    labelled: Callable[[int, Array], Array] = lambda number, objects: objects,
    **size: int,
) -> Path:
    """A folder of pictures and Pascal VOC files; `labelled` makes labels of each picture's number and objects."""
    from PIL import Image

    random = np.random.default_rng(seed)
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for number in range(count):
        image, objects = picture(random, **size)
        Image.fromarray(image).save(folder / "JPEGImages" / f"{number:03d}.png")
        boxes = "".join(
            f"<object><name>{CLASSES[kind]}</name><difficult>0</difficult><bndbox><xmin>{x0 + 1}</xmin>"
            f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
            for x0, y0, x1, y1, kind in labelled(number, objects).tolist()
        )
        height, width = image.shape[:2]
        size_of = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{number:03d}.png</filename>{size_of}{boxes}</annotation>"
        (folder / "Annotations" / f"{number:03d}.xml").write_text(text)
    return folder
