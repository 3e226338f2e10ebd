"""What classical recognisers of speech have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.transcripts import Heard

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

_AT_ONCE = 16


def short_ones(view: View, count: int, seed: int) -> View:
    """Some recordings of one window each, to choose on: how long a view of them takes is bounded."""
    windows = np.bincount(view.samples.unit, minlength=len(view.samples.side))[view.units]
    return view.samples.view_of(view.units[windows == 1]).sample(count, seed)


def unit_outputs(view: View, respond: Callable[[Any], Values]) -> list[Heard]:
    """What is heard in each unit of a view: of its windows, one after the other."""
    parts = [part for batch in view.batches(_AT_ONCE) for part in respond(batch)]
    counts = np.bincount(view.samples.unit, minlength=len(view.samples.side))[view.units]
    ends = np.cumsum(counts).tolist()
    return [Heard.joined(parts[end - count : end]) for end, count in zip(ends, counts.tolist(), strict=True)]
