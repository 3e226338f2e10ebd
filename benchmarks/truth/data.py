"""`data`: trained on 2,000 images of Fashion-MNIST, it says what 4,000 and 8,000 would bring; then they are tried.

Five draws of training images, each set inside the next larger one; judged on the official test set, of which the
finding sees the answers of its own networks only.
"""

from __future__ import annotations

import argparse
from functools import partial

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, numbers, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

#: Another width or batch for more images would be another question.
_SETTINGS = {"width": "256", "batch_size": "64"}
_NETWORK = "mlp"
_EPOCHS = 20.0
_VALIDATION = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0,1,2,3,4", help="seeds of the drawn images and of the trainings")
    parser.add_argument(
        "--judge",
        default="test",
        choices=["test", "train"],
        help="train: judged on training images that are not drawn, for choosing the finding's settings",
    )


def measure(bench: Bench, draw: int) -> Json:
    """What was expected of one draw, and what came."""
    least = 200 if bench.smoke else 2000
    epochs = 2.0 if bench.smoke else _EPOCHS
    data = grey_images(bench.smoke)
    order = np.random.default_rng([draw, 3]).permutation(len(data.images))
    validation = order[: 40 if bench.smoke else _VALIDATION]
    pool = order[len(validation) :]
    if bench.options.judge == "test":
        judges, truths = data.test_images, data.test_labels
    else:
        judges, truths = data.images[pool[-10_000:]], data.labels[pool[-10_000:]]
        pool = pool[:-10_000]
    sizes = (least, 2 * least) if bench.smoke else (least, 2 * least, 4 * least)
    found: Json = {"draw": draw, "accuracy": {}}
    for size in sizes:
        rows = np.concatenate([pool[:size], validation])
        images, labels = np.concatenate([data.images[rows], judges]), np.concatenate([data.labels[rows], truths])
        side = np.repeat([0, 1, 2], [size, len(validation), len(judges)])
        with own_cache() as folder:
            run = trained(Planted(images, labels, side), folder / "run", epochs=epochs, seed=draw,
                          network=_NETWORK, settings=_SETTINGS,
                          findings=("data",) if size == least else ())  # fmt: skip
        found["accuracy"][str(size)] = run["accuracy"]
        if size == least:
            finding = run["findings"]["data"]
            found |= {"status": finding["status"], "verdict": finding["verdict"], "numbers": finding["numbers"],
                      "seconds": finding["seconds"], "fit_s": run["fit_s"],
                      "expected": _expected(finding, size)}  # fmt: skip
    return found


def _expected(finding: Json, size: int) -> Json:
    """Expected accuracies with their intervals, by number of samples."""
    told = {2 * size: "with twice the data", 4 * size: "with four times the data"}
    return {str(more): finding["numbers"][name] for more, name in told.items() if name in finding["numbers"]}


def summarise(runs: list[Json]) -> Json:
    errors, inside, widths = [], [], []
    for run in runs:
        for size, value in run["accuracy"].items():
            if size in run["expected"]:
                told = run["expected"][size]
                errors.append(abs(told["value"] - value))
                inside.append(told["low"] <= value <= told["high"])
                widths.append(told["high"] - told["low"])
    slopes = [run["numbers"]["slope"]["value"] for run in runs if "slope" in run["numbers"]]
    return {"mean_absolute_error": float(np.mean(errors)) if errors else None, "inside": int(sum(inside)),
            "of": len(inside), "widest": max(widths, default=None), "slopes": slopes}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/data", __doc__, add_options)
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    runs = [bench.piece(f"{bench.options.judge}-draw-{draw}", partial(measure, bench, draw)) for draw in draws]
    found = summarise(runs)
    targets = [Target("mean absolute error of the expected accuracy", found["mean_absolute_error"], "<=", 0.010),
               Target("share of true accuracies inside the 95 % interval",
                      found["inside"] / found["of"] if found["of"] else None, ">=", 0.9),
               Target("the widest interval", found["widest"], "<=", 0.04)]  # fmt: skip
    bench.settings = {"epochs": _EPOCHS, "network": "mlp, two layers of 256, batch 64", "validation": _VALIDATION,
                      "judged on": bench.options.judge}  # fmt: skip
    bench.finish({**found, "by_draw": runs}, targets, seeds=draws, packages=["scikit-learn"])


if __name__ == "__main__":
    main()
