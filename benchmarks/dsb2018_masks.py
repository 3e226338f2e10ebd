"""Nuclei in stained tissue told from their ground: five folds by mosaic, networks beside a random forest on pixels."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import named, run_assay
from _common import Bench, Json, Target, data_root, mean_interval, numbers, open_bench, spread
from _data import pretrained_folder

Array = np.ndarray[Any, Any]
_FOLDS = 5
_RESAMPLES = 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folds", default="0,1,2,3,4", help="folds of the network with the ImageNet backbone")
    parser.add_argument("--own-folds", default="0,1,2,3,4", help="folds of our own network, from nothing")
    parser.add_argument("--budget", default="10m", help="of fitting, for each fold and network")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")


def unpack(folder: Path) -> Path:
    """The stained images and their instance labels as files, and `tiles.csv` with the mosaic of each."""
    source = data_root() / "dsb2018_nuclei"
    if not source.is_dir():
        raise SystemExit(f"{source} is not there: set ASSAY_DATA to the folder that holds dsb2018_nuclei")
    kinds = {row["id"]: row["kind"] for row in _rows(source / "index.csv")}
    tiles = [row for row in _rows(source / "mosaic.csv") if kinds[row["id"]] == "stained_colour"]
    with zipfile.ZipFile(source / "dsb2018_nuclei.zip") as archive:
        for row in tiles:
            for kind in ("images", "labels"):
                archive.extract(f"{kind}/{row['id']}.png", folder)
    _write(folder / "tiles.csv", [{"id": row["id"], "mosaic": row["mosaic"]} for row in tiles])
    return folder


def made_up(folder: Path) -> Path:
    """For --smoke: 40 small tiles of dark discs on a pink ground, of ten mosaics."""
    from PIL import Image

    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    tiles = []
    for number in range(40):
        labels = np.zeros((32, 32), np.uint16)
        for nucleus in range(1, int(random.integers(3, 7))):
            row, column = random.integers(4, 28, 2)
            labels[np.hypot(rows - row, columns - column) < 4] = nucleus
        pixels = np.where(labels[..., None] > 0, (90, 40, 130), (230, 170, 210)) + random.normal(0, 9, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{number:02}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{number:02}.png")
        tiles.append({"id": f"{number:02}", "mosaic": str(number // 4)})
    _write(folder / "tiles.csv", tiles)
    return folder


def fold_of(mosaics: list[str]) -> dict[str, int]:
    """The fold of each mosaic: in the order of the SHA-256 of its number, each to the fold with fewest tiles so far."""
    counts = [0] * _FOLDS
    found: dict[str, int] = {}
    for mosaic in sorted(set(mosaics), key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        found[mosaic] = counts.index(min(counts))
        counts[found[mosaic]] += mosaics.count(mosaic)
    return found


def fold_table(data: Path, fold: int) -> Path:
    """A table of images and masks with the mosaic and the side of each: a fold tested, the next for validation."""
    tiles = _rows(data / "tiles.csv")
    folds = fold_of([row["mosaic"] for row in tiles])
    sides = {fold: "test", (fold + 1) % _FOLDS: "validation"}
    rows = [{"image": f"images/{row['id']}.png", "mask": f"labels/{row['id']}.png", "mosaic": row["mosaic"],
             "split": sides.get(folds[row["mosaic"]], "train")} for row in tiles]  # fmt: skip
    table = data / f"fold-{fold}.csv"
    _write(table, rows)
    return table


def one_fold(data: Path, fold: int, network: str, how: tuple[Any, ...]) -> Json:
    """Train on three folds, choose on the next, judge on this one: foreground Dice tile by tile and of all pixels."""
    import assay

    table = fold_table(data, fold)
    test = [row for row in _rows(table) if row["split"] == "test"]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ("--task", "segmentation", "--group", "mosaic", "--network", network, *how, "--evidence", "quick")
        done = run_assay("train", table, *words, "--json", "--out", run, cache=Path(folder) / "cache")
        model = assay.load(run)
        pictures = [str(data / row["image"]) for row in test]
        truths = [_labels(data / row["mask"]) > 0 for row in test]
        counts = {name: [_counts(truth, _foreground(answer)) for truth, answer in zip(truths, answers, strict=True)]
                  for name, answers in (("network", model.predict(pictures)),
                                        ("forest", model.predict(pictures, baseline=True)))}  # fmt: skip
    summary = done.json
    return {"fold": fold, "network": named(summary["network"]), "fit_s": summary["seconds"], "wall_s": done.wall_s,
            "samples": summary["samples"], "metrics": summary["metrics"], "baseline": summary["baseline"],
            "mosaics": [row["mosaic"] for row in test], "counts": counts}  # fmt: skip


def _foreground(answer: Any) -> Array:
    """(H, W) bool, where the answer has the foreground."""
    from assay.sources.coco_rle import decode_rle

    whole = np.zeros((answer.height, answer.width), bool)
    for area in answer.areas:
        whole |= decode_rle(area.counts, *area.size)
    return whole


def _counts(truth: Array, told: Array) -> list[int]:
    """Pixels rightly of the foreground, truly of it, told to be of it."""
    return [int((truth & told).sum()), int(truth.sum()), int(told.sum())]


def _labels(file: Path) -> Array:
    from PIL import Image

    return np.asarray(Image.open(file)).astype(np.int64)


def dice(runs: list[Json], model: str) -> Json:
    """Foreground Dice over all test tiles: of all pixels together, with an interval over mosaics, and tile by tile."""
    counts = np.concatenate([np.asarray(run["counts"][model]) for run in runs]).astype(float)
    mosaics = np.unique([name for run in runs for name in run["mosaics"]], return_inverse=True)[1]
    sums = np.stack([np.bincount(mosaics, column) for column in counts.T], axis=1)
    random = np.random.default_rng(0)
    drawn = sums[random.integers(0, len(sums), (_RESAMPLES, len(sums)))].sum(axis=1)
    values = 2 * drawn[:, 0] / (drawn[:, 1] + drawn[:, 2])
    low, high = np.quantile(values, [0.025, 0.975])
    hit, true, told = counts.sum(axis=0)
    tiles = 2 * counts[:, 0] / np.maximum(1, counts[:, 1] + counts[:, 2])
    folds = []
    for run in runs:
        hits = np.asarray(run["counts"][model]).sum(axis=0)
        folds.append(float(2 * hits[0] / (hits[1] + hits[2])))
    return {"all pixels": {"value": float(2 * hit / (true + told)), "low": float(low), "high": float(high)},
            "mean of tiles": float(tiles.mean()), "folds": mean_interval(folds), "by fold": folds,
            "tiles": len(counts), "mosaics": len(sums)}  # fmt: skip


def run_all(bench: Bench) -> dict[str, list[Json]]:
    options, smoke = bench.options, bench.smoke
    data = made_up(bench.work / "tiles") if smoke else unpack(bench.work / "tiles")
    budget = ("--budget", "1s" if smoke else options.budget, "--seed", options.seed)
    folds, own = ([0], [0]) if smoke else (numbers(options.folds), numbers(options.own_folds))
    backbone = "timm/test_efficientnet" if smoke else f"timm/{pretrained_folder().resolve()}"
    how = (*budget, "--set", "pretrained=false") if smoke else budget
    return {
        "ImageNet backbone": [bench.piece(f"pretrained-{fold}", partial(one_fold, data, fold, backbone, how))
                              for fold in folds],
        "our network": [bench.piece(f"unet-{fold}", partial(one_fold, data, fold, "unet", budget)) for fold in own],
    }  # fmt: skip


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    bench = open_bench("dsb2018_masks", __doc__, add_options)
    runs = {name: found for name, found in run_all(bench).items() if found}
    summary: Json = {name: {"dice": dice(found, "network"), "fit_s": spread([run["fit_s"] for run in found]),
                            "wall_s": spread([run["wall_s"] for run in found])}
                     for name, found in runs.items()}  # fmt: skip
    first = next(iter(runs.values()))
    summary["random forest"] = {"dice": dice(first, "forest"),
                                "fit_s": spread([run["baseline"]["seconds"] for run in first])}  # fmt: skip
    found = summary.get("ImageNet backbone", {}).get("dice", {}).get("all pixels", {}).get("value")
    bench.settings = {
        "budget": bench.options.budget,
        "pretrained": "EfficientNet-Lite0, ImageNet-1k",
        "data": "107 stained tiles of 27 mosaics, five folds by mosaic; three folds train, the next validates",
    }
    targets = [Target("foreground Dice of all pixels, ImageNet backbone", found, ">=", 0.85)]
    bench.finish(summary, targets, seeds=[bench.options.seed], packages=["timm", "lightgbm", "pillow"])


if __name__ == "__main__":
    main()
