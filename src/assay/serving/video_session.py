"""Objects followed through a video that comes in chunks of frames: memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.followed import FollowedObject, FrameObjects
from assay.samples.box_pictures import encode_frames
from assay.serving.predictor import Predictor, form_of
from assay.serving.tracking import Tracker, apart, tracked
from assay.sources._video_chunks import VideoFrames
from assay.task_parts import number_of
from assay.task_sessions import Session

if TYPE_CHECKING:
    from assay.samples.box_spec import BoxSpec
    from assay.serving.predictor import Answering

Array = np.ndarray[Any, Any]
#: Where the user does not say otherwise: the score of a new object, and the seconds that one may be out of sight.
LEAST, PATIENCE_S = 0.5, 1.0
#: Boxes of any class that overlap by more are one object.
OVERLAP = 0.5
#: The score of a box that only carries on an object.
_DOUBTFUL = 0.1
#: Frames a second where that is not known.
_USUAL_HZ = 30.0
_AT_ONCE = 8


class VideoSession(Session):
    """Takes frames in their order, and gives `FrameObjects` for each.

    A chunk is `VideoFrames`, or an array (n, H, W, 3) or (H, W, 3) uint8, red first, of a camera.

    Args:
        predictor: what finds boxes in pictures: the trained network, or a classical model. Its options may be
            `min_score` (a new object's), `nms`, `patience` (seconds) and `rate` (frames a second that are looked at).
    """

    def __init__(self, predictor: Answering) -> None:
        options = predictor.options if isinstance(predictor, Predictor) else {}
        found = number_of(options, "min_score", LEAST, 0.0, 1.0)
        self._patience_s = number_of(options, "patience", PATIENCE_S, 0.0, 3600.0)
        self._rate_hz = number_of(options, "rate", np.inf, 1e-3, np.inf)
        self._overlap = number_of(options, "nms", OVERLAP, 0.01, 1.0)
        self._doubtful = min(_DOUBTFUL, found)
        self._tracker = Tracker(found, self._doubtful)
        self._predictor = predictor
        if isinstance(predictor, Predictor):  # boxes of low scores are wanted, too
            others = {name: value for name, value in options.items() if name != "min_score"}
            self._predictor = replace(predictor, options=others)
        self.spec: BoxSpec = predictor.spec
        self._frames, self._looked, self._tick = 0, 0, -1

    def push(self, chunk: Any) -> Sequence[FrameObjects]:
        """See `Session.push`; raises `DataError` where a chunk is no frames."""
        frames = chunk if isinstance(chunk, VideoFrames) else VideoFrames(_pixels(chunk), np.zeros(0), 0.0)
        first, self._frames = self._frames, self._frames + len(frames.pixels)
        timed = len(frames.times) > 0
        wanted = self._wanted(frames.times) if timed else np.arange(len(frames.pixels))
        rate = min(frames.rate_hz or _USUAL_HZ, self._rate_hz)
        self._tracker.patience = round(self._patience_s * rate)
        answers: list[FrameObjects] = []
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            for place, boxes in zip(
                some.tolist(), tracked(self._boxes(frames.pixels[some]), self._tracker), strict=True
            ):
                time = round(float(frames.times[place]), 4) if timed else None
                answers.append(FrameObjects(first + place, time, self._told(boxes)))
        return answers

    def close(self) -> Sequence[FrameObjects]:
        """See `Session.close`; every frame was answered."""
        return []

    def _wanted(self, times: Array) -> Array:
        """Which frames of a chunk are looked at: at each tick of the rate the first that is not before it."""
        if not np.isfinite(self._rate_hz):
            return np.arange(len(times))
        chosen = []
        for place, tick in enumerate(np.floor(times * self._rate_hz + 1e-6).astype(np.int64).tolist()):
            if tick > self._tick:
                chosen.append(place)
                self._tick = tick
        return np.asarray(chosen, np.int64)

    def _boxes(self, pixels: Array) -> list[Array]:
        """The boxes (m, 6) of some frames."""
        found = boxes_of(self._predictor, pixels, self._looked)
        self._looked += len(pixels)
        return [apart(boxes[boxes[:, 4] >= self._doubtful], self._overlap) for boxes in found]

    def _told(self, boxes: Array) -> tuple[FollowedObject, ...]:
        """Boxes (m, 7) with identities, by these."""
        return tuple(
            FollowedObject(int(box[6]), self.spec.classes[int(box[5])], round(float(box[4]), 4), _corners(box))
            for box in boxes[np.argsort(boxes[:, 6], kind="stable")]
        )


def boxes_of(predictor: Answering, pixels: Array, first: int = 0) -> list[Array]:
    """The boxes (m, 6) of frames (n, H, W, C) uint8, the first of which has that number."""
    form, spec = form_of(predictor), predictor.spec
    fields = {"index": np.arange(first, first + len(pixels)), **encode_frames(pixels, spec)}
    batch = predictor.task.batch_type(**{name: form(values) for name, values in fields.items()})
    return [np.asarray(boxes) for boxes in predictor.respond(batch)]


def _corners(box: Array) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(side), 1) for side in box[:4])
    return x0, y0, x1, y1


def _pixels(chunk: Any) -> Array:
    """(n, H, W, C) uint8 of a frame or several."""
    pixels = np.asarray(chunk)
    if pixels.ndim == 3:
        pixels = pixels[None]
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or 0 in pixels.shape[1:]:
        raise DataError(
            f"a {pixels.dtype} array of shape {np.shape(chunk)} is no frames", "Give (n, H, W, 3) or (H, W, 3) uint8."
        )
    return pixels
