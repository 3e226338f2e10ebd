"""Runs compared on the same test samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import RunError, SettingError
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import difference, estimate
from assay.flow import prepare
from assay.model import Model
from assay.run import RunFolder
from assay.samples.samples import build_samples
from assay.samples.split import TEST
from assay.sources.source import DataOptions


def compare_runs(paths: Sequence[Path]) -> dict[str, Any]:
    """The primary metric of each run, and of each against the first, on the test samples that all have.

    Raises:
        RunError: a run whose data is gone or has changed.
        SettingError: runs of different tasks, or without a test sample in common.
    """
    models = [Model(RunFolder.open(path)) for path in paths]
    names = {model.task.name for model in models}
    if len(names) > 1:
        raise SettingError(f"these runs are of different tasks: {', '.join(sorted(names))}")
    asked = [_test_answers(model) for model in models]
    shared = set(asked[0][0]).intersection(*(ids for ids, _ in asked[1:]))
    if not shared:
        raise SettingError(
            "these runs have no test sample in common", "Train them on the same data with the same --split-seed."
        )
    order = sorted(shared)
    sides = [evaluation.only(np.asarray([ids.index(name) for name in order])) for ids, evaluation in _indexed(asked)]
    if any(not np.array_equal(np.asarray(side.truths), np.asarray(sides[0].truths)) for side in sides[1:]):
        raise SettingError("these runs do not predict the same target", "Train them on the same data and --target.")
    metric = models[0].task.metrics(models[0].spec)[0]
    groups = sides[0].groups
    rows = [
        {"run": str(path), **vars(estimate(metric, side.outputs, side.truths, groups))}
        for path, side in zip(paths, sides, strict=True)
    ]
    gains = []
    for path, side in zip(paths[1:], sides[1:], strict=True):
        found = difference(metric, side.outputs, sides[0].outputs, side.truths, groups)
        better = "tie"
        if found.low is not None and found.high is not None:
            better = "better" if found.low > 0 else "worse" if found.high < 0 else "tie"
        gains.append({"first": str(paths[0]), "second": str(path), **vars(found), "verdict": better})
    return {
        "format": 1,
        "task": models[0].task.name,
        "metric": metric.name,
        "samples": len(order),
        "runs": rows,
        "differences": gains,
    }


class _Places(dict[str, int]):
    """Positions by id, with the list's `index`."""

    def index(self, name: str) -> int:
        return self[name]


def _indexed(asked: Sequence[tuple[list[str], Evaluation]]) -> list[tuple[_Places, Evaluation]]:
    return [(_Places({name: place for place, name in enumerate(ids)}), evaluation) for ids, evaluation in asked]


def _test_answers(model: Model) -> tuple[list[str], Evaluation]:
    """The ids and answers of a run's own test side, asked again."""
    plan = model.run.read(model.run.plan, "source", "data", "task", "fingerprint")
    if plan["source"] is None:
        raise RunError(
            f"{model.run.path} was trained on data in memory, which is gone", "Train from files to compare runs."
        )
    prepared = prepare(plan["source"], DataOptions(**{**plan["data"], "task": plan["task"]}))
    if prepared.records.fingerprint != plan["fingerprint"]:
        raise RunError(f"the data in {plan['source']} has changed since {model.run.path}", "Train again.")
    view = build_samples(model.task, prepared.records, model.spec, prepared.split.side).view(TEST)
    return view.ids(), model.task.evaluate(model.predictor, view)
