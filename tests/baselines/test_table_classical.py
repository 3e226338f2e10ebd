from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from baseline_examples import FakeSamples, TableSpec, table

from assay.baselines.baseline import Baseline
from assay.baselines.best_of import BestOf
from assay.baselines.dummy import Dummy
from assay.baselines.table_classical import LightGbmTable, LinearTable
from assay.errors import RunError, SettingError
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget
from assay.targets.target import Target

KINDS: list[type[Any]] = [LightGbmTable, LinearTable]
LOADERS = {"breast_cancer": 0.93, "wine": 0.9, "diabetes": 0.25}


def _bundled(name: str) -> tuple[Target, Any, Any]:
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    if name == "diabetes":
        return NumberTarget(float(data.target.mean()), float(data.target.std())), data.data, data.target
    return ClassTarget(tuple(map(str, data.target_names))), data.data, data.target


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOADERS)
def test_bundled_sets(kind: type[Any], name: str, tmp_path: Path) -> None:
    target, numbers, truths = _bundled(name)
    train, validation, test = table(numbers, truths)
    model = kind(target, TableSpec())
    model.fit(train, validation, 60.0, 0)
    outputs = model.predict(test)
    assert target.metrics()[0].value(outputs, test.truths()) > LOADERS[name]
    if target.kind == "class":
        np.testing.assert_allclose(outputs.sum(axis=1), 1)
    model.save(tmp_path)
    again = kind(target, TableSpec())
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), outputs)
    if name != "wine":
        return
    same = kind(target, TableSpec())
    same.fit(train, validation, 60.0, 0)
    np.testing.assert_array_equal(same.predict(test), outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_categories_missing_numbers_and_labels(kind: type[Any], tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    codes = draws.integers(0, 4, (400, 2))
    numbers = draws.standard_normal((400, 3))
    numbers[draws.random((400, 3)) < 0.2] = np.nan
    numbers[:, 2] = 5.0
    truths = np.stack([codes[:, 0] == 2, np.isnan(numbers[:, 0])], axis=1).astype(np.float32)
    train, validation, test = table(numbers, truths, categories=codes)
    target, spec = LabelsTarget(("two", "missing")), TableSpec((4, 4))
    model = kind(target, spec)
    model.fit(train, validation, 60.0, 0)
    outputs = np.asarray(model.predict(test))
    assert target.metrics()[0].value(outputs, test.truths()) > 0.97
    model.save(tmp_path)
    again = kind(target, spec)
    again.load(tmp_path)
    np.testing.assert_array_equal(again.predict(test), outputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("numbers", [0, 2])
@pytest.mark.parametrize("categories", [0, 2])
@pytest.mark.parametrize("target", [ClassTarget(("a", "b", "c")), NumberTarget(0.0, 1.0), LabelsTarget(("a", "b"))])
def test_ten_rows(kind: type[Any], numbers: int, categories: int, target: Target, capfd: Any) -> None:
    draws = np.random.default_rng(0)
    truths: Any = np.array([0, 0, 0, 0, 0, 2, 0, 0, 0, 0])
    truths = {"class": truths, "number": truths * 1.5, "labels": np.stack([truths > 1, truths > 9], axis=1) * 1.0}[
        target.kind
    ]
    fields = {
        "numbers": np.full((10, numbers), np.nan, np.float32),
        "categories": draws.integers(0, 3, (10, categories)),
    }
    samples = FakeSamples(truths, fields)
    model = kind(target, TableSpec((3,) * categories))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(samples.view_of(np.arange(10)), samples.view_of(np.zeros(0)), 1.0, 0)
        outputs = np.asarray(model.predict(samples.view_of(np.arange(10))))
        assert len(model.predict(samples.view_of(np.zeros(0)))) == 0
    assert len(outputs) == 10
    assert np.isfinite(outputs).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [1, 2])
def test_one_class_and_one_row(kind: type[Any], classes: int) -> None:
    samples = FakeSamples(
        np.zeros(3, int), {"numbers": np.ones((3, 2), np.float32), "categories": np.zeros((3, 0), int)}
    )
    target = ClassTarget(tuple("ab"[:classes]))
    for rows in (1, 3):
        model = kind(target, TableSpec())
        model.fit(samples.view_of(np.arange(rows)), samples.view_of(np.zeros(0)), 1.0, 0)
        outputs = np.asarray(model.predict(samples.view_of(np.arange(3))))
        assert outputs.shape == (3, classes)
        assert (outputs.argmax(axis=1) == 0).all()


def test_linear_equals_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    target, numbers, truths = _bundled("wine")
    train, validation, test = table(numbers, truths)
    model = LinearTable(target, TableSpec())
    strength = float(model.fit(train, validation, 60.0, 0).rpartition("/")[2])
    scale = StandardScaler().fit(train.array("numbers"))
    reference = LogisticRegression(C=strength, max_iter=1000).fit(
        scale.transform(train.array("numbers")), train.truths()
    )
    expected = reference.predict_proba(scale.transform(test.array("numbers")))
    np.testing.assert_allclose(model.predict(test), expected, atol=0.01)


def _saved_trees(folder: Path) -> tuple[Target, Path]:
    target, numbers, truths = _bundled("wine")
    codes = np.random.default_rng(0).integers(0, 9, (len(truths), 1))
    codes[truths == 1] = 3
    train, validation, _ = table(numbers[:, :2], truths, categories=codes)
    model = LightGbmTable(target, TableSpec((9,)))
    model.fit(train, validation, 60.0, 0)
    model.save(folder)
    LightGbmTable(target, TableSpec((9,))).load(folder)
    return target, folder / "lightgbm-0.txt"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("split_feature", "99"),
        ("left_child", "0"),
        ("right_child", "-500"),
        ("num_leaves", "7000"),
        ("num_leaves", "x"),
        ("cat_boundaries", "70000"),
        ("leaf_value", "oops"),
        ("max_feature_idx", "12"),
        ("num_class", "2"),
        ("is_linear", "1"),
        ("tree_sizes", "1"),
    ],
)
def test_tampered_trees(key: str, value: str, tmp_path: Path) -> None:
    target, path = _saved_trees(tmp_path)
    lines = path.read_text().splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith(f"{key}=") and len(line) > len(key) + 1]
    assert places
    for place in places:
        words = lines[place].partition("=")[2].split()
        lines[place] = f"{key}=" + " ".join([*words[:-1], value])
    path.write_text("\n".join(lines))
    with pytest.raises(RunError):
        LightGbmTable(target, TableSpec((9,))).load(tmp_path)


