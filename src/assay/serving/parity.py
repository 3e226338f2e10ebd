"""How an export answers beside the network that it was made of, on the same samples.

Shapes: U units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate, difference

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.serving.onnx_graph import OnnxGraph
    from assay.serving.predictor import Predictor
    from assay.task_export import Step

Array = np.ndarray[Any, Any]
#: Numbers in answers may differ by this share: in float, and in int8, whose numbers are rounded on purpose.
FLOAT, INT8 = 1e-3, 0.05
#: Equal answers that a float export has to have, and what of a metric int8 may lose: of shares, of what is none.
LEAST_EQUAL, MOST_LOST = 0.999, 0.005
#: Calls of each graph whose outputs are compared number by number.
_CALLS = 8


@dataclass(frozen=True)
class Parity:
    """What was found.

    Attributes:
        metric: the primary one.
        trained: its value for the network.
        exported: for the export.
        difference: of the two, paired; positive where the export is better. Of a share or rate in shares, of any other
            metric as a share of the network's value.
        unit: what a hundredth of the difference is: "points", or "%" of the network's value.
        equal: the share of answers that are equal.
        answers: how many were compared.
        largest: the largest difference of a number that a graph gives, in units of that output's deviation.
    """

    metric: str
    trained: float
    exported: float
    difference: Estimate
    equal: float
    answers: int
    largest: float
    unit: str = "points"

    @property
    def lost(self) -> float:
        """What of the metric is lost, as `difference` is told.

        All of it where the export has no value of it: answers that are no numbers. Where the network has none either,
        such as on a test side of one class, nothing is known to be lost as long as answers are equal.
        """
        if math.isfinite(self.difference.value):
            return max(0.0, -self.difference.value)
        return 0.0 if not math.isfinite(self.trained) and self.equal >= LEAST_EQUAL else math.inf


def compared(
    predictor: Predictor, exported: Predictor, view: View, steps: Sequence[Step], tolerance: float,
    trained: Evaluation | None = None,
) -> tuple[Parity, Evaluation]:  # fmt: skip
    """An export beside its network on the units of a view; also what the network answered, for the next comparison.

    Args:
        predictor: answers by the network.
        exported: answers by the export.
        view: labelled units that neither has learned from.
        steps: what the graphs were made of.
        tolerance: of numbers in answers.
        trained: the network's answers, where they are known.
    """
    task, spec = predictor.task, predictor.spec
    metric = task.metrics(spec)[0]
    trained = trained or task.evaluate(predictor, view)
    graphs = graphs_of(exported)
    for graph in graphs.values():
        graph.noting, graph.calls = _CALLS, []
    other = task.evaluate(exported, view)
    found = difference(metric, other.outputs, trained.outputs, trained.truths, trained.groups)
    equal = _equal(predictor, exported, view, trained, other, tolerance)
    first, second = (one.measure(metric).value for one in (trained, other))
    scale = 1.0 if metric.in_per_cent else max(abs(first), 1e-12)
    shown = Estimate(*(None if one is None else one / scale for one in (found.value, found.low, found.high)))  # type: ignore[arg-type]
    largest = max((largest_difference(step, graphs[step.name]) for step in steps), default=0.0)
    unit = "points" if metric.in_per_cent else "%"
    return Parity(metric.name, first, second, shown, float(np.mean(equal)), len(equal), largest, unit), trained


def graphs_of(exported: Predictor) -> Mapping[str, OnnxGraph]:
    """The graphs by which an exported predictor answers."""
    network: Any = exported.network
    graphs: Mapping[str, OnnxGraph] = network.graphs
    return graphs


def _equal(
    predictor: Predictor, exported: Predictor, view: View, trained: Evaluation, other: Evaluation, tolerance: float
) -> Array:
    """(U,) which answers are equal; in a closed loop, where rides drift apart, those about the windows of the view."""
    task, spec = predictor.task, predictor.spec
    pairs = zip(trained.outputs, other.outputs, strict=True)
    if task.in_loop(spec):
        batches = [batch for batch in view.batches(256)]
        both = [zip(predictor.respond(batch), exported.respond(batch), strict=True) for batch in batches]
        return np.asarray([np.allclose(*pair, rtol=tolerance, atol=tolerance) for one in both for pair in one])
    return np.asarray([task.agree(one, two, spec, tolerance) for one, two in pairs])


def largest_difference(step: Step, graph: OnnxGraph) -> float:
    """Of the numbers that a graph gave in the calls that were noted, beside those of the step's module."""
    worst = 0.0
    for fed, given in graph.calls:
        for ours, theirs in zip(module_outputs(step, fed), given, strict=True):
            worst = max(worst, apart(ours, theirs))
    return worst


def module_outputs(step: Step, fed: Mapping[str, Array]) -> tuple[Array, ...]:
    """What the step's module gives for what its graph was fed."""
    import torch

    with torch.inference_mode():
        tensors = [torch.from_numpy(np.array(fed[name])) if name in fed else like for name, like in step.inputs.items()]
        found = step.module(*tensors)
    return tuple(one.numpy() for one in (found if isinstance(found, tuple) else (found,)))


def apart(ours: Array, theirs: Array) -> float:
    """The largest difference of two arrays, in units of the first one's deviation; infinite where only one is finite.

    Numbers beyond a billion deviations' worth (masks that stand for "never") count as infinite ones do: only by where
    they are.
    """
    if ours.shape != theirs.shape:
        return math.inf
    if not ours.size:
        return 0.0
    one, two = ours.astype(np.float64), theirs.astype(np.float64)
    real, other = np.isfinite(one) & (np.abs(one) < 1e9), np.isfinite(two) & (np.abs(two) < 1e9)
    if not np.array_equal(real, other):
        return math.inf
    if not real.any():
        return 0.0
    scale = max(float(one[real].std()), 1e-3 * float(np.abs(one[real]).max()), 1e-12)
    return float(np.abs(one[real] - two[real]).max() / scale)
