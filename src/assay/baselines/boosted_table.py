"""Gradient-boosted trees over the columns of a table: the method to beat there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.baselines._columns import Columns, Sides, read_sides
from assay.baselines._fitting import Clock, require_fitted, threads
from assay.baselines._storage import damaged, read_json, require, write_json
from assay.baselines._table_model import TableModel
from assay.baselines._trees import check_model_text

if TYPE_CHECKING:
    from lightgbm import Booster

    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
_ROUNDS, _PATIENCE = 2000, 50
_GAIN = 1e-3  # the share by which a round must lower the loss to count
_ROWS_FOR_THREADS = 5000  # with fewer, threads wait for one another longer than they work
_SHAPES: tuple[dict[str, Any], ...] = (
    {"num_leaves": 31},
    {"num_leaves": 7, "feature_fraction": 0.5},
    {"num_leaves": 15, "feature_fraction": 0.7, "min_data_in_leaf": 1, "lambda_l2": 10.0},
)


class LightGbmTable(TableModel["list[Booster]"]):
    """LightGBM (Ke et al. 2017) with early stopping on the validation side, the best of a few shapes of tree."""

    name = "LightGBM"
    reading = "how much each column lowers the error, and single trees"
    libraries = ("lightgbm",)

    def fit(self, train: View, validation: View, budget_s: float, seed: int) -> str:
        """See `Baseline.fit`."""
        clock = Clock(budget_s)
        sides = read_sides(
            self.target, train, validation, self.sizes, limit=max(1000, int(200_000 * budget_s)), seed=seed
        )
        boosters: list[Booster] = []
        rounds: list[int] = []
        wanted = _per_model(self.target.kind, sides)
        for place, (truths, answers) in enumerate(wanted):
            share = clock.left_s() / (len(wanted) - place)
            booster = best_booster(self._objective(), sides, truths, answers, share, seed)
            boosters.append(booster)
            rounds.append(booster.num_trees() // booster.num_model_per_iteration())
        self._fitted = boosters
        many = f"{rounds[0]}" if len(rounds) == 1 else f"{min(rounds)} to {max(rounds)}"
        return f"{len(sides.train)} training samples, {many} rounds of trees"

    def save(self, folder: Path) -> None:
        """See `Baseline.save`."""
        boosters = require_fitted(self._fitted)
        write_json(folder / "lightgbm.json", {"models": len(boosters), "columns": boosters[0].num_feature()})
        for place, booster in enumerate(boosters):
            (folder / f"lightgbm-{place}.txt").write_bytes(booster.model_to_string().encode())

    def load(self, folder: Path) -> None:
        """See `Baseline.load`."""
        path = folder / "lightgbm.json"
        about = read_json(path, models=int, columns=int)
        models = self.target.outputs if self.target.kind == "labels" else 1
        require(about["models"] == models, path, "another number of models than the target needs")
        require(len(self.sizes) <= about["columns"], path, "fewer columns than the table has")
        outputs = self.target.outputs if self.target.kind == "class" and self.target.outputs > 1 else 1
        self._fitted = [
            read_booster(folder / f"lightgbm-{place}.txt", about["columns"], outputs) for place in range(models)
        ]

    def _outputs(self, model: list[Booster], rows: Columns) -> Array:
        matrix = _matrix(rows)
        parts = [np.asarray(booster.predict(matrix, num_threads=_threads_for(len(rows)))) for booster in model]
        if self.target.kind == "class":
            whole = parts[0] if parts[0].ndim == 2 else np.ones((len(rows), 1))
            return np.asarray(whole / whole.sum(axis=1, keepdims=True))
        return np.stack(parts, axis=1) if self.target.kind == "labels" else parts[0]

    def _objective(self) -> dict[str, Any]:
        if self.target.kind == "class" and self.target.outputs > 1:
            return {"objective": "multiclass", "num_class": self.target.outputs, "metric": "multi_logloss"}
        if self.target.kind == "labels":
            return {"objective": "binary", "metric": "binary_logloss"}
        return {"objective": "regression", "metric": "l2"}


def _per_model(kind: str, sides: Sides) -> list[tuple[Array, Array]]:
    """The truths and answers of each model."""
    if kind == "labels":
        return [
            (sides.truths[:, place].copy(), sides.answers[:, place].copy()) for place in range(sides.truths.shape[1])
        ]
    return [(sides.truths, sides.answers)]


def _matrix(rows: Columns) -> Array:
    """(N, P + Q) float64: numbers, then the codes of categories."""
    return np.concatenate([rows.numbers.astype(float), rows.categories.astype(float)], axis=1)


def best_booster(
    objective: dict[str, Any], sides: Sides, truths: Array, answers: Array, budget_s: float, seed: int
) -> Booster:
    """The model of the shape of tree that has the smallest loss on the rows set aside."""
    clock = Clock(budget_s)
    best: tuple[float, Booster] | None = None
    for place, shape in enumerate(_SHAPES):
        if best is not None and clock.left_s() < clock.spent_s / place:
            break
        params = {**_parameters(len(truths), seed), **objective, **shape}
        booster, loss = _boost(params, sides, truths, answers, clock.left_s(0.6 if place == 0 else 1.0))
        if best is None or loss < best[0]:
            best = (loss, booster)
    if best is None:
        raise RuntimeError("no shape of tree was tried")
    return best[1]


def _parameters(count: int, seed: int) -> dict[str, Any]:
    """LightGBM's defaults, a smaller step, and leaves and groups that suit little data."""
    return {
        "learning_rate": 0.05,
        "min_data_in_leaf": int(np.clip(count // 50, 1, 20)),
        "min_data_per_group": int(np.clip(count // 20, 1, 100)),
        "min_data_in_bin": 3 if count >= 100 else 1,
        "cat_smooth": 10.0,
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": _threads_for(count),
        "seed": seed % 2**31,
        "verbosity": -1,
    }


def _threads_for(rows: int) -> int:
    return threads() if rows >= _ROWS_FOR_THREADS else 1


def _boost(
    params: dict[str, Any], sides: Sides, truths: Array, answers: Array, limit_s: float
) -> tuple[Booster, float]:
    """Trees until the loss on the rows set aside stops falling or the time ends, and that loss."""
    import lightgbm

    numbers = sides.train.numbers.shape[1]
    codes = list(range(numbers, numbers + sides.train.categories.shape[1]))
    data = lightgbm.Dataset(_matrix(sides.train), truths, categorical_feature=codes, params=params.copy())
    booster = lightgbm.Booster(params, data)
    if not len(answers):
        return _rounds_without_choice(booster, limit_s), 0.0
    booster.add_valid(data.create_valid(_matrix(sides.aside), answers, params=params.copy()), "aside")
    clock, best, smallest = Clock(limit_s), 1, np.inf
    for round_ in range(1, _ROUNDS + 1):
        finished = booster.update()
        loss = float(booster.eval_valid()[0][2])
        if loss < smallest * (1 - _GAIN):
            best, smallest = round_, loss
        if finished or round_ - best >= _PATIENCE or clock.left_s() < 0:
            break
    return _first_rounds(booster, best), smallest


def _rounds_without_choice(booster: Booster, limit_s: float) -> Booster:
    """Fifty rounds, where not even one row can be set aside."""
    clock = Clock(limit_s)
    for _ in range(_PATIENCE):
        if booster.update() or clock.left_s() < 0:
            break
    return _first_rounds(booster, _PATIENCE)


def _first_rounds(booster: Booster, rounds: int) -> Booster:
    """A model of the first rounds alone, as it is after saving and loading."""
    import lightgbm

    text = booster.model_to_string(num_iteration=rounds)
    return lightgbm.Booster(model_str=text)


def read_booster(path: Path, columns: int, outputs: int) -> Booster:
    """A model from its text form, checked before LightGBM reads it; raises `RunError` where it is damaged."""
    import lightgbm

    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from error
    check_model_text(text, path, columns, outputs)
    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise damaged(path, str(error)) from error
