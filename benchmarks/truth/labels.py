"""`labels`: 5 % of the labels of Fashion-MNIST images are changed at random, and looked for.

Beside Assay's order stands cleanlab's on the same probabilities, where cleanlab is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import partial
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, numbers, open_bench
from _data import grey_images
from _runs import Planted, own_cache, trained

_SHARE = 0.05
_SIZE = 12_000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", default="0,1,2", help="seeds of the images, the changed labels and the trainings")


def measure(bench: Bench, draw: int) -> Json:
    """Precision among the first 5 %, and the average precision of the order."""
    from assay.evidence import labels as finding

    data = grey_images(bench.smoke)
    random = np.random.default_rng([draw, 5])
    rows = random.permutation(len(data.images))[: 500 if bench.smoke else _SIZE]
    images, true = data.images[rows], data.labels[rows].astype(int)
    given, changed = true.copy(), random.random(len(rows)) < _SHARE
    given[changed] = (true[changed] + random.integers(1, 10, changed.sum())) % 10
    side = np.asarray([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])[np.arange(len(rows)) % 10]
    seen: list[Any] = []
    original = finding.out_of_sample

    def kept(context: Any) -> Any:
        seen.append(original(context))
        return seen[-1]

    finding.out_of_sample = kept
    try:
        with own_cache() as folder:
            run = trained(Planted(images, given, side), folder / "run", epochs=1.0 if bench.smoke else 12.0, seed=draw,
                          findings=("labels",))  # fmt: skip
    finally:
        finding.out_of_sample = original
    found = {"draw": draw, "fit_s": run["fit_s"], "seconds": run["findings"]["labels"]["seconds"],
             "verdict": run["findings"]["labels"]["verdict"]}  # fmt: skip
    if seen and seen[0] is not None:
        looked = seen[0]
        issues = finding.suspects(looked)
        found["assay"] = _scores(-issues.quality, changed[looked.units])
        named = changed[looked.units][issues.wrong]
        found["named"] = {"count": len(named), "precision": float(named.mean()) if len(named) else None,
                          "recall": float(named.sum() / max(1, changed[looked.units].sum()))}  # fmt: skip
        if importlib.util.find_spec("cleanlab"):
            from cleanlab.rank import get_label_quality_scores

            for method in ("self_confidence", "normalized_margin"):
                quality = get_label_quality_scores(looked.labels, looked.probabilities, method=method)
                found[f"cleanlab, {method}"] = _scores(-quality, changed[looked.units])
    return found


def _scores(suspicion: Any, changed: Any) -> Json:
    from sklearn.metrics import average_precision_score

    first = np.argsort(-suspicion, kind="stable")[: max(1, round(_SHARE * len(changed)))]
    return {"precision_first": float(changed[first].mean()), "average_precision":
            float(average_precision_score(changed, suspicion))}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/labels", __doc__, add_options)
    draws = [0] if bench.smoke else numbers(bench.options.draws)
    runs = [bench.piece(f"draw-{draw}", partial(measure, bench, draw)) for draw in draws]
    known = [run for run in runs if "assay" in run]
    peers = [key for key in known[0] if key.startswith("cleanlab")] if known else []
    mean = {who: {key: float(np.mean([run[who][key] for run in known])) for key in known[0][who]}
            for who in (["assay", *peers] if known else [])}  # fmt: skip
    best = max((mean[who]["average_precision"] for who in peers), default=None)
    own = mean.get("assay", {})
    targets = [Target("precision among the first 5 %", own.get("precision_first"), ">=", 0.80)]
    if best is not None:
        targets.append(Target("average precision over cleanlab's best", own["average_precision"] - best, ">=", 0.0))
    bench.settings = {"images": _SIZE, "changed": "5 %, to any other class", "epochs": 12}
    bench.finish({"mean": mean, "by_draw": runs}, targets, seeds=draws, packages=["scikit-learn", "cleanlab"])


if __name__ == "__main__":
    main()
