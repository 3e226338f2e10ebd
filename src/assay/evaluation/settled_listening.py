"""What a listener for commands learns after the training: its thresholds, from streams of validation clips.

Shapes: N clips, T values of a window, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.command_streams import PAUSE_S, Stream, said_over, seconds_for
from assay.evaluation.command_thresholds import command_thresholds
from assay.evaluation.false_alarms import Trace, rates, trace
from assay.samples.draws import order
from assay.serving.listening import Detector, Hearing, Probabilities

if TYPE_CHECKING:
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: How much louder than the background a command is, in decibels.
_RATIO_DB = 20.0
#: More clips of a command tell little more. Seconds of stream at most, and at least, so that a busy machine learns the
#: same where there is little to learn from.
_MOST_EACH, _MOST_S, _LEAST_S = 100, 1800.0, 60.0
_TRIED = 32


def settle_thresholds(
    probabilities: Probabilities,
    classes: Sequence[str],
    other: int | None,
    hearing: Hearing,
    view: View,
    budget_s: float,
) -> dict[str, Any]:
    """Thresholds for a session, with what they bring on the same streams.

    Half of the time goes to clips said over sounds of no command, half to these alone. Where nobody recorded any, they
    are made of the clips (see `assay.samples.sound_others`).

    Args:
        probabilities: the trained network, windows (B, T) float32 to (B, C).
        classes: names of the C classes.
        other: the number of that of no command; None where there is none.
        hearing: how is listened.
        view: the validation side, a window a unit, its fields `sound` and `target`.
        budget_s: seconds that it may take, about.

    Returns:
        `threshold`, `thresholds` by command, and `validation`: seconds, words said and found, and false alarms. Empty
        where the side holds no command.
    """
    targets = np.concatenate([np.zeros(0, np.int64), *(np.asarray(piece, np.int64) for piece in view.field("target"))])
    words = _in_turn(targets, other)
    if not len(words):
        return {}
    rate, silent = hearing.rate_hz, [] if other is None else [classes[other]]
    seconds = _affordable(probabilities, _sounds(view, words[:_TRIED]), hearing, budget_s) / 2
    each_s = hearing.window_s + PAUSE_S
    words = words[: max(_TRIED, int(seconds / each_s))]
    clips = list(_sounds(view, words))
    aside = _unsaid(view, targets, other, seconds, rate)
    background = _filled(aside, round(seconds_for(clips, rate) * rate))
    stream = said_over(clips, [classes[number] for number in targets[words]], background, rate, _RATIO_DB, 0)
    said = _traced(probabilities, classes, silent, hearing, stream)
    unsaid = [_traced(probabilities, classes, silent, hearing, Stream(aside))]
    found = command_thresholds([said], unsaid, classes, silent, hearing)
    came = rates([said, *unsaid], classes, silent, found)
    about = {"seconds": round(3600 * came.hours, 1), "said": came.spoken, "found": came.found,
             "false_alarms": came.false_alarms}  # fmt: skip
    return {"threshold": found.threshold, "thresholds": dict(found.thresholds), "validation": about}


def _sounds(view: View, places: Array) -> Array:
    """(N, T) float32 of some windows of a view."""
    import torch

    from assay.samples.sound_windows import as_waves

    stored = np.ascontiguousarray(view.samples.field("sound", view.windows[places]))
    return as_waves(torch.from_numpy(stored)).numpy()


def _in_turn(targets: Array, other: int | None) -> Array:
    """Places of clips of commands, one of each command after the other, up to `_MOST_EACH` of each."""
    turns: list[tuple[int, int, int]] = []
    for number in np.unique(targets):
        if number != other:
            places = order(np.flatnonzero(targets == number), "settled", 0)[:_MOST_EACH]
            turns += [(turn, int(number), int(place)) for turn, place in enumerate(places)]
    return np.asarray([place for _, _, place in sorted(turns)], np.int64)


def _affordable(probabilities: Probabilities, sounds: Array, hearing: Hearing, budget_s: float) -> float:
    """Seconds of a stream that can be listened to in a time, from a trial on a few windows."""
    windows = np.resize(sounds, (_TRIED, sounds.shape[1])).astype(np.float32)
    probabilities(windows)
    begun = time.perf_counter()
    probabilities(windows)
    each = max(time.perf_counter() - begun, 1e-6) / _TRIED
    return float(np.clip(budget_s / each * hearing.hop_s, _LEAST_S, 2 * _MOST_S))


def _unsaid(view: View, targets: Array, other: int | None, seconds: float, rate: int) -> Array:
    """(T,) sounds of no command one after another, no more than so many seconds: recorded ones, or else made."""
    import torch

    from assay.samples.draws import Draws
    from assay.samples.sound_others import made_others

    length = view.samples.field("sound", view.windows[:1])[0].shape[0]
    own = np.flatnonzero(targets == other)
    chosen = order(own if len(own) else np.arange(len(targets)), "unsaid", 0)[: max(1, int(seconds * rate / length))]
    found = _sounds(view, chosen)
    if not len(own):
        found = made_others(torch.from_numpy(found), Draws(0, 0, chosen)).numpy()
    return np.ascontiguousarray(found.reshape(-1))


def _filled(sound: Array, length: int) -> Array:
    """(length,) a sound that goes on with noise as loud as itself where it ends."""
    sound = sound[:length]
    rest = np.random.default_rng(0).standard_normal(length - len(sound), np.float32)
    level = np.sqrt(np.mean(np.square(sound, dtype=np.float64)))
    return np.concatenate([sound, rest * np.float32(max(float(level), 1e-4))])


def _traced(
    probabilities: Probabilities, classes: Sequence[str], silent: Sequence[str], hearing: Hearing, stream: Stream
) -> Trace:
    return trace(Detector(probabilities, classes, hearing, silent), [stream.sound], stream.spoken)
