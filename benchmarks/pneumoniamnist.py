"""Pneumonia in chest X-rays of children at 28 pixels (PneumoniaMNIST): AUC and accuracy over seeds, textures beside."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, mean_interval, numbers, open_bench, spread

#: Yang et al., "MedMNIST v2", Scientific Data 2023: ResNet-18 at 28 px; the higher AUC is of a later report.
PUBLISHED = {"ResNet-18 (28 px)": {"auc": [0.944, 0.969], "accuracy": [0.854, 0.859]}}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings")
    parser.add_argument("--epochs", default="8", help="passes over the training pictures")


def pictures() -> Path:
    """The npz in the layout of MedMNIST."""
    file = data_root() / "pneumoniamnist" / "pneumoniamnist_rebuilt.npz"
    if not file.exists():
        raise SystemExit(f"{file} is not there: set ASSAY_DATA to the folder that holds pneumoniamnist")
    return file


def train(source: Path, epochs: str, seed: int) -> Json:
    """One `assay train` with its baseline, everything included; the given split is kept."""
    with tempfile.TemporaryDirectory() as folder:
        how = ("--task", "scan-diagnosis", "--epochs", epochs, "--seed", seed, "--evidence", "quick")
        done = run_assay("train", source, *how, "--json", "--out", Path(folder) / "run")
    summary = done.json
    found = summary["findings"]["accuracy"]["numbers"]
    return {"seed": seed, "wall_s": done.wall_s, "fit_s": summary["seconds"], "metrics": found,
            "baseline": summary["baseline"], "verdict": summary["verdict"], "network": summary["network"]}  # fmt: skip


def small(folder: Path) -> Path:
    """For --smoke: pictures of noise, half of them with a bright spot."""
    random = np.random.default_rng(0)
    parts = {}
    for side, count in (("train", 96), ("val", 48), ("test", 48)):
        labels = np.arange(count) % 2
        images = random.integers(60, 140, (count, 28, 28))
        images[labels == 1, 8:16, 8:16] += 80
        parts |= {f"{side}_images": images.astype(np.uint8), f"{side}_labels": labels[:, None].astype(np.uint8)}
    file = folder / "small.npz"
    np.savez(file, **parts)
    return file


def run_all(bench: Bench) -> list[Json]:
    source = small(bench.work) if bench.smoke else pictures()
    epochs, seeds = ("2", [0]) if bench.smoke else (bench.options.epochs, numbers(bench.options.seeds))
    return [bench.piece(f"seed-{seed}", partial(train, source, epochs, seed)) for seed in seeds]


def main() -> None:
    bench = open_bench("pneumoniamnist", __doc__, add_options)
    runs = run_all(bench)
    names = ("auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity")
    summary: Json = {name: mean_interval([run["metrics"][name]["value"] for run in runs]) for name in names}
    summary["by_seed"] = [{name: run["metrics"][name] for name in names} for run in runs]
    summary["texture and LightGBM, AUC"] = mean_interval([run["baseline"]["value"] for run in runs])
    summary["wall_s"] = spread([run["wall_s"] for run in runs])
    summary["published"] = PUBLISHED
    targets = [Target("mean test AUC", summary["auc"]["mean"], ">=", 0.965),
               Target("mean test accuracy", summary["accuracy"]["mean"], ">=", 0.88)]  # fmt: skip
    bench.settings = {"epochs": bench.options.epochs, "split": "given: 4,708 / 524 / 624",
                      "thresholds": "chosen on the validation side", "operating point": "sensitivity .95"}  # fmt: skip
    bench.finish(summary, targets, seeds=numbers(bench.options.seeds), packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
