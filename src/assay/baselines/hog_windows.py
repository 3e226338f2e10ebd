"""The classical detector of objects: gradients and colours in windows of all sizes, a linear machine for each class.

Dalal & Triggs (2005), with the features, the hard negatives and the regression of boxes of Felzenszwalb et al. (2010).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import sigmoid
from assay.baselines._fitting import Clock, require_fitted, require_training
from assay.baselines._hog_detector import HogDetector, Machine
from assay.baselines._hog_training import Gatherer
from assay.baselines._storage import read_arrays, read_json, require, write_arrays, write_json
from assay.baselines._windows import Windows, features_of_window, fit_windows
from assay.baselines.baseline import Baseline
from assay.evaluation.box_matching import match
from assay.samples.box_frames import out_of_frame

if TYPE_CHECKING:
    from assay.evaluation.metrics import Values
    from assay.samples.box_spec import BoxSpec
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Seconds that more time does not make better: so many, and so many for each training picture.
_ENOUGH_S, _ENOUGH_PICTURE_S = 20.0, 0.12
_BATCH = 16
_LEAST_PICTURES = 8
#: Shares of the time at which the search for hard negatives ends, and the fit after it, round by round.
_ROUNDS = ((0.55, 0.65), (0.8, 0.9))
_SLOPES = np.geomspace(0.5, 32.0, 19)
_NAMES = ("weights", "offset", "moves", "shift")


class HogWindows(Baseline):
    """Histograms of oriented gradients and colours in sliding windows, and a linear support vector machine a class.

    Takes the fields `image` (W, C, H, W) uint8, `frame` (W, 2) and, to fit, `objects` (n, 6).

    Args:
        spec: what a picture is.
    """

    name = "HOG windows with a linear SVM"
    features = "made by hand"
    reading = "a template of edges and colours for each class, laid over every place in every size"
    libraries = ("scipy.optimize",)

    def __init__(self, spec: BoxSpec) -> None:
        self.spec = spec
        self._detector: HogDetector | None = None
        self._threshold = np.zeros(len(spec.classes))  # (K,) the margin from which a box counts as found
        self._slope = 2.0

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(min(budget_s, _ENOUGH_S + _ENOUGH_PICTURE_S * len(train)))
        random = np.random.default_rng(seed)
        order = random.permutation(train.windows)
        objects = [np.asarray(one) for one in train.samples.field("objects", order)]
        known = np.concatenate([*objects, np.zeros((0, 6), np.float32)])
        known = known[known[:, 5] == 0]
        require_training(len(known))
        gatherer = Gatherer(fit_windows(known), len(self.spec.classes), self.spec.channels, random)
        count = _look(gatherer, _pictures(train, order, objects), clock)
        detector = gatherer.fit(clock.left_s(0.4))
        for looked, fitted in _ROUNDS:
            gatherer.drop_easy(detector)
            for image, inside in _pictures(train, random.permutation(order), None):
                gatherer.mine(detector, image, inside)
                if clock.left_s(looked) < 0 or gatherer.full():
                    break
            detector = gatherer.fit(clock.left_s(fitted), detector)
        self._detector = detector
        self._calibrate(validation if len(validation) else train.sample(32, seed), clock)
        held, empty = gatherer.counts()
        return f"{count} of {len(order)} pictures, {held:,} windows with and {empty:,} without an object"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`: (n, 6) each, x0, y0, x1, y1 in pixels of the picture, score, class; best first."""
        return [found for batch in view.batches(_BATCH) for found in self.respond(batch)]

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        frames = np.asarray(batch.frame)
        return [self._answer(image, frame) for image, frame in zip(_as_bytes(batch.image), frames, strict=True)]

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        detector = require_fitted(self._detector)
        arrays = {f"{name}{place}": getattr(machine, name)
                  for place, machine in enumerate(detector.machines) for name in _NAMES}  # fmt: skip
        write_arrays(folder / "windows.npz", {**arrays, "threshold": self._threshold})
        windows = {"shapes": list(map(list, detector.windows.shapes)), "sizes": list(detector.windows.sizes)}
        write_json(folder / "windows.json", {**windows, "slope": self._slope})

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "windows.json"
        told = read_json(path, shapes=list, sizes=list, slope=float)
        shapes = [tuple(shape) for shape in told["shapes"] if isinstance(shape, list)]
        whole = [isinstance(side, int) and 0 < side < 100 for shape in shapes for side in shape]
        require(0 < len(shapes) == len(told["shapes"]) and all(whole), path, "a bad shape")
        require(all(len(shape) == 2 for shape in shapes), path, "a bad shape")
        sizes = told["sizes"]
        require(bool(sizes) and all(isinstance(size, float) and 1 <= size < 1e5 for size in sizes), path, "a bad size")
        require(sizes == sorted(sizes) and len(sizes) <= 99 and np.isfinite(told["slope"]), path, "a bad number")
        path, classes = folder / "windows.npz", len(self.spec.classes)
        dimensions = dict(zip(_NAMES, (2, 1, 2, 1), strict=True))
        wanted = {f"{name}{place}": dimensions[name] for place in range(len(shapes)) for name in _NAMES}
        got = read_arrays(path, **wanted, threshold=1)
        machines = []
        for place, shape in enumerate(shapes):
            machine = Machine(*(got[f"{name}{place}"] for name in _NAMES))
            length = features_of_window(shape, self.spec.channels)
            fits = machine.weights.shape == (length, classes) and machine.offset.shape == (classes,)
            require(fits and machine.moves.shape == (length, 4) and len(machine.shift) == 4, path, "sizes do not fit")
            machines.append(machine)
        require(len(got["threshold"]) == classes, path, "another number of classes")
        self._detector = HogDetector(Windows(tuple(shapes), tuple(sizes)), tuple(machines))
        self._threshold, self._slope = got["threshold"], told["slope"]

    def _answer(self, image: Array, frame: Array) -> Array:
        """The boxes (n, 6) of one picture (C, H, W)."""
        boxes, margins, labels = require_fitted(self._detector).find(image)
        scores = sigmoid(self._slope * (margins - self._threshold[labels]))
        order = np.argsort(-scores, kind="stable")
        whole = np.concatenate([boxes, scores[:, None], labels[:, None]], axis=1)[order]
        return np.asarray(out_of_frame(whole, frame, self.spec), np.float32)

    def _calibrate(self, view: View, clock: Clock) -> None:
        """Choose from which margin on a box of each class counts as found, and how sure margins are, on other pictures.

        The threshold is that of the best F1 at an overlap of one half; there the score is 0.5.
        """
        detector = require_fitted(self._detector)
        margins, labels, right, wanted = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0, bool)], [np.zeros(0)]
        for count, (image, objects) in enumerate(_pictures(view, view.windows, None)):
            boxes, margin, label = detector.find(image)
            matches = match(np.column_stack([boxes, margin, label]), objects, (0.5,))
            counts = ~matches.ignored[0]
            margins.append(matches.score[counts])
            labels.append(matches.label[counts])
            right.append(matches.right[0][counts])
            wanted.append(matches.wanted)
            if count >= _LEAST_PICTURES and clock.left_s() < 0:
                break
        margin, label, hit = np.concatenate(margins), np.concatenate(labels), np.concatenate(right)
        truths = np.concatenate(wanted)
        for number in range(len(self._threshold)):
            own = label == number
            self._threshold[number] = _best_threshold(margin[own], hit[own], int((truths == number).sum()))
        above = margin - self._threshold[label]
        losses = [np.logaddexp(0, np.where(hit, -1, 1) * slope * above).mean() if len(above) else 0.0
                  for slope in _SLOPES]  # fmt: skip
        self._slope = float(_SLOPES[int(np.argmin(losses))])


