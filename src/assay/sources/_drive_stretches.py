"""A drive cut into stretches of time, each on one side of the split.

Neighbouring frames are nearly equal, so that a frame never stands for another: whole stretches of time are trained on
or tested, and what lies next to a stretch of another side is left out. Shapes: T frames of all drives together.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from assay.samples.draws import key_of, uniform
from assay.samples.split import DEFAULT, SIDES, parse_shares
from assay.sources.source import DataOptions

Array = np.ndarray[Any, Any]
#: The three sides take turns, so often: about every `_TURN_S` seconds of driving, within bounds.
_TURN_S, _FEWEST, _MOST = 25.0, 1, 30
#: What is left out at the end of a stretch that another side follows, in seconds, and the shortest stretch.
GUARD_S, SHORTEST_S = 0.25, 0.5
#: A unit is at most so long: what an interval resamples.
UNIT_S = 10.0


def sides_by_time(times: Array, options: DataOptions) -> Array:
    """(T,) an index into `SIDES` for each frame.

    Args:
        times: (T,) seconds of driving, ascending: pauses taken out.
        options: `split` gives other shares than 80/10/10, `split_seed` another beginning of the turns.
    """
    shares = parse_shares(options.split) or DEFAULT
    length = float(times[-1] - times[0]) if len(times) else 0.0
    turns = int(np.clip(round(length / _TURN_S), _FEWEST, _MOST))
    begin = uniform(key_of("turns", options.split_seed), np.zeros(1, np.int64))[0] if options.split_seed else 0.0
    phase = ((times - times[0]) / max(length, 1e-9) * turns * (1 - 1e-12) + begin) % 1.0
    return np.asarray(np.searchsorted(np.cumsum(shares[:2]), phase, side="right"))


def stretches_of(side: Array, piece: Array, times: Array, guarded: bool) -> list[tuple[int, Array]]:
    """The stretches: the number of the run of one side that each belongs to, and its frames (T',).

    Args:
        side: (T,) of each frame.
        piece: (T,) frames of different ones do not follow one another.
        times: (T,) seconds, ascending within a piece.
        guarded: leave out what lies next to another side.
    """
    change = np.flatnonzero((np.diff(side) != 0) | (np.diff(piece) != 0)) + 1
    ends = [0, *change.tolist(), len(side)] if len(side) else []
    found: list[tuple[int, Array]] = []
    for number, (start, stop) in enumerate(pairwise(ends)):
        frames = np.arange(start, stop)
        if guarded:
            low = GUARD_S if start and piece[start - 1] == piece[start] else 0.0
            high = GUARD_S if stop < len(side) and piece[stop] == piece[start] else 0.0
            frames = frames[(times[frames] >= times[start] + low) & (times[frames] <= times[stop - 1] - high)]
        if not len(frames) or times[frames[-1]] - times[frames[0]] < SHORTEST_S:
            continue
        parts = max(1, round((times[frames[-1]] - times[frames[0]]) / UNIT_S))
        found += [(number, part) for part in np.array_split(frames, parts) if len(part)]
    return found


def name_of(side: int) -> str:
    """The side in words."""
    return SIDES[side]
