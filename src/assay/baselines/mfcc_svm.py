"""Statistics of cepstral coefficients over the parts of a word, and a support vector machine with a Gaussian kernel."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import softmax
from assay.baselines._cepstra import COEFFICIENTS, LIBRARIES, affordable, cepstra, learned_from, waves_of
from assay.baselines._fitting import Clock, doubt, require_fitted, score
from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json
from assay.baselines.baseline import Baseline
from assay.baselines.kernel_machine import KernelMachine, fit_kernel_machine

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
#: A word is divided into so many parts of equal length.
_PARTS = 5
_SHARE = 0.4


class MfccSvm(Baseline):
    """Means of cepstral coefficients over five parts of a word and their spread, and a least-squares SVM.

    Takes the field `sound`, (N, T) int16 or float, a window a unit. See `cepstra` and `KernelMachine`.

    Args:
        target: classes.
        rate: values a second, in hertz.
        other: the number of the class that is no command; None where there is none.
    """

    name = "MFCC statistics with a least-squares SVM"
    features = "made by hand"
    libraries = LIBRARIES
    reading = "which training clips a clip resembles in the course of its cepstral coefficients"

    def __init__(self, target: Target, rate: int, other: int | None = None) -> None:
        self.target, self.rate, self.other = target, rate, other
        self._fitted: tuple[Array, Array, KernelMachine] | None = None  # mean (P,), deviation (P,), machine
        self._steepness = 1.0

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        count = affordable(lambda few: self._rows(train.sample(few, seed)), len(train), _SHARE * budget_s)
        sounds, truths, aside, answers = learned_from(self.target, train, validation, self.other, count, seed)
        rows, held = statistics(sounds, self.rate), statistics(aside, self.rate)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-3
        wanted = 2.0 * np.eye(self.target.outputs)[truths] - 1

        def judge(scores: Array) -> tuple[float, float]:
            outputs = softmax(4.0 * scores.astype(float))
            return score(self.target, outputs, answers), -doubt(self.target, outputs, answers)

        prepared = (held - mean) / deviation
        machine, note = fit_kernel_machine((rows - mean) / deviation, wanted, prepared, judge, clock, seed)
        self._fitted = (mean, deviation, machine)
        if len(answers):
            scores, tried = machine.scores(prepared).astype(float), np.geomspace(0.5, 16, 26)
            losses = [doubt(self.target, softmax(one * scores), answers) for one in tried]
            self._steepness = float(tried[int(np.argmin(losses))])
        return note if count == len(train) else f"{note}, out of {len(train):,}"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        mean, deviation, machine = require_fitted(self._fitted)
        rows = (self._rows(view) - mean) / deviation
        return softmax(self._steepness * machine.scores(rows).astype(float))

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        mean, deviation, machine = require_fitted(self._fitted)
        arrays = {"mean": mean, "deviation": deviation, "centres": machine.centres}
        write_arrays(folder / "svm.npz", {**arrays, "weights": machine.weights, "offset": machine.offset})
        write_json(folder / "svm.json", {"gamma": machine.gamma, "steepness": self._steepness})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "svm.npz"
        numbers = read_json(folder / "svm.json", gamma=float, steepness=float)
        require(bool(np.isfinite(list(numbers.values())).all()), folder / "svm.json", "a bad number")
        got = read_arrays(path, mean=1, deviation=1, centres=2, weights=2, offset=1)
        width = got["centres"].shape[1]
        require(len(got["mean"]) == len(got["deviation"]) == width == _width(), path, "sizes do not fit")
        require(bool((got["deviation"] > 0).all()), path, "a bad number")
        require(got["weights"].shape == (len(got["centres"]), len(got["offset"])), path, "sizes do not fit")
        require(len(got["offset"]) == self.target.outputs, path, "another number of outputs than the target has")
        machine = KernelMachine(got["centres"], got["weights"], got["offset"], numbers["gamma"])
        self._fitted = (got["mean"], got["deviation"], machine)
        self._steepness = numbers["steepness"]

    def _rows(self, view: View) -> Array:
        return statistics(waves_of(view), self.rate)


def statistics(sounds: Array, rate: int) -> Array:
    """(N, P) float32 of sounds (N, T): means of the coefficients over five parts, deviations, and how long each is."""
    rows = []
    for frames in cepstra(sounds, rate):
        cuts = np.linspace(0, len(frames), _PARTS + 1)
        spans = [slice(int(low), max(int(np.ceil(high)), int(low) + 1)) for low, high in pairwise(cuts)]
        means = [frames[span].mean(axis=0) for span in spans]
        rows.append(np.concatenate([*means, frames.std(axis=0), [np.log(len(frames))]]))
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, _width()), np.float32)


def _width() -> int:
    return 3 * COEFFICIENTS * (_PARTS + 1) + 1
