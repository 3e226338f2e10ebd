"""`calibration`: on Fashion-MNIST, does its stated confidence come true, and do its 90 % sets hold the truth in 90 %?

Networks trained on all ten classes alike, and on classes of which the smallest has a tenth of the largest; the
temperature and the sets' thresholds come from the validation side, and all is judged on the official test set. That one
holds all classes alike: for a network that learned on unbalanced classes its calibration error is that of another
population, too, and is shown without a bar; there the sets' coverage is judged, of the smallest class above all.
"""

from __future__ import annotations

import argparse
from functools import partial

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, numbers, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

_EPOCHS = 4.0
_VALIDATION = 6000
#: Of the unbalanced set: training and validation images in all, and the smallest class as a share of the largest.
_UNBALANCED, _UNBALANCED_VALIDATION, _SMALLEST = 14_000, 10_000, 0.1
_NAMES = {
    "ece": "ECE",
    "ece_debiased": "ECE, without the noise of the bins",
    "ece_before": "ECE before scaling",
    "temperature": "temperature",
    "brier": "Brier score",
    "coverage": "coverage of 90 % sets",
    "set_size": "classes in a set",
    "smallest_class": "coverage of the smallest class",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0,1,2", help="seeds of the drawn images and of the trainings")


def measure(bench: Bench, balanced: bool, draw: int) -> Json:
    """What the finding says of one training."""
    planted = _planted(bench.smoke, balanced, draw)
    with own_cache() as folder:
        run = trained(planted, folder / "run", epochs=1.0 if bench.smoke else _EPOCHS, seed=draw,
                      settings={"width": "16" if bench.smoke else "32"}, findings=("calibration",))  # fmt: skip
    finding = run["findings"]["calibration"]
    found = {key: finding["numbers"].get(name, {}).get("value") for key, name in _NAMES.items()}
    by_class = [row["value"] for figure in finding["figures"] if figure["kind"] == "intervals"
                for row in figure["data"]["rows"]]  # fmt: skip
    return {"draw": draw, "accuracy": run["accuracy"], **found, "least_covered_class": min(by_class, default=None),
            "status": finding["status"], "verdict": finding["verdict"], "seconds": finding["seconds"],
            "fit_s": run["fit_s"]}  # fmt: skip


def _planted(smoke: bool, balanced: bool, draw: int) -> Planted:
    data = grey_images(smoke)
    random = np.random.default_rng([draw, 11])
    rows = random.permutation(len(data.images))
    validation = 150 if smoke else _VALIDATION
    if not balanced:
        shares = _SMALLEST ** (np.arange(10) / 9)
        total = 300 if smoke else _UNBALANCED + _UNBALANCED_VALIDATION
        counts = np.rint(total * random.permutation(shares) / shares.sum()).astype(int)
        by_class = [rows[data.labels[rows] == label][:count] for label, count in enumerate(counts)]
        rows = random.permutation(np.concatenate(by_class))
        validation = 150 if smoke else _UNBALANCED_VALIDATION
    side = np.repeat([1, 0, 2], [validation, len(rows) - validation, len(data.test_images)])
    images = np.concatenate([data.images[rows], data.test_images])
    return Planted(images, np.concatenate([data.labels[rows], data.test_labels]), side)


def targets(runs: list[Json], which: str) -> list[Target]:
    def known(key: str) -> list[float]:
        return [run[key] for run in runs if run[key] is not None]

    off = [abs(value - 0.9) for value in known("smallest_class")]
    error = Target(f"{which}: the largest ECE after scaling", max(known("ece"), default=None), "<=", 0.02)
    return [
        *([error] if which == "balanced" else []),
        Target(f"{which}: the least coverage of 90 % sets", min(known("coverage"), default=None), ">=", 0.885),
        Target(f"{which}: the largest coverage of 90 % sets", max(known("coverage"), default=None), "<=", 0.915),
        Target(f"{which}: how far the smallest class is off at most", max(off, default=None), "<=", 0.05),
    ]


def main() -> None:
    bench = open_bench("truth/calibration", __doc__, add_options)
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    runs = {which: [bench.piece(f"{which}-draw-{draw}", partial(measure, bench, which == "balanced", draw))
                    for draw in draws] for which in ("balanced", "unbalanced")}  # fmt: skip
    summary = {which: {key: [run[key] for run in found] for key in ("accuracy", *_NAMES, "least_covered_class")}
               for which, found in runs.items()}  # fmt: skip
    wanted = [target for which, found in runs.items() for target in targets(found, which)]
    unbalanced = f"{_UNBALANCED} + {_UNBALANCED_VALIDATION} images, classes down to a tenth"
    bench.settings = {"epochs": _EPOCHS, "network": "convnet, width 32", "validation": _VALIDATION,
                      "unbalanced": unbalanced}  # fmt: skip
    bench.finish(summary, wanted, seeds=draws, packages=["scikit-learn", "scipy"])


if __name__ == "__main__":
    main()
