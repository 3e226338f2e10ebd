"""A classical driver: the road by its colour, its middle row by row, a PD wheel, a speed that bends in view allow.

It sees what the policy sees: pixels. The colour of the road is learned from where the expert's car stands; the speed is
read from the instruments by ridge regression on the lowest rows of the frame, learned from the expert's drives; gains
are tuned by driving on the tracks to learn from. The wheel: pure pursuit (R. C. Coulter 1992), which is a proportional
control of the offset, with a term for the direction of the road, which is the derivative of the offset along the way.

Shapes: B frames, H, W of a frame, R rows that are looked at, A controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, require_fitted
from assay.baselines._storage import read_arrays, read_json, write_arrays, write_json
from assay.baselines.baseline import Baseline
from assay.samples.drive_spec import DriveSpec

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Drives the tracks of some units, and gives the mean score.
Trial = Callable[["RoadFollowing", "View"], float]
#: Where the car stands in the frame, and the patch before it whose colour is the road's, in shares of the frame.
_CAR_ROW, _CAR_COLUMN = 0.75, 0.5
_PATCH = (0.60, 0.68, 0.46, 0.54)
#: The panel's rows, where there is one.
_PANEL = 0.875
_FRAMES, _RIDGE = 1500, 1e-3
#: Rows that are looked at, and what a row further on may shift the middle of the road by at most, in its width.
_ROWS = 20
#: Where the road is lost nearer than this, it bends as sharply as this: one over the radius.
_IN_VIEW, _SHARP = 0.6, 5.0
#: Off the road: how far the wheel is turned for each radian to it, and the speed as a share of the fastest.
_BACK, _SLOWLY = 0.4, 0.25
#: Tracks of a trial, and by how much each setting is changed.
_TRACKS, _CHANGE = 3, 1.3
#: The order in which they are changed, and the share of the score that a change has to bring to be kept.
_ORDER = ("fastest", "grip", "braking", "look_s", "wheel", "look", "slope", "brake", "throttle")
_WORTH = 0.002


@dataclass(frozen=True)
class Gains:
    """What is tuned. Lengths are heights of the frame; speeds are in the recorded unit.

    Attributes:
        wheel: of the pursuit.
        slope: of the direction of the road.
        look: the distance of the point that is steered for, at rest.
        look_s: what is added to it for each unit of speed.
        grip: the square of the speed that a bend of radius one allows.
        braking: by how much the square of the speed may lie above that for each unit of distance.
        fastest: on a straight.
        throttle: for each unit of speed that lacks.
        brake: for each unit too much.
    """

    wheel: float = 0.085
    slope: float = 0.0
    look: float = 0.1
    look_s: float = 0.003
    grip: float = 3000.0
    braking: float = 3000.0
    fastest: float = 54.0
    throttle: float = 0.1
    brake: float = 0.025


@dataclass(frozen=True)
class Learned:
    """What is learned from the expert's frames.

    Attributes:
        colour: (3,) of the road.
        reach: how far a pixel's colour may lie from that.
        speed: (3W + 1,) weights of the panel's columns and a constant.
    """

    colour: Array
    reach: float
    speed: Array


class RoadFollowing(Baseline):
    """See the module.

    Args:
        spec: what a drive is.
        trial: drives the tracks of some units.
    """

    name = "road colour and PD control"
    features = "made by hand"
    reading = "a colour, the middle of the road, and nine gains"

    def __init__(self, spec: DriveSpec, trial: Trial) -> None:
        self._spec, self._trial = spec, trial
        self.gains = Gains()
        self._learned: Learned | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`: learn colour and speed, then change one gain after the other and keep what scores."""
        clock = Clock(budget_s)
        self._learned = _learn(train.sample(12, seed))
        tracks = train.sample(_TRACKS, seed)
        best, rides = self._trial(self, tracks), len(tracks)
        each_s = max(clock.spent_s, 1e-3)
        changes = [(name, factor) for factor in (_CHANGE, 1 / _CHANGE) for name in _ORDER]
        since, turn = 0, 0  # changes since the last one that was kept
        while since < len(changes) and clock.left_s() > 1.5 * each_s:
            name, factor = changes[turn % len(changes)]
            kept, turn, since = self.gains, turn + 1, since + 1
            value = getattr(kept, name) * factor if name != "slope" or kept.slope else 0.05
            self.gains = replace(kept, **{name: value})
            score, rides = self._trial(self, tracks), rides + len(tracks)
            if score > best + _WORTH * abs(best):
                best, since = score, 0
            else:
                self.gains = kept
        return f"gains tuned in {rides} rides on {len(tracks)} tracks to learn from"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: (T, A) of each drive."""
        from assay.baselines._drives import by_drive

        return by_drive(view, self.respond)

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        frames = batch.image.numpy()[:, -3:].astype(np.float32)
        return np.stack([self._act(frame) for frame in frames])

    def _act(self, frame: Array) -> Array:
        """(A,) for a frame (3, H, W)."""
        learned, gains = require_fitted(self._learned), self.gains
        speed = float(_panel(frame[None])[0] @ learned.speed[:-1] + learned.speed[-1])
        speed = max(speed, 0.0)
        road = _is_road(frame, learned)
        ahead, aside = _middle(road)
        action = np.zeros(len(self._spec.controls))
        if len(ahead) < 3:  # no road before the car: slowly to where most of it is seen
            action[0] = _BACK * _direction(road)
            action[1] = float(speed < _SLOWLY * gains.fastest)
            return np.clip(action, self._spec.low, self._spec.high)
        look = np.clip(gains.look + gains.look_s * speed, ahead[0], ahead[-1])
        offset = float(np.interp(look, ahead, aside))
        slope = float((aside[2] - aside[0]) / (ahead[2] - ahead[0]))
        action[0] = gains.wheel * 2 * offset / (look**2 + offset**2) + gains.slope * slope
        lack = _bearable(ahead, aside, gains) - speed
        action[1] = gains.throttle * lack
        if self._spec.brake is not None:
            action[self._spec.brake] = -gains.brake * (lack + 1)
        return np.asarray(np.clip(action, self._spec.low, self._spec.high))

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        learned = require_fitted(self._learned)
        write_arrays(folder / "road.npz", {"colour": learned.colour, "speed": learned.speed})
        write_json(folder / "gains.json", {**asdict(self.gains), "reach": learned.reach})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        arrays = read_arrays(folder / "road.npz", colour=1, speed=1)
        names = Gains.__dataclass_fields__
        values = read_json(folder / "gains.json", reach=float, **dict.fromkeys(names, (int, float)))
        self._learned = Learned(arrays["colour"], float(values["reach"]), arrays["speed"])
        self.gains = Gains(**{name: float(values[name]) for name in names})


def _learn(drives: View) -> Learned:
    """Colour of the road and how to read the speed, from some of the drives' frames."""
    windows = drives.windows[np.linspace(0, len(drives.windows) - 1, min(len(drives.windows), _FRAMES)).astype(int)]
    frames = np.asarray(drives.samples.field("image", windows))[:, -3:].astype(np.float32)
    height, width = frames.shape[2:]
    top, bottom, left, right = (
        round(share * side) for share, side in zip(_PATCH, (height, height, width, width), strict=True)
    )
    colour = np.median(frames[:, :, top:bottom, left:right], axis=(0, 2, 3))
    distances = np.sqrt(((frames[::8, :, : round(_PANEL * height)] - colour[:, None, None]) ** 2).sum(axis=1))
    speeds = np.concatenate([truth.get("speed", np.full(len(next(iter(truth.values()))), np.nan))
                             for truth in drives.truths()])  # fmt: skip
    place = np.searchsorted(drives.windows, windows) if (np.diff(drives.windows) > 0).all() else np.arange(len(windows))
    return Learned(colour, _otsu(distances.ravel()), _speed_weights(_panel(frames), speeds[place]))


