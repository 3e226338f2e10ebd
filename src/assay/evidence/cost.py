"""What did it take?"""

from __future__ import annotations

import statistics
import time

from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number
from assay.evidence.words import duration, size

QUESTION = "What did it take, and what will it take?"
#: Watts for each busy core, a middle value for laptop and server processors; the energy is an estimate for that reason.
WATTS_PER_CORE = 10.0
#: How often one answer alone is timed, at most and at least, and the seconds after which that is enough.
_TIMES, _FEWEST_TIMES, _ENOUGH_S = 12, 3, 3.0


def find(context: Context) -> Finding:
    """Seconds, energy estimate, memory, latency and bytes."""
    latency = _latency(context)
    cores = _cores()
    energy = context.fit_seconds * cores * WATTS_PER_CORE / 3600
    each = context.shown.seconds / max(len(context.shown), 1)
    takes = f"one answer takes {duration(latency)} alone and {duration(each)} in batches"
    if context.task.in_loop(context.spec):
        takes = f"a rollout takes {duration(each)}"
    verdict = (
        f"Trained in {duration(context.fit_seconds)} on {cores} core{'s' if cores > 1 else ''}; {takes}; "
        f"{size(context.model_bytes)} on disk."
    )
    numbers = {
        "training": Number(round(context.fit_seconds, 3), unit="s"),
        "energy estimate": Number(round(energy, 4), unit="Wh"),
        "one answer alone": Number(round(1000 * latency, 4), unit="ms"),
        "one answer in batches": Number(round(1000 * each, 4), unit="ms"),
        "on disk": Number(context.model_bytes, unit="bytes"),
        "peak memory": Number(context.peak_memory_bytes or None, unit="bytes"),
    }
    certainty = f"Measured here; energy assumes {WATTS_PER_CORE:.0f} W for each busy core, of which there were {cores}."
    return Finding("cost", QUESTION, "good", verdict, numbers, (_times(context),), "", certainty)


def _times(context: Context) -> Figure:
    """What took how long."""
    rows = [{"label": "training", "value": context.fit_seconds}]
    if context.baseline is not None:
        rows.append({"label": f"training of {context.baseline.model.name}", "value": context.baseline.fit_seconds})
    rows.append({"label": f"answering {len(context.shown):,} samples", "value": context.shown.seconds})
    return Figure("bars", "Where the time went", {"rows": rows, "x": "seconds", "unit": "s"})


def _cores() -> int:
    """How many cores PyTorch keeps busy."""
    import torch

    return torch.get_num_threads()


def _latency(context: Context) -> float:
    """The median seconds for one unit alone, from its decoded form to its output, after warming up."""
    view = context.samples.view_of(context.shown.units[:1])
    taken: list[float] = []
    while len(taken) < _TIMES and (len(taken) < _FEWEST_TIMES or sum(taken) < _ENOUGH_S):
        begun = time.perf_counter()
        context.predictor.outputs(view)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[2:])
