"""How good a driver is: by its rides in a simulator, or by how far it is from what a driver did in a record.

Outputs are `Ride`s, or for records (T, A) what was answered at each frame; truths are by name (T,) what was done.

Shapes: U drives, T frames or steps of one, A controls.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.braking import Moment, moments
from assay.evaluation.metrics import Additive, Metric, Values
from assay.samples.drive_encoding import bend_of
from assay.samples.drive_spec import BENDS, DriveSpec

if TYPE_CHECKING:
    from assay.simulators.rides import Ride

Array = np.ndarray[Any, Any]
Truth = Mapping[str, Array]


def drive_metrics(spec: DriveSpec) -> Sequence[Metric]:
    """What is measured, the primary metric first."""
    braked: list[Metric] = []
    if spec.brake is not None:
        braked = [MissedBraking(spec), LateBraking(spec), HardBraking(spec)]
    if spec.loop is not None:
        return (Score(spec.loop.expert), Laps(), OffRoad(), SteeringChange(), Gap(), *braked)
    errors = [ControlError(spec, place) for place in range(1, len(spec.controls))]
    bends = [BendError(spec, bend) for bend in range(len(BENDS))]
    return (AllBendsError(spec), ControlError(spec, 0), *bends, *errors, *braked)


class _Mean(Additive):
    """The sum of the first statistic over that of the second."""

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


class Score(_Mean):
    """The mean over rides of the sum of the rewards.

    Args:
        expert: what the expert reaches: the best that is to be expected.
    """

    name = "score"

    def __init__(self, expert: float) -> None:
        self.best = expert  # type: ignore[misc]

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the score, and one."""
        return np.asarray([[ride.score, 1.0] for ride in outputs], float).reshape(-1, 2)


class Laps(_Mean):
    """The share of rides that reached their aim."""

    name, unit = "finished", "share"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): finished, and one."""
        return np.asarray([[ride.finished, 1.0] for ride in outputs], float).reshape(-1, 2)


class OffRoad(_Mean):
    """The share of all steps at which the car was off the road."""

    name, unit, higher_is_better = "off_road", "rate", False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): steps off the road, and steps."""
        return np.asarray([[ride.off_road.sum(), len(ride)] for ride in outputs], float).reshape(-1, 2)


class SteeringChange(_Mean):
    """By how much the wheel is turned to and fro within a second: how unsteady the steering is."""

    name, unit, higher_is_better, best_known = "steering_change", "a second", False, False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the ways of the wheel, and seconds."""
        return np.asarray(
            [[np.abs(np.diff(ride.actions[:, 0])).sum(), len(ride) / ride.rate_hz] for ride in outputs], float
        ).reshape(-1, 2)


class Gap(_Mean):
    """How far the wheel is from where the expert would have it, in the mean over all steps."""

    name, higher_is_better = "steering_gap", False

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of the distances, and steps; nothing of rides whose expert was not asked."""
        return np.asarray([_gap(ride) for ride in outputs], float).reshape(-1, 2)


def _gap(ride: Ride) -> tuple[float, float]:
    if ride.advice is None:
        return 0.0, 0.0
    return float(np.abs(ride.actions[:, 0] - ride.advice[:, 0]).sum()), float(len(ride))


class ControlError(_Mean):
    """The mean over all frames of the distance between a control as it was and as it is answered.

    Args:
        spec: what a drive is.
        place: of the control.
    """

    higher_is_better = False

    def __init__(self, spec: DriveSpec, place: int) -> None:
        self.name = f"{spec.controls[place]}_mae"  # type: ignore[misc]
        self._control, self._place = spec.controls[place], place

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of the distances, and frames."""
        kept = []
        for output, truth in zip(outputs, truths, strict=True):
            errors = np.abs(np.asarray(output, float)[:, self._place] - truth[self._control])
            kept.append([errors.sum(), len(errors)])
        return np.asarray(kept, float).reshape(-1, 2)


class BendError(_Mean):
    """The mean distance of the steering over the frames of one kind of bend, as the record has it.

    Args:
        spec: what a drive is.
        bend: a place in `BENDS`.
    """

    higher_is_better = False

    def __init__(self, spec: DriveSpec, bend: int) -> None:
        self.name = f"{spec.controls[0]}_mae_{BENDS[bend].replace(' ', '_')}"  # type: ignore[misc]
        self._control, self._bends, self._bend = spec.controls[0], spec.bends, bend

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum of the distances in such frames, and how many these are."""
        kept = []
        for output, truth in zip(outputs, truths, strict=True):
            wanted = truth[self._control]
            there = bend_of(wanted, self._bends) == self._bend
            kept.append([np.abs(np.asarray(output, float)[:, 0] - wanted)[there].sum(), there.sum()])
        return np.asarray(kept, float).reshape(-1, 2)


