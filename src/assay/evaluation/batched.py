"""Evaluation by batches: the default of every task that is not closed-loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.metrics import Values
from assay.samples.samples import View

if TYPE_CHECKING:
    from assay.serving.predictor import Answering


def evaluate_batches(predictor: Answering, view: View) -> Evaluation:
    """Predict every unit of a view and put its truth beside it."""
    begun = time.perf_counter()
    outputs = predictor.outputs(view)
    return evaluation_of(outputs, view, time.perf_counter() - begun)


def evaluation_of(outputs: Values, view: View, seconds: float) -> Evaluation:
    """An evaluation of outputs that somebody else made, such as a baseline; empty where the view is."""
    if not len(view):
        return Evaluation(view.units, [], [], view.groups(), np.zeros(0), seconds)
    truths = view.truths()
    losses = view.samples.task.losses(outputs, truths, view.samples.spec)
    return Evaluation(view.units, outputs, truths, view.groups(), losses, seconds)
