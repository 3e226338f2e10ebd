"""CarRacing-v3 on 50 tracks never driven in training: a policy, the expert, a classical controller, a random driver.

Pieces: `learn-SEED` makes the demonstrations anew, trains (with DAgger) and tests; `drivers` lets the expert, the tuned
classical controller and a random driver drive the same tracks; `step` times a step; `worse` tells what noise, darkness,
blur, late actions and other colours take, on some of the tracks.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import train_or_resume
from _common import Bench, Json, Target, numbers, open_bench, spread
from _drives import scores_of

SIMULATOR = "CarRacing-v3"
#: Published scores on this environment (mean ± deviation over tracks).
PUBLISHED = {
    "World Models (Ha and Schmidhuber 2018)": "906 ± 21",
    "PPO": "801 ± 46",
    "imitation": "about 560",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1", help="seeds of the trainings")
    parser.add_argument("--budget", default="40m", help="of fitting, DAgger's rides included")
    parser.add_argument("--drives", default="60", help="tracks on which the expert shows how to drive")
    parser.add_argument("--collect", default="100", help="drives of the policy with the expert's advice")
    parser.add_argument("--tests", default="50", help="tracks to be tested on")
    parser.add_argument("--parts", default="drivers,step,worse", help="what is measured beside the trainings")


def small(bench: Bench) -> dict[str, str]:
    """The data options; tiny ones for --smoke."""
    if bench.smoke:
        return {"drives": "2", "tests": "2", "collect": "1", "steps": "25"}
    return {name: str(getattr(bench.options, name)) for name in ("drives", "tests", "collect")}


def learn(bench: Bench, seed: int) -> Json:
    """One `assay train`, the demonstrations driven anew, and its test."""
    folder = bench.work / f"learn-{seed}"
    run, cache = folder / "run", folder / "cache"
    options = [word for name, value in small(bench).items() for word in (f"--{name}", value)]
    how = ["--epochs", "1", "--set", "width=4"] if bench.smoke else ["--budget", bench.options.budget]
    done, wall_s = train_or_resume(run, f"simulator:{SIMULATOR}", *options, *how, "--seed", seed, "--evidence", "none",
                                   cache=cache)  # fmt: skip
    summary = done.json
    rides = _rides(run)
    # Of a training that was stopped only the time of fitting is known: it was not learned in one go.
    learned_s = done.stages.get("Evaluating") if wall_s is not None else None
    return {
        "seed": seed, "learned_s": learned_s, "wall_s": wall_s, "fit_s": summary["seconds"],
        "parameters": summary["network"]["parameters"], "samples": summary["samples"], "metrics": summary["metrics"],
        "scores": [ride["score"] for ride in rides], "finished": [ride["finished"] for ride in rides],
        "tracks": [ride["track"] for ride in rides],
    }  # fmt: skip


def _rides(run: Path) -> list[dict[str, Any]]:
    """What came of the test rides, out of `samples.parquet`."""
    import pyarrow.parquet as pq

    rows = pq.read_table(run / "samples.parquet", columns=["split", "prediction"]).to_pylist()
    return [json.loads(row["prediction"]) for row in rows if row["split"] == "test"]


@dataclass
class Drives:
    """The demonstrations and the tracks to be tested on (without what a policy collected), and how they are read."""

    task: Any
    spec: Any
    samples: Any

    @staticmethod
    def of(bench: Bench, seed: int, spec: Any = None) -> Drives:
        """As `learn` made them for a seed, or made anew; `spec` is of a trained policy."""
        from assay.flow import prepare
        from assay.samples.samples import build_samples
        from assay.samples.split import TRAIN
        from assay.sources.source import DataOptions
        from assay.tasks.driving import Driving

        os.environ["ASSAY_CACHE"] = str(bench.work / f"learn-{seed}" / "cache")
        task, options = Driving(), DataOptions("driving", extra=small(bench))
        prepared = prepare(f"simulator:{SIMULATOR}", options, task=task)
        spec = spec or task.fit_spec(prepared.records, prepared.split.side == TRAIN, options)
        return Drives(task, spec, build_samples(task, prepared.records, spec, prepared.split.side))

    def tested(self, most: int | None = None) -> Any:
        """The test side, or its first tracks."""
        from assay.samples.split import TEST

        return self.samples.view_of(self.samples.view(TEST).units[:most])


def policy(bench: Bench, seed: int) -> tuple[Any, Drives]:
    """A policy that this call or one before it trained, and its drives."""
    from assay.serving.predictor import Predictor
    from assay.stored_network import read_network
    from assay.tasks.driving import Driving

    task = Driving()
    _, spec, network, _ = read_network(bench.work / f"learn-{seed}" / "run" / "model", task)
    return Predictor(task, spec, network), Drives.of(bench, seed, spec)


def drivers(bench: Bench, seed: int) -> Json:
    """The expert, the classical controller tuned on training tracks, and a random driver on the test tracks."""
    from assay.samples.split import TRAIN, VALIDATION
    from assay.serving.predictor import Classical
    from assay.simulators.rides import Terms, rides
    from assay.sources.simulator_drives import expert, track_of

    drives = Drives.of(bench, seed)
    view, task, spec = drives.tested(), drives.task, drives.spec
    terms = Terms(advised=True, most_steps=spec.loop.steps)
    found = {"expert": _told(list(rides(SIMULATOR, [track_of(name) for name in view.ids()], expert, terms)))}
    for model in task.baselines(spec):
        seconds = 2.0 if bench.smoke else 600.0
        note = model.fit(drives.samples.view(TRAIN), drives.samples.view(VALIDATION), seconds, 0)
        told = _told(task.evaluate(Classical(task, spec, model), view).outputs)
        found["random" if model.floor else "classical"] = {**told, "name": model.name, "note": note}
    return found


def _told(rides: Any) -> Json:
    return {"scores": [ride.score for ride in rides], "finished": [ride.finished for ride in rides],
            "off_road_share": float(np.mean([ride.off_road.mean() for ride in rides]))}  # fmt: skip


def step(bench: Bench, seed: int) -> Json:
    """Milliseconds of a step on one core."""
    predictor, drives = policy(bench, seed)
    used = drives.task.in_use(predictor, drives.samples)
    return {"ms": used.numbers["a step on one core"].value}


def worse(bench: Bench, seed: int) -> Json:
    """The mean score on ten test tracks under each corruption at three strengths."""
    predictor, drives = policy(bench, seed)
    task, view = drives.task, drives.tested(1 if bench.smoke else 10)

    def mean(rides: Any) -> float:
        return float(np.mean([ride.score for ride in rides]))

    found: Json = {"unchanged": mean(task.evaluate(predictor, view).outputs)}
    for name, corruption in task.corruptions(predictor.spec).items():
        for strength in (3,) if bench.smoke else (1, 3, 5):
            rides = task.worsened(predictor, view, name, strength, 0)
            found[f"{name}: {corruption.strengths[strength - 1]}"] = mean(rides)
    return found


def main() -> None:
    bench = open_bench("car_racing", __doc__, add_options)
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    runs = [bench.piece(f"learn-{seed}", partial(learn, bench, seed)) for seed in seeds]
    # A training that was kept from an earlier call is kept without its policy.
    kept = next((seed for seed in seeds if (bench.work / f"learn-{seed}" / "run" / "summary.json").exists()), seeds[0])
    beside, took, changed = (
        bench.piece(name, partial(measure, bench, kept)) if name in bench.options.parts.split(",") else {}
        for name, measure in (("drivers", drivers), ("step", step), ("worse", worse))
    )
    summary: Json = {
        "by_seed": {str(run["seed"]): scores_of(run["scores"], run["finished"]) for run in runs},
        **{name: scores_of(one["scores"], one["finished"]) for name, one in beside.items()},
        "learned_s": [run["learned_s"] for run in runs],
        "fit_s": spread([run["fit_s"] for run in runs]),
        "step_ms": took.get("ms"),
        "worse": changed,
        "published": PUBLISHED,
    }
    means = [one["mean"] for one in summary["by_seed"].values()]
    times = [run["learned_s"] for run in runs]
    targets = [
        Target("least mean score of a seed on tracks never driven in training", min(means), ">=", 880.0),
        Target("the expert's mean score", summary["expert"]["mean"] if beside else None, ">", 900.0),
        Target("seconds to learn, everything included", None if None in times else max(times), "<=", 3600.0),
        Target("milliseconds of a step on one core", took.get("ms"), "<=", 5.0),
    ]
    bench.settings = {**small(bench), "budget": bench.options.budget, "simulator": SIMULATOR, "steps a drive": 1000}
    bench.finish(summary, targets, seeds=seeds, packages=["gymnasium", "box2d", "pygame"])


if __name__ == "__main__":
    main()
