"""The answer to a video: which objects there are, and where each is in every frame.

Shapes: F frames, N boxes of all frames.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class FollowedObject:
    """One object in one frame.

    Attributes:
        id: the same in all frames, from 1 on.
        label: its class.
        score: how sure the box is, from 0 to 1.
        box: x0, y0, x1, y1 in pixels, right and bottom exclusive.
    """

    id: int
    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FrameObjects:
    """The objects in one frame.

    Attributes:
        frame: its number, from 0 on.
        time: seconds from the video's start; None where that is not known.
        objects: the objects that are followed.
    """

    frame: int
    time: float | None
    objects: tuple[FollowedObject, ...]


@dataclass(frozen=True)
class Track:
    """One object over the frames.

    Attributes:
        id: its number.
        label: its class.
        first, last: the frames between which it was seen, both included.
        first_s, last_s: their times in seconds; None where they are not known.
        frames: in how many it was seen.
        score: the mean score of its boxes.
    """

    id: int
    label: str
    first: int
    last: int
    first_s: float | None
    last_s: float | None
    frames: int
    score: float


@dataclass(frozen=True)
class VideoLength:
    """How long a video is.

    Attributes:
        frames: that were looked at.
        seconds: from the first to the end of the last; None where times are not known.
        rate_hz: frames a second, in the mean.
    """

    frames: int
    seconds: float | None
    rate_hz: float | None


@dataclass(frozen=True)
class FollowedObjects:
    """The answer to a video.

    Attributes:
        counts: how many different objects of each class.
        video: how long it is.
        tracks: each object, in the order in which they were seen first.
        frames: each frame with its objects.
    """

    counts: Mapping[str, int]
    video: VideoLength
    tracks: tuple[Track, ...]
    frames: Sequence[FrameObjects]


class FrameList(Sequence[FrameObjects]):
    """Frames of a video, kept as plain numbers: some 40 bytes an object, a tenth of what objects of Python take.

    Args:
        classes: by number.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._number = {label: number for number, label in enumerate(self._classes)}
        self._frames, self._times = array("q"), array("d")
        self._ends = array("q")
        self._ids, self._labels, self._values = array("q"), array("H"), array("f")

    def add(self, frame: FrameObjects) -> None:
        """Put a frame at the end."""
        for one in frame.objects:
            self._ids.append(one.id)
            self._labels.append(self._number[one.label])
            self._values.extend((one.score, *one.box))
        self._frames.append(frame.frame)
        self._times.append(float("nan") if frame.time is None else frame.time)
        self._ends.append(len(self._ids))

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, place: int) -> FrameObjects: ...
    @overload
    def __getitem__(self, place: slice) -> list[FrameObjects]: ...
    def __getitem__(self, place: int | slice) -> FrameObjects | list[FrameObjects]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        first = self._ends[place - 1] if place else 0
        time = self._times[place]
        objects = tuple(map(self._object, range(first, self._ends[place])))
        return FrameObjects(self._frames[place], None if time != time else time, objects)

    def __iter__(self) -> Iterator[FrameObjects]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == len(self) and all(map(_equal, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} frames>"

    def _object(self, row: int) -> FollowedObject:
        score, *box = self._values[5 * row : 5 * row + 5]
        x0, y0, x1, y1 = (round(side, 1) for side in box)
        return FollowedObject(self._ids[row], self._classes[self._labels[row]], round(score, 4), (x0, y0, x1, y1))

    def tracks(self) -> tuple[Track, ...]:
        """Each object over the frames, by its number."""
        ids, ends = np.array(self._ids, np.int64), np.array(self._ends, np.int64)
        frame_of = np.repeat(np.arange(len(self)), np.diff(np.r_[0, ends]))
        scores = np.array(self._values, np.float32).reshape(-1, 5)[:, 0]
        order = np.argsort(ids, kind="stable")
        known, starts, counts = np.unique(ids[order], return_index=True, return_counts=True)
        return tuple(
            self._track(int(name), order[start : start + count], frame_of, scores)
            for name, start, count in zip(known, starts, counts, strict=True)
        )

    def _track(self, name: int, rows: Array, frame_of: Array, scores: Array) -> Track:
        first, last = self[int(frame_of[rows[0]])], self[int(frame_of[rows[-1]])]
        label, score = self._classes[self._labels[int(rows[0])]], round(float(scores[rows].mean()), 4)
        return Track(name, label, first.frame, last.frame, first.time, last.time, len(rows), score)

    def length(self) -> VideoLength:
        """How long the video is."""
        times = np.array(self._times, np.float64)
        if len(times) < 2 or not np.isfinite(times[[0, -1]]).all() or times[-1] <= times[0]:
            return VideoLength(len(self), None, None)
        seconds = float(times[-1] - times[0])
        rate = (len(times) - 1) / seconds
        return VideoLength(len(self), round(seconds + 1 / rate, 3), round(rate, 3))


def _equal(one: object, other: object) -> bool:
    return one == other


def followed(frames: Iterable[FrameObjects], classes: Sequence[str]) -> FollowedObjects:
    """The answer to a video out of its frames, which are taken in one after the other."""
    kept = FrameList(classes)
    for frame in frames:
        kept.add(frame)
    tracks = kept.tracks()
    counts = {label: sum(track.label == label for track in tracks) for label in classes}
    return FollowedObjects({label: count for label, count in counts.items() if count}, kept.length(), tracks, kept)
