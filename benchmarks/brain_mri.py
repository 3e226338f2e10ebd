"""Tumours in slices of brains (MRI): split by near-duplicates, and what a random split would have claimed."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, mean_interval, numbers, open_bench, spread


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--splits", default="0,1,2,3,4", help="seeds of the split and of the training")
    parser.add_argument("--epochs", default="40", help="passes over the training pictures")


def slices() -> Path:
    """The folder with yes/ and no/."""
    folder = data_root() / "brain_mri_tumor"
    if not (folder / "yes").is_dir():
        raise SystemExit(f"{folder} is not there: set ASSAY_DATA to the folder that holds brain_mri_tumor")
    return folder


def random_table(source: Path, file: Path, seed: int) -> None:
    """A table of all pictures, of each class a tenth on the validation side and a fifth on the test side by chance."""
    random, rows = np.random.default_rng(seed), ["path,label,split"]
    for label in ("no", "yes"):
        names = sorted(path.relative_to(source).as_posix() for path in (source / label).iterdir())
        for place, row in enumerate(random.permutation(len(names))):
            side = "test" if place < len(names) // 5 else "val" if place < 3 * len(names) // 10 else "train"
            rows.append(f"{names[row]},{label},{side}")
    file.write_text("\n".join(rows) + "\n")


def train(source: Path, epochs: str, seed: int, leaky: bool) -> Json:
    """One training on one split."""
    with tempfile.TemporaryDirectory() as place:
        given: Path = source
        if leaky:
            given = Path(place) / "data"
            given.mkdir()
            for label in ("yes", "no"):
                (given / label).symlink_to(source / label)
            random_table(source, given / "slices.csv", seed)
        split = ("--target", "label") if leaky else ("--split", "70/10/20", "--split-seed", seed)
        how = ("--task", "scan-diagnosis", "--image-size", 64, "--epochs", epochs, "--seed", seed)
        done = run_assay("train", given, *how, *split, "--evidence", "quick", "--json", "--out", f"{place}/run")
    summary = done.json
    return {"split": seed, "wall_s": done.wall_s, "samples": summary["samples"], "baseline": summary["baseline"],
            "metrics": summary["findings"]["accuracy"]["numbers"]}  # fmt: skip


def small(folder: Path) -> Path:
    """For --smoke: pictures of noise, half of them with a bright spot."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(60):
        values = random.integers(60, 140, (64, 64))
        if number % 2:
            values[20:36, 20:36] += 90
        file = folder / ("yes" if number % 2 else "no") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8)).save(file)
    return folder


def run_all(bench: Bench) -> dict[str, list[Json]]:
    source = small(bench.work / "slices") if bench.smoke else slices()
    epochs, seeds = ("1", [0]) if bench.smoke else (bench.options.epochs, numbers(bench.options.splits))
    return {name: [bench.piece(f"{name}-{seed}", partial(train, source.resolve(), epochs, seed, name == "random"))
                   for seed in seeds] for name in ("near-duplicates", "random")}  # fmt: skip


def main() -> None:
    bench = open_bench("brain_mri", __doc__, add_options)
    runs = run_all(bench)
    summary: Json = {}
    for name, of in runs.items():
        summary[f"split by {name}" if name != "random" else "split at random, near-duplicates across it"] = {
            "auc": mean_interval([run["metrics"]["auc"]["value"] for run in of]),
            "accuracy": mean_interval([run["metrics"]["accuracy"]["value"] for run in of]),
            "by_split": [run["metrics"]["auc"] for run in of],
            "texture and LightGBM, AUC": mean_interval([run["baseline"]["value"] for run in of]),
            "wall_s": spread([run["wall_s"] for run in of]),
        }
    honest, leaky = ([run["metrics"]["auc"]["value"] for run in runs[name]] for name in ("near-duplicates", "random"))
    summary["too good by"] = mean_interval([float(b - a) for a, b in zip(honest, leaky, strict=True)])
    targets = [Target("mean AUC, split by near-duplicates", float(np.mean(honest)), ">=", 0.5)]
    bench.settings = {"epochs": bench.options.epochs, "image_size": 64, "split": "70/10/20"}
    bench.finish(summary, targets, seeds=numbers(bench.options.splits), packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
