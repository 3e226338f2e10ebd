"""Several classical models, of which the one that is best on the validation side stands for the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.baselines._fitting import Clock, doubt, known, score
from assay.baselines.one_of import OneOf

if TYPE_CHECKING:
    from assay.baselines.baseline import Baseline
    from assay.samples.samples import View
    from assay.targets.target import Target


class BestOf(OneOf):
    """Fits each candidate in its share of the time and keeps the best by the target's primary metric on validation.

    Args:
        target: what is predicted.
        candidates: fresh baselines; where two are equally good the one with the smaller loss, then the earlier, wins.
    """

    name = "the best of several"

    def __init__(self, target: Target, candidates: Sequence[Baseline]) -> None:
        super().__init__(candidates)
        self.target = target

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        places, truths = known(self.target, validation)
        ratings: list[tuple[float, float]] = []
        notes: list[str] = []
        for number, candidate in enumerate(self.candidates):
            share_s = max(clock.left_s(), 0.1) / (len(self.candidates) - number)
            notes.append(candidate.fit(train, validation, share_s, seed))
            outputs = np.asarray(candidate.predict(validation))[places] if len(places) else np.zeros(0)
            ratings.append((score(self.target, outputs, truths), -doubt(self.target, outputs, truths)))
        self._keep(max(range(len(ratings)), key=lambda place: (ratings[place], -place)))
        if not len(places):
            return f"{notes[0]} (the first, as no validation sample could choose)"
        metric = self.target.metrics()[0].name
        table = ", ".join(f"{one.name} {rate[0]:.3f}" for one, rate in zip(self.candidates, ratings, strict=True))
        return f"{notes[self.candidates.index(self.chosen)]} (chosen by validation {metric}: {table})"
