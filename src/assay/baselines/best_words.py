"""Several classical recognisers, of which the one with the lowest word error rate on the validation side is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, hold_out, require_fitted
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.errors import DataError, SettingError

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

#: Recordings that are chosen on, at most.
_MOST_CHOSEN_ON = 60


class BestWords(Baseline):
    """See the module; after `fit` or `load` its name and what it says of itself are those of the one that was kept.

    One that can learn nothing from the recordings (`DataError`), such as PocketSphinx where it has no pronunciation of
    any word, is passed over; where there is no validation side, a tenth of the training side is judged by instead.

    Args:
        language: of the transcripts.
        candidates: fresh recognisers; of equally good ones the earlier is kept.
    """

    name = "the best of several recognisers"
    features = "made by hand"
    reading = "as that of the one that was kept"

    def __init__(self, language: str, candidates: Sequence[Baseline]) -> None:
        if not candidates:
            raise SettingError("no candidate was given to choose from")
        self.language, self.candidates = language, tuple(candidates)
        self._chosen: int | None = None

    def load_libraries(self) -> None:
        """See `Baseline.load_libraries`."""
        for candidate in self.candidates:
            candidate.load_libraries()

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`; raises `DataError` where no candidate can learn anything."""
        from assay.evaluation.transcription_metrics import WordErrorRate

        clock, metric = Clock(budget_s), WordErrorRate(self.language)
        judged = validation
        if not len(validation):
            _, aside = hold_out(len(train), seed)
            judged = train.samples.view_of(train.units[aside])
        judged = judged.sample(_MOST_CHOSEN_ON, seed)
        notes: dict[int, str] = {}
        rates: dict[int, float] = {}
        failed: list[DataError] = []
        for number, candidate in enumerate(self.candidates):
            share_s = max(clock.left_s(), 0.1) / (len(self.candidates) - number)
            try:
                notes[number] = candidate.fit(train, validation, share_s, seed)
            except DataError as error:
                failed.append(error)
                continue
            rate = metric.value(candidate.predict(judged), judged.truths()) if len(judged) else np.nan
            rates[number] = float(np.nan_to_num(rate, nan=np.inf))
        if not rates:
            raise failed[0]
        self._keep(min(rates, key=lambda number: (rates[number], number)))
        table = ", ".join(f"{self.candidates[number].name} {100 * rate:.1f} %" for number, rate in rates.items())
        return f"{notes[require_fitted(self._chosen)]} (chosen by the word error rate on validation: {table})"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return self._kept.predict(view)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return self._kept.respond(batch)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "best.json", {"chosen": require_fitted(self._chosen), "name": self._kept.name})
        self._kept.save(folder / "best")

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "best.json"
        place = read_json(path, chosen=int)["chosen"]
        require(0 <= place < len(self.candidates), path, "another number of candidates")
        self.candidates[place].load(folder / "best")
        self._keep(place)

    @property
    def _kept(self) -> Baseline:
        return self.candidates[require_fitted(self._chosen)]

    def _keep(self, place: int) -> None:
        self._chosen = place
        kept = self.candidates[place]
        self.name, self.features = kept.name, kept.features  # type: ignore[misc]
        self.reading, self.hardware = kept.reading, kept.hardware  # type: ignore[misc]
