"""`shortcuts`: a corner mark that goes with one class is named with its place; clean data is not accused.

Planted: Fashion-MNIST subsets in which the images of one class carry a small bright mark in one corner. Clean: other
subsets, and textures made of one stochastic process a class, whose every border honestly tells the class (synthetic).
The share of answers from which on a place is accused was chosen on draws 0 to 9, how many places are looked at closely
on draws 10 to 19; others judge.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

CORNERS = ("top left", "top right", "bottom left", "bottom right")
_SIZE, _MARK, _FIRST_DRAW, _DRAWS = 4000, 4, 20, 10


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", type=int, default=_DRAWS, help="how many planted and how many clean sets")


def subset(bench: Bench, draw: int) -> tuple[Any, Any, Any]:
    """Images, labels and sides of one draw."""
    data = grey_images(bench.smoke)
    count = 300 if bench.smoke else _SIZE
    rows = np.random.default_rng([draw, 9]).permutation(len(data.images))[:count]
    side = np.asarray([0, 0, 0, 0, 0, 0, 0, 1, 2, 2])[np.arange(count) % 10]
    return data.images[rows].copy(), data.labels[rows].astype(int), side


def mark(images: Any, corner: int) -> None:
    """A checkered square of `_MARK` pixels, one pixel from the edges of a corner."""
    pattern = (np.indices((_MARK, _MARK)).sum(axis=0) % 2 * 255).astype(np.uint8)
    rows = slice(1, 1 + _MARK) if corner < 2 else slice(-1 - _MARK, -1)
    columns = slice(1, 1 + _MARK) if corner % 2 == 0 else slice(-1 - _MARK, -1)
    images[:, rows, columns] = pattern


def textures(draw: int, count: int) -> tuple[Any, Any, Any]:
    """Four kinds of smooth noise that differ in direction and grain, alike in every part of the image (synthetic)."""
    random = np.random.default_rng([draw, 10])
    frequency = np.fft.fftfreq(28)
    down, right = np.meshgrid(frequency, frequency, indexing="ij")
    labels = random.integers(0, 4, count)
    images = np.zeros((count, 28, 28), np.uint8)
    for label, (tall, wide) in enumerate(((60, 200), (200, 60), (60, 60), (250, 250))):
        keep = np.exp(-tall * down**2 - wide * right**2)
        rows = np.flatnonzero(labels == label)
        noise = np.fft.ifft2(np.fft.fft2(random.normal(0, 1, (len(rows), 28, 28))) * keep).real
        noise /= noise.std(axis=(1, 2), keepdims=True)
        images[rows] = np.clip(128 + 45 * noise, 0, 255).astype(np.uint8)
    return images, labels, np.asarray([0, 0, 0, 0, 0, 0, 0, 1, 2, 2])[np.arange(count) % 10]


def measure(bench: Bench, kind: str, draw: int) -> Json:
    """The finding on one planted or clean set."""
    images, labels, side = textures(draw, 300 if bench.smoke else 3000) if kind == "texture" else subset(bench, draw)
    corner, label = draw % 4, int(np.random.default_rng([draw, 8]).integers(0, 10))
    if kind == "planted":
        chosen = images[labels == label]
        mark(chosen, corner)
        images[labels == label] = chosen
    with own_cache() as folder:
        run = trained(Planted(images, labels, side), folder / "run", epochs=8.0 if bench.smoke else 12.0, seed=draw,
                      settings={"width": "16"} if bench.smoke else {}, findings=("shortcuts",))  # fmt: skip
    finding = run["findings"]["shortcuts"]
    accused = finding["status"] == "act"
    place = finding["verdict"].split("\u201c")[1].split("\u201d")[0] if accused else None
    return {"kind": kind, "draw": draw, "accused": accused, "place": place, "accuracy": run["accuracy"],
            "right_place": kind == "planted" and place is not None and CORNERS[corner] in place,
            "verdict": finding["verdict"], "numbers": finding["numbers"], "seconds": finding["seconds"],
            "fit_s": run["fit_s"]}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/shortcuts", __doc__, add_options)
    draws = range(_FIRST_DRAW, _FIRST_DRAW + (1 if bench.smoke else bench.options.draws))
    runs = [bench.piece(f"{kind}-{draw}", partial(measure, bench, kind, draw))
            for draw in draws for kind in ("planted", "clean", "texture")]  # fmt: skip
    planted = [run for run in runs if run["kind"] == "planted"]
    clean = [run for run in runs if run["kind"] != "planted"]
    named, accused = sum(run["right_place"] for run in planted), sum(run["accused"] for run in clean)
    targets = [Target("share of planted marks named with their place", named / len(planted), ">=", 1.0),
               Target("share of clean sets accused", accused / len(clean), "<=", 0.1)]  # fmt: skip
    bench.settings = {"images": _SIZE, "mark": f"{_MARK} px", "epochs": 12, "textures": "synthetic"}
    bench.finish({"planted": len(planted), "named": named, "clean": len(clean), "accused": accused, "runs": runs},
                 targets, seeds=list(draws), packages=[])  # fmt: skip


if __name__ == "__main__":
    main()
