"""A slide of 12,000 x 12,000 pixels: seconds and memory of `assay predict`, and whether tiles count any cell twice.

The slide is a mosaic of the stained images of dsb2018_nuclei, so that every cell of it is in one of these images; the
network is trained for a short while only, since speed, memory and seams do not depend on how good it is.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, open_bench
from _data import pretrained_folder
from dsb2018_cells import fold_folder, invented, mosaics

_MOST_BYTES = 2e9


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", default="12000", help="pixels of a side of the slide")
    parser.add_argument("--budget", default="3m", help="the time of fitting")


def write_slide(source: Path, out: Path, side: int) -> None:
    """A tiled TIFF of a mosaic of all stained images, row by row, so that it is never held as a whole."""
    import tifffile
    from PIL import Image

    with zipfile.ZipFile(source / "dsb2018_nuclei.zip") as archive:
        names = sorted(mosaics(source))
        pieces = [
            np.asarray(Image.open(io.BytesIO(archive.read(f"images/{name}.png"))).convert("RGB")) for name in names
        ]
    height, width = pieces[0].shape[:2]
    pieces = [piece for piece in pieces if piece.shape == pieces[0].shape]
    canvas = np.lib.format.open_memmap(out.with_suffix(".npy"), "w+", np.uint8, (side, side, 3))
    for number, (top, left) in enumerate(np.ndindex(-(-side // height), -(-side // width))):
        piece = pieces[number * 7 % len(pieces)]
        y, x = top * height, left * width
        canvas[y : y + height, x : x + width] = piece[: side - y, : side - x]
    tifffile.imwrite(out, canvas, photometric="rgb", tile=(256, 256), compression="zlib", bigtiff=True)
    out.with_suffix(".npy").unlink()


def train(bench: Bench, source: Path) -> Path:
    run = bench.work / "run"
    if not (run / "summary.json").exists():
        data = fold_folder(source, bench.work / "data", 0)
        network = "unet" if bench.smoke else f"timm/{pretrained_folder().resolve()}"
        small = ("--set", "width=8", "--set", "levels=3") if bench.smoke else ()
        budget = "2s" if bench.smoke else bench.options.budget
        how = ("--split", "split", "--network", network, "--budget", budget, "--evidence", "none", "--json", *small)
        run_assay("train", data, "--task", "cell-detection", *how, "--out", run)
    return run


def answered(run: Path, slide: Path, folder: Path) -> Json:
    """One `assay predict` of a slide, watched."""
    out = folder / f"{slide.stem}.json"
    done = run_assay("predict", run, slide, "--out", out, watch=True)
    answer = json.loads(out.read_text())[0]
    most = max((kinds.get("VmRSS", 0) for kinds in done.peaks.values()), default=0)
    return {"wall_s": done.wall_s, "most_memory_bytes": most, "cells": answer["count"], "width": answer["width"],
            "places": [(cell["x"], cell["y"]) for cell in answer["cells"]]}  # fmt: skip


def measure(bench: Bench, source: Path) -> Json:
    """The whole slide, and a part of it as a slide of its own: away from the part's edges the same cells."""
    side = 700 if bench.smoke else int(bench.options.side)
    run = train(bench, source)
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(folder) / "slide.tif"
        write_slide(source, slide, side)
        whole = answered(run, slide, Path(folder))
        return {**compared(run, slide, side, whole, Path(folder)), **{key: whole[key] for key in
                ("wall_s", "most_memory_bytes", "cells", "width")}, "megapixels": side**2 / 1e6}  # fmt: skip


def compared(run: Path, slide: Path, side: int, whole: Json, folder: Path) -> Json:
    """How many cells of a part that begins elsewhere on the grid are found in both, within a pixel."""
    import tifffile

    import assay
    from assay.evaluation.cell_matching import matched
    from assay.sources.slides import Slide

    spec = assay.load(run).spec
    step = spec.tile - 2 * spec.margin
    size, corner = min(side // 2, 2000), step * max(1, min(side // 4, 3000) // step)
    part = folder / "part.tif"
    tifffile.imwrite(part, Slide(slide).read(corner, corner, size, size), photometric="rgb", tile=(256, 256))
    own = np.asarray(_as_slide(run, part), float).reshape(-1, 2) + corner
    edge = spec.tile / 2
    inside = [one[((one > corner + edge) & (one < corner + size - edge)).all(1)]
              for one in (own, np.asarray(whole["places"], float).reshape(-1, 2))]  # fmt: skip
    pairs = matched(*inside, 1.0)
    close = _twice(np.asarray(whole["places"], float).reshape(-1, 2), spec.apart * 0.99)
    return {
        "part_cells": len(inside[0]),
        "whole_cells_there": len(inside[1]),
        "same": len(pairs),
        "counted_twice": close,
    }


def _as_slide(run: Path, part: Path) -> list[tuple[float, float]]:
    """The places of the cells of a part, answered row by row as a slide is."""
    import assay
    from assay.sources.slides import Slide

    session = assay.load(run).session()
    answers = [one for rows in Slide(part).rows() for one in session.push(rows)]
    answers += session.close()
    return [(cell.x, cell.y) for answer in answers for cell in answer.cells]


def _twice(places: Any, apart: float) -> int:
    from scipy.spatial import cKDTree

    return len(cKDTree(places).query_pairs(apart)) if len(places) else 0


def main() -> None:
    bench = open_bench("cell_slides", __doc__, add_options)
    source = invented(bench.work / "invented") if bench.smoke else data_root() / "dsb2018_nuclei"
    found = bench.piece("slide", partial(measure, bench, source))
    summary = {**found, "megapixels_a_second": found["megapixels"] / found["wall_s"]}
    there = max(found["part_cells"], found["whole_cells_there"])
    targets = [
        Target("bytes of memory", found["most_memory_bytes"], "<", _MOST_BYTES),
        Target("share of cells that a part by itself gives, too", found["same"] / there if there else None, ">=", 0.99),
        Target("cells counted twice", found["counted_twice"], "==", 0),
    ]
    bench.settings = {"side": bench.options.side, "budget": bench.options.budget}
    bench.finish(summary, targets, packages=["timm", "tifffile", "imagecodecs"])


if __name__ == "__main__":
    main()
