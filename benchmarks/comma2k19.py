"""comma2k19's minute of highway: learned from the first 35 s, asked about the last 20 s. No contest: it is little.

Beside the network stand the Kalman filter and dead reckoning with the same calibration, of the same 35 s. What the
receiver is off by is nearly one constant, a delay; the calibration finds it, and an average that is subtracted does as
well.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import train_or_resume
from _common import Bench, Json, data_root, numbers, open_bench

#: Shares of the minute: 35 s, 5 s and 20 s.
SPLIT = "58.4/8.3/33.3"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2", help="of the trainings")
    parser.add_argument("--epochs", default="300", help="of the network")


def source_of(bench: Bench) -> Path:
    if bench.smoke:
        return invented(bench.work / "invented.npz")
    folder = data_root() / "comma2k19_example"
    if not (folder / "processed_log").exists():
        raise SystemExit(f"{folder} is not there: set ASSAY_DATA to the folder that holds comma2k19_example")
    return folder


def invented(file: Path) -> Path:
    """A minute of sensors of a car on a bend, for a smoke run."""
    random = np.random.default_rng(0)
    time = np.arange(0, 60, 0.1)
    heading = 0.01 * time
    place = np.cumsum(1.5 * np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
    fixes = place + random.normal(0, 1, place.shape)
    np.savez(file, time=time, speed_mps=15 + random.normal(0, 0.05, 600), yaw_rate_rad_s=0.01 + random.normal(0, 0.001,
    600),
             gnss_x=fixes[:, 0], gnss_y=fixes[:, 1], ref_x=place[:, 0], ref_y=place[:, 1])  # fmt: skip
    return file


def measured(bench: Bench, seed: int) -> Json:
    """One training, and the answers of all on the last 20 s."""
    import assay
    from assay.baselines.route_ekf import DeadReckoning, DriveFilter
    from assay.samples.samples import build_samples
    from assay.samples.split import SIDES
    from assay.sources.source import DataOptions, open_source

    source = source_of(bench)
    how = [source, "--task", "positioning", "--split", SPLIT, "--seed", seed, "--evidence", "none",
           "--epochs", 2 if bench.smoke else bench.options.epochs]  # fmt: skip
    with tempfile.TemporaryDirectory() as cache:
        done, _ = train_or_resume(bench.work / f"run-{seed}", *how, cache=Path(cache))
    model = assay.load(bench.work / f"run-{seed}")
    task, spec = model.task, model.spec
    records = task.read(open_source(source), DataOptions(split=SPLIT))
    side = np.asarray([SIDES.index(one) for one in records.index().column("split").to_pylist()], np.int8)
    found: Json = {"fit_s": done.json["seconds"], "delay_s": spec.fix_delay_s, "fix_sigma_m": spec.fix_sigma_m}
    with tempfile.TemporaryDirectory() as folder:
        samples = build_samples(task, records, spec, side, folder=Path(folder) / "samples")
        train, validation, test = (samples.view(number) for number in range(3))
        for gnss in (False, True):
            own = replace(spec, gnss=gnss)
            models = {"filter": DriveFilter(own, 3 if bench.smoke else 100), "dead reckoning": DeadReckoning(own)}
            for one in models.values():
                one.fit(train, validation, 1e9, seed)
            outputs = {"network": replace(model.predictor, options={"gnss": int(gnss)}).outputs(test)}
            outputs |= {name: one.predict(test) for name, one in models.items()}
            for name, tracks in outputs.items():
                found[f"{name}, {'with' if gnss else 'without'} GNSS"] = told(tracks[0], test.truths()[0], spec)
    return found


def told(track: Any, truth: Any, spec: Any) -> Json:
    """Drift over 100 m and more, the end's error as a share of the way, and how far places are off."""
    from assay.evaluation.track_metrics import HorizontalError, TranslationalDrift, place_errors

    errors = place_errors(track, truth)
    return {
        "drift": TranslationalDrift(spec.lengths_m).value([track], [truth]),
        "end_off_by_share_of_way": float(errors[-1] / truth.length_m),
        "position_error_m": float(np.sqrt((errors**2).mean())),
        "horizontal_50_m": HorizontalError(0.5).value([track], [truth]),
        "horizontal_95_m": HorizontalError(0.95).value([track], [truth]),
    }


def main() -> None:
    bench = open_bench("comma2k19", __doc__, add_options)
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    pieces = [bench.piece(f"seed-{seed}", partial(measured, bench, seed)) for seed in seeds]
    names = [name for name, value in pieces[0].items() if isinstance(value, dict)]
    summary = {
        name: {key: float(np.median([piece[name][key] for piece in pieces])) for key in pieces[0][name]}
        for name in names
    }
    summary["delay_s"] = pieces[0]["delay_s"]
    bench.settings = {"split": SPLIT, "epochs": bench.options.epochs, "note": "one minute is little"}
    bench.finish(summary, seeds=seeds, packages=["scipy"])


if __name__ == "__main__":
    main()
