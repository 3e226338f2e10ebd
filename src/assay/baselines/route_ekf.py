"""The classical models of positioning: a tuned extended Kalman filter, and dead reckoning as the floor.

The filter follows the scale of the wheels, the bias of the gyroscope, and what the wheels of an axle differ in. Beside
the gyroscope it has a second opinion on turning, from the wheels of an axle and the steering angle; where the car
stands, it knows that it does not turn. It knows the calibration of the training drives (see
`assay.samples.route_calibration`), side slip included. What it believes of its noise is tuned on the training drives,
by the metric that counts.

Shapes: B drives, T steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._route_noise import noise_of
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.baselines.route_filter import Noise, followed, reckoned
from assay.errors import DataError
from assay.evaluation.track_metrics import track_metrics

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.evaluation.route_tracks import Drives
    from assay.samples.route_calibration import Signals
    from assay.samples.route_spec import RouteSpec
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Drives that go through the filter together, and training drives that it is tuned on at most.
_AT_ONCE, _TUNED_ON = 32, 48
#: Of each, so many seconds from its beginning.
_TUNED_S = 250.0
#: By how many doublings a value is first changed, and at last.
_FIRST, _LAST = 1.0, 0.1
_MOST_TRIALS = 400


class DriveFilter(Baseline):
    """The extended Kalman filter; see the module.

    Args:
        spec: what a drive is.
        most_trials: of values for its noise, whatever time there is.
    """

    name = "extended Kalman filter"
    features = "the sensors as they are, with a calibration by hand"
    reading = "each number has a unit and a meaning: scales, biases, noise"

    def __init__(self, spec: RouteSpec, most_trials: int = _MOST_TRIALS) -> None:
        self.spec, self._most_trials = spec, most_trials
        self.noise = Noise()

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`; only training drives are looked at."""
        chosen = train.sample(_TUNED_ON)
        if not len(chosen):
            raise DataError("there is no training drive to tune the filter on", "Give more drives, or another --split.")
        parts, starts = [], []
        batches: Any = chosen.batches(_AT_ONCE)
        for batch in batches:
            signals, drives = _beginning(*_for_filter(batch, self.spec), round(_TUNED_S * self.spec.rate_hz))
            parts.append((signals, drives))
            moved = batch.moved.double().numpy()[:, : signals.speed.shape[1]]
            starts.append(noise_of(signals, moved, drives.length, self.spec.step_s, self.spec.calibration.bend))
        truths = chosen.truths()
        metric = track_metrics(self.spec.gnss, self.spec.lengths_m)[0]

        def cost(noise: Noise) -> float:
            tracks = [track for signals, drives in parts for track in followed(signals, drives, self.spec, noise)]
            found = metric.value(tracks, truths)
            return found if np.isfinite(found) else np.inf

        first = min((Noise(), *starts), key=cost)
        self.noise, trials = tuned(cost, first, budget_s, seed, self.spec.gnss, self._most_trials)
        return f"tuned on {len(chosen)} training drives in {trials} trials"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        parts = _parts(view, self.spec)
        return [track for signals, drives in parts for track in followed(signals, drives, self.spec, self.noise)]

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return followed(*_for_filter(batch, self.spec), self.spec, self.noise)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "filter.json", self.noise.to_json())

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "filter.json"
        names = [item.name for item in fields(Noise)]
        found = read_json(path, **{name: (int, float, bool) for name in names})
        values = {name: found[name] for name in names}
        sound = all(np.isfinite(float(value)) and value >= 0 for value in values.values())
        require(sound, path, "a deviation is negative or no number")
        self.noise = Noise(**{**values, "coupled": bool(values["coupled"])})


class DeadReckoning(Baseline):
    """The calibrated sensors summed up; fixes of GNSS only say where a drive begins."""

    name = "dead reckoning"
    features = "the sensors as they are"
    reading = "a scale for the speed, one for the turning"
    floor = True

    def __init__(self, spec: RouteSpec) -> None:
        self.spec = spec

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`: there is nothing to fit beyond the calibration."""
        return f"with the calibration of {len(train)} training drives"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return [track for signals, drives in _parts(view, self.spec) for track in reckoned(signals, drives, self.spec)]

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        return reckoned(*_for_filter(batch, self.spec), self.spec)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        write_json(folder / "reckoning.json", {"fitted": True})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        read_json(folder / "reckoning.json", fitted=bool)


def _parts(view: View, spec: RouteSpec) -> Iterator[tuple[Signals, Drives]]:
    for batch in view.batches(_AT_ONCE):
        yield _for_filter(batch, spec)


def _for_filter(batch: Any, spec: RouteSpec) -> tuple[Signals, Drives]:
    """A batch of drives as numpy arrays of what their sensors say, and what else a filter takes."""
    from assay.networks.motion_tracks import drives_of
    from assay.samples.route_calibration import Signals, signals_of

    found = signals_of(batch.sensors, batch.present, spec.channels, spec.calibration)
    signals = Signals(*(getattr(found, item.name).numpy() for item in fields(Signals)))
    return signals, drives_of(batch, spec.gnss)


def _beginning(signals: Signals, drives: Drives, steps: int) -> tuple[Signals, Drives]:
    """The first steps of some drives."""
    cut = type(signals)(*(getattr(signals, item.name)[:, :steps] for item in fields(signals)))
    fixes = None if drives.fixes is None else drives.fixes[:, :steps]
    return cut, replace(drives, fixes=fixes, length=np.minimum(drives.length, steps))


def tuned(
    cost: Any, noise: Noise, budget_s: float, seed: int, gnss: bool, most: int = _MOST_TRIALS
) -> tuple[Noise, int]:
    """The noise with the least cost that is found in the time, and how many trials that took.

    One value after the other is doubled or halved, by less and less where that does not help; then whether checks
    correct the pose, too.
    """
    end = time.monotonic() + budget_s
    names = [item.name for item in fields(Noise) if item.name not in ("coupled", *(() if gnss else ("fix",)))]
    random = np.random.default_rng(seed)
    sizes = dict.fromkeys(names, _FIRST)
    best, least, trials = noise, cost(noise), 1
    other = replace(noise, coupled=not noise.coupled)
    if (found := cost(other)) < least:
        best, least = other, found
    trials += 1
    while time.monotonic() < end and trials < most and max(sizes.values()) > _LAST:
        for name in random.permutation(names):
            for sign in random.permutation([-1.0, 1.0]):
                changed = replace(best, **{str(name): getattr(best, name) * 2 ** float(sign * sizes[name])})
                found, trials = cost(changed), trials + 1
                if found < least:
                    best, least = changed, found
                    sizes[name] = min(2 * _FIRST, 1.4 * sizes[name])
                    break
            else:
                sizes[name] /= 2
            if time.monotonic() > end or trials >= most:
                break
    return best, trials
