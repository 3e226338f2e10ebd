"""Photos of cats and dogs: pretrained weights in five minutes, beside frozen features and a start from nothing."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, mean_interval, numbers, open_bench, spread
from _data import pretrained_folder

_SUFFIXES = (".jpg", ".jpeg", ".png")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings from pretrained weights")
    parser.add_argument("--scratch-seeds", default="0", help="seeds of the trainings from nothing, ten minutes each")
    parser.add_argument("--budget", default="200s", help="of fitting the pretrained network; everything must fit 300 s")


def photos() -> Path:
    """The folder with train/ and test/, a folder a class in each."""
    folder = data_root() / "cats_dogs"
    if not (folder / "train").is_dir():
        raise SystemExit(f"{folder} is not there: set ASSAY_DATA to the folder that holds cats_dogs")
    return folder


def train(source: Path, network: str, budget: str, seed: int, evidence: str) -> Json:
    """One `assay train`, everything included."""
    with tempfile.TemporaryDirectory() as folder:
        how = ("--network", network, "--budget", budget, "--seed", seed, "--evidence", evidence)
        done = run_assay("train", source, *how, "--json", "--out", Path(folder) / "run", cache=Path(folder) / "cache")
    summary = done.json
    return {"budget": budget, "seed": seed, "evidence": evidence, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "accuracy": summary["metric"], "baseline": summary["baseline"], "verdict": summary["verdict"],
            "samples": summary["samples"], "stages": dict(done.stages)}  # fmt: skip


def frozen(source: Path, folder: Path) -> Json:
    """Features of the pretrained network as it is, and scikit-learn's logistic regression on them."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from assay.evaluation.intervals import wilson

    begun = time.perf_counter()
    body, config = _body(folder)
    x, y = _features(source / "train", body, config)
    x_test, y_test = _features(source / "test", body, config)
    featured_s = time.perf_counter() - begun
    model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=np.geomspace(1e-4, 1, 5), cv=3, max_iter=500))
    model.fit(x, y)
    value = float((model.predict(x_test) == y_test).mean())
    low, high = wilson(value, len(y_test))
    return {"accuracy": {"value": value, "low": low, "high": high}, "features_s": featured_s,
            "wall_s": time.perf_counter() - begun, "features": int(x.shape[1]), "test": len(y_test)}  # fmt: skip


def _body(folder: Path) -> tuple[Any, Json]:
    """The network of timm without its head, and how its pixels are to be scaled."""
    import timm
    from safetensors.torch import load_file

    facts = json.loads((folder / "config.json").read_text())
    body = timm.create_model(facts["architecture"], pretrained=False, num_classes=facts["num_classes"])
    body.load_state_dict(load_file(folder / "model.safetensors"))
    body.reset_classifier(0)
    config: Json = facts["pretrained_cfg"]
    return body.eval(), config


def _features(folder: Path, body: Any, config: Json) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(N, F) features of the photos in a folder of class folders, and (N,) their classes."""
    import torch
    from PIL import Image

    side = config["input_size"][-1]
    mean, deviation = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    rows = []
    with torch.inference_mode():
        for start in range(0, len(files), 32):
            images = [Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
                      for file in files[start : start + 32]]  # fmt: skip
            pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2) / 255
            rows.append(body((pixels - mean) / deviation).numpy())
    return np.concatenate(rows), np.asarray([file.parent.name for file in files])


def small_photos(folder: Path) -> Path:
    """For --smoke: 48 small photos of noise, light cats and dark dogs."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(48):
        name = "cat" if number % 2 else "dog"
        file = folder / ("test" if number % 4 > 1 else "train") / name / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 128, (64, 64, 3)) + (127 if name == "cat" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
    return folder


def small_network(folder: Path) -> Path:
    """For --smoke: timm's smallest convolutional network with weights that nobody trained."""
    import timm
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(timm.create_model("test_efficientnet").state_dict(), folder / "model.safetensors")
    config = {"input_size": [3, 64, 64], "mean": [0.5] * 3, "std": [0.5] * 3}
    facts = {"architecture": "test_efficientnet", "num_classes": 1000, "pretrained_cfg": config}
    (folder / "config.json").write_text(json.dumps(facts))
    return folder


def run_all(bench: Bench) -> dict[str, list[Json]]:
    options = bench.options
    source = small_photos(bench.work / "photos") if bench.smoke else photos()
    folder = small_network(bench.work / "network") if bench.smoke else pretrained_folder()
    budget, evidence = ("1s", "none") if bench.smoke else (options.budget, "quick")
    seeds, scratch = ([0], []) if bench.smoke else (numbers(options.seeds), numbers(options.scratch_seeds))
    name = f"timm/{folder.resolve()}"
    return {
        "pretrained": [bench.piece(f"pretrained-{seed}", partial(train, source, name, budget, seed, evidence))
                       for seed in seeds],
        "frozen features": [bench.piece("frozen", partial(frozen, source, folder))],
        "from nothing": [bench.piece(f"scratch-{seed}", partial(train, source, "convnet", "5m", seed, "full"))
                         for seed in scratch],
    }  # fmt: skip


def summarise(runs: list[Json]) -> Json:
    return {
        "test_accuracy": mean_interval([run["accuracy"]["value"] for run in runs]),
        "by_run": [{key: run["accuracy"][key] for key in ("value", "low", "high")} for run in runs],
        "wall_s": spread([run["wall_s"] for run in runs]),
    }


def main() -> None:
    bench = open_bench("cats_dogs", __doc__, add_options)
    runs = run_all(bench)
    summary = {name: summarise(of) for name, of in runs.items() if of}
    own = summary["pretrained"]
    targets = [Target("mean test accuracy from pretrained weights", own["test_accuracy"]["mean"], ">=", 0.985),
               Target("seconds, everything included", own["wall_s"]["most"], "<=", 300.0)]  # fmt: skip
    bench.settings = {
        "budget": bench.options.budget,
        "pretrained": "EfficientNet-Lite0, ImageNet-1k, 224 px",
        "validation": "cut from the given training folder",
        "from nothing": "convnet, --budget 5m",
    }
    packages = ["timm", "torchvision", "scikit-learn", "pillow"]
    bench.finish(summary, targets, seeds=numbers(bench.options.seeds), packages=packages)


if __name__ == "__main__":
    main()
