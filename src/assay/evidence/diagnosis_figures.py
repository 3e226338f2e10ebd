"""How a diagnosis does: what is taken for what, the ROC curve with its operating point, the decision curve.

Source of the last: Vickers and Elkin, "Decision curve analysis", Medical Decision Making 26, 2006.

Shapes: U units, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.evaluation.diagnosis import called, scores_of, thresholds_of
from assay.evaluation.evaluation import Evaluation
from assay.evidence.finding import Figure
from assay.samples.scan_spec import ScanSpec

Array = np.ndarray[Any, Any]
_POINTS = np.round(np.arange(0.01, 0.96, 0.01), 2)
_MOST = 200


def diagnosis_figures(evaluation: Evaluation, spec: ScanSpec) -> Sequence[Figure]:
    """How often each class is called what it is, the confusion matrix, and where one is healthy both curves."""
    answered = np.eye(spec.classes)[called(evaluation.outputs, spec.classes)]
    shown = spec.target.figures(replace(evaluation, outputs=answered))
    ill = np.asarray(evaluation.truths, np.int64) != 0
    if not spec.healthy or not ill.any() or ill.all():
        return shown
    scores = scores_of(evaluation.outputs, spec.classes)
    operating = thresholds_of(evaluation.outputs, spec.classes)[1]
    flagged = None if np.isnan(operating).all() else scores >= operating
    return (*shown, _roc(scores, ill, flagged, spec), _decision_curve(scores, ill))


def _roc(scores: Array, ill: Array, flagged: Array | None, spec: ScanSpec) -> Figure:
    """Sensitivity against one minus specificity."""
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.diff(scores[order]) != 0, True]
    sensitivity = np.r_[0.0, np.cumsum(ill[order])[last] / ill.sum()]
    alarms = np.r_[0.0, np.cumsum(~ill[order])[last] / (~ill).sum()]
    some = np.unique(np.linspace(0, len(alarms) - 1, min(len(alarms), _MOST)).round().astype(int))
    series: list[dict[str, Any]] = [
        {"label": "network", "x": alarms[some].tolist(), "y": sensitivity[some].tolist()},
        {"label": "guessing", "x": [0.0, 1.0], "y": [0.0, 1.0], "dashed": True},
    ]
    if flagged is not None:
        point = {"x": [float(flagged[~ill].mean())], "y": [float(flagged[ill].mean())]}
        series.append({"label": "operating point", **point, "loose": True})
    data = {"series": series, "x": "share of the healthy that is flagged", "y": "sensitivity", "unit": "%"}
    wanted = f"{100 * spec.at_sensitivity:g} %"
    text = (
        f"The operating point was chosen on the validation side for a sensitivity of {wanted}; here is what came of it."
    )
    return Figure("lines", "Sensitivity against false alarms (ROC)", data, text if flagged is not None else "")


def net_benefit(scores: Array, ill: Array, at: Array) -> Array:
    """(P,) true finds less false alarms, these weighed by the odds of the probability from which one would treat.

    Args:
        scores: (U,) probabilities of illness.
        ill: (U,) bool.
        at: (P,) probabilities from which on one would treat, below 1.
    """
    treated = scores[None] >= at[:, None]
    found, alarms = (treated & ill).mean(axis=1), (treated & ~ill).mean(axis=1)
    return np.asarray(found - alarms * at / (1 - at))


def _decision_curve(scores: Array, ill: Array) -> Figure:
    own, everybody = net_benefit(scores, ill, _POINTS), net_benefit(np.ones(len(ill)), ill, _POINTS)
    low = -0.1 * float(ill.mean())
    shown = [None if value < low else float(value) for value in everybody]
    series = [
        {"label": "network", "x": _POINTS.tolist(), "y": [None if value < low else float(value) for value in own]},
        {"label": "treat all", "x": _POINTS.tolist(), "y": shown, "dashed": True},
        {"label": "treat none", "x": _POINTS.tolist(), "y": [0.0] * len(_POINTS), "dashed": True},
    ]
    data = {"series": series, "x": "probability of illness from which one would treat", "y": "net benefit"}
    text = (
        "The network is of use where its line is above both others. Net benefit counts the ill who are found, less the "
        "healthy who are treated, weighed by the odds of the probability from which one would treat."
    )
    return Figure("lines", "Is it of use? (decision curve)", data, text)