def _look(gatherer: Gatherer, pictures: Iterator[tuple[Array, Array]], clock: Clock) -> int:
    """Gather windows from pictures while there is time and room, and leave some for hard negatives; how many were."""
    count = 0
    for image, inside in pictures:
        gatherer.look(image, inside)
        count += 1
        if count >= _LEAST_PICTURES and (clock.left_s(0.3) < 0 or gatherer.full(0.7)):
            break
    return count


def _best_threshold(margins: Array, right: Array, wanted: int) -> float:
    """The margin (of M) from which on boxes have the best F1; zero where none is right."""
    if not right.any():
        return 0.0
    order = np.argsort(-margins, kind="stable")
    hits = np.cumsum(right[order])
    scores = 2 * hits / (np.arange(len(order)) + 1 + wanted)
    best = int(np.argmax(scores))
    after = margins[order[min(best + 1, len(order) - 1)]]
    return float(margins[order[best]] + after) / 2


def _pictures(view: View, windows: Array, objects: list[Array] | None) -> Iterator[tuple[Array, Array]]:
    """The pictures (C, H, W) and objects (n, 6) of windows, a few in memory at a time."""
    for start in range(0, len(windows), _BATCH):
        some = windows[start : start + _BATCH]
        images = np.asarray(view.samples.field("image", some))
        inside = view.samples.field("objects", some) if objects is None else objects[start : start + _BATCH]
        yield from zip(images, map(np.asarray, inside), strict=True)


def _as_bytes(images: Any) -> Array:
    """A batch of pictures (W, C, H, W) as uint8; one that was changed may come as floats."""
    values = np.asarray(images)
    return values if values.dtype == np.uint8 else np.rint(values).clip(0, 255).astype(np.uint8)
