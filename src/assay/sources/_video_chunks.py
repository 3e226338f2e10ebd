"""A video as chunks of frames: read once, from its start to its end, with one chunk in memory at a time.

Shapes: n frames of a chunk, H height and W width in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._video_frames import VideoFile, load_cv2
from assay.sources.records import ProblemLog
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
#: A chunk has no more frames than this, and no more bytes, but one frame at least.
_FRAMES, _BYTES = 8, 24_000_000
#: Frames a second that a video may have; what lies outside is a container's count of something else.
_LEAST_HZ, _MOST_HZ, _USUAL_HZ = 0.01, 300.0, 25.0
#: Containers that only estimate how many frames there are miss by less than this.
_ESTIMATED, _ESTIMATED_SHARE = 2, 0.02


@dataclass(frozen=True)
class VideoFrames:
    """Frames that follow one another.

    Attributes:
        pixels: (n, H, W, 3) uint8, red first.
        times: (n,) seconds from the video's start, rising.
        rate_hz: frames a second of the video.
    """

    pixels: Array
    times: Array
    rate_hz: float


class VideoChunks:
    """The frames of one video, in their order; may be gone through once.

    `operator.length_hint` tells how many chunks there are about, 0 where the video does not say.

    Args:
        store: holds it.
        name: its name there.
        log: takes what is missing at its end.
    """

    def __init__(self, store: Store, name: str, log: ProblemLog) -> None:
        self._store, self._name, self._log = store, name, log
        self._file: VideoFile | None = None

    def __length_hint__(self) -> int:
        """See `operator.length_hint`; raises `DataError` where the video cannot be opened."""
        header = self._opened().header()
        return -(-header.frames // _at_once(header.height, header.width))

    def __iter__(self) -> Iterator[VideoFrames]:
        """The chunks.

        Raises:
            DataError: no frame can be read.
        """
        video = self._opened()
        try:
            header = video.header()
            frames = _timed(video, header.rate_hz)
            count = 0
            for chunk in _chunks(frames, header.rate_hz):
                count += len(chunk.pixels)
                yield chunk
            if not count:
                codec = f" (codec {header.codec})" if header.codec else ""
                raise DataError(f"no frame of the video can be read{codec}.",
                                "Check that it plays, or convert it to H.264 in MP4.", file=self._name)  # fmt: skip
            missing = header.frames - count
            if missing > max(_ESTIMATED, _ESTIMATED_SHARE * header.frames):
                self._log.add("unreadable-frame", "skipped", self._name, count=missing)
        finally:
            self._file = None
            video.close()

    def _opened(self) -> VideoFile:
        if self._file is None:
            self._file = VideoFile(self._store, self._name)
        return self._file


def _timed(video: VideoFile, rate_hz: float) -> Iterator[tuple[Array, float]]:
    """Each frame, blue first as decoders give it, and its time; where a container tells none, by the rate."""
    first = last = None
    for pixels, seconds in video.raw():
        if first is None or last is None:
            first, time = seconds, 0.0
        else:
            time = seconds - first
            if not time > last:
                time = last + 1 / (rate_hz or _USUAL_HZ)
        last = time
        yield pixels, time


def _chunks(frames: Iterator[tuple[Array, float]], rate_hz: float) -> Iterator[VideoFrames]:
    """Frames of one size in chunks."""
    held: list[Array] = []
    times: list[float] = []
    rate = rate_hz if _LEAST_HZ <= rate_hz <= _MOST_HZ else 0.0
    for pixels, time in frames:
        if held and (held[0].shape != pixels.shape or len(held) >= _at_once(*pixels.shape[:2])):
            rate = rate or _rate_of(times)
            yield _chunk(held, times, rate)
            held, times = [], []
        held.append(pixels)
        times.append(time)
    if held:
        yield _chunk(held, times, rate or _rate_of(times))


def _chunk(held: list[Array], times: list[float], rate_hz: float) -> VideoFrames:
    cv2 = load_cv2()
    pixels = np.empty((len(held), *held[0].shape), np.uint8)
    for place, one in enumerate(held):
        cv2.cvtColor(one, cv2.COLOR_BGR2RGB, dst=pixels[place])
    return VideoFrames(pixels, np.asarray(times), rate_hz)


def _rate_of(times: list[float]) -> float:
    """Frames a second, by the usual time between two."""
    between = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return min(1 / between, _MOST_HZ) if between > 0 else _USUAL_HZ


def _at_once(height: int, width: int) -> int:
    return max(1, min(_FRAMES, _BYTES // max(1, 3 * height * width)))
