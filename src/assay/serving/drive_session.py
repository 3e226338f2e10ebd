"""Driving frame by frame: frames come in chunks, each is answered at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.drive_loop import Answer
from assay.samples.drive_encoding import brought_frame, recent
from assay.serving.drive_answers import Controls, controls_of
from assay.task_sessions import Session

if TYPE_CHECKING:
    from assay.samples.drive_spec import DriveSpec

Array = np.ndarray[Any, Any]


class DriveSession(Session):
    """Takes frames (n, H, W, 3) uint8 of any size, at the rate that was learned from, and gives `Controls` for each.

    Args:
        answer: the policy.
        spec: what a drive is.
    """

    def __init__(self, answer: Answer, spec: DriveSpec) -> None:
        self._answer, self._spec = answer, spec
        self._back = spec.back(spec.rate_hz)
        self._frames: deque[Array] = deque(maxlen=1 + (spec.frames - 1) * self._back)
        self._step = 0

    def push(self, chunk: Any) -> Sequence[Controls]:
        """See `Session.push`; raises `DataError` where a chunk holds no frames."""
        frames = np.asarray(chunk)
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise DataError(
                f"frames are (n, H, W, 3) uint8, not {frames.shape} {frames.dtype}", "Give frames as a camera does."
            )
        return [self._one(frame) for frame in frames]

    def close(self) -> Sequence[Controls]:
        """See `Session.close`: every frame was answered when it came."""
        return []

    def _one(self, frame: Array) -> Controls:
        self._frames.append(brought_frame(frame, self._spec))
        seen = recent(len(self._frames), self._spec.frames, self._back)[-1]
        image = np.concatenate([self._frames[place] for place in seen])
        action = np.asarray(self._answer(image[None], self._step))
        self._step += 1
        return controls_of(action[None], self._spec)
