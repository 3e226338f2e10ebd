"""Which training clip a clip resembles most when both are stretched in time so that they fit best.

Source: H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE ASSP 26,
1978: a band about the diagonal, and steps that count twice where they go along both.

Shapes: Q clips that are asked about, N templates, F frames of each, D values of a frame, C classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import softmax
from assay.baselines._cepstra import COEFFICIENTS, LIBRARIES, affordable, cepstra, learned_from, waves_of
from assay.baselines._fitting import Clock, doubt, require_fitted, score
from assay.baselines._storage import read_arrays, read_integers, read_json, require, write_arrays, write_json
from assay.baselines.baseline import Baseline

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.targets.target import Target

Array = np.ndarray[Any, Any]
#: Every word is brought to so many frames before it is stretched.
FRAMES = 24
#: How far from the diagonal, in frames.
_BAND = 4
_MOST_TEMPLATES = 4000
_NEAREST = (1, 3, 5)
#: How much the differences over time count, beside the coefficients themselves.
_SLOPES = 2.0
#: Clips and templates that are compared at a time.
_AT_ONCE, _PAIRS = 64, 40_000
_SHARE = 0.2


class DtwTemplates(Baseline):
    """The mean distance to the nearest templates of each class, under dynamic time warping.

    Takes the field `sound`, (N, T) int16 or float, a window a unit. How many templates of a class count, and how
    quickly a distance becomes a probability, are chosen on the validation side.

    Args:
        target: classes.
        rate: values a second, in hertz.
        other: the number of the class that is no command; None where there is none.
    """

    name = "DTW to training clips"
    features = "made by hand"
    libraries = LIBRARIES
    reading = "which training clips a clip resembles most, and where in time"

    def __init__(self, target: Target, rate: int, other: int | None = None) -> None:
        self.target, self.rate, self.other = target, rate, other
        self._fitted: tuple[Array, Array] | None = None  # templates (N, F, D), their classes (N,)
        self._nearest, self._steepness = 1, 1.0

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        count = affordable(lambda few: self._frames(train.sample(few, seed)), len(train), _SHARE * budget_s)
        most = min(count, _MOST_TEMPLATES)
        sounds, truths, aside, answers = learned_from(self.target, train, validation, self.other, most, seed)
        templates, held = words(sounds, self.rate), words(aside, self.rate)
        self._fitted = (templates, truths.astype(np.int64))
        asked = affordable(lambda few: warped(held[:few], templates), len(held), clock.left_s(0.8), least=16)
        found, answers = warped(held[:asked], templates), answers[:asked]
        best: tuple[tuple[float, float], int, float] | None = None
        for nearest in _NEAREST if len(answers) else ():
            apart = self._apart(found, nearest)
            for steepness in np.geomspace(0.5, 64, 15):
                outputs = softmax(-steepness * apart)
                rating = (score(self.target, outputs, answers), -doubt(self.target, outputs, answers))
                if best is None or rating > best[0]:
                    best = (rating, nearest, float(steepness))
        if best is not None:
            self._nearest, self._steepness = best[1:]
        drawn = "" if most == len(train) else f" out of {len(train):,} training clips"
        return f"{len(templates):,} templates{drawn}, the nearest {self._nearest} of each class"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        templates = require_fitted(self._fitted)[0]
        frames = self._frames(view)
        pieces = [self._apart(warped(frames[start : start + _AT_ONCE], templates), self._nearest)
                  for start in range(0, len(frames), _AT_ONCE)]  # fmt: skip
        apart = np.concatenate(pieces) if pieces else np.zeros((0, self.target.outputs))
        return softmax(-self._steepness * apart)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        templates, classes = require_fitted(self._fitted)
        write_arrays(folder / "templates.npz", {"templates": templates})
        write_arrays(folder / "classes.npz", {"classes": classes})
        write_json(folder / "dtw.json", {"nearest": self._nearest, "steepness": self._steepness})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "templates.npz"
        numbers = read_json(folder / "dtw.json", nearest=int, steepness=float)
        usable = numbers["nearest"] >= 1 and bool(np.isfinite(numbers["steepness"]))
        require(usable, folder / "dtw.json", "a bad number")
        templates = read_arrays(path, templates=3)["templates"]
        classes = read_integers(folder / "classes.npz", classes=1)["classes"]
        fits = len(templates) == len(classes) > 0 and templates.shape[1:] == (FRAMES, 2 * COEFFICIENTS)
        require(fits, path, "sizes do not fit")
        known = bool(((classes >= 0) & (classes < self.target.outputs)).all())
        require(known, folder / "classes.npz", "other classes than the target has")
        self._fitted = (templates, classes)
        self._nearest, self._steepness = numbers["nearest"], numbers["steepness"]

    def _frames(self, view: View) -> Array:
        return words(waves_of(view), self.rate)

    def _apart(self, found: Array, nearest: int) -> Array:
        """(Q, C) the mean of the least distances (Q, N) to templates of each class, over that of the nearest one."""
        classes = require_fitted(self._fitted)[1]
        apart = np.full((len(found), self.target.outputs), np.inf)
        for number in np.unique(classes):
            own = found[:, classes == number]
            least = np.partition(own, min(nearest, own.shape[1]) - 1, axis=1)[:, :nearest]
            apart[:, number] = least.mean(axis=1)
        usual = np.where(np.isfinite(apart), apart, np.nan)
        scaled = apart / np.maximum(np.nanmin(usual, axis=1, keepdims=True), 1e-6)
        return np.asarray(np.minimum(scaled, 1e3))


def words(sounds: Array, rate: int) -> Array:
    """(N, F, D) float32: the cepstra of sounds (N, T) with their differences, brought to `FRAMES` frames each."""
    found = []
    for frames in cepstra(sounds, rate):
        frames = frames[:, : 2 * COEFFICIENTS]
        at = np.linspace(0, len(frames) - 1, FRAMES)
        low = np.floor(at).astype(int)
        part = (at - low)[:, None]
        found.append((1 - part) * frames[low] + part * frames[np.minimum(low + 1, len(frames) - 1)])
    whole = np.stack(found) if found else np.zeros((0, FRAMES, 2 * COEFFICIENTS))
    return np.asarray(whole * np.repeat([1.0, _SLOPES], COEFFICIENTS), np.float32)


def warped(asked: Array, templates: Array, band: int = _BAND) -> Array:
    """(Q, N) float32: distances under the best warping of frames (Q, F, D) onto templates (N, F, D).

    The distance of two frames is Euclidean; a step along both counts it twice, and the sum is divided by 2 F.

    Args:
        asked: the clips.
        templates: what they are compared with.
        band: frames that a clip may run ahead or behind.
    """
    step = max(1, _PAIRS // max(1, len(templates)))
    pieces = [_warped(asked[start : start + step], templates, band) for start in range(0, len(asked), step)]
    return np.concatenate(pieces) if pieces else np.zeros((0, len(templates)), np.float32)


def _warped(asked: Array, templates: Array, band: int) -> Array:
    frames = asked.shape[1]
    sizes = (asked**2).sum(axis=2), (templates**2).sum(axis=2)
    before: dict[int, Array] = {}
    for row in range(frames):
        here: dict[int, Array] = {}
        for column in range(max(0, row - band), min(frames, row + band + 1)):
            squares = sizes[0][:, row, None] + sizes[1][:, column] - 2 * asked[:, row] @ templates[:, column].T
            apart = np.sqrt(np.maximum(squares, 0))
            ways = [found for found in (here.get(column - 1), before.get(column)) if found is not None]
            ways = [found + apart for found in ways]
            if column - 1 in before:
                ways.append(before[column - 1] + 2 * apart)
            here[column] = np.minimum.reduce(ways) if ways else 2 * apart
        before = here
    return np.asarray(before[frames - 1] / (2 * frames), np.float32)
