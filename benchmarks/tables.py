"""Tables that come with scikit-learn: the network against LightGBM and a linear model, on the same five splits.

LightGBM stands twice: as Assay's baseline fits it (early stopping on the validation side, a few shapes of tree), and
with its own defaults on the training and validation rows together.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import Bench, Json, Target, mean_interval, numbers, open_bench

TABLES = ("breast-cancer", "wine", "diabetes", "digits")
PEERS = ("LightGBM", "LightGBM, its defaults", "linear")
_BULKY = ("ids", "truths", "answers")

Array = np.ndarray[Any, Any]


def table(name: str) -> Any:
    """One of scikit-learn's tables, with the column `target`."""
    import pyarrow as pa
    from sklearn import datasets

    data = getattr(datasets, f"load_{name.replace('-', '_')}")()
    columns = {str(column): data.data[:, place] for place, column in enumerate(data.feature_names)}
    target = data.target.astype(float) if name == "diabetes" else data.target.astype(str)
    return pa.table({**columns, "target": target})


def measure(name: str, seed: int, budget_s: float | None) -> Json:
    """The network and its peers on the split of one seed; the seed is the trainings' too."""
    import assay
    from assay.samples.split import TEST

    source = table(name)
    with tempfile.TemporaryDirectory() as folder:
        model = assay.train(source, task="table", target="target", split_seed=seed, seed=seed, budget=budget_s,
                            evidence="none", out=Path(folder) / "run")  # fmt: skip
        samples = samples_of(source, seed)
        view = samples.view(TEST)
        outputs = {"network": model.predictor.outputs(view), **peers(samples, seed, budget_s or 60.0)}
        metric = model.task.metrics(model.spec)[0]
        truths = view.truths()
        return {
            "metric": metric.name,
            "values": {who: float(metric.value(output, truths)) for who, output in outputs.items()},
            "fit_s": model.summary["seconds"],
            "samples": model.summary["samples"],
            "ids": view.ids(),
            "truths": np.asarray(truths).tolist(),
            "answers": {who: _answers(output) for who, output in outputs.items()},
        }


def samples_of(source: Any, seed: int) -> Any:
    """The samples as the training split them: a row's side follows from the row and the split seed alone."""
    from assay.flow import prepare
    from assay.planning import decode
    from assay.progress import Progress
    from assay.sources.source import DataOptions

    options = DataOptions("table", "target", split_seed=seed)
    return decode(prepare(source, options), options, Progress())[0]


def peers(samples: Any, seed: int, budget_s: float) -> dict[str, Array]:
    """Outputs of the classical models on the test side: (U, classes) or (U,)."""
    from assay.baselines.boosted_table import LightGbmTable
    from assay.baselines.linear_table import LinearTable
    from assay.samples.split import TEST, TRAIN, VALIDATION

    train, validation, test = (samples.view(side) for side in (TRAIN, VALIDATION, TEST))
    found = {}
    for name, kind in (("LightGBM", LightGbmTable), ("linear", LinearTable)):
        model = kind(samples.spec.target, samples.spec)
        model.fit(train, validation, budget_s, seed)
        found[name] = np.asarray(model.predict(test))
    found["LightGBM, its defaults"] = plain_lightgbm((train, validation), test, samples.spec.target, seed)
    return found


def plain_lightgbm(known: Sequence[Any], test: Any, target: Any, seed: int) -> Array:
    """LightGBM's scikit-learn estimator as it comes, on the numeric columns."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    x = np.concatenate([view.array("numbers") for view in known])
    y = np.concatenate([np.asarray(view.truths()) for view in known])
    kind = LGBMClassifier if target.kind == "class" else LGBMRegressor
    model = kind(random_state=seed, verbose=-1, n_jobs=1).fit(x, y)
    rows = test.array("numbers")
    if target.kind != "class":
        return np.asarray(model.predict(rows))
    outputs = np.zeros((len(rows), target.outputs))
    outputs[:, np.asarray(model.classes_, int)] = model.predict_proba(rows)
    return outputs


def _answers(output: Any) -> list[Any]:
    """What the metric looks at: the class or the number."""
    values = np.asarray(output)
    return list((values.argmax(axis=1) if values.ndim == 2 else values).tolist())


def pooled(runs: Sequence[Json]) -> Json:
    """All test answers of one table together, resampled by row of the table: values, and the paired differences.

    A row may stand on the test side of several splits; resampling whole rows keeps such answers together.
    """
    from assay.evaluation.intervals import difference, estimate

    metric = _metric(runs[0]["metric"])
    truths = np.concatenate([run["truths"] for run in runs])
    names = [name for run in runs for name in run["ids"]]
    groups = np.unique(names, return_inverse=True)[1]
    outputs = {who: _as_outputs(np.concatenate([run["answers"][who] for run in runs]), truths, metric.name)
               for who in runs[0]["answers"]}  # fmt: skip
    values = {who: vars(estimate(metric, output, truths, groups)) for who, output in outputs.items()}
    against = {}
    for who in PEERS:
        found = difference(metric, outputs["network"], outputs[who], truths, groups)
        against[who] = {**vars(found), "winner": _winner(found, who)}
    return {"metric": metric.name, "pooled": values, "network minus": against}


def _metric(name: str) -> Any:
    from assay.evaluation.metrics import R2, Accuracy

    return {"accuracy": Accuracy(), "r2": R2()}[name]


def _as_outputs(answers: Array, truths: Array, metric: str) -> Array:
    """Answers as the metric takes them: one-hot rows for classes."""
    if metric != "accuracy":
        return answers
    return np.eye(int(max(answers.max(), truths.max())) + 1)[answers.astype(int)]


def _winner(found: Any, other: str) -> str:
    if found.low is None or found.low <= 0 <= found.high:
        return "tie"
    return "network" if found.low > 0 else other


def summarise(runs: Sequence[Json]) -> Json:
    by_seed = {who: mean_interval([run["values"][who] for run in runs]) for who in runs[0]["values"]}
    return {**pooled(runs), "mean over seeds": by_seed}


def run_all(bench: Bench, seeds: Sequence[int]) -> dict[str, list[Json]]:
    names = ("wine",) if bench.smoke else TABLES
    budget_s = 1.0 if bench.smoke else None
    return {name: [bench.piece(f"{name}-seed-{seed}", partial(measure, name, seed, budget_s)) for seed in seeds]
            for name in names}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0,1,2,3,4", help="of the splits and the trainings")


def main() -> None:
    bench = open_bench("tables", __doc__, add_options)
    seeds = [0] if bench.smoke else numbers(bench.options.seeds)
    summary = {name: summarise(runs) for name, runs in run_all(bench, seeds).items()}
    targets = []
    for name, found in summary.items():
        low = found["pooled"]["LightGBM"]["low"]
        value = found["pooled"]["network"]["value"]
        targets.append(Target(f"{name}: the network's {found['metric']} over the low end of LightGBM's interval",
                              None if low is None else value - low, ">=", 0.0))  # fmt: skip
    bench.settings = {"split": "80/10/10 by hash, another for each seed", "budget": "the task's default",
                      "intervals": "pooled: 95 % bootstrap over rows of the table; by seed: Student's t"}  # fmt: skip
    bench.finish(summary, targets, seeds=seeds, packages=["scikit-learn", "lightgbm"], hidden=_BULKY)


if __name__ == "__main__":
    main()
