"""Nuclei in colorectal cancer, marked by points: found, told apart by class, in five folds by blocks of images.

The images carry no slide or patient; neighbouring numbers look like one slide, so that a fold is twenty consecutive
images, and the validation side ten others that are consecutive. "Epithelial" holds cancer and normal glands alike:
eight images that to our eye show normal glands are reported apart, too, and nothing here is a diagnosis. Nuclei
without a class count for finding and are left out where classes are judged. The published weighted F1 of the classes
(.784) is that of marked nuclei; here `class_f1` is that of the marked nuclei that were found, and `cell_f1` that of
finding and telling at once.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
from functools import partial
from pathlib import Path

from _cells import asked, pooled, trained
from _common import Bench, Json, Target, data_root, open_bench

FOLDS = 5
_GLANDS = {40, 41, 48, 49, 69, 70, 71, 78}
_RADIUS = 6.0
CLASSES = ("epithelial", "fibroblast", "inflammatory", "others")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--budget", default="30m", help="the time of fitting of each fold")
    parser.add_argument("--network", default="", help="of the trainings (timm/ with EfficientNet-Lite0)")
    parser.add_argument("--settings", default="", help="further KEY=VALUE for --set, separated by commas")
    parser.add_argument("--folds", default="0,1,2,3,4", help="which folds")


def number_of(name: str) -> int:
    """The number in an image's name."""
    return int(re.findall(r"\d+", name)[-1])


def side_of(number: int, fold: int, images: int) -> str:
    """The side of the image of that number, from 1."""
    size = images // FOLDS
    place = (number - 1 - fold * size) % images
    if place < size:
        return "test"
    # Ten images at the far end of the circle of folds, so that they border on no tested image.
    return "validation" if 3 * size <= place < 3 * size + size // 2 else "train"


def fold_folder(source: Path, folder: Path, fold: int, images: int) -> Path:
    """The images with a table of points that says on which side each is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "images").symlink_to((source / "images").resolve(), target_is_directory=True)
    with open(source / "nuclei.csv", newline="") as given, open(folder / "nuclei.csv", "w", newline="") as out:
        rows = csv.DictReader(given)
        writer = csv.writer(out)
        writer.writerow(["image", "x", "y", "class", "split"])
        for row in rows:
            side = side_of(number_of(row["image"]), fold, images)
            writer.writerow([row["image"], row["x"], row["y"], row["class"], side])
    return folder


def invented(folder: Path) -> Path:
    """For --smoke: twenty small images with dark spots of two classes, and a table of them."""
    import numpy as np
    from PIL import Image

    (folder / "images").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    lines = ["image,x,y,class"]
    for number in range(1, 21):
        picture = random.integers(200, 230, (64, 64, 3)).astype(np.uint8)
        for _ in range(6):
            x, y, kind = *random.integers(6, 58, 2).tolist(), random.choice(CLASSES)
            picture[y - 3 : y + 4, x - 3 : x + 4] = 60 + 30 * CLASSES.index(kind)
            lines.append(f"img{number},{x},{y},{kind}")
        Image.fromarray(picture).save(folder / "images" / f"img{number}.png")
    (folder / "nuclei.csv").write_text("\n".join(lines) + "\n")
    return folder


def measure(bench: Bench, fold: int) -> Json:
    """One training and its test."""
    source = invented(bench.work / "invented") if bench.smoke else data_root() / "crc_nuclei"
    if not (source / "nuclei.csv").exists():
        raise SystemExit(f"{source} is not there: set ASSAY_DATA to the folder that holds crc_nuclei")
    data = fold_folder(source, bench.work / f"fold-{fold}", fold, 20 if bench.smoke else 100)
    return trained(data, bench.work / f"run-{fold}", asked(bench, "--first-pixel", "1"))


def in_one_order(folds: list[Json]) -> list[Json]:
    """The folds with their classes numbered alike: the commonest comes first in each training."""
    import numpy as np

    found = []
    for fold in folds:
        own = fold["statistics"]["classes"]
        order = [own.index(name) for name in CLASSES]
        kept = dict(fold["statistics"])
        for name, rows in kept.items():
            if name in ("cell_f1", "class_f1") or name.startswith("f1_"):
                kept[name] = [np.asarray(row).reshape(3, len(own))[:, order].ravel().tolist() for row in rows]
        found.append({**fold, "statistics": kept})
    return found


def main() -> None:
    from assay.evaluation.cell_metrics import cell_metrics

    bench = open_bench("crc_nuclei", __doc__, add_options)
    wanted = [0] if bench.smoke else [int(one) for one in bench.options.folds.split(",")]
    folds = [bench.piece(f"fold-{fold}", partial(measure, bench, fold)) for fold in wanted]
    ordered = in_one_order(folds)
    metrics = cell_metrics(_RADIUS, CLASSES, False)
    block = 5  # consecutive images that are resampled together
    found = partial(pooled, ordered, lambda name: (number_of(name) - 1) // block, metrics)
    summary = {
        "all images": found(),
        "images with normal glands": found(lambda name: number_of(name) in _GLANDS),
        "without these": found(lambda name: number_of(name) not in _GLANDS),
        "baseline detection f1 by fold": [(fold["baseline"] or {}).get("value") for fold in folds],
        "fit_s": [fold["fit_s"] for fold in folds],
    }
    every = summary["all images"]
    targets = [
        Target("F1 of finding within 6 px", every["detection_f1"]["value"], ">=", 0.80),
        Target("weighted F1 of the four classes, of nuclei that were found", every["class_f1"]["value"], ">=", 0.78),
        Target("AUC of epithelial against the rest, of those found", every["auc_epithelial"]["value"], ">=", 0.95),
    ]  # fmt: skip
    bench.settings = {"split": "five folds of 20 consecutive images", "budget": bench.options.budget,
                      "resampled": "blocks of 5 consecutive images"}  # fmt: skip
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["timm", "scikit-image", "scipy"],
                 hidden=("statistics",))  # fmt: skip


if __name__ == "__main__":
    main()
