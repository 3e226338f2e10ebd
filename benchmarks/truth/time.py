"""What the evidence takes beside the training: `assay train --budget 2m` with full and with quick evidence.

Read from the run folder: the seconds of each finding (`evidence.json`), of fitting and of the baseline
(`summary.json`). Beside them stands what else the command took after the training, by its stages. The promise is one
for trainings of two minutes up; where a network has learned all that it can before (`small_table`, `few_images`), its
shares are shown and not judged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, open_bench
from _data import Images, enlarged_digits, grey_images, require_fashion_mnist, write_idx

Array = np.ndarray[Any, Any]
#: What evidence may take, as a share of the training's seconds.
_MOST = {"full": 1.0, "quick": 0.1}
_BUDGET = "120s"
#: Of the budget, what a training has to fill to be one of two minutes.
_FILLED = 0.85
#: The smoke test asks about images and a table; without data sets the other sources are made of the same digits.
_SMOKE_CASES = (("few_images", "full"), ("small_table", "quick"))
#: Pixels of an image that become one column of the large table, along each side.
_POOLED = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    known = "fashion_mnist,few_images,cats_dogs,large_table,small_table"
    parser.add_argument("--sources", default=known, help="which data, separated by commas")
    parser.add_argument("--evidence", default="full,quick", help="which evidence, separated by commas")


def source_of(bench: Bench, name: str) -> tuple[Path, Sequence[str]]:
    """Where the data lies, and the options that it needs."""
    if name == "small_table":
        return _small_table(bench.work / "small.csv", bench.smoke), ("--target", "target")
    if name == "large_table":
        return _large_table(bench.work / "large.csv", bench.smoke), ("--target", "target")
    if name == "few_images":
        return write_idx(bench.work / name, _few(bench.smoke)), ()
    if bench.smoke:
        return write_idx(bench.work / "digits", enlarged_digits()), ()
    return (require_fashion_mnist() if name == "fashion_mnist" else data_root() / "cats_dogs" / "train"), ()


def _few(smoke: bool) -> Images:
    """So few images of Fashion-MNIST that a network learns them by heart, which costs the trials of a remedy."""
    data = grey_images(smoke)
    few = 100 if smoke else 2000
    return Images(data.images[:few], data.labels[:few], data.test_images, data.test_labels)


def _small_table(file: Path, smoke: bool) -> Path:
    """scikit-learn's digits as a table of 64 columns."""
    from sklearn.datasets import load_digits

    data = load_digits()
    count = 300 if smoke else len(data.data)
    return _table(file, data.data[:count], data.target[:count])


def _large_table(file: Path, smoke: bool) -> Path:
    """The images of Fashion-MNIST as a table: the mean brightness of each square of 4 by 4 pixels is a column."""
    data = grey_images(smoke)
    count = 300 if smoke else len(data.images)
    side = data.images.shape[1] // _POOLED * _POOLED
    whole = data.images[:count, :side, :side].reshape(count, side // _POOLED, _POOLED, -1, _POOLED)
    return _table(file, whole.mean(axis=(2, 4)).reshape(count, -1), data.labels[:count])


def _table(file: Path, rows: Array, labels: Array) -> Path:
    head = ",".join([*(f"cell {place}" for place in range(rows.shape[1])), "target"])
    lines = (",".join([*(f"{value:g}" for value in row), f"class {label}"])
             for row, label in zip(rows, labels, strict=True))  # fmt: skip
    file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return file


def measure(bench: Bench, name: str, evidence: str) -> Json:
    """One command, and the seconds that it wrote down."""
    source, options = source_of(bench, name)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        budget = "1s" if bench.smoke else _BUDGET
        done = run_assay("train", source, *options, "--budget", budget, "--evidence", evidence, "--seed", "0",
                         "--out", run, "--json", cache=Path(folder) / "cache")  # fmt: skip
        page_bytes = (run / "report.html").stat().st_size
        findings = json.loads((run / "evidence.json").read_text(encoding="utf-8"))["findings"]
    summary = done.json
    seconds = {finding["name"]: finding["seconds"] for finding in findings}
    baseline_s = (summary["baseline"] or {"seconds": 0.0})["seconds"]
    took = sum(seconds.values()) + baseline_s
    return {"fit_s": summary["seconds"], "baseline_s": baseline_s, "findings_s": seconds, "evidence_s": took,
            "share": took / summary["seconds"], "wall_s": done.wall_s,
            "page_bytes": page_bytes, "stages": dict(done.stages)}  # fmt: skip


def main() -> None:
    bench = open_bench("truth/time", __doc__, add_options)
    asked = product(bench.options.sources.split(","), bench.options.evidence.split(","))
    found = {f"{name}, {kind}": bench.piece(f"{name}-{kind}", partial(measure, bench, name, kind))
             for name, kind in (_SMOKE_CASES if bench.smoke else asked)}  # fmt: skip
    least_s = 0.0 if bench.smoke else _FILLED * float(_BUDGET.removesuffix("s"))
    judged = {case: run["share"] for case, run in found.items() if run["fit_s"] >= least_s}
    targets = [
        Target(f"{kind} evidence with baseline as a share of the training's time, the most",
               max((share for case, share in judged.items() if case.endswith(kind)), default=None), "<=", most)
        for kind, most in _MOST.items()
    ]  # fmt: skip
    largest = max(run["page_bytes"] for run in found.values())
    targets.append(Target("the largest page, bytes", largest, "<", 3e6))
    bench.settings = {"command": f"assay train SOURCE --budget {_BUDGET} --evidence full|quick --seed 0",
                      "small_table": "scikit-learn's digits, 64 columns",
                      "large_table": "60,000 images of Fashion-MNIST, 49 columns",
                      "judged": f"trainings of {least_s:g} s and more"}  # fmt: skip
    summary = {case: {"share": run["share"], "fit_s": run["fit_s"], "baseline_s": run["baseline_s"],
                      "page_bytes": run["page_bytes"],
                      "slowest": dict(sorted(run["findings_s"].items(), key=lambda item: -item[1])[:4])}
               for case, run in found.items()}  # fmt: skip
    bench.finish(summary, targets, seeds=[0], packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
