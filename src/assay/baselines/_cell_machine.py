"""A kernel machine over features of places that gives shares of classes.

Shapes: N rows, P features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.arrays import softmax
from assay.baselines._fitting import Clock, hold_out
from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json
from assay.baselines.kernel_machine import KernelMachine, fit_kernel_machine
from assay.evaluation.metrics import class_losses

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Machine:
    """Standardises features and scores classes.

    Attributes:
        mean, deviation: (P,) of the training rows.
        machine: scores (N, C).
        steepness: how steeply scores become shares.
    """

    mean: Array
    deviation: Array
    machine: KernelMachine
    steepness: float

    def shares(self, rows: Array) -> Array:
        """(N, P) to (N, C), each row summing to 1."""
        scaled = ((rows - self.mean) / self.deviation).astype(np.float32)
        return softmax(self.steepness * self.machine.scores(scaled).astype(float))

    def save(self, folder: Path) -> None:
        """Write it as numbers."""
        made = self.machine
        arrays = {"mean": self.mean, "deviation": self.deviation, "centres": made.centres, "weights": made.weights}
        write_arrays(folder / "svm.npz", {**arrays, "offset": made.offset})
        write_json(folder / "svm.json", {"gamma": made.gamma, "steepness": self.steepness})

    @staticmethod
    def load(folder: Path, features: int, classes: int) -> Machine:
        """Read it back; raises `RunError` where it is damaged or of another size."""
        path = folder / "svm.npz"
        numbers = read_json(folder / "svm.json", gamma=float, steepness=float)
        require(bool(np.isfinite(list(numbers.values())).all()), folder / "svm.json", "a bad number")
        got = read_arrays(path, mean=1, deviation=1, centres=2, weights=2, offset=1)
        require(
            len(got["mean"]) == len(got["deviation"]) == got["centres"].shape[1] == features, path, "sizes do not fit"
        )
        require(bool((got["deviation"] > 0).all()), path, "a bad number")
        require(got["weights"].shape == (len(got["centres"]), classes), path, "sizes do not fit")
        require(len(got["offset"]) == classes, path, "another number of classes")
        machine = KernelMachine(got["centres"], got["weights"], got["offset"], numbers["gamma"])
        return Machine(got["mean"], got["deviation"], machine, numbers["steepness"])


def fitted_machine(
    rows: Array, labels: Array, classes: int, aside: Array, answers: Array, clock: Clock, seed: int
) -> Machine:
    """Fit on rows (N, P) with labels (N,), choosing by the log loss of other rows, or of some of these set aside."""
    if len(np.unique(answers)) < 2:
        kept, spare = hold_out(len(rows), seed)
        aside, answers, rows, labels = rows[spare], labels[spare], rows[kept], labels[kept]
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-4
    prepared = ((aside - mean) / deviation).astype(np.float32)
    wanted = 2.0 * np.eye(classes)[labels] - 1

    def judge(scores: Array) -> tuple[float, float]:
        shares = softmax(4.0 * scores.astype(float))
        return -float(class_losses(shares, answers).mean()), float((shares.argmax(axis=1) == answers).mean())

    machine, _ = fit_kernel_machine(
        ((rows - mean) / deviation).astype(np.float32), wanted, prepared, judge, clock, seed
    )
    tried = np.geomspace(0.5, 16, 26)
    scores = machine.scores(prepared).astype(float)
    losses = [class_losses(softmax(one * scores), answers).mean() for one in tried]
    return Machine(mean, deviation, machine, float(tried[int(np.argmin(losses))]))
