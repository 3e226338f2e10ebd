"""Objects that were followed through a video, drawn into it while it is answered."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import RunError, SettingError
from assay.evaluation.followed import FollowedObject, FrameObjects
from assay.run import writing
from assay.serving.video_file import CODECS
from assay.sources._video_chunks import VideoFrames
from assay.sources._video_frames import load_cv2
from assay.task_sessions import Recorder

Array = np.ndarray[Any, Any]
#: Of a gap in a video's times so much is shown; a longer one is a clock that was set anew.
_GAP_S = 60.0
_COMPLETE = 0.9


class AnnotatedVideo(Recorder):
    """A video with a box around each object that is followed.

    Frames come at the constant rate of the source; where those of the source do not, some are shown twice or left out,
    so that each is shown at its time. Frames that were not looked at have the boxes of the last that was.

    Args:
        target: the file; its ending says the form (`CODECS`). It is there as a whole or not at all.

    Raises:
        SettingError: another ending.
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(self, target: Path) -> None:
        load_cv2()
        if target.suffix.lower() not in CODECS:
            raise SettingError(f"a video cannot be written as {target.name}", f"End its name in {', '.join(CODECS)}.")
        self._target = target
        self._work = target.with_name(f"{target.stem}.partial{target.suffix}")
        self._writer: Any = None
        self._size = (0, 0)
        self._rate_hz = 0.0
        self._seen, self._written, self._skew = 0, 0, 0
        self._objects: tuple[FollowedObject, ...] = ()
        self._last: Array = np.zeros((0, 0, 3), np.uint8)

    def take(self, chunk: Any, answers: Sequence[FrameObjects]) -> None:
        """See `Recorder.take`; raises `RunError` where the file cannot be written."""
        told = {one.frame: one.objects for one in answers}
        frames: VideoFrames = chunk
        for pixels, time in zip(frames.pixels, frames.times, strict=True):
            self._objects = told.get(self._seen, self._objects)
            self._seen += 1
            if self._writer is None:
                self._open(pixels.shape, frames.rate_hz)
            self._show(annotated(pixels, self._objects), float(time))

    def close(self) -> None:
        """See `Recorder.close`; raises `RunError` where the file is not complete."""
        cv2 = load_cv2()
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        check = cv2.VideoCapture(str(self._work))
        written = int(check.get(cv2.CAP_PROP_FRAME_COUNT)) if check.isOpened() else 0
        check.release()
        if written < _COMPLETE * self._written:  # the length of some forms is an estimate
            self.drop()
            raise RunError(f"{self._target} could not be written to its end", "Is the disk full?")
        with writing(self._target):
            self._work.replace(self._target)

    def drop(self) -> None:
        """See `Recorder.drop`."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        with suppress(OSError):
            self._work.unlink(missing_ok=True)

    def _open(self, shape: tuple[int, ...], rate_hz: float) -> None:
        cv2 = load_cv2()
        self._size, self._rate_hz = (shape[1], shape[0]), rate_hz
        codec = cv2.VideoWriter_fourcc(*CODECS[self._target.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._work), codec, rate_hz, self._size)
        if not self._writer.isOpened():
            raise RunError(f"{self._target} cannot be written", "Check that its folder can be written, or choose .avi.")

    def _show(self, drawn: Array, time: float) -> None:
        """Write a frame so often that the next one comes at its time."""
        cv2 = load_cv2()
        pixels = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            pixels = cv2.resize(pixels, self._size)
        due = round(time * self._rate_hz) - self._skew
        if due - self._written > _GAP_S * self._rate_hz:
            self._skew += due - self._written
            due = self._written
        while self._written < due:
            self._write(self._last)
        if self._written == due:
            self._write(pixels)
        self._last = pixels

    def _write(self, pixels: Array) -> None:
        self._writer.write(pixels)
        self._written += 1


def annotated_videos() -> dict[str, Callable[[Path], Recorder]]:
    """See `Task.recorders`."""
    return dict.fromkeys(CODECS, AnnotatedVideo)


def annotated(frame: Array, objects: Sequence[FollowedObject]) -> Array:
    """A frame (H, W, 3) uint8 with objects drawn, each identity in a colour of its own."""
    cv2 = load_cv2()
    drawn = np.ascontiguousarray(frame).copy()
    thick = max(1, round(min(frame.shape[:2]) / 300))
    size = max(0.35, min(frame.shape[:2]) / 1000)
    for one in objects:
        x0, y0, x1, y1 = (round(side) for side in one.box)
        colour = colour_of(one.id)
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thick)
        label = f"{one.label} " if one.label.isascii() else ""  # OpenCV has no other letters
        words = f"{label}{one.id} {one.score:.2f}"
        (wide, high), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
        top = y0 if y0 - high - below < 0 else y0 - high - below
        cv2.rectangle(drawn, (x0, top), (x0 + wide, top + high + below), colour, -1)
        place = (x0, top + high + below // 2)
        cv2.putText(drawn, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick, cv2.LINE_AA)
    return drawn


def colour_of(identity: int) -> tuple[int, int, int]:
    """A light colour for an identity; those of neighbours differ most."""
    red, green, blue = colorsys.hsv_to_rgb((identity * 0.618034) % 1.0, 0.55, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
