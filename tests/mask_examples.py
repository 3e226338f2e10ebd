"""Pictures with masks, made up: bright discs and dark squares on a coloured ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]


def example(seed: int, height: int = 40, width: int = 48) -> tuple[Array, Array]:
    """A picture (H, W, 3) uint8 and its mask (H, W) uint8: 0 ground, 1 disc, 2 square."""
    random = np.random.default_rng(seed)
    ground = random.integers(70, 110, 3)
    picture = np.clip(ground + random.normal(0, 12, (height, width, 3)), 0, 255)
    mask = np.zeros((height, width), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for kind in (1, 2, 1):
        size = random.integers(4, 9)
        row, column = random.integers(size, height - size), random.integers(size, width - size)
        away = (
            np.hypot(rows - row, columns - column) if kind == 1 else np.maximum(abs(rows - row), abs(columns - column))
        )
        mask[away < size] = kind
    picture[mask == 1] += [90, 70, 0]
    picture[mask == 2] -= [50, 0, 60]
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def write_pairs(folder: Path, count: int = 40, height: int = 40, width: int = 48, wider: int = 0) -> Path:
    """`images/` and `masks/` of made-up pictures, of which every second is `wider` by so many pixels."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, mask = example(number, height, width + (wider if number % 2 == 0 else 0))
        Image.fromarray(picture).save(folder / "images" / f"{number:03}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number:03}.png")
    return folder


def write_mask(file: Path, mask: Array) -> None:
    """One mask."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(file)
