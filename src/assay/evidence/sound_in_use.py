"""How a network for commands does while it listens: recall beside false alarms an hour, on streams of the test side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.evaluation.command_thresholds import TOLERANCE_S
from assay.evaluation.false_alarms import rates
from assay.evaluation.settled_listening import NewEar, streams_of, traced
from assay.evidence.finding import Number
from assay.task_parts import InUse

if TYPE_CHECKING:
    from assay.samples.samples import View
    from assay.serving.listening import Hearing


def sound_in_use(ear: NewEar, classes: Sequence[str], other: int | None, hearing: Hearing, view: View) -> InUse | None:
    """Words that are heard in time, and false alarms an hour with their exact bound; None where no command is there.

    Args:
        ear: gives the trained network's for a new stream.
        classes: names of the C classes.
        other: the number of that of no command; None where there is none.
        hearing: with the thresholds that were settled on the validation side.
        view: the test side, a window a unit, its fields `sound` and `target`.
    """
    streams = streams_of(view, classes, other, hearing)
    if streams is None:
        return None
    silent = [] if other is None else [classes[other]]
    said, unsaid = (traced(ear, classes, silent, hearing, one) for one in (streams.said, streams.unsaid))
    found = rates([said], classes, silent, hearing, TOLERANCE_S)
    alarms = rates([unsaid], classes, silent, hearing, TOLERANCE_S)
    minutes = 60 * alarms.hours
    numbers = {
        "words heard in a stream": Number(found.recall, found.recall_low, found.recall_high, "%"),
        "false alarms": Number(alarms.per_hour, 0.0, alarms.per_hour_high, "an hour"),
        "sound without commands": Number(minutes, unit="minutes"),
    }
    sounds = "sounds of no command" if streams.recorded else "noise and scrambled clips, as no other sounds were given"
    words = (
        f"Listening to streams of test clips it hears {found.found} of {found.spoken} words within {TOLERANCE_S:g} s, "
        f"and gives {alarms.false_alarms} false alarms in {minutes:.1f} minutes of {sounds}: "
        f"at most {_rounded_up(alarms.per_hour_high)} an hour."
    )
    certainty = (
        "The bound of false alarms is the exact one-sided 95 % bound of a Poisson count; "
        "less than one an hour takes three hours without any."
    )
    return InUse(words, numbers, certainty)


def _rounded_up(rate: float) -> str:
    """A bound with two digits, never below what it is."""
    step = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return f"{math.ceil(rate / step - 1e-9) * step:.10g}"
