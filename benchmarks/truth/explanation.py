"""`explanation`: a planted patch that alone decides the class is what explanations mark; clean ones are faithful.

Planted: Fashion-MNIST images, with one of two patches of `_PATCH` pixels at a random place or with none, the class
being which (with patches alone, a network may know one of them and answer the other class to everything else, and then
that class is in no patch); and a table of random columns, of which one decides (synthetic). Of the pixels with the
greatest weight, as many as the patch has, the share of their weight that lies in the patch is measured. Clean:
Fashion-MNIST and scikit-learn's digits as they are, the finding's own numbers: deletion and insertion beside random
orders, and the agreement with networks of random weights.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, numbers, open_bench
from _data import enlarged_digits, grey_images
from _runs import Planted, own_cache, trained

Array = np.ndarray[Any, Any]
_PATCH, _EXPLAINED, _IMAGES = 6, 40, 4000
_SIDES = (0, 0, 0, 0, 0, 0, 0, 1, 2, 2)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0,1,2,3,4", help="seeds of the images, places and trainings")


def patches(images: Array, draw: int) -> tuple[Array, Array, Array]:
    """Images, the patch of each (N,), 0 or 1, or 2 for none, and where it lies (N, H, W)."""
    random = np.random.default_rng([draw, 21])
    rows, columns = np.indices((_PATCH, _PATCH))
    kinds = [((rows + columns) // 2 % 2 * 255).astype(np.uint8), (rows // 2 % 2 * 255).astype(np.uint8)]
    labels, places = random.integers(0, 3, len(images)), np.zeros(images.shape, bool)
    images = images.copy()
    for number in np.flatnonzero(labels < 2):
        label = labels[number]
        top, left = random.integers(1, images.shape[1] - _PATCH, 2)
        part = (number, slice(top, top + _PATCH), slice(left, left + _PATCH))
        images[part], places[part] = kinds[label], True
    return images, labels, places


def drawn(bench: Bench, draw: int) -> tuple[Array, Array, Array]:
    """Images, labels and sides of a draw."""
    data = grey_images(bench.smoke)
    count = 300 if bench.smoke else _IMAGES
    rows = np.random.default_rng([draw, 22]).permutation(len(data.images))[:count]
    return data.images[rows], data.labels[rows].astype(int), np.asarray(_SIDES)[np.arange(count) % len(_SIDES)]


def _length(bench: Bench) -> Json:
    """How long the networks are trained, and how large they are under `--smoke`."""
    return {"epochs": 4.0, "settings": {"width": "16"}} if bench.smoke else {"epochs": 12.0}


def planted(bench: Bench, draw: int) -> Json:
    """How much of the greatest weights lies in the patch."""
    import assay

    images, _, side = drawn(bench, draw)
    images, labels, places = patches(images, draw)
    asked = np.flatnonzero((side == 2) & (labels < 2))[: 4 if bench.smoke else _EXPLAINED]
    with own_cache() as folder:
        run = trained(Planted(images, labels, side), folder / "run", seed=draw, **_length(bench))
        found = assay.load(folder / "run").explain(images[asked])
    shares = []
    for one, place in zip(found, places[asked], strict=True):
        weights = np.asarray(one.weights)
        top = np.argsort(-weights, axis=None)[: int(place.sum())]
        kept = np.clip(weights.ravel()[top], 0.0, None)
        shares.append(float(kept[place.ravel()[top]].sum() / kept.sum()))
    return {"accuracy": run["accuracy"], "shares": shares, "mean": float(np.mean(shares)),
            "beaten": float(np.mean([one.faithfulness.beaten for one in found]))}  # fmt: skip


def column(bench: Bench, draw: int, folder: Path) -> Json:
    """How much of a row's weight the one column has that decides (synthetic)."""
    import pandas

    import assay

    random = np.random.default_rng([draw, 23])
    count = 300 if bench.smoke else 2000
    table = pandas.DataFrame(random.normal(0, 1, (count, 8)), columns=[f"column {place}" for place in range(8)])
    deciding = f"column {draw % 8}"
    table["class"] = np.where(table[deciding] > 0, "high", "low")
    model = assay.train(table, target="class", task="table", budget="1s" if bench.smoke else "20s", evidence="none",
                        seed=draw, out=folder / f"table-{draw}")  # fmt: skip
    found = model.explain(table.drop(columns="class").iloc[: 4 if bench.smoke else _EXPLAINED])
    shares = [max(one.parts[deciding], 0.0) / sum(abs(weight) for weight in one.parts.values()) for one in found]
    return {"shares": shares, "mean": float(np.mean(shares))}


def clean(bench: Bench, name: str, draw: int) -> Json:
    """The finding on images as they are."""
    if name == "digits":
        data = enlarged_digits()
        images = np.concatenate([data.images, data.test_images])
        labels = np.concatenate([data.labels, data.test_labels]).astype(int)
        side = np.asarray(_SIDES)[np.arange(len(images)) % len(_SIDES)]
    else:
        images, labels, side = drawn(bench, draw)
    with own_cache() as folder:
        run = trained(Planted(images, labels, side), folder / "run", seed=draw, findings=("explanation",),
                      **_length(bench))  # fmt: skip
    finding = run["findings"]["explanation"]
    return {"accuracy": run["accuracy"], "status": finding["status"], "verdict": finding["verdict"],
            "numbers": finding["numbers"], "seconds": finding["seconds"], "fit_s": run["fit_s"]}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/explanation", __doc__, add_options)
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    marked = [bench.piece(f"patch-{draw}", partial(planted, bench, draw)) for draw in draws]
    columns = [bench.piece(f"column-{draw}", partial(column, bench, draw, bench.work)) for draw in draws]
    names = ["digits"] if bench.smoke else ["digits", "fashion"]
    plain = [bench.piece(f"{name}-{draw}", partial(clean, bench, name, draw)) for name in names for draw in draws]
    told = [run["numbers"] for run in plain if run["numbers"]]  # none where a busy machine left no time
    gains = [run[f"{kind} gain over chance"]["low"] for run in told for kind in ("deletion", "insertion")]
    alike = [run["correlation with a network of random weights"]["value"] for run in told]
    found = {
        "share of the top weight in the patch": [run["mean"] for run in marked],
        "share of the weight on the column": [run["mean"] for run in columns],
        "least lower bound of a gain": min((low for low in gains if low is not None), default=None),
        "runs": len(told),
        "greatest correlation with random weights": max((one for one in alike if one is not None), default=None),
    }
    targets = [Target("share of the top weight in the patch, mean of the draws",
                      float(np.mean(found["share of the top weight in the patch"])), ">=", 0.8),
               Target("share of the weight on the deciding column, mean of the draws",
                      float(np.mean(found["share of the weight on the column"])), ">=", 0.8),
               Target("least lower bound of deletion and insertion over random",
                      found["least lower bound of a gain"], ">", 0.0),
               Target("greatest correlation with networks of random weights",
                      found["greatest correlation with random weights"], "<", 0.6)]  # fmt: skip
    bench.settings = {"images": _IMAGES, "patch": f"{_PATCH} px", "explained": _EXPLAINED, "table": "synthetic"}
    bench.finish(found, targets, seeds=draws, packages=["scikit-learn"])


if __name__ == "__main__":
    main()
