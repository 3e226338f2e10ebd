"""Nuclei in stained tissue, outlined one by one (Data Science Bowl 2018), in five folds that keep mosaics together.

The tiles of one mosaic are neighbours in the same section: none is on two sides. Fluorescence images are left out.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import zipfile
from functools import partial
from pathlib import Path

from _cells import asked, pooled, trained
from _common import Bench, Json, Target, data_root, open_bench

FOLDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--budget", default="20m", help="the time of fitting of each fold")
    parser.add_argument("--network", default="", help="of the trainings (timm/ with EfficientNet-Lite0)")
    parser.add_argument("--settings", default="", help="further KEY=VALUE for --set, separated by commas")
    parser.add_argument("--folds", default="0,1,2,3,4", help="which folds")


def mosaics(source: Path) -> dict[str, int]:
    """The mosaic of each stained image, by its name without ending."""
    with open(source / "index.csv", newline="") as file:
        stained = {row["id"] for row in csv.DictReader(file) if row["kind"] == "stained_colour"}
    with open(source / "mosaic.csv", newline="") as file:
        return {row["id"]: int(row["mosaic"]) for row in csv.DictReader(file) if row["id"] in stained}


def side_of(mosaic: int, fold: int) -> str:
    """Every fifth mosaic is tested; half of the next fold's are for validation."""
    if mosaic % FOLDS == fold:
        return "test"
    return "validation" if mosaic % FOLDS == (fold + 1) % FOLDS and mosaic // FOLDS % 2 == 0 else "train"


def fold_folder(source: Path, folder: Path, fold: int) -> Path:
    """images/, labels/ and a table with the mosaic and the side of each image."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    known = mosaics(source)
    with zipfile.ZipFile(source / "dsb2018_nuclei.zip") as archive:
        for name in known:
            for kind in ("images", "labels"):
                (folder / kind / f"{name}.png").write_bytes(archive.read(f"{kind}/{name}.png"))
    lines = [f"{name}.png,m{mosaic},{side_of(mosaic, fold)}" for name, mosaic in sorted(known.items())]
    (folder / "images.csv").write_text("\n".join(["image,mosaic,split", *lines]) + "\n")
    return folder


def invented(folder: Path) -> Path:
    """For --smoke: a data set of the same form with twenty small images of dark squares."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    index, table = ["id,kind"], ["id,mosaic"]
    with zipfile.ZipFile(folder / "dsb2018_nuclei.zip", "w") as archive:
        for number in range(20):
            picture, labels = random.integers(200, 230, (64, 64, 3)).astype(np.uint8), np.zeros((64, 64), np.uint16)
            for cell in range(4):
                y, x = 8 + 28 * (cell // 2), 8 + 28 * (cell % 2)
                picture[y : y + 9, x : x + 9], labels[y : y + 9, x : x + 9] = (90, 60, 130), cell + 1
            for kind, values in (("images", picture), ("labels", labels)):
                held = io.BytesIO()
                Image.fromarray(values).save(held, "PNG")
                archive.writestr(f"{kind}/i{number}.png", held.getvalue())
            index.append(f"i{number},stained_colour")
            table.append(f"i{number},{number // 2}")
    (folder / "index.csv").write_text("\n".join(index) + "\n")
    (folder / "mosaic.csv").write_text("\n".join(table) + "\n")
    return folder


def measure(bench: Bench, fold: int) -> Json:
    """One training and its test."""
    source = invented(bench.work / "invented") if bench.smoke else data_root() / "dsb2018_nuclei"
    if not (source / "mosaic.csv").exists():
        raise SystemExit(f"{source} is not there: set ASSAY_DATA to the folder that holds dsb2018_nuclei")
    data = fold_folder(source, bench.work / f"fold-{fold}", fold)
    return trained(data, bench.work / f"run-{fold}", asked(bench, "--group", "mosaic"))


def main() -> None:
    from assay.evaluation.cell_metrics import cell_metrics

    bench = open_bench("dsb2018_cells", __doc__, add_options)
    wanted = [0] if bench.smoke else [int(one) for one in bench.options.folds.split(",")]
    folds = [bench.piece(f"fold-{fold}", partial(measure, bench, fold)) for fold in wanted]
    source = bench.work / "invented" if bench.smoke else data_root() / "dsb2018_nuclei"
    known = mosaics(source)
    every = pooled(folds, lambda name: known[Path(name).stem], cell_metrics(6.0, (), True))
    summary = {
        "all images": every,
        "baseline instance f1 by fold": [(fold["baseline"] or {}).get("value") for fold in folds],
        "fit_s": [fold["fit_s"] for fold in folds],
    }
    targets = [
        Target("F1 of outlines at IoU .5", every["instance_f1"]["value"], ">=", 0.70),
        Target("Dice of all that is nucleus", every["foreground_dice"]["value"], ">=", 0.85),
        Target("error of the counts", every["count_error"]["value"], "<=", 0.10),
    ]
    bench.settings = {"split": "five folds by mosaic", "budget": bench.options.budget, "resampled": "mosaics"}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["timm", "scikit-image", "scipy"],
                 hidden=("statistics",))  # fmt: skip


if __name__ == "__main__":
    main()
