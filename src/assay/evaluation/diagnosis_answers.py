"""What a user reads about a unit's scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation import diagnosis


@dataclass(frozen=True)
class Diagnosis:
    """What a scan is called, its probability, that of each class, and whether it is flagged at the operating point.

    `score` is how ill it looks: one minus the probability of the class without a finding. `flagged` is null where no
    operating point is known.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    score: float
    flagged: bool | None
    threshold: float | None


def diagnosis_of(output: Any, classes: Sequence[str]) -> Diagnosis:
    """The answer to a unit, from its output with thresholds or without (see `assay.evaluation.diagnosis`)."""
    row = np.asarray(output, float)[None]
    shares = diagnosis.probabilities_of(row, len(classes))[0]
    place = int(diagnosis.called(row, len(classes))[0])
    score, threshold = float(1 - shares[0]), float(diagnosis.thresholds_of(row, len(classes))[1][0])
    known = not np.isnan(threshold)
    return Diagnosis(
        classes[place],
        round(float(shares[place]), 6),
        {name: round(float(share), 6) for name, share in zip(classes, shares, strict=True)},
        round(score, 6),
        bool(score >= threshold) if known else None,
        round(threshold, 6) if known else None,
    )
