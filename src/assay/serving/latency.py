"""How long answers take, from decoded inputs to outputs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.serving.predictor import Predictor

_TIMES, _FEWEST, _ENOUGH_S = 30, 5, 4.0
_BATCH = 64


@dataclass(frozen=True)
class Latency:
    """Seconds for one unit alone, and for each of many."""

    alone_s: float
    each_s: float


def latencies(predictors: list[Predictor], samples: Samples, units: np.ndarray[Any, Any]) -> list[Latency]:
    """The medians of each predictor, asked in turn, so that what else the machine does is shared by all."""
    alone, many = samples.view_of(units[:1]), samples.view_of(units[:_BATCH])
    taken: list[tuple[list[float], list[float]]] = [([], []) for _ in predictors]
    for predictor in predictors:  # warm up
        predictor.outputs(alone)
    begun = time.perf_counter()
    for turn in range(_TIMES):
        if turn >= _FEWEST and time.perf_counter() - begun > _ENOUGH_S * len(predictors):
            break
        for predictor, (one, each) in zip(predictors, taken, strict=True):
            start = time.perf_counter()
            predictor.outputs(alone)
            one.append(time.perf_counter() - start)
            if turn < _FEWEST:
                start = time.perf_counter()
                predictor.outputs(many)
                each.append((time.perf_counter() - start) / max(1, len(many)))
    return [Latency(statistics.median(one), statistics.median(each)) for one, each in taken]