def test_damaged_trees(tmp_path: Path) -> None:
    target, path = _saved_trees(tmp_path)
    whole = path.read_bytes()
    for bad in (b"", whole[: len(whole) // 2], b"\xff\xfe\x00", b"tree\n\nend of trees"):
        path.write_bytes(bad)
        with pytest.raises(RunError):
            LightGbmTable(target, TableSpec((9,))).load(tmp_path)
    path.unlink()
    with pytest.raises(RunError):
        LightGbmTable(target, TableSpec((9,))).load(tmp_path)


def test_best_of_keeps_the_better(tmp_path: Path) -> None:
    target, numbers, truths = _bundled("diabetes")
    train, validation, test = table(numbers, truths)

    def fresh() -> list[Baseline]:
        return [Dummy(target), LinearTable(target, TableSpec()), LightGbmTable(target, TableSpec())]

    best = BestOf(target, fresh())
    note = best.fit(train, validation, 60.0, 0)
    values = [one.predict(validation) for one in best.candidates]
    metric = target.metrics()[0]
    rated = [metric.value(value, validation.truths()) for value in values]
    assert best.chosen is best.candidates[int(np.argmax(rated))]
    assert best.name == best.chosen.name
    assert "chosen by validation r2" in note
    best.save(tmp_path)
    again = BestOf(target, fresh())
    again.load(tmp_path)
    assert again.name == best.name
    np.testing.assert_array_equal(again.predict(test), best.predict(test))
    (tmp_path / "best.json").write_text('{"chosen": 7}')
    with pytest.raises(RunError):
        BestOf(target, fresh()).load(tmp_path)
    with pytest.raises(SettingError):
        BestOf(target, [])


def test_unknown_truths_are_left_out() -> None:
    target, numbers, truths = _bundled("wine")
    truths = np.where(np.arange(len(truths)) % 4 == 0, -1, truths)
    train, validation, test = table(numbers, truths)
    best = BestOf(target, [LightGbmTable(target, TableSpec()), LinearTable(target, TableSpec())])
    best.fit(train, validation, 4.0, 0)
    there = test.truths() >= 0
    assert (np.asarray(best.predict(test)).argmax(axis=1) == test.truths())[there].mean() > 0.85
