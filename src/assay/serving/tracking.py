"""Which box of a frame is the same object as which box of the frames before: ByteTrack (Zhang et al. 2022).

Boxes that are surely something find their tracks first, by overlap with where the tracks' motion leads; the doubtful
ones only carry on tracks that found nothing. Motion is the Kalman filter of SORT (Bewley et al. 2016), with constant
speed in centre and size.

Written here rather than taken from `trackers` (Apache-2.0), because that needs `supervision`, hence PyAV, whose
packages hold the GPL libraries x264 and x265, and `opencv-python`, which overwrites `opencv-python-headless`.

Shapes: n boxes of a frame, T tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.evaluation.box_matching import overlaps

Array = np.ndarray[Any, Any]
UNKNOWN = 0  # the identity of a box that belongs to no track
_POSITION, _SPEED = 1 / 20, 1 / 160  # what a step adds to the uncertainty, in heights of the box
_TO_BE_SURE = 3  # frames of three in which a new object is seen before it has an identity


@dataclass
class _Track:
    """One object.

    Attributes:
        state: (2, 4) centre x, y, width, height, and how much they change a frame.
        spread: (2, 2, 4) the covariance of value and change, of each of the four.
        label: its class.
        identity: `UNKNOWN` until it was seen often enough.
        seen: frames in which it was seen.
        missed: frames since it was seen last.
        doubted: frames since it was seen last with a score that may begin a track.
    """

    state: Array
    spread: Array
    label: int
    identity: int = UNKNOWN
    seen: int = 1
    missed: int = 0
    doubted: int = 0


@dataclass
class Tracker:
    """Follows objects from frame to frame.

    Attributes:
        found: the score from which a box may begin a track.
        doubtful: the score from which a box may carry one on.
        overlap: how much a box overlaps the place where its track leads, at least.
        patience: frames after which an object that is not seen, or but doubtfully, is given up. ByteTrack itself lets
            doubtful boxes carry on a track without end, which a second, loose box around another object then does.
    """

    found: float = 0.5
    doubtful: float = 0.1
    overlap: float = 0.2
    patience: int = 30
    _tracks: list[_Track] = field(default_factory=list)
    _identities: int = 0
    _frames: int = 0

    def update(self, boxes: Array) -> Array:
        """The identities (n,) int64, from 1 on, of the next frame's boxes (n, 6): x0, y0, x1, y1, score, class.

        A box has `UNKNOWN` where it belongs to no track, or to one that was not seen often enough yet.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 6)
        for track in self._tracks:
            _step(track)
        owner = np.full(len(boxes), -1)
        sure = boxes[:, 4] >= self.found
        for some in (sure, ~sure & (boxes[:, 4] >= self.doubtful)):
            # A track that was lost is found again by a sure box only.
            open_tracks = [place for place, track in enumerate(self._tracks)
                           if place not in owner and (some is sure or track.missed == 1)]  # fmt: skip
            self._assign(boxes, np.flatnonzero(some), open_tracks, owner)
        for place in np.flatnonzero(sure & (owner < 0)):
            owner[place] = len(self._tracks)
            self._tracks.append(_begin(boxes[place]))
        identities = np.asarray([self._name(self._tracks[place]) if place >= 0 else UNKNOWN for place in owner])
        self._frames += 1
        self._tracks = [track for track in self._tracks if self._goes_on(track)]
        return identities.astype(np.int64)

    def _goes_on(self, track: _Track) -> bool:
        """Whether a track is not given up; one that begins with a single sight is most likely none."""
        return track.missed <= (self.patience if track.identity else 0) and track.doubted <= self.patience

    def _assign(self, boxes: Array, rows: Array, places: list[int], owner: Array) -> None:
        """Pair boxes and tracks of one class so that they overlap most in sum, and take the boxes in."""
        from scipy.optimize import linear_sum_assignment

        if not len(rows) or not places:
            return
        tracks = [self._tracks[place] for place in places]
        overlap = overlaps(boxes[rows], np.stack([_corners(track.state[0]) for track in tracks]))
        overlap[boxes[rows, 5][:, None] != np.asarray([track.label for track in tracks])] = 0.0
        for row, column in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[row, column] >= self.overlap:
                owner[rows[row]] = places[column]
                _see(tracks[column], _centred(boxes[rows[row]]))
                if boxes[rows[row], 4] >= self.found:
                    tracks[column].doubted = 0

    def _name(self, track: _Track) -> int:
        """A track's identity; it gets one when it was seen often enough, at once in the first frame."""
        if track.identity == UNKNOWN and (track.seen >= _TO_BE_SURE or self._frames == 0):
            self._identities += 1
            track.identity = self._identities
        return track.identity


def tracked(frames: Iterable[Array], tracker: Tracker | None = None) -> Iterator[Array]:
    """The boxes (m, 7) of each frame that have an identity, which stands last; of boxes (n, 6) frame by frame."""
    tracker = Tracker() if tracker is None else tracker
    for boxes in frames:
        boxes = np.asarray(boxes, np.float64).reshape(-1, 6)
        identities = tracker.update(boxes)
        known = identities != UNKNOWN
        yield np.column_stack([boxes[known], identities[known]])


def apart(boxes: Array, most: float) -> Array:
    """Of boxes (n, 6) of any class that overlap by more than `most` those with the best score, best first.

    A place in a frame holds one object; a second box there, of another class or looser, would change identities.
    """
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    close = overlaps(boxes, boxes) > most
    kept: list[int] = []
    for row in range(len(boxes)):
        if not close[row, kept].any():
            kept.append(row)
    return np.asarray(boxes[kept])


def _centred(box: Array) -> Array:
    """(4,) centre x, y, width, height of x0, y0, x1, y1."""
    return np.asarray([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]])


def _corners(box: Array) -> Array:
    """The inverse of `_centred`."""
    half = np.maximum(box[2:], 1e-3) / 2
    return np.concatenate([box[:2] - half, box[:2] + half])


def _begin(box: Array) -> _Track:
    value = _centred(box)
    state, spread = np.zeros((2, 4)), np.zeros((2, 2, 4))
    state[0] = value
    spread[0, 0], spread[1, 1] = (2 * _POSITION * value[3]) ** 2, (10 * _SPEED * value[3]) ** 2
    return _Track(state, spread, int(box[5]))


def _step(track: _Track) -> None:
    """One frame on: value + change, and more uncertainty."""
    high = max(float(track.state[0, 3]), 1.0)
    track.state[0] += track.state[1]
    (value, both), (_, change) = track.spread
    track.spread = np.stack([np.stack([value + 2 * both + change + (_POSITION * high) ** 2, both + change]),
                             np.stack([both + change, change + (_SPEED * high) ** 2])])  # fmt: skip
    track.missed += 1
    track.doubted += 1


def _see(track: _Track, value: Array) -> None:
    """Bring a track nearer to what was seen, by as much as is uncertain."""
    (own, both), (_, change) = track.spread
    gain = np.stack([own, both]) / (own + (_POSITION * max(float(value[3]), 1.0)) ** 2)  # (2, 4)
    track.state += gain * (value - track.state[0])
    track.spread = np.stack([np.stack([(1 - gain[0]) * own, (1 - gain[0]) * both]),
                             np.stack([(1 - gain[0]) * both, change - gain[1] * both])])  # fmt: skip
    track.seen += 1
    track.missed = 0
