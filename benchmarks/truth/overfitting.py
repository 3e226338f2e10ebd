"""`overfitting`: planted memorising is named, a good fit is not accused, and the advised change is worth its name.

Planted: 300 Fashion-MNIST images and a convnet with nothing that holds it back. Good fits: 6,000 images in three passes
with the settings that Assay proposes. The advice is followed: the network is trained again with it, and both are asked
about the same test images. Judged on the second half of the training images; what is tried, in which order and for how
long was chosen on the first half.
"""

from __future__ import annotations

import argparse
import re
from functools import partial

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, mean_interval, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

_DRAWS, _FEW, _MANY, _VALIDATION, _TEST = 10, 300, 6000, 300, 4000
_PASSES, _GOOD_PASSES = 100.0, 3.0
#: Every setting of the convnet's plan that holds a network back, at the value at which it does nothing.
_FREE = {"label_smoothing": "0", "weight_decay": "0", "dropout": "0", "augment.flip": "0", "augment.shift": "0",
         "augment.crop": "1", "augment.jitter": "0", "augment.erase": "0"}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", type=int, default=_DRAWS, help="how many sets of each kind")


def drawn(bench: Bench, draw: int, count: int) -> Planted:
    """`count` training images, and others to validate and to test on."""
    data = grey_images(bench.smoke)
    judged = np.arange(len(data.images) // 2, len(data.images))
    count, validation, test = (100, 60, 200) if bench.smoke else (count, _VALIDATION, _TEST)
    rows = np.random.default_rng([draw, 11]).permutation(judged)[: count + validation]
    images = np.concatenate([data.images[rows], data.test_images[:test]])
    labels = np.concatenate([data.labels[rows], data.test_labels[:test]]).astype(int)
    return Planted(images, labels, np.repeat([0, 1, 2], [count, validation, len(images) - count - validation]))


def memorising(bench: Bench, draw: int) -> Json:
    """What is said of a network that only memorised, and what its advice brings."""
    planted, passes = drawn(bench, draw, _FEW), 20.0 if bench.smoke else _PASSES
    with own_cache() as folder:
        run = trained(planted, folder / "free", epochs=passes, seed=draw, settings=_FREE, findings=("overfitting",))
        finding = run["findings"]["overfitting"]
        advice = re.search(r"(?:Train again|Try|training) (?:with )?--set (\S+?)=([\d.e-]+)", finding["next"])
        advised = None if advice is None else {advice[1]: advice[2]}
        again = trained(planted, folder / "advised", epochs=passes, seed=draw, settings={**_FREE, **(advised or {})})
    return {**told(finding, run), "advised": advised, "next": finding["next"], "certainty": finding["certainty"],
            "with_advice": again["accuracy"], "raised": again["accuracy"] > run["accuracy"]}  # fmt: skip


def fitting(bench: Bench, draw: int) -> Json:
    """What is said of a network that fits well."""
    with own_cache() as folder:
        run = trained(drawn(bench, draw, _MANY), folder / "run", epochs=_GOOD_PASSES, seed=draw,
                      findings=("overfitting",))  # fmt: skip
    return told(run["findings"]["overfitting"], run)


def told(finding: Json, run: Json) -> Json:
    return {"verdict": finding["verdict"], "overfits": finding["verdict"].startswith("It overfits"),
            "gain_tried": finding["numbers"].get("gain of the change tried"), "accuracy": run["accuracy"],
            "gap": finding["numbers"]["gap"]["value"], "seconds": finding["seconds"],
            "fit_s": run["fit_s"]}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/overfitting", __doc__, add_options)
    draws = range(1 if bench.smoke else bench.options.draws)
    free = [bench.piece(f"memorising-{draw}", partial(memorising, bench, draw)) for draw in draws]
    good = [bench.piece(f"fitting-{draw}", partial(fitting, bench, draw)) for draw in draws]
    named, accused = (sum(run["overfits"] for run in runs) for runs in (free, good))
    raised = sum(run["raised"] for run in free)
    seen = sum(run["raised"] for run in free if (run["gain_tried"] or {"value": 0})["value"] > 0)
    gains = [run["with_advice"] - run["accuracy"] for run in free]
    share = max(run["seconds"] / max(run["fit_s"], 1e-9) for run in free)
    targets = [Target("share of planted memorising that is named", named / len(free), ">=", 1.0),
               Target("share of good fits called overfitted", accused / len(good), "<=", 0.0),
               Target("share of advice that raised test accuracy", raised / len(free), ">=", 0.8)]  # fmt: skip
    bench.settings = {"memorising": {"images": _FEW, "passes": _PASSES, "settings": _FREE}, "validation": _VALIDATION,
                      "fitting": {"images": _MANY, "passes": _GOOD_PASSES}, "test": _TEST}  # fmt: skip
    summary = {"named": named, "accused": accused, "raised": raised, "gained_in_the_trial_too": seen, "of": len(free),
               "gain": mean_interval(gains), "most_time_of_training": share}  # fmt: skip
    bench.finish(summary, targets, seeds=list(draws))


if __name__ == "__main__":
    main()
