"""Steering from a log of Udacity's simulator (SIMULATED): a policy beside zero, the mean, and ridge regression.

The log is one drive; it is cut into stretches of time, of which some are tested on and none of whose frames is learned
from (see `assay.sources._drive_stretches`). All are asked about the same frames.
"""

from __future__ import annotations

import argparse
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import Bench, Json, mean_interval, numbers, open_bench
from _drives import small_log, udacity_folder

KINDS = ("all", "over bends", "straight", "bend", "sharp bend")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings")
    parser.add_argument("--budget", default="3m", help="of fitting")


def measure(bench: Bench, source: Path, seed: int) -> Json:
    """One training with its classical model, and all errors by bend."""
    import assay
    from assay.samples.split import TEST, TRAIN

    run = bench.work / f"run-{seed}"
    shutil.rmtree(run, ignore_errors=True)
    os.environ["ASSAY_CACHE"] = str(bench.work / "cache")
    budget = "2s" if bench.smoke else bench.options.budget
    model = assay.train(source, task="driving", out=run, budget=budget, seed=seed, evidence="quick")
    train, test = (_view(source, model, side) for side in (TRAIN, TEST))
    spec = model.spec
    truths = test.truths()
    learned = train.array("action")[:, 0]
    given = {
        "network": model.predictor.outputs(test),
        "ridge": model._baseline().predict(test),
        "zero": [np.zeros((len(one["steering"]), 1)) for one in truths],
        "mean": [np.full((len(one["steering"]), 1), learned.mean()) for one in truths],
    }
    errors = {name: _errors(outputs, truths, spec) for name, outputs in given.items()}
    summary = model.summary
    return {"seed": seed, "fit_s": summary["seconds"], "metrics": summary["metrics"], "errors": errors,
            "difference": _paired(given["network"], given["ridge"], truths, test.groups(), spec),
            "frames": {"train": len(learned), "test": int(sum(len(one["steering"]) for one in truths))},
            "stretches": {"train": len(train), "test": len(test)}, "bends": list(spec.bends)}  # fmt: skip


def _view(source: Path, model: Any, side: int) -> Any:
    """One side of the samples, as the training had it."""
    from assay.flow import prepare
    from assay.samples.samples import build_samples
    from assay.sources.source import DataOptions

    prepared = prepare(source, DataOptions("driving"))
    return build_samples(model.task, prepared.records, model.spec, prepared.split.side).view(side)


def _errors(outputs: Any, truths: Any, spec: Any) -> Json:
    """The mean distance of the steering, over all frames and by bend."""
    from assay.evaluation.drive_metrics import AllBendsError, BendError, ControlError

    metrics = [ControlError(spec, 0), AllBendsError(spec), *(BendError(spec, bend) for bend in range(3))]
    return {name: metric.value(outputs, truths) for name, metric in zip(KINDS, metrics, strict=True)}


def _paired(first: Any, second: Any, truths: Any, groups: Any, spec: Any) -> Json:
    """By how much the error over bends of the first is smaller, with its interval over stretches."""
    from assay.evaluation.drive_metrics import AllBendsError
    from assay.evaluation.intervals import difference

    return dict(vars(difference(AllBendsError(spec), first, second, truths, groups)))


def main() -> None:
    bench = open_bench("udacity_steering", __doc__, add_options)
    source = small_log(bench.work / "log") if bench.smoke else udacity_folder()
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    runs = [bench.piece(f"seed-{seed}", partial(measure, bench, source, seed)) for seed in seeds]
    summary: Json = {
        name: {bend: runs[0]["errors"][name][bend] for bend in KINDS} for name in ("zero", "mean", "ridge")
    }
    summary["network"] = {bend: mean_interval([run["errors"]["network"][bend] for run in runs]) for bend in KINDS}
    summary["ridge minus network"] = [run["difference"] for run in runs]
    summary["frames"], summary["stretches"] = runs[0]["frames"], runs[0]["stretches"]
    bench.settings = {"budget": bench.options.budget, "split": "stretches of time, 80/10/10", "data": "SIMULATED"}
    bench.finish(summary, seeds=seeds, packages=["scikit-learn", "pillow"])


if __name__ == "__main__":
    main()
