"""What the evidence takes beside the training: `assay train --budget 2m` with full and with quick evidence.

Read from the run folder: the seconds of each finding (`evidence.json`), of fitting and of the baseline
(`summary.json`). Beside them stands what else the command took after the training, by its stages.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import _path  # noqa: F401
from _command import run_assay
from _common import Bench, Json, Target, data_root, open_bench
from _data import Images, enlarged_digits, grey_images, require_fashion_mnist, write_idx

#: What evidence may take, as a share of the training's seconds.
_MOST = {"full": 1.0, "quick": 0.1}
_BUDGET = "120s"


def add_options(parser: argparse.ArgumentParser) -> None:
    known = "fashion_mnist,few_images,cats_dogs,table"
    parser.add_argument("--sources", default=known, help="which data, separated by commas")
    parser.add_argument("--evidence", default="full,quick", help="which evidence, separated by commas")


def source_of(bench: Bench, name: str) -> tuple[Path, Sequence[str]]:
    """Where the data lies, and the options that it needs."""
    if name == "table":
        return _table(bench.work / "table.csv", bench.smoke), ("--target", "target")
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


def _table(file: Path, smoke: bool) -> Path:
    """scikit-learn's digits as a table of 64 columns."""
    from sklearn.datasets import load_digits

    data = load_digits()
    count = 300 if smoke else len(data.data)
    head = ",".join([*(f"cell {place}" for place in range(64)), "target"])
    rows = (",".join([*map(str, row), f"digit {label}"])
            for row, label in zip(data.data[:count], data.target[:count], strict=True))  # fmt: skip
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return file


def measure(bench: Bench, name: str, evidence: str) -> Json:
    """One command, and the seconds that it wrote down."""
    source, options = source_of(bench, name)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        budget = "3s" if bench.smoke else _BUDGET
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
    names, kinds = bench.options.sources.split(","), bench.options.evidence.split(",")
    found = {f"{name}, {kind}": bench.piece(f"{name}-{kind}", partial(measure, bench, name, kind))
             for name in names for kind in kinds}  # fmt: skip
    targets = [
        Target(f"{kind} evidence with baseline as a share of the training's time, the most",
               max((run["share"] for case, run in found.items() if case.endswith(kind)), default=None), "<=", most)
        for kind, most in _MOST.items()
    ]  # fmt: skip
    largest = max(run["page_bytes"] for run in found.values())
    targets.append(Target("the largest page, bytes", largest, "<", 3e6))
    bench.settings = {"command": f"assay train SOURCE --budget {_BUDGET} --evidence full|quick --seed 0",
                      "table": "scikit-learn's digits, 64 columns"}  # fmt: skip
    summary = {case: {"share": run["share"], "fit_s": run["fit_s"], "baseline_s": run["baseline_s"],
                      "page_bytes": run["page_bytes"],
                      "slowest": dict(sorted(run["findings_s"].items(), key=lambda item: -item[1])[:4])}
               for case, run in found.items()}  # fmt: skip
    bench.finish(summary, targets, seeds=[0], packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
