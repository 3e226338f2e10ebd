"""The delivered model answers with scaled confidence, everywhere the same, and never with another answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.errors import RunError
from assay.evaluation.calibration import sharpen
from assay.samples.samples import build_samples
from assay.samples.split import TEST
from assay.serving.predictor import Predictor
from assay.sources.source import open_source

#: Learns its rows by heart, and is then too sure of itself.
BY_HEART = {"width": 128, "depth": 3, "dropout": 0.0, "learning_rate": 0.005, "label_smoothing": 0.0, "keep": "last",
            "early_stopping": 0, "averaging": 0.0, "weight_decay": 0.0}  # fmt: skip


def noisy(count: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    values = random.standard_normal((count, 20))
    return values, (values[:, 0] + values[:, 1] > 0) ^ (random.random(count) < 1 / 6)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 rows of 20 numbers; the class follows from two of them, one label of six is wrong: no one can be sure."""
    values, labels = noisy(2000)
    lines = [",".join([*(f"{value:.4f}" for value in row), "yes" if label else "no"])
             for row, label in zip(values, labels, strict=True)]  # fmt: skip
    names = ",".join([*(f"x{place}" for place in range(20)), "answer"])
    file = tmp_path_factory.mktemp("tables") / "noisy.csv"
    file.write_text("\n".join([names, *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def model(table: Path, tmp_path_factory: pytest.TempPathFactory) -> assay.Model:
    """Trained until it has learned its rows by heart."""
    out = tmp_path_factory.mktemp("runs") / "noisy"
    return assay.train(table, target="answer", network="mlp", settings=BY_HEART, epochs=80, split="50/25/25", seed=0,
                       evidence="quick", out=out)  # fmt: skip


def unscaled(model: assay.Model, table: Path) -> tuple[Any, Any]:
    """Outputs of the same rows with and without the temperature."""
    records = model.task.read_inputs(open_source(table), model.spec)
    view = build_samples(model.task, records, model.spec, None).view(TEST)
    plain = Predictor(model.task, model.spec, model.network)
    return np.asarray(plain.outputs(view)), np.asarray(model.predictor.outputs(view))


def test_one_who_learned_by_heart_is_cooled(model: assay.Model) -> None:
    finding = next(one for one in model.evidence if one.name == "calibration")
    assert model.predictor.temperature > 1.3
    assert finding.numbers["temperature"].value == model.predictor.temperature
    assert finding.numbers["ECE"].value < finding.numbers["ECE before scaling"].value  # type: ignore[operator]


def test_predictions_are_scaled_and_answers_stay(model: assay.Model, table: Path) -> None:
    before, after = unscaled(model, table)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert np.allclose(after, sharpen(before, model.predictor.temperature))
    told = model.predict(table)
    assert [answer.confidence for answer in told] == pytest.approx(after.max(axis=1), abs=1e-5)


def test_an_evaluation_sees_the_same_confidence(model: assay.Model) -> None:
    metrics = model.summary["metrics"]
    finding = next(one for one in model.evidence if one.name == "calibration")
    assert metrics["log_loss"] < 0.69
    assert finding.numbers["Brier score"].value < 0.45  # type: ignore[operator]


def test_a_copy_and_a_model_without_temperature_are_read(model: assay.Model, table: Path, tmp_path: Path) -> None:
    copy = assay.load(model.save(tmp_path / "copy"))
    assert copy.predict(table) == model.predict(table)
    file = tmp_path / "copy" / "model" / "model.json"
    facts = json.loads(file.read_text())
    del facts["temperature"]
    file.write_text(json.dumps(facts))
    old = assay.load(tmp_path / "copy")
    assert old.predictor.temperature == 1.0
    assert [one.label for one in old.predict(table)] == [one.label for one in model.predict(table)]


@pytest.mark.parametrize("wrong", [0, -1, "warm", None, float("inf"), []])
def test_a_temperature_that_is_none_is_damage(model: assay.Model, table: Path, tmp_path: Path, wrong: Any) -> None:
    model.save(tmp_path / "copy")
    file = tmp_path / "copy" / "model" / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "temperature": wrong}))
    with pytest.raises(RunError, match="damaged"):
        assay.load(tmp_path / "copy").predict(table)


def test_a_run_resumed_after_the_training_has_the_same_temperature(model: assay.Model, tmp_path: Path) -> None:
    from assay.flow import resume

    run = model.save(tmp_path / "copy")
    for name in ("summary.json", "evidence.json", "report.html", "samples.parquet"):
        (run / name).unlink()
    shutil.rmtree(run / "model" / "baseline")
    resume(run)
    again = assay.load(run)
    assert again.predictor.temperature == model.predictor.temperature
    assert again.summary["metrics"] == model.summary["metrics"]


def test_an_estimator_gives_scaled_probabilities() -> None:
    rows, labels = noisy(3200)
    found = assay.Classifier(network="mlp", settings=BY_HEART, epochs=80, validation=0.4, random_state=0)
    found.fit(rows[:1200], labels[:1200])
    assert found._facts["temperature"] > 1.2
    confidence = found.predict_proba(rows[1200:]).max(axis=1)
    assert confidence.mean() == pytest.approx(found.score(rows[1200:], labels[1200:]), abs=0.05)
