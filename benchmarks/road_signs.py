"""Road signs in photos: a detector on weights from ImageNet in five folds, HOG windows beside it."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from _boxes import FOLDS, invented, of_runs, road_signs, trained
from _common import Bench, Json, Target, data_root, numbers, open_bench


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--budget", default="33m", help="the time of fitting of each fold; a fold must fit 40 minutes")
    parser.add_argument("--image-size", default="416", help="the longer side of the field of the network")
    parser.add_argument("--folds", default="0,1,2,3,4", help="which folds")


def measure(bench: Bench, fold: int, budget: str, size: str) -> Json:
    """One training, quick evidence and everything else included."""
    source = _source(bench, fold)
    return trained(bench, source, f"fold-{fold}", budget, int(bench.options.seed), "--image-size", size)


def _source(bench: Bench, fold: int) -> Path:
    if bench.smoke:
        return invented(bench.work)
    if not (data_root() / "road_signs").is_dir():
        raise SystemExit(f"{data_root() / 'road_signs'} is not there: set ASSAY_DATA to the folder that holds it")
    return road_signs(bench.work, fold)


def main() -> None:
    bench = open_bench("road_signs", __doc__, add_options)
    budget, size = ("1s", "64") if bench.smoke else (bench.options.budget, bench.options.image_size)
    asked = [0] if bench.smoke else numbers(bench.options.folds)
    if bench.options.add:  # folds that the result holds are counted again
        asked = [fold for fold in range(FOLDS) if fold in asked or bench.holds(f"fold-{fold}")]
    folds = [bench.piece(f"fold-{fold}", partial(measure, bench, fold, budget, size)) for fold in asked]
    summary = of_runs(folds)
    walls = [run["wall_s"] for run in folds if run["wall_s"] is not None]
    targets = [
        Target(f"mean mAP50 over {len(folds)} of {FOLDS} folds", summary["map50"]["mean"], ">=", 0.90),
        Target("minutes of the longest fold, everything included", max(walls) / 60 if walls else None, "<=", 40.0),
    ]
    bench.settings = {"budget": budget, "field": size, "split": "by SHA-256 of the file name, a fifth tested",
                      "network": "EfficientNet-Lite0, ImageNet-1k"}  # fmt: skip
    packages = ["timm", "torchvision", "pillow"]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=packages)


if __name__ == "__main__":
    main()