def _speed_weights(panel: Array, speed: Array) -> Array:
    """(3W + 1,) by ridge regression; the mean alone where no speed is known."""
    known = np.isfinite(speed)
    if known.sum() < 10:
        return np.zeros(panel.shape[1] + 1)
    x, y = panel[known].astype(np.float64), speed[known]
    mean, middle = x.mean(axis=0), float(y.mean())
    centred = x - mean
    scatter = centred.T @ centred
    weights = np.linalg.solve(scatter + (_RIDGE * np.trace(scatter) / len(scatter) + 1e-9) * np.eye(len(scatter)),
                              centred.T @ (y - middle))  # fmt: skip
    return np.asarray([*weights, middle - mean @ weights])


def _panel(frames: Array) -> Array:
    """(B, 3W) the mean of each column of the lowest rows of frames (B, 3, H, W)."""
    return np.asarray(frames[:, :, round(_PANEL * frames.shape[2]) :].mean(axis=2).reshape(len(frames), -1))


def _otsu(values: Array) -> float:
    """The value that parts the two kinds that values are of best (N. Otsu, IEEE Trans. SMC 9, 1979)."""
    counts, edges = np.histogram(values, 128)
    share = counts / max(1, counts.sum())
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(share)
    mean = np.cumsum(share * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * below - mean) ** 2 / (below * (1 - below))
    return float(edges[1:][np.nanargmax(between)])


