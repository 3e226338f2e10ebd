"""Runs compared on the same test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate, difference, estimate
from assay.evaluation.metrics import Values
from assay.model import Model
from assay.planning import samples_again
from assay.progress import Progress
from assay.run import RunFolder
from assay.samples.split import TEST


def compare_runs(paths: Sequence[Path]) -> dict[str, Any]:
    """The primary metric of each run, and of each against the first, on the test samples that all have.

    Raises:
        RunError: a run that is not complete, or whose data has changed.
        DataError: a run's data is not where it was.
        SettingError: runs of different tasks or targets, or without a test sample in common.
    """
    models = [Model(RunFolder.open(path)) for path in paths]
    names = {model.task.name for model in models}
    if len(names) > 1:
        told = ", ".join(sorted(names))
        raise SettingError(f"these runs are of different tasks: {told}", "Compare runs of one task on the same data.")
    sides = _shared([_test_answers(model) for model in models])
    first, metric = sides[0], models[0].task.metrics(models[0].spec)[0]
    rows = [
        {"run": str(path), **vars(estimate(metric, side.outputs, first.truths, first.groups))}
        for path, side in zip(paths, sides, strict=True)
    ]
    gains = []
    for path, side in zip(paths[1:], sides[1:], strict=True):
        found = difference(metric, side.outputs, first.outputs, first.truths, first.groups)
        gains.append({"first": str(paths[0]), "second": str(path), **vars(found), "verdict": _verdict(found)})
    return {
        "format": 1,
        "task": models[0].task.name,
        "metric": metric.name,
        "samples": len(first),
        "runs": rows,
        "differences": gains,
    }


def _verdict(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return "tie"
    return "better" if gain.low > 0 else "worse" if gain.high < 0 else "tie"


def _shared(asked: Sequence[tuple[list[str], Evaluation]]) -> list[Evaluation]:
    """The answers about the samples that all runs have, in one order."""
    order = sorted(set(asked[0][0]).intersection(*(ids for ids, _ in asked[1:])))
    if not order:
        raise SettingError(
            "these runs have no test sample in common", "Train them on the same data with the same --split-seed."
        )
    sides = []
    for ids, evaluation in asked:
        places = {name: place for place, name in enumerate(ids)}
        sides.append(evaluation.only(np.asarray([places[name] for name in order])))
    if any(not _same(side.truths, sides[0].truths) for side in sides[1:]):
        raise SettingError("these runs do not predict the same target", "Train them on the same data and --target.")
    return sides


def _same(first: Values, second: Values) -> bool:
    """Whether truths are equal, be they arrays or objects of any kind."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    return all(_equal(one, other) for one, other in zip(first, second, strict=True))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other)


def _test_answers(model: Model) -> tuple[list[str], Evaluation]:
    """The ids and answers of a run's own test side, asked again."""
    view = samples_again(model.run, model.task, model.spec, Progress()).view(TEST)
    return view.ids(), model.task.evaluate(model.predictor, view)
