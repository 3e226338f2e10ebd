"""A random forest on the features of single pixels: the classical way to tell what each pixel is.

Source: Breiman, "Random forests" (Machine Learning 45, 2001), grown by LightGBM, whose text form holds no code. A class
has a forest of its own, whose leaves hold the share of its pixels; two classes share one.

Shapes: N pixels, F features, C classes, S the side of a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._fitting import Clock, require_fitted, require_training, threads
from assay.baselines._storage import damaged, read_json, require, write_json
from assay.baselines._trees import check_model_text
from assay.baselines.baseline import Baseline
from assay.baselines.pixel_features import COUNT, pixel_features
from assay.samples.mask_spec import MaskSpec
from assay.samples.mask_windows import Segmented, WindowShares, merge
from assay.sources.label_mask import VOID

if TYPE_CHECKING:
    from lightgbm import Booster

    from assay.evaluation.metrics import Values
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: Trees of a forest, pixels that it is grown from at most, pixels of a window at most; and what share of a window's,
#: since neighbours say the same.
_TREES, _MOST_PIXELS, _EACH, _SHARE = 40, 200_000, 4000, 0.25
#: Trees at least; with fewer rows than this, threads wait for one another longer than they work.
_LEAST_TREES, _ROWS_FOR_THREADS = 8, 20_000
_PARAMETERS = {
    "boosting": "rf",
    "objective": "regression",
    "bagging_freq": 1,
    "bagging_fraction": 0.632,
    "feature_fraction_bynode": 0.25,
    "num_leaves": 512,
    "min_data_in_leaf": 4,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class PixelForest(Baseline):
    """See the module. Takes the fields `image`, `target` and `place` of the samples.

    Args:
        spec: its classes.
    """

    name = "random forest on pixel features"
    features = "made by hand"
    reading = "which colours, edges and blobs around a pixel its trees ask for"
    libraries = ("lightgbm", "scipy.ndimage")

    def __init__(self, spec: MaskSpec) -> None:
        self.spec = spec
        self._fitted: list[Booster] | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`. Nothing is chosen, so the validation side is left alone."""
        clock = Clock(budget_s)
        rows, truths = _pixels(train, clock, seed)
        require_training(len(truths))
        wanted = range(1, 2) if len(self.spec.classes) == 2 else range(len(self.spec.classes))
        forests, trees = [], _TREES
        for place, number in enumerate(wanted):
            left = clock.left_s() / (len(wanted) - place)
            forest = _grown(rows, (truths == number).astype(np.float32), trees, left, seed)
            trees = min(trees, forest.num_trees())
            forests.append(forest)
        self._fitted = forests
        return f"{len(truths):,} pixels of {len(train):,} training pictures, {trees} trees a class"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        return list(merged(self, view))

    def respond(self, batch: Any) -> Values:
        """See `Baseline.respond`."""
        forests = require_fitted(self._fitted)
        found = []
        for image, place in zip(batch.image.numpy(), batch.place.numpy(), strict=True):
            side = image.shape[-1]
            rows = pixel_features(_whole(image)).reshape(-1, COUNT)
            scores = np.stack([forest.predict(rows, num_threads=_threads_for(len(rows))) for forest in forests])
            shares = np.stack([1 - scores[0], scores[0]]) if len(forests) == 1 else scores
            shares = shares.clip(1e-3, 1)
            shares = shares / shares.sum(axis=0)
            found.append(WindowShares(shares.reshape(-1, side, side).astype(np.float16), place))
        return found

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        forests = require_fitted(self._fitted)
        write_json(folder / "forest.json", {"forests": len(forests)})
        for place, forest in enumerate(forests):
            (folder / f"forest-{place}.txt").write_bytes(forest.model_to_string().encode())

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        classes = len(self.spec.classes)
        about = read_json(folder / "forest.json", forests=int)
        require(about["forests"] == (1 if classes == 2 else classes), folder, "another number of forests than classes")
        self._fitted = [_read(folder / f"forest-{place}.txt") for place in range(about["forests"])]


def _grown(rows: Array, wanted: Array, trees: int, limit_s: float, seed: int) -> Booster:
    """A forest of so many trees, or of fewer, eight at least, where the time runs out."""
    import lightgbm

    parameters = {**_PARAMETERS, "num_threads": _threads_for(len(rows)), "seed": seed % 2**31}
    forest = lightgbm.Booster(parameters, lightgbm.Dataset(rows, wanted, params=parameters))
    clock = Clock(limit_s)
    for tree in range(trees):
        if forest.update() or (tree + 1 >= _LEAST_TREES and clock.left_s() < 0):
            break
    return lightgbm.Booster(model_str=forest.model_to_string())


def _threads_for(rows: int) -> int:
    return threads() if rows >= _ROWS_FOR_THREADS else 1


def merged(model: Baseline, view: View) -> Iterator[Segmented]:
    """The answer to each unit of a view, out of what a model says about its windows, as soon as the last is there."""
    unit = view.samples.unit[view.windows]
    held: list[WindowShares] = []
    done = 0
    for batch in view.batches(16):
        for output in model.respond(batch):
            held.append(output)
            done += 1
            if done == len(unit) or unit[done] != unit[done - 1]:
                yield merge(held)
                held = []


def _pixels(view: View, clock: Clock, seed: int) -> tuple[Array, Array]:
    """(N, F) features and (N,) classes of random pixels of random windows, as many as the time allows."""
    random = np.random.default_rng([seed, 29])
    order = random.permutation(len(view.windows))
    each = min(_EACH, max(200, _MOST_PIXELS // max(1, len(order))))
    rows: list[Array] = []
    truths: list[Array] = []
    for window in view.windows[order]:
        batch = view.samples.batch(np.asarray([window]))
        image, mask = batch.image.numpy()[0], batch.target.numpy()[0]  # type: ignore[attr-defined]
        known = np.flatnonzero(mask.ravel() != VOID)
        count = min(each, round(_SHARE * len(known)))
        chosen = random.choice(known, count, replace=False) if count else known[:0]
        rows.append(pixel_features(_whole(image)).reshape(-1, COUNT)[chosen])
        truths.append(mask.ravel()[chosen])
        if clock.left_s(0.4) < 0 or sum(map(len, truths)) >= _MOST_PIXELS:
            break
    if not rows:
        return np.zeros((0, COUNT), np.float32), np.zeros(0, np.uint8)
    return np.concatenate(rows), np.concatenate(truths)


def _whole(image: Array) -> Array:
    """Pixels as uint8, also where a change left fractions."""
    return image if image.dtype == np.uint8 else np.rint(image).clip(0, 255).astype(np.uint8)


def _read(path: Path) -> Booster:
    import lightgbm

    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    check_model_text(text, path, COUNT, 1)
    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise damaged(path, str(error)) from error
