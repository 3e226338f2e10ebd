"""KITTI's routes with SIMULATED sensors, trained on 00 to 06, tested on 07 to 10: a network, a tuned Kalman filter.

The sensors are drawn as `assay.sources.route_simulation` says, anew for each seed. Without GNSS the measure is drift
over 100 to 800 m; with a fix a second of 3 m and gaps of 20 s it is how far places are off. The filter estimates the
scale of the wheels, the gyroscope's bias and what the wheels differ in; its noise grows with lateral acceleration and
is tuned on the training routes by the same measure; side slip is calibrated. Another one is told, besides, the form
that the wheels' slip has in the simulation, and takes its size by least squares: what the network has to find out.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import train_or_resume
from _common import Bench, Json, Target, data_root, mean_interval, numbers, open_bench

Array = np.ndarray[Any, Any]
TRAIN, VALIDATION, TEST = ("00", "01", "02", "03", "04", "06"), ("05",), ("07", "08", "09", "10")
#: Routes of the learning curve, by how many: each holds those before.
CURVE = (1, 2, 4)
_ORDER = ("06", "00", "03", "01", "02", "04")
RESAMPLES = 2000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2,3,4", help="of the sensors' noise and of the training")
    parser.add_argument("--draws", default="4", help="of each route's sensors, for a seed")
    parser.add_argument("--epochs", default="350", help="of the network")
    parser.add_argument("--trials", default="100", help="of each filter's noise")


def routes_folder(work: Path, train: Sequence[str], smoke: bool) -> Path:
    """The routes in folders called train, validation and test."""
    folder = work / f"routes-{'-'.join(train)}"
    for side, names in (("train", train), ("validation", VALIDATION), ("test", TEST)):
        (folder / side).mkdir(parents=True, exist_ok=True)
        for name in names:
            file = folder / side / f"{name}.txt"
            if smoke:
                write_circle(file, 300, 1.5 + 0.1 * int(name))
            elif not file.exists():
                shutil.copyfile(required() / f"{name}.txt", file)
    return folder


def required() -> Path:
    """The poses; stops with advice where they are not there."""
    folder = data_root() / "kitti_odometry_poses" / "poses"
    if not (folder / "10.txt").exists():
        raise SystemExit(f"KITTI's poses are not in {folder}: set ASSAY_DATA to the folder that holds them")
    return folder


def write_circle(file: Path, count: int, turn: float) -> None:
    """A wide arc as KITTI writes poses, for a smoke run."""
    rows = []
    for angle in np.linspace(0, turn, count):
        c, s = np.cos(angle), np.sin(angle)
        rows.append([c, 0, s, 150 * (1 - c), 0, 1, 0, 0, -s, 0, c, 150 * s])
    np.savetxt(file, np.asarray(rows))


def measured(bench: Bench, seed: int, train: Sequence[str] = TRAIN, filters: bool = True) -> Json:
    """One training, its answers with and without GNSS, and those of the filters and of dead reckoning."""
    import assay
    from assay.evaluation.track_metrics import track_metrics
    from assay.samples.samples import build_samples
    from assay.samples.split import SIDES
    from assay.sources.source import DataOptions, open_source

    source = routes_folder(bench.work, train, bench.smoke)
    draws = 1 if bench.smoke else int(bench.options.draws)
    extra = {"draws": draws, "first_draw": 100 * seed}
    how = [source, "--task", "positioning", "--seed", seed, "--draws", draws, "--first-draw", 100 * seed,
           "--epochs", 2 if bench.smoke else bench.options.epochs, "--evidence", "none"]  # fmt: skip
    run = bench.work / f"run-{seed}-{len(train)}"
    with tempfile.TemporaryDirectory() as cache:
        done, _ = train_or_resume(run, *how, cache=Path(cache))
    model = assay.load(run)
    task, spec = model.task, model.spec
    records = task.read(open_source(source), DataOptions(extra=extra))
    side = np.asarray([SIDES.index(one) for one in records.index().column("split").to_pylist()], np.int8)
    found: Json = {"fit_s": done.json["seconds"], "parameters": done.json["network"]["parameters"]}
    with tempfile.TemporaryDirectory() as folder:
        samples = build_samples(task, records, spec, side, folder=Path(folder) / "samples")
        test = samples.view(SIDES.index("test"))
        found |= {"units": test.ids(), "spread": None}
        for gnss in (False, True):
            begun = time.perf_counter()
            outputs: dict[str, Any] = {"network": replace(model.predictor, options={"gnss": int(gnss)}).outputs(test)}
            found[f"answer_s_{gnss}"] = (time.perf_counter() - begun) / len(test)
            if filters:
                outputs |= classical(bench, samples, spec, gnss, seed, found)
            metric = track_metrics(gnss, spec.lengths_m)[0]
            for name, tracks in outputs.items():
                kept = np.asarray(metric.statistics(tracks, test.truths()), float)
                found[f"{name}, {metric.name}"] = kept.round(6).tolist()
        train_view = samples.view(SIDES.index("train"))
        found["minutes"] = task.amount(samples, train_view.units, spec).value
    return found


def classical(bench: Bench, samples: Any, spec: Any, gnss: bool, seed: int, found: Json) -> dict[str, Any]:
    """The answers of the filters and of dead reckoning; what the filters came to is noted."""
    from assay.baselines.route_ekf import DeadReckoning, DriveFilter
    from assay.samples.split import TEST as test_side
    from assay.samples.split import TRAIN as train_side
    from assay.samples.split import VALIDATION as validation_side

    own = replace(spec, gnss=gnss)
    plain = replace(own, calibration=replace(own.calibration, bend=0.0))
    views = [samples.view(side) for side in (train_side, validation_side, test_side)]
    most = 3 if bench.smoke else int(bench.options.trials)
    answers: dict[str, Any] = {"dead reckoning": DeadReckoning(own).predict(views[2])}
    for name, known, trials in (("filter", plain, most), ("filter that is told the slip", own, most)):
        model = DriveFilter(known, trials)
        begun = time.perf_counter()
        model.fit(views[0], views[1], 1e9, seed)
        found[f"{name}, noise, {'with' if gnss else 'without'} GNSS"] = model.noise.to_json()
        found[f"{name}, tuned_s, {'with' if gnss else 'without'} GNSS"] = time.perf_counter() - begun
        answers[name] = model.predict(views[2])
    return answers


def route_of(name: str) -> str:
    """The route of a drive called test/07.txt@3."""
    return name.rpartition("/")[2].split(".")[0]


def together(pieces: Sequence[Json], name: str, metric: str) -> tuple[Array, Array]:
    """(U, 2) statistics of all seeds' test drives, and (U,) their routes."""
    rows = np.concatenate([np.asarray(piece[f"{name}, {metric}"], float) for piece in pieces])
    return rows, np.asarray([route_of(unit) for piece in pieces for unit in piece["units"]])


