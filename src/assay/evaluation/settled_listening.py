"""What a listener for commands learns after the training: its thresholds, from streams of validation clips.

Shapes: N clips, T values of a window, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.command_streams import Stream, said_over, seconds_for
from assay.evaluation.command_thresholds import TOLERANCE_S, command_thresholds
from assay.evaluation.false_alarms import Trace, rates, trace
from assay.samples.draws import order
from assay.serving.ears import Ear, Probabilities
from assay.serving.listening import Detector, Hearing

if TYPE_CHECKING:
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Gives what hears the windows of a stream, for one stream each.
NewEar = Callable[[], Probabilities | Ear]
#: How much louder than the background a command is, in decibels.
_RATIO_DB = 20.0
#: More clips of a command tell little more; so many words in all, and so many seconds of sounds of no command: half a
#: minute of computing at most. The amounts are fixed, so that a busy machine learns the same as an idle one.
_MOST_EACH, _MOST_WORDS, _UNSAID_S = 20, 160, 300.0


def settle_thresholds(
    ear: NewEar,
    classes: Sequence[str],
    other: int | None,
    hearing: Hearing,
    view: View,
) -> dict[str, Any]:
    """Thresholds for a session, with what they bring on the same streams (see `streams_of`).

    Args:
        ear: gives the trained network's for a new stream.
        classes: names of the C classes.
        other: the number of that of no command; None where there is none.
        hearing: how is listened.
        view: the validation side, a window a unit, its fields `sound` and `target`.

    Returns:
        `threshold`, `thresholds` by command, and `validation`: seconds, words said and found, and false alarms. Empty
        where the side holds no command.
    """
    streams = streams_of(view, classes, other, hearing)
    if streams is None:
        return {}
    silent = [] if other is None else [classes[other]]
    said = traced(ear, classes, silent, hearing, streams.said)
    unsaid = traced(ear, classes, silent, hearing, streams.unsaid)
    found = command_thresholds([said], [unsaid], classes, silent, hearing)
    came = rates([said, unsaid], classes, silent, found, TOLERANCE_S)
    about = {"seconds": round(3600 * came.hours, 1), "said": came.spoken, "found": came.found,
             "false_alarms": came.false_alarms}  # fmt: skip
    return {"threshold": found.threshold, "thresholds": dict(found.thresholds), "validation": about}


@dataclass(frozen=True, eq=False)
class SideStreams:
    """What a listener is settled or judged on.

    Attributes:
        said: clips of commands, over sounds of no command.
        unsaid: sounds of no command alone.
        recorded: somebody recorded these; else they are made of the clips (see `assay.samples.sound_others`).
    """

    said: Stream
    unsaid: Stream
    recorded: bool


def streams_of(view: View, classes: Sequence[str], other: int | None, hearing: Hearing) -> SideStreams | None:
    """Streams made of the clips of a side, always the same; None where it holds no command.

    Args:
        view: the side, a window a unit, its fields `sound` and `target`.
        classes: names of the C classes.
        other: the number of that of no command; None where there is none.
        hearing: how is listened.
    """
    targets = np.concatenate([np.zeros(0, np.int64), *(np.asarray(piece, np.int64) for piece in view.field("target"))])
    words = _in_turn(targets, other)
    if not len(words):
        return None
    rate, clips = hearing.rate_hz, list(_sounds(view, words))
    aside = _unsaid(view, targets, other, _UNSAID_S, rate)
    background = _filled(aside, round(seconds_for(clips, rate) * rate))
    said = said_over(clips, [classes[number] for number in targets[words]], background, rate, _RATIO_DB, 0)
    return SideStreams(said, Stream(aside), bool((targets == other).any()))


def traced(ear: NewEar, classes: Sequence[str], silent: Sequence[str], hearing: Hearing, stream: Stream) -> Trace:
    """What a listener makes of a stream."""
    return trace(Detector(ear(), classes, hearing, silent), [stream.sound], stream.spoken)


def _sounds(view: View, places: Array) -> Array:
    """(N, T) float32 of some windows of a view."""
    import torch

    from assay.samples.sound_windows import as_waves

    stored = np.ascontiguousarray(view.samples.field("sound", view.windows[places]))
    return as_waves(torch.from_numpy(stored)).numpy()


def _in_turn(targets: Array, other: int | None) -> Array:
    """Places of clips of commands, one of each command after the other, as many as are said."""
    turns: list[tuple[int, int, int]] = []
    for number in np.unique(targets):
        if number != other:
            places = order(np.flatnonzero(targets == number), "settled", 0)[:_MOST_EACH]
            turns += [(turn, int(number), int(place)) for turn, place in enumerate(places)]
    return np.asarray([place for _, _, place in sorted(turns)[:_MOST_WORDS]], np.int64)


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
