"""Small pictures of cells: dark round ones and pale long ones on a light ground, in the layouts that Assay reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from assay.networks.cell_network import CellMaps

Array = np.ndarray[Any, Any]
SIDE = 96


@dataclass(frozen=True)
class Example:
    """A picture (H, W, 3), an instance map (H, W), and x, y and class of each cell, in the order of its ids."""

    picture: Array
    labels: Array
    places: list[tuple[float, float, str]]


class Darkness(nn.Module):
    """Finds what is dark, looking twelve pixels far: its answers are known, and it needs no training."""

    views = 1

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.tensor(0.5))
        for name in ("neighbours", "count_slope", "count_offset"):
            self.register_buffer(name, torch.tensor(0.0))

    def maps(self, image: torch.Tensor, views: int | None = None) -> CellMaps:
        dark = 1 - image.float().mean(1, keepdim=True) / 255
        small = functional.avg_pool2d(dark, 2)
        smooth = functional.avg_pool2d(functional.avg_pool2d(small, 5, 1, 2), 3, 1, 1)[:, 0]
        return CellMaps((smooth - 0.35) * 30, None, None, None, 2)


def example(number: int, side: int = SIDE, cells: int = 10) -> Example:
    random = np.random.default_rng(number)
    picture = np.full((side, side, 3), (225, 205, 225), np.float64) + random.normal(0, 5, (side, side, 3))
    labels = np.zeros((side, side), np.uint16)
    rows, columns = np.mgrid[:side, :side]
    places: list[tuple[float, float, str]] = []
    for _ in range(cells * 20):
        if len(places) == cells:
            break
        x, y = random.integers(7, side - 7, 2)
        if any(abs(x - a) < 15 and abs(y - b) < 15 for a, b, _ in places):
            continue
        kind = "round" if random.random() < 0.5 else "long"
        wide, high = (5.0, 5.0) if kind == "round" else (7.0, 3.5)
        inside = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 <= 1
        colour = (70, 40, 120) if kind == "round" else (150, 90, 160)
        picture[inside] = colour + random.normal(0, 6, (int(inside.sum()), 3))
        places.append((float(x), float(y), kind))
        labels[inside] = len(places)
    return Example(picture.clip(0, 255).astype(np.uint8), labels, places)


def write_points(folder: Path, count: int = 24, side: int = SIDE, classes: bool = True) -> Path:
    """images/NAME.png and cells.csv; every fifth cell has no class."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = ["image,x,y,class" if classes else "image,x,y"]
    for number in range(count):
        one = example(number, side)
        Image.fromarray(one.picture).save(folder / "images" / f"p{number:02}.png")
        for place, (x, y, kind) in enumerate(one.places):
            kind = "unlabelled" if place % 5 == 4 else kind
            lines.append(f"p{number:02},{x},{y},{kind}" if classes else f"p{number:02},{x},{y}")
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_masks(folder: Path, count: int = 24, side: int = SIDE) -> Path:
    """images/NAME.png and labels/NAME.png with an id a cell, 16 bits a pixel."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        one = example(number, side)
        Image.fromarray(one.picture).save(folder / "images" / f"p{number:02}.png")
        Image.fromarray(one.labels).save(folder / "labels" / f"p{number:02}.png")
    return folder