def value_of(rows: Array, metric: str) -> float:
    """The metric of statistics: a mean, or a root of a mean square."""
    value = float(rows[:, 0].sum() / rows[:, 1].sum())
    return value if metric == "drift" else value**0.5


def compared(pieces: Sequence[Json], metric: str, other: str) -> Json:
    """By which share the network's figure is below another's: by seed, and over resampled routes."""
    by_seed = []
    for piece in pieces:
        mine, their = (value_of(np.asarray(piece[f"{name}, {metric}"]), metric) for name in ("network", other))
        by_seed.append(1 - mine / their)
    own, route = together(pieces, "network", metric)
    theirs, _ = together(pieces, other, metric)
    names = np.unique(route)
    random = np.random.default_rng(0)
    shares, differences = [], []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([np.flatnonzero(route == one) for one in random.choice(names, len(names))])
        units = random.choice(drawn, len(drawn))  # the draws of a route's sensors are resampled, too
        mine, their = value_of(own[units], metric), value_of(theirs[units], metric)
        shares.append(1 - mine / their)
        differences.append(their - mine)
    return {
        "network": value_of(own, metric),
        "other": value_of(theirs, metric),
        "below_by": {"over all": 1 - value_of(own, metric) / value_of(theirs, metric), **mean_interval(by_seed)},
        "below_by_routes": dict(zip(("low", "high"), np.quantile(shares, [0.025, 0.975]).tolist(), strict=True)),
        "difference_routes": dict(zip(("low", "high"), np.quantile(differences, [0.025, 0.975]).tolist(), strict=True)),
        "by_route": {name: [value_of(rows[route == name], metric) for rows in (own, theirs)] for name in names},
    }


def main() -> None:
    bench = open_bench("kitti_positioning", __doc__, add_options)
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    pieces = [bench.piece(f"seed-{seed}", partial(measured, bench, seed)) for seed in seeds]
    curve = {}
    for count in () if bench.smoke else CURVE:
        curve[count] = bench.piece(f"routes-{count}", partial(measured, bench, 0, _ORDER[:count], filters=False))
    metrics = ("drift", "position_error")
    others = ("filter", "filter that is told the slip", "dead reckoning")
    summary: Json = {metric: {other: compared(pieces, metric, other) for other in others} for metric in metrics}
    summary["learning curve, minutes and drift"] = [
        [piece["minutes"], value_of(np.asarray(piece["network, drift"]), "drift")]
        for piece in [*curve.values(), pieces[0]]
    ]
    summary["fit_s"] = mean_interval([piece["fit_s"] for piece in pieces])
    drift, place = (summary[metric]["filter"] for metric in metrics)
    beside = summary["drift"]["filter that is told the slip"]["below_by"]["over all"]
    targets = [
        Target("drift without GNSS, below the filter's by", drift["below_by"]["over all"], ">=", 0.15),
        Target("the same, low end over seeds", drift["below_by"]["low"], ">", 0.0),
        Target("the paired difference of drift, low end over routes", drift["difference_routes"]["low"], ">", 0.0),
        Target("places with GNSS, below the filter's by", place["below_by"]["over all"], ">=", 0.0),
        Target("drift, below that of a filter that is told the slip by", beside, ">=", 0.0),
    ]
    options = {name: getattr(bench.options, name) for name in ("draws", "epochs", "trials")}
    sides = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    bench.settings = {**sides, **options, "sensors": "SIMULATED"}
    bench.finish(summary, targets, seeds=seeds, packages=["scipy"])


if __name__ == "__main__":
    main()