class AllBendsError(Additive):
    """The mean distance of the steering, straight frames, bends and sharp bends counted alike.

    Most frames of most drives are straight: over all of them alike, never to turn the wheel is hard to beat.

    Args:
        spec: what a drive is.
    """

    higher_is_better = False

    def __init__(self, spec: DriveSpec) -> None:
        self.name = f"{spec.controls[0]}_mae_over_bends"  # type: ignore[misc]
        self._parts = [BendError(spec, bend) for bend in range(len(BENDS))]

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 6): for each kind the sum of the distances and the frames."""
        return np.concatenate([part.statistics(outputs, truths) for part in self._parts], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """The mean over the kinds that there are."""
        with np.errstate(divide="ignore", invalid="ignore"):
            means = sums[:, ::2] / sums[:, 1::2]
        known = np.isfinite(means)
        counts = known.sum(axis=1)
        return np.where(counts > 0, np.where(known, means, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)


class _Braking(_Mean):
    """Something about the moments of braking (`assay.evaluation.braking`).

    Args:
        spec: what a drive is.
    """

    def __init__(self, spec: DriveSpec) -> None:
        self._spec = spec

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): the sum over the moments that count, and how many these are."""
        kept = []
        for output, truth in zip(outputs, truths, strict=True):
            values = self._values(moments(*brakes(output, truth, self._spec)))
            kept.append([sum(values), len(values)])
        return np.asarray(kept, float).reshape(-1, 2)

    @abstractmethod
    def _values(self, found: Sequence[Moment]) -> list[float]: ...


class MissedBraking(_Braking):
    """The share of the moments of braking at which the brake was not touched."""

    name, unit, higher_is_better = "missed_braking", "rate", False

    def _values(self, found: Sequence[Moment]) -> list[float]:
        return [float(one.late_s is None) for one in found]


class LateBraking(_Braking):
    """How much later than right it brakes, in the mean over the moments that it did not miss; negative for earlier."""

    name, unit, higher_is_better, best_known = "braking_late", "s", False, False

    def _values(self, found: Sequence[Moment]) -> list[float]:
        return [one.late_s for one in found if one.late_s is not None]


class HardBraking(_Braking):
    """How hard it brakes at most beside what is right, in the mean over the moments that it did not miss."""

    name, unit, best_known = "braking_hardness", "rate", False

    def _values(self, found: Sequence[Moment]) -> list[float]:
        return [one.done / one.wanted for one in found if one.late_s is not None]


def control_losses(outputs: Values, truths: Values, spec: DriveSpec) -> Array:
    """(U,) the mean error of the first control over the frames of each drive."""
    sums = ControlError(spec, 0).statistics(outputs, truths)
    return np.asarray(sums[:, 0] / np.maximum(sums[:, 1], 1))


def brakes(output: Any, truth: Truth, spec: DriveSpec) -> tuple[Array, Array, float]:
    """(T,) the brake as it should be, (T,) as it was, and steps a second.

    In a ride the expert's word at each of its steps is what should be. Of records that go beyond 1, such as per cent or
    bar, both are shares of the hardest braking that was learned from.
    """
    place = spec.brake
    if place is None:
        return np.zeros(0), np.zeros(0), 1.0
    if isinstance(output, np.ndarray):
        full = max(1.0, spec.high[place])
        return truth[spec.controls[place]] / full, output[:, place] / full, spec.rate_hz
    if output.advice is None:
        return np.zeros(0), np.zeros(0), output.rate_hz
    return output.advice[:, place], output.actions[:, place], output.rate_hz
