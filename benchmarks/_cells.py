"""What the benchmarks of cells share: a training on one fold, and what its answers come to, picture by picture.

Statistics of each picture are kept, so that the figures of all folds are those of all pictures together, and intervals
resample blocks of pictures that belong together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _command import named, train_or_resume
from _common import Bench, Json
from _data import pretrained_folder

Array = np.ndarray[Any, Any]
RESAMPLES = 1000


def trained(source: Path, kept: Path, how: Sequence[object]) -> Json:
    """One `assay train`, quick evidence included, and the statistics of its test pictures.

    Args:
        source: the data with a column `split`.
        kept: the run's folder; a training that was stopped goes on there.
        how: further options of `assay train`.
    """
    with tempfile.TemporaryDirectory() as cache:
        done, wall_s = train_or_resume(kept, source, "--task", "cell-detection", *how, cache=Path(cache))
    summary = done.json
    return {
        "wall_s": wall_s,
        "fit_s": summary["seconds"],
        "network": named(summary["network"]),
        "samples": summary["samples"],
        "metrics": summary["metrics"],
        "baseline": summary["baseline"],
        "statistics": statistics(kept, source, how),
    }


def statistics(run: Path, source: Path, how: Sequence[object]) -> Json:
    """By metric, what is kept of each test picture; the pictures' names under `id`."""
    import assay
    from assay.samples.samples import build_samples
    from assay.samples.split import TEST
    from assay.sources.source import open_source

    model = assay.load(run)
    task, spec = model.task, model.spec
    plan = model.run.read(model.run.plan, "data")
    records = task.read(open_source(source), _options(plan["data"]))
    sides = records.index().column("split").to_pylist()
    side = np.asarray([TEST if one == "test" else -1 for one in sides], np.int8)
    with tempfile.TemporaryDirectory() as folder:
        samples = build_samples(task, records, spec, side, folder=Path(folder) / "samples")
        view = samples.view(TEST)
        found = task.evaluate(model.predictor, view)
        rows: Json = {"id": view.ids()}
        for metric in task.metrics(spec):
            rows[metric.name] = [
                np.asarray(one, float).round(5).tolist() for one in metric.statistics(found.outputs, found.truths)
            ]
    rows["classes"] = list(spec.classes)
    return rows


def _options(data: Mapping[str, Any]) -> Any:
    from assay.sources.source import DataOptions

    return DataOptions(**{name: data[name] for name in ("target", "group", "split", "extra") if name in data})


def pooled(
    folds: Sequence[Json],
    group_of: Callable[[str], object],
    metrics: Sequence[Any],
    only: Callable[[str], bool] | None = None,
) -> Json:
    """By metric the value over all pictures of all folds, with the interval of resampled groups.

    Args:
        folds: what `trained` gave.
        group_of: which group a picture belongs to, by its name.
        metrics: the task's metrics for classes in one order.
        only: which pictures count; None for all.
    """
    names = [name for fold in folds for name in fold["statistics"]["id"]]
    chosen = [place for place, name in enumerate(names) if only is None or only(name)]
    groups = np.unique([str(group_of(names[place])) for place in chosen], return_inverse=True)[1]
    found: Json = {"pictures": len(chosen), "groups": int(groups.max(initial=-1) + 1)}
    if not chosen:
        return found
    for metric in metrics:
        rows = [row for fold in folds for row in fold["statistics"][metric.name]]
        kept = [np.asarray(rows[place], float) for place in chosen]
        of_pairs = metric.name.startswith("auc_")
        values: Any = [one.reshape(-1, 2) for one in kept] if of_pairs else np.stack(kept)
        found[metric.name] = _estimated(metric, values, groups)
    return found


def _estimated(metric: Any, kept: Any, groups: Array) -> Json:
    count = len(groups)
    value = metric.aggregate(kept, np.ones(count))
    number = int(groups.max(initial=-1) + 1)
    if number < 3:
        return {"value": value, "low": None, "high": None}
    random = np.random.default_rng(0)
    drawn = [np.bincount(random.integers(0, number, number), minlength=number)[groups] for _ in range(RESAMPLES)]
    values = [metric.aggregate(kept, weights.astype(float)) for weights in drawn]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return {"value": value, "low": float(low), "high": float(high)}


def asked(bench: Bench, *words: object) -> list[object]:
    """What `assay train` is told for a fold: its own words, and the call's seed, network, budget and settings."""
    options = bench.options
    network = "unet" if bench.smoke else options.network or f"timm/{pretrained_folder().resolve()}"
    how = [*words, "--split", "split", "--seed", options.seed, "--network", network,
           "--budget", "2s" if bench.smoke else options.budget, "--evidence", "quick"]  # fmt: skip
    settings = ["width=8", "levels=3"] if bench.smoke else filter(None, options.settings.split(","))
    return [*how, *(word for item in settings for word in ("--set", item))]
