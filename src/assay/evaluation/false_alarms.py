"""How well commands are heard in streams: recall beside false alarms an hour, and the threshold that a rate asks for.

The network runs once over a stream (`trace`); what another threshold would have heard is replayed from that.

Shapes: H hops, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError, SettingError

if TYPE_CHECKING:
    from assay.serving.listening import Detector, Hearing

Array = np.ndarray[Any, Any]
#: Thresholds that are tried, closer together towards 1, where false alarms end.
CANDIDATES = tuple(float(1 / (1 + np.exp(-x))) for x in np.arange(-1.0, 9.01, 0.1))


@dataclass(frozen=True)
class Spoken:
    """A command that is said in a stream, with seconds from its start."""

    command: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Trace:
    """What a detector made of a whole stream.

    Attributes:
        smoothed: (H, C) float32 smoothed probabilities.
        seconds: how long the stream is.
        spoken: the commands that are said in it; empty where none is.
    """

    smoothed: Array
    seconds: float
    spoken: tuple[Spoken, ...] = ()


@dataclass(frozen=True)
class Rates:
    """How well commands were heard.

    Attributes:
        spoken: how many were said.
        found: how many of them were heard as themselves.
        recall: `found` of `spoken`; NaN where none was said.
        recall_low: its exact 95 % interval (Clopper and Pearson, 1934).
        recall_high: likewise.
        false_alarms: commands that were heard and not said.
        hours: of all streams together.
        per_hour: false alarms an hour.
        per_hour_high: its exact one-sided 95 % upper bound for a Poisson count (Garwood, 1936).
        delays_s: for each that was found, seconds from the end of the word until it was decided.
    """

    spoken: int
    found: int
    recall: float
    recall_low: float
    recall_high: float
    false_alarms: int
    hours: float
    per_hour: float
    per_hour_high: float
    delays_s: tuple[float, ...]


def poisson_upper(count: int, hours: float, level: float = 0.95) -> float:
    """The highest rate an hour under which so few events in so many hours are not rarer than 1 − `level`.

    F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936. None in an hour gives 3.0.
    """
    from scipy.stats import chi2

    if hours <= 0:
        return float("inf")
    return float(chi2.ppf(level, 2 * (count + 1)) / 2 / hours)


def trace(detector: Detector, chunks: Iterable[Array], spoken: Sequence[Spoken] = ()) -> Trace:
    """Listen to a whole stream with a fresh detector.

    Args:
        detector: nothing was pushed to it yet.
        chunks: (T,) float32 each, at the detector's rate.
        spoken: the commands that are said in the stream.

    Raises:
        DataError: the stream is empty.
        SettingError: a command that is said is none of the detector's.
    """
    for one in spoken:
        if one.command not in detector.commands:
            raise SettingError(f"{one.command!r} is no command of this detector", f"Known: {detector.commands}.")
    parts = [detector.smoothed(chunk) for chunk in chunks]
    seconds = detector.heard_s
    if not seconds:
        raise DataError("a stream is empty", "Give at least one chunk of sound.")
    parts.append(detector.smoothed_end())
    return Trace(np.concatenate(parts), seconds, tuple(spoken))


def heard(found: Trace, classes: Sequence[str], silent: Sequence[str], hearing: Hearing) -> list[tuple[str, float]]:
    """The commands that are heard in a traced stream, each with the seconds at which it was decided."""
    from assay.serving.deciding import Decider

    limits = np.asarray([np.inf if name in silent else hearing.threshold_of(name) for name in classes])
    decider = Decider(limits, hearing.refractory_hops, hearing.held_hops)
    hop_s = round(hearing.hop_s * hearing.rate_hz) / hearing.rate_hz
    above = np.flatnonzero((found.smoothed >= limits).any(axis=1))
    asked = np.unique(above[:, None] + np.arange(hearing.held_hops + 1))
    events = []
    for hop in asked[asked < len(found.smoothed)].tolist():
        told = decider.step(hop, found.smoothed[hop])
        if told is not None:
            events.append((classes[told[0]], (hop + 1) * hop_s))
    return events


def matched(
    events: Sequence[tuple[str, float]], spoken: Sequence[Spoken], tolerance_s: float = 0.75
) -> tuple[list[float], int]:
    """Set what was heard against what was said.

    A word is found by the first event of its name between its beginning and `tolerance_s` after its end. Every other
    event is a false alarm: another command, the same once more, or one where nothing was said.

    Returns:
        For each word that was found the seconds from its end to the event, and the number of false alarms.
    """
    open_words = sorted(spoken, key=lambda word: word.start_s)
    delays: list[float] = []
    alarms = 0
    for command, at_s in sorted(events, key=lambda event: event[1]):
        for word in open_words:
            if word.command == command and word.start_s <= at_s <= word.end_s + tolerance_s:
                delays.append(at_s - word.end_s)
                open_words.remove(word)
                break
        else:
            alarms += 1
    return delays, alarms


def rates(
    traces: Sequence[Trace],
    classes: Sequence[str],
    silent: Sequence[str],
    hearing: Hearing,
    tolerance_s: float = 0.75,
) -> Rates:
    """Recall and false alarms over streams, each with its exact bound."""
    from scipy.stats import beta

    delays: list[float] = []
    alarms = 0
    for one in traces:
        found, wrong = matched(heard(one, classes, silent, hearing), one.spoken, tolerance_s)
        delays += found
        alarms += wrong
    hours = sum(one.seconds for one in traces) / 3600
    said, hits = sum(len(one.spoken) for one in traces), len(delays)
    return Rates(
        spoken=said,
        found=hits,
        recall=hits / said if said else float("nan"),
        recall_low=float(beta.ppf(0.025, hits, said - hits + 1)) if hits else 0.0,
        recall_high=float(beta.ppf(0.975, hits + 1, said - hits)) if hits < said else 1.0,
        false_alarms=alarms,
        hours=hours,
        per_hour=alarms / hours if hours else float("nan"),
        per_hour_high=poisson_upper(alarms, hours),
        delays_s=tuple(delays),
    )


def calibrate(
    traces: Sequence[Trace],
    classes: Sequence[str],
    silent: Sequence[str],
    hearing: Hearing,
    per_hour: float = 1.0,
    *,
    bounded: bool = False,
    each: bool = False,
    tolerance_s: float = 0.75,
) -> tuple[Hearing, Rates]:
    """The lowest threshold at which streams give no more false alarms an hour than wanted.

    Judge it on other streams than these.

    Args:
        traces: validation streams, most of them speech without commands.
        classes: the names of the C classes.
        silent: those that are no commands.
        hearing: how the traces were made; what it gives has other thresholds.
        per_hour: false alarms an hour that are put up with.
        bounded: their 95 % upper bound has to stay below, not only their number.
        each: a threshold for each command, which gets an equal share of the false alarms, instead of one for all.
        tolerance_s: as `matched` takes it.

    Returns:
        The hearing with its thresholds, and how the same streams fare under it.

    Raises:
        DataError: even the highest threshold gives more false alarms, or there is too little sound to show fewer.
        SettingError: every class is silent.
    """
    commands = [name for name in classes if name not in silent]
    if not commands:
        raise SettingError("there is no command whose threshold could be chosen", f"Classes: {', '.join(classes)}.")
    groups = [[name] for name in commands] if each else [commands]
    allowed = per_hour / len(groups)
    chosen: dict[str, float] = {}
    for group in groups:
        others = [name for name in classes if name not in group]
        limit = _lowest(traces, classes, others, hearing, allowed, bounded, tolerance_s)
        chosen |= dict.fromkeys(group, limit)
    thresholds: Mapping[str, float] = chosen if each else {}
    found = replace(hearing, threshold=max(chosen.values()), thresholds=thresholds)
    return found, rates(traces, classes, silent, found, tolerance_s)


def _lowest(
    traces: Sequence[Trace],
    classes: Sequence[str],
    silent: Sequence[str],
    hearing: Hearing,
    allowed: float,
    bounded: bool,
    tolerance_s: float,
) -> float:
    """The lowest threshold for the classes that are not silent, such that it and all above it keep to the rate."""
    lowest = None
    relevant = [replace(one, spoken=tuple(word for word in one.spoken if word.command not in silent)) for one in traces]
    for threshold in reversed(CANDIDATES):
        tried = replace(hearing, threshold=threshold, thresholds={})
        found = rates(relevant, classes, silent, tried, tolerance_s)
        if (found.per_hour_high if bounded else found.per_hour) > allowed:
            break
        lowest = threshold
    if lowest is None:
        hours = sum(one.seconds for one in traces) / 3600
        raise DataError(
            f"{hours:.2g} h of sound do not show a threshold with at most {allowed:g} false alarms an hour",
            f"Give at least {poisson_upper(0, 1) / allowed:.2g} h without commands, or allow more."
            if bounded
            else "Allow more, or train with more speech that is no command.",
        )
    return lowest
