"""Several classical recognisers, of which the one with the lowest word error rate on the validation side is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.baselines._fitting import Clock, hold_out, require_fitted
from assay.baselines._recordings import short_ones
from assay.baselines.one_of import OneOf
from assay.errors import DataError

if TYPE_CHECKING:
    from assay.baselines.baseline import Baseline
    from assay.samples.samples import View

#: Recordings that are chosen on, at most.
_MOST_CHOSEN_ON = 60


class BestWords(OneOf):
    """See the module.

    One that can learn nothing from the recordings (`DataError`), such as PocketSphinx where it has no pronunciation of
    any word, is passed over; where there is no validation side, a tenth of the training side is set aside for it.

    Args:
        language: of the transcripts.
        candidates: fresh recognisers; of equally good ones the earlier is kept.
    """

    name = "the best of several recognisers"

    def __init__(self, language: str, candidates: Sequence[Baseline]) -> None:
        super().__init__(candidates)
        self.language = language

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`; raises `DataError` where no candidate can learn anything."""
        from assay.evaluation.transcription_metrics import WordErrorRate

        clock, metric, where = Clock(budget_s), WordErrorRate(self.language), "validation"
        if not len(validation):
            kept, aside = (train.units[some] for some in hold_out(len(train), seed))
            train, validation, where = train.samples.view_of(kept), train.samples.view_of(aside), "a tenth set aside"
        judged = short_ones(validation, _MOST_CHOSEN_ON, seed)
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
        return f"{notes[require_fitted(self._chosen)]} (chosen by the word error rate on {where}: {table})"
