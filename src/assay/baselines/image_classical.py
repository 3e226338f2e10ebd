"""The best classical recogniser of images that fits the time: gradients and colours with a Gaussian kernel machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import sigmoid, softmax
from assay.baselines._fitting import Clock, doubt, hold_out, known, require_fitted, require_training, score
from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json
from assay.baselines.baseline import Baseline
from assay.baselines.image_features import ImageFeatures, Projection, fit_projection
from assay.baselines.kernel_machine import Judge, KernelMachine, fit_kernel_machine

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
_COMPONENTS = 320
_PROJECTION_ROWS = 4096


class HogSvm(Baseline):
    """Histograms of oriented gradients and colours, and a support vector machine with a Gaussian kernel.

    Takes the field `image`, (N, C, H, W) uint8 or uint16. See `ImageFeatures` and `KernelMachine` for the parts.

    Args:
        target: what is predicted.
    """

    name = "HOG with a least-squares SVM"
    features = "made by hand"
    reading = "which training images an image resembles in its edges and colours"

    def __init__(self, target: Target) -> None:
        self.target = target
        self._fitted: tuple[ImageFeatures, Projection, KernelMachine] | None = None
        self._steepness, self._shift = 1.0, 0.0

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        places, truths = known(self.target, train)
        require_training(len(places))
        units = train.samples.view_of(train.units[places])
        describe, projection, count = _prepare(units, clock, seed)
        drawn = np.random.default_rng(seed).permutation(len(units))[:count]
        rows = _rows(units.samples.view_of(units.units[drawn]), describe, projection, clock.left_s(0.5))
        truths = truths[drawn[: len(rows)]]
        aside, answers = self._aside(validation, describe, projection, max(64, count // 5), seed)
        spare = np.zeros(0, np.int64)
        if not len(answers):
            kept, spare = hold_out(len(rows), seed)
            aside, answers, rows, truths = rows[spare], truths[spare], rows[kept], truths[kept]
        machine, note = fit_kernel_machine(rows, self._wanted(truths), aside, self._judge(answers), clock, seed)
        self._fitted = (describe, projection, machine)
        self._calibrate(machine.scores(aside), answers)
        return note if len(drawn) == len(units) == len(rows) + len(spare) else f"{note}, out of {len(units)}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        describe, projection, machine = require_fitted(self._fitted)
        rows = _rows(view, describe, projection)
        return self._outputs(machine.scores(rows), self._steepness, self._shift)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        describe, projection, machine = require_fitted(self._fitted)
        arrays = {"mean": projection.mean, "axes": projection.axes, "centres": machine.centres}
        write_arrays(folder / "svm.npz", {**arrays, "weights": machine.weights, "offset": machine.offset})
        numbers = {"scale": describe.scale, "gamma": machine.gamma, "steepness": self._steepness, "shift": self._shift}
        write_json(folder / "svm.json", numbers)

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "svm.npz"
        numbers = read_json(folder / "svm.json", scale=float, gamma=float, steepness=float, shift=float)
        require(all(np.isfinite(list(numbers.values()))) and numbers["scale"] > 0, folder / "svm.json", "a bad number")
        got = read_arrays(path, mean=1, axes=2, centres=2, weights=2, offset=1)
        require(got["axes"].shape == (len(got["mean"]), got["centres"].shape[1]), path, "sizes do not fit")
        require(got["weights"].shape == (len(got["centres"]), len(got["offset"])), path, "sizes do not fit")
        require(len(got["offset"]) == self.target.outputs, path, "another number of outputs than the target has")
        machine = KernelMachine(got["centres"], got["weights"], got["offset"], numbers["gamma"])
        self._fitted = (ImageFeatures(numbers["scale"]), Projection(got["mean"], got["axes"]), machine)
        self._steepness, self._shift = numbers["steepness"], numbers["shift"]

    def _aside(
        self, view: View, describe: ImageFeatures, projection: Projection, count: int, seed: int
    ) -> tuple[Array, Array]:
        """The validation rows (V, P) and their truths, at most `count`."""
        part = view.sample(count, seed)
        places, truths = known(self.target, part)
        if not len(places):
            return np.zeros((0, projection.axes.shape[1]), np.float32), truths
        return _rows(part, describe, projection)[places], truths

    def _wanted(self, truths: Array) -> Array:
        """What the machine's scores (N, O) should be."""
        if self.target.kind == "class":
            return np.asarray(2.0 * np.eye(self.target.outputs)[truths] - 1)
        if self.target.kind == "labels":
            return 2.0 * truths - 1
        return np.asarray((truths[:, None] - self._centre()) / self._spread())

    def _centre(self) -> float:
        return float(getattr(self.target, "mean", 0.0))

    def _spread(self) -> float:
        return float(getattr(self.target, "deviation", 1.0))

    def _outputs(self, scores: Array, steepness: float, shift: float) -> Array:
        """Scores (N, O) as the target's outputs."""
        if self.target.kind == "class":
            return softmax(steepness * scores.astype(float))
        if self.target.kind == "labels":
            return sigmoid(steepness * scores + shift)
        return np.asarray(scores[:, 0].astype(float) * self._spread() + self._centre())

    def _judge(self, answers: Array) -> Judge:
        """What rates the scores (V, O) of the rows set aside; the metric first, then the loss."""

        def judge(scores: Array) -> tuple[float, float]:
            outputs = self._outputs(scores, 4.0, 0.0)
            return score(self.target, outputs, answers), -doubt(self.target, outputs, answers)

        return judge

    def _calibrate(self, scores: Array, answers: Array) -> None:
        """Choose how steeply scores become probabilities: the smallest log loss on the validation side."""
        if self.target.kind == "number" or not len(answers):
            return
        shifts = np.linspace(-1.5, 1.5, 13) if self.target.kind == "labels" else np.zeros(1)
        pairs = [(steepness, shift) for steepness in np.geomspace(0.5, 16, 26) for shift in shifts]
        losses = [doubt(self.target, self._outputs(scores, *pair), answers) for pair in pairs]
        self._steepness, self._shift = (float(number) for number in pairs[int(np.argmin(losses))])


def _prepare(units: View, clock: Clock, seed: int) -> tuple[ImageFeatures, Projection, int]:
    """Learn how to describe images from some of them, and how many of all the time allows to describe."""
    first = units.sample(64, seed).array("image")
    begun = clock.spent_s
    ImageFeatures(1.0).rows(first)
    affordable = max(64, int(0.3 * clock.budget_s * len(first) / max(clock.spent_s - begun, 1e-4)))
    images = units.sample(min(_PROJECTION_ROWS, max(64, affordable // 4)), seed).array("image")
    describe = ImageFeatures(float(images.max(initial=0)) or 1.0)
    begun = clock.spent_s
    rows = describe.rows(images)
    per_image_s = (clock.spent_s - begun) / len(images)
    projection = fit_projection(rows, describe.groups(images.shape[1:]), _COMPONENTS, seed)
    count = max(64, int(0.35 * clock.budget_s / max(per_image_s, 1e-7)))
    return describe, projection, min(count, len(units))


def _rows(view: View, describe: ImageFeatures, projection: Projection, limit_s: float = np.inf) -> Array:
    """The projected features (N, P) of a view's images, piece by piece; of its first ones where the time runs out."""
    clock, pieces = Clock(limit_s), []
    for images in view.field("image"):
        pieces.append(projection(describe.rows(images)))
        if clock.left_s() < 0:
            break
    return np.concatenate(pieces) if pieces else np.zeros((0, projection.axes.shape[1]), np.float32)
