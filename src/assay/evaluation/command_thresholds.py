"""The confidence from which on each command is heard, out of streams that nothing was learned from.

Two things are looked at: how sure the network is of words that are said, and of the same where nobody says them. A few
minutes of sound without commands say little of an hour of it; so a threshold is as high as the words allow.

Shapes: H hops, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.false_alarms import CANDIDATES, Trace, calibrate
from assay.serving.listening import Hearing

Array = np.ndarray[Any, Any]
#: The share of the words that is heard where false alarms allow it, and the one that is heard whatever they say.
_KEPT, _KEPT_AT_LEAST = 0.95, 0.8
#: A command said less often has the threshold of all together.
_FEWEST_WORDS = 10
#: Seconds after a word within which it counts as heard: later is of little use.
TOLERANCE_S = 0.3
_LOWEST, _HIGHEST = 0.2, 0.99


def command_thresholds(
    said: Sequence[Trace], unsaid: Sequence[Trace], classes: Sequence[str], silent: Sequence[str], hearing: Hearing
) -> Hearing:
    """The hearing with a threshold for each command, and one for all that were said too seldom.

    A threshold is the highest at which most of the words are heard; or higher, where streams without commands ask for
    it, but not so high that many words are missed.

    Args:
        said: streams with commands.
        unsaid: streams without any; may be empty.
        classes: the names of the C classes.
        silent: those that are no commands.
        hearing: how the traces were made.
    """
    alarming = _alarming(unsaid, classes, silent, hearing)
    scores = {name: _scores(said, classes, name, hearing) for name in classes if name not in silent}
    whole = np.concatenate([*scores.values(), np.zeros(0)])
    common = _threshold(whole, max(alarming.values(), default=0.0)) if len(whole) else hearing.threshold
    own = {name: _threshold(found, alarming.get(name, 0.0))
           for name, found in scores.items() if len(found) >= _FEWEST_WORDS}  # fmt: skip
    return replace(hearing, threshold=common, thresholds=own)


def _threshold(scores: Array, alarming: float) -> float:
    """Out of how sure the network is of words (N,), and the least threshold that false alarms ask for."""
    most, wanted = np.quantile(scores, [1 - _KEPT_AT_LEAST, 1 - _KEPT], method="lower")
    chosen = np.clip(min(max(wanted, alarming), most), _LOWEST, _HIGHEST)
    return float(np.floor(1e4 * chosen) / 1e4)  # a word that is just sure enough stays so


def _scores(traces: Sequence[Trace], classes: Sequence[str], command: str, hearing: Hearing) -> Array:
    """(N,) for each time that a command is said the highest threshold at which it is decided early enough."""
    hop_s, place = hearing.hop_s, list(classes).index(command)
    found = []
    for one in traces:
        for word in one.spoken:
            if word.command == command:
                first, last = int(word.start_s / hop_s), int((word.end_s + TOLERANCE_S) / hop_s)
                found.append(_in_time(one.smoothed[first:, place], last - first, hearing.held_hops))
    return np.asarray(found)


def _in_time(smoothed: Array, hops: int, held: int) -> float:
    """The highest of the probabilities (H,) whose decision, held while they rise, falls within so many hops."""
    best = 0.0
    for hop, value in enumerate(smoothed[:hops].tolist()):
        if value > best:
            later = smoothed[hop : hop + held + 1]
            falls = np.flatnonzero(np.diff(later) <= 0)
            if hop + (int(falls[0]) + 1 if len(falls) else held) < hops:
                best = value
    return best


def _alarming(
    traces: Sequence[Trace], classes: Sequence[str], silent: Sequence[str], hearing: Hearing
) -> Mapping[str, float]:
    """By command, the lowest threshold that keeps to its share of one false alarm an hour; empty where nothing tells.

    A command that even the highest threshold does not keep to it gets that one.
    """
    commands = [name for name in classes if name not in silent]
    found: dict[str, float] = {}
    for name in commands if traces else ():
        others = [other for other in classes if other != name]
        try:
            found[name] = calibrate(traces, classes, others, hearing, 1 / len(commands))[0].threshold
        except DataError:
            found[name] = CANDIDATES[-1]
    return found
