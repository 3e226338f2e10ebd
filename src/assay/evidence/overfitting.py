"""Did it learn or memorise?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Metric
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import number, spread, title, unit_of

QUESTION = "Did it learn or memorise?"
_FEW = 30


def find(context: Context) -> Finding:
    """The metric on training against unseen samples, and the losses over the steps."""
    metric = context.metric
    train, unseen = context.train, _joined(context)
    own, new = train.measure(metric), unseen.measure(metric)
    sign = 1.0 if metric.higher_is_better else -1.0
    gap = sign * (own.value - new.value)
    half = np.hypot(_half(own), _half(new))
    turned = _turned(context.history)
    kind = _judge(metric, own, new, gap, half, turned, len(unseen), context)
    status, verdict, step = _words(kind, metric, own, new, context)
    unit = unit_of(metric)
    numbers = {
        "training": number(own, unit),
        "unseen": number(new, unit),
        "gap": Number(gap, gap - half, gap + half, unit),
    }
    certainty = f"{len(train):,} training against {len(unseen):,} unseen samples (validation and test)."
    return Finding("overfitting", QUESTION, status, verdict, numbers, (_curves(context.history),), step, certainty)


def _joined(context: Context) -> Evaluation:
    """Validation and test answers together."""
    first, second = context.validation, context.test
    if not len(first) or not len(second):
        return first if len(first) else second
    arrays = isinstance(first.outputs, np.ndarray)
    outputs = np.concatenate([first.outputs, second.outputs]) if arrays else [*first.outputs, *second.outputs]
    truths: Any = [*first.truths, *second.truths]
    truths = np.asarray(truths) if isinstance(first.truths, np.ndarray) else truths
    groups = np.concatenate([first.groups, second.groups + first.groups.max() + 1])
    return Evaluation(
        np.concatenate([first.units, second.units]),
        outputs,
        truths,
        groups,
        np.concatenate([first.losses, second.losses]),
        first.seconds + second.seconds,
    )


def _half(found: Estimate) -> float:
    return 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2


def _judge(
    metric: Metric, own: Estimate, new: Estimate, gap: float, half: float, turned: float, unseen: int, context: Context
) -> str:
    """One of `few`, `overfits`, `underfits`, `fits`.

    It overfits where training samples are answered better than unseen ones by more than chance allows, and by more than
    .05, or by more than .02 while the last validation loss lies a tenth above its lowest. It underfits where it covers
    less than a quarter of the way from guessing to perfect on its own training data.
    """
    if unseen < _FEW:
        return "few"
    floor = context.floor.test.measure(metric).value if context.floor else float("nan")
    best = 1.0 if metric.higher_is_better else 0.0
    if np.isfinite(floor) and abs(own.value - floor) < 0.25 * abs(best - floor):
        return "underfits"
    if gap - half > 0 and (gap > 0.05 or turned > 0.1) and gap > 0.02:
        return "overfits"
    return "fits"


def _turned(history: Any) -> float:
    """By what share the last validation loss lies above the lowest one."""
    losses = [line["validation_loss"] for line in history if line.get("validation_loss") is not None]
    return losses[-1] / min(losses) - 1 if losses and min(losses) > 0 else 0.0


def _words(kind: str, metric: Metric, own: Estimate, new: Estimate, context: Context) -> tuple[Status, str, str]:
    values = f"{title(metric)} {spread(metric, own)} on training samples, {spread(metric, new)} on unseen ones"
    if kind == "few":
        return "unknown", f"Too few unseen samples to say ({values}).", "Collect more data, or --split 60/20/20."
    if kind == "overfits":
        return "watch", f"It memorises more than it learns: {values}.", _remedy(context)
    if kind == "underfits":
        return (
            "act",
            f"It underfits: {values}.",
            "Train for longer (--budget), or with a larger network (--set width=…).",
        )
    return "good", f"It fits well: {values}.", ""


def _remedy(context: Context) -> str:
    """The first setting to change: what is not yet in use, the strongest first."""
    settings: Mapping[str, Any] = vars(context.settings) if hasattr(context.settings, "__dict__") else {}
    if context.plan.augment and not any(context.plan.augment.values()):
        return f"Turn on augmentation: --set augment.{next(iter(context.plan.augment))}=0.5; or collect more data."
    if settings.get("dropout") == 0.0:
        return "Try --set dropout=0.3, or more weight decay; or collect more data."
    return (
        f"Try --set weight_decay={max(0.01, 4 * context.plan.weight_decay):.3g}, a smaller width, or collect more data."
    )


def _curves(history: Any) -> Figure:
    checks = [line for line in history if line.get("validation_loss") is not None]
    steps = [line["step"] for line in checks]
    series = [
        {"label": "validation", "x": steps, "y": [line["validation_loss"] for line in checks]},
        {"label": "training", "x": steps, "y": [line.get("train_sample_loss") for line in checks], "dashed": True},
    ]
    data = {"series": series, "x": "step", "y": "loss"}
    return Figure(
        "lines",
        "Loss on training and validation samples",
        data,
        "Both without augmentation. A validation loss that turns up while training falls is memorising.",
    )
