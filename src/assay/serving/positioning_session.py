"""A drive that is followed while it lasts: steps of sensors come in, poses go out.

Shapes: n steps, C channels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.pose_filter import Odometry, PoseFilter
from assay.evaluation.pose_start import Start, find_start, nowhere
from assay.evaluation.tracks import Pose, Track, answered
from assay.samples.route_steps import integrated
from assay.task_sessions import Session

if TYPE_CHECKING:
    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: Columns of a step beside its channels: a fix.
FIX = 4


def width_of(channels: int) -> int:
    """Columns of a step: each channel's value, whether it said something, and a fix."""
    return 2 * channels + FIX


class Following(Session):
    """Takes steps (n, 2C + 4): the channels' means, which of them spoke (1 or 0), and a fix (see `Steps.fixes`).

    Poses come once the start is known: at once without GNSS, else when the car has moved far enough between fixes.
    """

    def __init__(self, predictor: Predictor) -> None:
        from assay.networks.motion_tracks import Trust, uses_gnss

        self._predictor = predictor
        self._spec, self._network = predictor.spec, predictor.network
        self._gnss = uses_gnss(predictor.spec, predictor.options)
        self._trust = Trust.of(predictor.network, self._gnss)
        self._frame: int = predictor.network.frame  # type: ignore[assignment]
        width = width_of(len(self._spec.channels))
        self._waiting = np.zeros((0, width), np.float32)
        self._memory: Any = None
        self._odometry: list[Odometry] = []  # of steps whose start is not known yet
        self._fixes = np.zeros((0, FIX))
        self._filter: PoseFilter | None = None
        self._anchored, self._done = False, 0

    def push(self, chunk: Any) -> list[Pose]:
        """See `Session.push`."""
        steps = np.atleast_2d(np.asarray(chunk, np.float32))
        if steps.shape[1] != self._waiting.shape[1]:
            hint = f"Give {len(self._spec.channels)} values, as many marks, and a fix (east, north, deviation, age)."
            raise DataError(f"a step has {steps.shape[1]} values, not {self._waiting.shape[1]}", hint)
        self._waiting = np.concatenate([self._waiting, steps])
        whole = len(self._waiting) // self._frame * self._frame
        return self._heard(whole, ended=False) if whole else []

    def close(self) -> list[Pose]:
        """See `Session.close`."""
        return self._heard(len(self._waiting), ended=True)

    def _heard(self, count: int, *, ended: bool) -> list[Pose]:
        """Poses for the next steps, frame by frame."""
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        answers: list[Pose] = []
        for begin in range(0, count, self._frame):
            part = taken[begin : begin + self._frame]
            answers += self._moved(
                self._asked(part), part[:, -FIX:].astype(float), ended and begin + self._frame >= count
            )
        if ended and not count:
            answers += self._moved(None, np.zeros((0, FIX)), True)
        return answers

    def _asked(self, part: Array) -> Odometry:
        """What the network says of a frame."""
        from assay.networks.motion_tracks import odometry_of, trusted

        channels, given = len(self._spec.channels), self._predictor.given
        sensors, present = given(part[None, :, :channels].copy()), given(part[None, :, channels : 2 * channels] > 0.5)
        with self._predictor.inference():
            motion, self._memory = self._network(sensors, present, self._memory)
        return trusted(odometry_of(self._network, motion), self._trust)

    def _moved(self, odometry: Odometry | None, fixes: Array, ended: bool) -> list[Pose]:
        if odometry is not None:
            self._odometry.append(odometry)
            self._fixes = np.concatenate([self._fixes, fixes])
        if not self._odometry:
            return []
        if self._filter is None:
            start = self._start(ended)
            if start is None:
                return []
            self._anchored = start.anchored
            self._fixes[: start.steps, 2] = 0.0  # they have had their say
            first = self._odometry[0]
            self._filter = PoseFilter(first, self._spec.step_s, start.pose[None], start.spread[None])
        together = _joined(self._odometry)
        used = self._fixes.copy()
        used[:, 2] *= self._trust.fix
        found = self._filter.run(together, used[None] if self._anchored else None)
        count = together.moved.shape[1]
        self._odometry, self._fixes = [], np.zeros((0, FIX))
        time = (self._done + 1 + np.arange(count)) * self._spec.step_s
        self._done += count
        spread = found.spread[0] * self._trust.spread**2
        return list(answered(Track(time, found.pose[0, :, :2], found.pose[0, :, 2], spread, self._anchored)).poses)

    def _start(self, ended: bool) -> Start | None:
        if not self._gnss:
            return nowhere()
        moved = np.concatenate([one.moved[0] for one in self._odometry])
        place, _ = integrated(moved * self._spec.step_s, np.zeros(3))
        return find_start(place, self._fixes, self._spec.step_s, ended=ended)


def _joined(parts: list[Odometry]) -> Odometry:
    """Odometry of one drive in one piece."""
    if len(parts) == 1:
        return parts[0]
    moved, noise, checks = (np.concatenate([getattr(one, name) for one in parts], axis=1)
                            for name in ("moved", "noise", "checks"))  # fmt: skip
    return replace(parts[0], moved=moved, noise=noise, checks=checks)


def steps_in(samples: Any, unit: int) -> Array:
    """(T, 2C + 4) float32, a drive as the steps that a session takes."""
    windows = samples.view_of(np.asarray([unit])).windows
    sensors, present, fixes = (np.concatenate([np.asarray(one, np.float32) for one in samples.field(name, windows)])
                               for name in ("sensors", "present", "fixes"))  # fmt: skip
    return np.concatenate([sensors, present, fixes], axis=1)
