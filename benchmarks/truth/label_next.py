"""`label-next`: how many labels it needs for the accuracy that labels chosen at random bring.

Both ways start from the same few labelled images, train anew whenever labels are added, and are judged by images that
neither may choose. The accuracies of all draws are averaged; the share of labels is read off the average.
Fashion-MNIST: our convnet. Photos of cats and dogs: a pretrained network whose body stays as it is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, data_root, numbers, open_bench
from _data import enlarged_digits, fashion_mnist, pretrained_folder
from _runs import Planted, own_cache, trained

Array = np.ndarray[Any, Any]
WAYS = ("random", "label-next")
#: Photos are brought to this side, at which fifty trainings take minutes.
_SIDE = 128


@dataclass(frozen=True)
class Trial:
    """Images to choose from, and how often labels are added.

    Attributes:
        images: (N, H, W) or (N, H, W, 3) uint8, in a random order.
        labels: (N,).
        fixed: how many of them are no candidates: images to validate on, then images to judge by.
        sizes: the numbers of labelled images that a network is trained with.
        epochs: passes of each training over them.
        network: its name.
        settings: `--set`.
        image_size: the side in pixels to which images are brought; None for their own.
    """

    images: Array
    labels: Array
    fixed: tuple[int, int]
    sizes: tuple[int, ...]
    epochs: float
    network: str
    settings: dict[str, str]
    image_size: int | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0,1,2,3,4", help="seeds of the first labels and of the trainings")


def make_trial(bench: Bench, name: str, draw: int) -> Trial:
    """The images of one draw in a new order."""
    small = {"width": "16", "batch_size": "32"}
    if bench.smoke:
        data = enlarged_digits()
        images, labels, fixed = data.images, data.labels, (50, 150)
        sizes, epochs, network, settings = (40, 80), 4.0, "convnet", small
    elif name == "fashion":
        data = fashion_mnist()
        images, labels, fixed = data.images, data.labels, (200, 10_000)
        sizes, epochs, network, settings = (100, 200, 300, 400, 500, 600, 700, 1000), 15.0, "convnet", small
    else:
        images, labels = photographs()
        fixed, sizes, epochs = (50, 500), (20, 40, 70, 100), 1.0
        network, settings = f"timm/{pretrained_folder()}", {"freeze": "true", "checks": "1"}
    order = np.random.default_rng([draw, 5]).permutation(len(images))
    if name == "fashion":
        order = order[: sum(fixed) + 5000]
    side = _SIDE if name == "cats_dogs" else None
    return Trial(images[order], labels[order].astype(int), fixed, sizes, epochs, network, settings, side)


def photographs() -> tuple[Array, Array]:
    """(N, 128, 128, 3) and (N,): all photos of cats and dogs, those of the test folder too."""
    from PIL import Image

    files = sorted((data_root() / "cats_dogs").rglob("*.jpg"))
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
                for file in files]  # fmt: skip
    return np.stack(pictures), np.asarray([file.parent.name == "dog" for file in files], int)


def measure(bench: Bench, name: str, draw: int, way: str) -> Json:
    """Test accuracy by number of labelled images."""
    trial = make_trial(bench, name, draw)
    validation, judges = np.split(np.arange(sum(trial.fixed)), [trial.fixed[0]])
    candidates = np.arange(sum(trial.fixed), len(trial.images))
    labelled = candidates[: trial.sizes[0]]
    accuracies: dict[str, float] = {}
    for turn, size in enumerate(trial.sizes):
        rows = np.concatenate([labelled, validation, judges])
        side = np.repeat([0, 1, 2], [len(labelled), len(validation), len(judges)])
        with own_cache() as folder:
            run = trained(Planted(trial.images[rows], trial.labels[rows], side), folder / "run", epochs=trial.epochs,
                          seed=draw, network=trial.network, settings=trial.settings,
                          image_size=trial.image_size)  # fmt: skip
            accuracies[str(size)] = run["accuracy"]
            left = np.setdiff1d(candidates, labelled)
            if turn + 1 < len(trial.sizes):
                count = trial.sizes[turn + 1] - size
                chosen = left[: trial.sizes[turn + 1] - size] if way == "random" else left[
                    suggested(folder / "run", trial.images[left], count, draw)]  # fmt: skip
                labelled = np.concatenate([labelled, chosen])
    return {"set": name, "draw": draw, "way": way, "accuracy": accuracies}


def suggested(run: Path, images: Array, count: int, seed: int) -> Array:
    """(count,) places among images that `assay label-next` would label."""
    import assay

    found = assay.load(run).label_next(images, count, seed)
    return np.asarray([int(one.id.rsplit(":", 1)[1]) for one in found.chosen])


def share_of_labels(runs: list[Json]) -> Json:
    """The labels with which `label-next` is as accurate as all random ones, as a share of them (1: never)."""
    curves = {way: np.mean([list(run["accuracy"].values()) for run in runs if run["way"] == way], axis=0)
              for way in WAYS}  # fmt: skip
    sizes = np.asarray([int(size) for size in runs[0]["accuracy"]])
    goal, best = curves["random"][-1], np.maximum.accumulate(curves["label-next"])
    reached = bool(best[-1] >= goal)
    # Accuracies between the sizes are read off a straight line in the logarithm of the labels.
    needed = float(np.exp(np.interp(goal, best, np.log(sizes)))) if reached else None
    return {"labels": sizes.tolist(), "goal": float(goal), "needed": needed,
            "share": needed / float(sizes[-1]) if needed else 1.0,
            "curves": {way: curve.tolist() for way, curve in curves.items()}}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/label_next", __doc__, add_options)
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    sets = ["digits"] if bench.smoke else ["fashion", "cats_dogs"]
    found: Json = {}
    for name in sets:
        runs = [bench.piece(f"{name}-{draw}-{way}", partial(measure, bench, name, draw, way))
                for draw in draws for way in WAYS]  # fmt: skip
        found[name] = share_of_labels(runs)
    targets = [Target(f"labels needed on {name}, as a share of random ones", one["share"], "<=", 0.7)
               for name, one in found.items()]  # fmt: skip
    bench.finish(found, targets, seeds=draws, packages=["scikit-learn"])


if __name__ == "__main__":
    main()
