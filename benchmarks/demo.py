"""The whole flow on data that comes with the installation: `assay demo`, its time and its test accuracy."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from _command import ASSAY, run_assay
from _common import Json, Target, open_bench, spread

_RUNS = 3
#: For --smoke: the same command with a budget of half a second.
_QUICK = "import assay.demo as d; d.DEMOS['digits'] = (d.DEMOS['digits'][0], 0.5); from assay.cli import main; main()"


def measure(smoke: bool) -> Json:
    """One demo, with nothing decoded before."""
    program = (ASSAY[0], "-c", _QUICK) if smoke else ASSAY
    with tempfile.TemporaryDirectory() as folder:
        done = run_assay("demo", "--json", "--out", Path(folder) / "run", cache=Path(folder) / "cache", program=program)
    summary = done.json
    return {"wall_s": done.wall_s, "fit_s": summary["seconds"], "accuracy": summary["metric"],
            "baseline": summary["baseline"], "verdict": summary["verdict"], "samples": summary["samples"],
            "stages": dict(done.stages)}  # fmt: skip


def main() -> None:
    bench = open_bench("demo", __doc__)
    count = 1 if bench.smoke else _RUNS
    runs = [bench.piece(f"run-{number}", partial(measure, bench.smoke)) for number in range(count)]
    wall = spread([run["wall_s"] for run in runs])
    accuracy = spread([run["accuracy"]["value"] for run in runs])
    targets = [Target("slowest demo in seconds", wall["most"], "<=", 60.0),
               Target("median test accuracy", accuracy["median"], ">=", 0.98)]  # fmt: skip
    bench.settings = {
        "command": "assay demo",
        "runs": count,
        "seed": "the command's own, 0; the budget decides the steps",
    }
    bench.finish({"wall_s": wall, "test_accuracy": accuracy}, targets, seeds=[0], packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
