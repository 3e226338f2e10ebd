"""What evaluating gives: the answers for a set of units beside their truths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.metrics import Metric, Values

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Evaluation:
    """Outputs and truths of U units.

    Attributes:
        units: (U,) int64, the units' numbers among the samples.
        outputs: the merged output of each unit.
        truths: the truth of each unit.
        groups: (U,) int64, which units belong together.
        losses: (U,) how wrong each output is.
        seconds: what predicting took.
    """

    units: Array
    outputs: Values
    truths: Values
    groups: Array
    losses: Array
    seconds: float

    def __len__(self) -> int:
        return len(self.units)

    def measure(self, metric: Metric) -> Estimate:
        """A metric over these units, with its interval."""
        return estimate(metric, self.outputs, self.truths, self.groups)

    def only(self, rows: Array) -> Evaluation:
        """Some of the units: (U',) positions or (U,) bool; `seconds` stays that of all."""
        places = np.arange(len(self))[rows]

        def pick(values: Values) -> Values:
            return values[places] if isinstance(values, np.ndarray) else [values[place] for place in places]

        return Evaluation(
            self.units[places],
            pick(self.outputs),
            pick(self.truths),
            self.groups[places],
            self.losses[places],
            self.seconds,
        )
