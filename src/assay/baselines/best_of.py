"""Several classical models, of which the one that is best on the validation side stands for the field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, doubt, known, require_fitted, score
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.errors import SettingError

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target


class BestOf(Baseline):
    """Fits each candidate in its share of the time and keeps the best by the target's primary metric on validation.

    After `fit` or `load` its name, features, reading and hardware are those of the one that was kept.

    Args:
        target: what is predicted.
        candidates: fresh baselines; where two are equally good the one with the smaller loss, then the earlier, wins.
    """

    name = "the best of several"
    features = "made by hand"
    reading = "as that of the one that was kept"

    def __init__(self, target: Target, candidates: Sequence[Baseline]) -> None:
        if not candidates:
            raise SettingError("no candidate was given to choose from")
        self.target, self.candidates = target, tuple(candidates)
        self._chosen: int | None = None

    @property
    def chosen(self) -> Baseline:
        """The candidate that was kept."""
        return self.candidates[require_fitted(self._chosen)]

    def load_libraries(self) -> None:
        """See `Baseline.load_libraries`."""
        for candidate in self.candidates:
            candidate.load_libraries()

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

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return self.chosen.predict(view)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return self.chosen.respond(batch)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        chosen = self.chosen
        write_json(folder / "best.json", {"chosen": self.candidates.index(chosen), "name": chosen.name})
        chosen.save(folder / "best")

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "best.json"
        place = read_json(path, chosen=int)["chosen"]
        require(0 <= place < len(self.candidates), path, "another number of candidates")
        self.candidates[place].load(folder / "best")
        self._keep(place)

    def _keep(self, place: int) -> None:
        self._chosen = place
        kept = self.candidates[place]
        self.name, self.features = kept.name, kept.features  # type: ignore[misc]
        self.reading, self.hardware = kept.reading, kept.hardware  # type: ignore[misc]