def _direction(road: Array) -> float:
    """The angle from the car to the middle of all road in view, to the right positive; 0 where there is none."""
    height, width = road.shape
    rows, columns = np.nonzero(road[: round(_PANEL * height)])
    if not len(rows):
        return 0.0
    return float(np.arctan2(columns.mean() - _CAR_COLUMN * (width - 1), max(1.0, _CAR_ROW * height - rows.mean())))


def _is_road(frame: Array, learned: Learned) -> Array:
    """(H, W) bool."""
    distance = ((frame - learned.colour[:, None, None]) ** 2).sum(axis=0)
    return np.asarray(distance < learned.reach**2)


def _middle(road: Array) -> tuple[Array, Array]:
    """The middle of the road: (R,) how far ahead of the car and (R,) how far to the right, in heights of the frame.

    From the row before the car on upwards, each time the run of road that goes on from the one below; until it ends.
    """
    height, width = road.shape
    rows = np.linspace(_CAR_ROW * height - 0.06 * height, 1, _ROWS).round().astype(int)
    at, last = _CAR_COLUMN * (width - 1), 0.0
    ahead: list[float] = []
    aside: list[float] = []
    for row in rows:
        runs = _runs(road[row])
        fitting = [run for run in runs if run[0] - 2 <= at + last <= run[1] + 2] or (runs if not ahead else [])
        if not fitting:
            break
        start, stop = min(fitting, key=lambda run: abs((run[0] + run[1]) / 2 - at))
        middle = (start + stop) / 2
        last = middle - at if ahead else 0.0
        at = middle
        ahead.append(_CAR_ROW - row / height)
        aside.append((middle - _CAR_COLUMN * (width - 1)) / height)
    return np.asarray(ahead), np.asarray(aside)


def _runs(marked: Array) -> list[tuple[int, int]]:
    """First and last column of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, marked, False]))
    return [(int(start), int(stop) - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _bearable(ahead: Array, aside: Array, gains: Gains) -> float:
    """The speed that the bends in view allow, those further on with the way left to brake."""
    found = [gains.fastest]
    step = 4
    for low in range(0, len(ahead) - 2 * step, 2):
        first, second, third = (np.asarray([ahead[at], aside[at]]) for at in (low, low + step, low + 2 * step))
        before, behind = second - first, third - second
        turned = abs(np.arctan2(before[0] * behind[1] - before[1] * behind[0], before @ behind))
        bend = turned / max((np.hypot(*before) + np.hypot(*behind)) / 2, 1e-6)
        found.append(np.sqrt(gains.grip / max(bend, 1e-3) + gains.braking * ahead[low]))
    if ahead[-1] < _IN_VIEW:  # the road leaves the view: a sharp bend
        found.append(np.sqrt(gains.grip / _SHARP + gains.braking * ahead[-1]))
    return float(min(found))


__all__: Sequence[str] = ["Gains", "RoadFollowing"]
