"""The classical model of scans: statistics and textures measured by hand, and boosted trees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._columns import Columns, Sides, as_columns
from assay.baselines._fitting import Clock, hold_out, known, require_fitted, require_training
from assay.baselines._storage import read_json, require, write_json
from assay.baselines.baseline import Baseline
from assay.baselines.boosted_table import best_booster, read_booster
from assay.baselines.texture_features import LIBRARIES, texture_rows
from assay.evaluation.diagnosis import Thresholds, choose_thresholds, scores_of, with_thresholds

if TYPE_CHECKING:
    from lightgbm import Booster

    from assay.evaluation.metrics import Values
    from assay.samples.samples import View
    from assay.samples.scan_spec import ScanSpec

Array = np.ndarray[Any, Any]
_FEATURES_SHARE = 0.5
_LEAST_UNITS = 64


@dataclass(frozen=True)
class _Fitted:
    booster: Booster
    scale: float
    thresholds: Thresholds


class ScanTexture(Baseline):
    """First-order statistics, co-occurrence textures and histograms of gradients, and LightGBM on them.

    Takes the field `image`, (N, C, H, W), or (N, D, H, W) of volumes. Of several windows of a unit each feature's mean
    and largest value count.

    Args:
        spec: what a scan is, and the operating point, which is chosen on the validation side.
    """

    name = "first-order and texture features with LightGBM"
    features = "made by hand"
    reading = "how much each statistic or texture lowers the error, and single trees"
    libraries = ("lightgbm", *LIBRARIES)

    def __init__(self, spec: ScanSpec) -> None:
        self.spec = spec
        self._fitted: _Fitted | None = None

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock, target = Clock(budget_s), self.spec.target
        places, truths = known(target, train)
        require_training(len(places))
        units = train.samples.view_of(train.units[places])
        scale = float(max(np.max(part) for part in units.sample(_LEAST_UNITS, seed).field("image"))) or 1.0
        count = self._affordable(units, scale, clock, seed)
        drawn = np.sort(np.random.default_rng(seed).permutation(len(units))[:count])
        rows = self._rows(units.samples.view_of(units.units[drawn]), scale)
        truths = truths[drawn]
        chosen, answers = known(target, validation)
        aside, groups = self._rows(validation, scale)[chosen], validation.groups()[chosen]
        if not len(chosen):
            kept, out = hold_out(len(rows), seed)
            aside, answers, groups, rows, truths = rows[out], truths[out], out, rows[kept], truths[kept]
        sides = Sides(_columns(rows), truths, _columns(aside), answers)
        objective = {"objective": "multiclass", "num_class": target.outputs, "metric": "multi_logloss"}
        booster = best_booster(objective, sides, truths, answers, max(1.0, clock.left_s()), seed)
        scores = (
            scores_of(np.asarray(booster.predict(aside.astype(float))), self.spec.classes)
            if len(aside)
            else np.zeros(0)
        )
        thresholds = choose_thresholds(scores, np.asarray(answers) != 0, self.spec.at_sensitivity, groups)
        self._fitted = _Fitted(booster, scale, thresholds)
        rounds = booster.num_trees() // booster.num_model_per_iteration()
        some = "" if count == len(units) else f" out of {len(units)}"
        return f"{len(rows)} training samples{some}, {rows.shape[1]} features, {rounds} rounds of trees"

    def predict(self, view: View) -> Values:
        """See `Baseline.predict`."""
        fitted = require_fitted(self._fitted)
        rows = self._rows(view, fitted.scale)
        shares = (
            np.asarray(fitted.booster.predict(rows.astype(float))) if len(rows) else np.zeros((0, self.spec.classes))
        )
        shares = shares / shares.sum(axis=1, keepdims=True)
        return with_thresholds(shares, self.spec.classes, fitted.thresholds.decision, fitted.thresholds.operating)

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        fitted = require_fitted(self._fitted)
        points = {name: None if np.isnan(value) else value for name, value in vars(fitted.thresholds).items()}
        about = {"scale": fitted.scale, "columns": fitted.booster.num_feature(), **points}
        write_json(folder / "texture.json", about)
        (folder / "lightgbm.txt").write_bytes(fitted.booster.model_to_string().encode())

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path, number = folder / "texture.json", (float, int)
        about = read_json(
            path, scale=number, columns=int, decision=(*number, type(None)), operating=(*number, type(None))
        )
        require(0 < about["scale"] < float("inf"), path, "a bad number")
        booster = read_booster(folder / "lightgbm.txt", about["columns"], self.spec.classes)
        points = [float("nan") if about[name] is None else float(about[name]) for name in ("decision", "operating")]
        self._fitted = _Fitted(booster, float(about["scale"]), Thresholds(*points))

    def _affordable(self, units: View, scale: float, clock: Clock, seed: int) -> int:
        """For how many units the time suffices, from the speed of a few."""
        few = units.sample(_LEAST_UNITS // 4, seed)
        self._rows(few.sample(2, seed), scale)  # libraries warm up
        begun = clock.spent_s
        self._rows(few, scale)
        each = max(clock.spent_s - begun, 1e-6) / max(1, len(few))
        return int(np.clip(_FEATURES_SHARE * clock.budget_s / each, _LEAST_UNITS, len(units)))

    def _rows(self, view: View, scale: float) -> Array:
        """(U', D) the features of the units of a view."""
        volume = self.spec.depth > 0
        parts = [texture_rows(windows, scale, volume) for windows in view.field("image") if len(windows)]
        if not parts:
            return np.zeros((0, 1), np.float32)
        rows = np.concatenate(parts)
        unit = view.samples.unit[view.windows]
        starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
        counts = np.diff(np.r_[starts, len(unit)])[:, None]
        mean = np.add.reduceat(rows, starts) / counts
        return np.concatenate([mean, np.maximum.reduceat(rows, starts) - mean], axis=1).astype(np.float32)


def _columns(rows: Array) -> Columns:
    return as_columns(rows, np.zeros((len(rows), 0), np.int64), ())
