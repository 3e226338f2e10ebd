"""Fashion-MNIST after two and after fifteen minutes of training: test accuracy, and the classical baseline's."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from _command import run_assay
from _common import Bench, Json, Target, mean_interval, numbers, open_bench, spread
from _data import enlarged_digits, require_fashion_mnist, write_idx

#: The budget of the long training.
LONG = "15m"
#: That of a smoke run.
_SMOKE = "1s"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings of 120 s")
    parser.add_argument("--long-seeds", default="0", help="seeds of the trainings of 15 min, half an hour each")


def measure(source: Path, budget: str, seed: int) -> Json:
    """One `assay train`, the long one without baseline; the official test set is touched by its last step alone."""
    evidence = {LONG: "none", _SMOKE: "quick"}.get(budget, "full")
    with tempfile.TemporaryDirectory() as folder:
        options = ("--budget", budget, "--seed", seed, "--evidence", evidence, "--out", Path(folder) / "run", "--json")
        done = run_assay("train", source, *options, cache=Path(folder) / "cache")
    summary = done.json
    return {"budget": budget, "seed": seed, "fit_s": summary["seconds"], "wall_s": done.wall_s,
            "accuracy": summary["metric"], "baseline": summary["baseline"], "verdict": summary["verdict"],
            "network": summary["network"], "samples": summary["samples"], "stages": dict(done.stages)}  # fmt: skip


def summarise(runs: list[Json]) -> Json:
    """The runs of one budget."""
    values = [run["accuracy"]["value"] for run in runs]
    return {
        "test_accuracy": mean_interval(values),
        "by_seed": [{key: run["accuracy"][key] for key in ("value", "low", "high")} for run in runs],
        "fit_s": spread([run["fit_s"] for run in runs]),
        "wall_s": spread([run["wall_s"] for run in runs]),
        "baseline": [run["baseline"] for run in runs],
    }


def run_all(bench: Bench, source: Path) -> dict[str, list[Json]]:
    budgets = {_SMOKE: [0]} if bench.smoke else {
        "120s": numbers(bench.options.seeds), LONG: numbers(bench.options.long_seeds)}  # fmt: skip
    return {budget: [bench.piece(f"{budget}-seed-{seed}", partial(measure, source, budget, seed)) for seed in seeds]
            for budget, seeds in budgets.items()}  # fmt: skip


def main() -> None:
    bench = open_bench("fashion_mnist", __doc__, add_options)
    source = write_idx(bench.work / "digits", enlarged_digits()) if bench.smoke else require_fashion_mnist()
    runs = run_all(bench, source)
    summary = {budget: summarise(of) for budget, of in runs.items() if of}
    baselines = [run["baseline"]["value"] for of in runs.values() for run in of if run["baseline"]]
    targets = []
    for budget, least, most_s in (("120s", 0.930, 120.0), ("15m", 0.945, 900.0)):
        found = summary.get(budget)
        targets.append(Target(f"test accuracy after {budget}", found and found["test_accuracy"]["mean"], ">=", least))
        targets.append(Target(f"seconds of fitting under {budget}", found and found["fit_s"]["most"], "<=", most_s))
    targets.append(Target("the baseline's test accuracy", max(baselines, default=None), ">=", 0.90))
    bench.settings = {"command": "assay train FOLDER --budget … --seed …", "split": "official test set; validation cut "
                      "from the training part", "fit_s": "the time in the training loop, checks included"}  # fmt: skip
    bench.finish(summary, targets, seeds=numbers(bench.options.seeds), packages=["scikit-learn", "lightgbm"])


if __name__ == "__main__":
    main()
