"""Every application, real or fake, passes the acceptance test; and the acceptance test notices what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.check import CHECKS, CheckResult, check_task
from assay.errors import SettingError
from assay.sources.source import DataOptions
from assay.task import Task
from fakes import boxes, sequence, steering, tones, windows


def outcomes(results: Sequence[CheckResult]) -> dict[str, str]:
    return {result.name: result.outcome for result in results}


def failures(results: Sequence[CheckResult]) -> dict[str, str]:
    return {result.name: result.detail for result in results if not result.ok}


def without(table: pa.Table, column: str) -> list[pa.Table]:
    """Two broken forms of a table: the column gone, and every third value gone."""
    values = [None if row % 3 == 0 else value for row, value in enumerate(table[column].to_pylist())]
    place = table.column_names.index(column)
    return [table.drop_columns([column]), table.set_column(place, column, pa.array(values, table[column].type))]


FAKES: Mapping[str, tuple[Task, pa.Table, str]] = {
    "searched sequence": (sequence.Backwards(), sequence.examples(), "word"),
    "boxes": (boxes.Squares(), boxes.examples(), "pixels"),
    "windows and stream": (windows.Speed(), windows.examples(), "signal"),
    "sound": (tones.Tones(), tones.examples(), "sound"),
    "closed loop": (steering.Lane(), steering.examples(), "state"),
}


@pytest.mark.parametrize("kind", FAKES)
def test_fake_task(kind: str) -> None:
    task, table, column = FAKES[kind]
    results = check_task(task, table, corrupt=without(table, column))
    assert not failures(results)
    found = outcomes(results)
    assert found["closed_loop"] == ("passed" if kind == "closed loop" else "inapplicable")
    assert found["merge"] == ("passed" if kind == "windows and stream" else "inapplicable")
    assert found["streams"] == ("passed" if kind in ("windows and stream", "sound") else "inapplicable")


@pytest.mark.parametrize("network", ["convnet", "mlp"])
def test_images(digits: Path, tmp_path: Path, network: str) -> None:
    from assay.tasks.image_classification import ImageClassification

    broken = tmp_path / "broken"
    for name in ("a", "b"):
        (broken / name).mkdir(parents=True)
        for number, file in enumerate(sorted((digits / "0").iterdir())[:5]):
            (broken / name / file.name).write_bytes(file.read_bytes()[: 20 + 9 * number])
    (tmp_path / "empty").mkdir()
    corrupt, small = [broken, tmp_path / "empty"], {"width": {"convnet": "16", "mlp": "64"}[network]}
    results = check_task(ImageClassification(), digits, corrupt=corrupt, network=network, settings=small)
    assert not failures(results)


@pytest.mark.parametrize("network", ["tabular", "mlp"])
def test_table(tmp_path: Path, network: str) -> None:
    from sklearn.datasets import load_wine

    from assay.tasks.table import Table

    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
    frame.to_csv(tmp_path / "wine.csv", index=False)
    frame[["alcohol"]].to_csv(tmp_path / "no-target.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    holes = frame.copy()
    holes.loc[::5, "target"] = None
    holes.to_csv(tmp_path / "holes.csv", index=False)
    corrupt = [tmp_path / name for name in ("no-target.csv", "empty.csv", "holes.csv")]
    options, small = DataOptions(target="target"), {"tabular": {"members": "4", "width": "48"}, "mlp": {"width": "64"}}
    how: Any = {"corrupt": corrupt, "network": network, "settings": small[network]}
    results = check_task(Table(), tmp_path / "wine.csv", options, **how)
    assert not failures(results)


def test_voice_commands(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    from assay.tasks.voice_commands import VoiceCommands
    from sound_examples import write_words

    words = write_words(tmp_path / "words")
    broken = tmp_path / "broken"
    for name in ("a", "b"):
        (broken / name).mkdir(parents=True)
        for number, file in enumerate(sorted((words / "up").iterdir())[:5]):
            (broken / name / file.name).write_bytes(file.read_bytes()[: 20 + 9 * number])
    (tmp_path / "empty").mkdir()
    results = check_task(VoiceCommands(), words, corrupt=[broken, tmp_path / "empty"])
    assert not failures(results)


class Careless(windows.Speed):
    """Breaks one promise after the other."""

    def augment(self, batch: Any, draws: Any, plan: Any, spec: Any) -> Any:
        from dataclasses import replace

        return replace(batch, signal=batch.signal + np.random.default_rng().normal())

    def answer(self, output: Any, spec: Any) -> Any:
        return {"label": "fast"}

    def metrics(self, spec: Any) -> Any:
        class Halved(windows_accuracy()):  # type: ignore[misc]
            def aggregate(self, statistics: Any, weights: Any) -> float:
                return float(super().aggregate(statistics, weights)) * (1 if len(weights) % 2 else 0.5)

        return (Halved(),)

    def explain(self, predictor: Any, batch: Any) -> Any:
        return np.zeros((1, 2, 3))

    def session(self, predictor: Any) -> Any:
        session = super().session(predictor)
        plain = session.push
        session.push = lambda chunk: plain(chunk)[-1:]  # type: ignore[method-assign]
        return session


def windows_accuracy() -> Any:
    from assay.evaluation.metrics import Accuracy

    return Accuracy


def test_it_notices_what_is_wrong() -> None:
    found = failures(check_task(Careless(), windows.examples(), corrupt=[windows.examples()]))
    assert {"randomness", "seed", "answers", "metrics", "explanation", "streams", "corrupt"} <= found.keys()
    assert not {"recognised", "split", "saved", "merge"} & found.keys()


def test_exceptions_carry_a_reason_and_go_stale() -> None:
    reasons = {"corrupt": "nothing can be wrong with it", "split": "an old reason"}
    results = {result.name: result for result in check_task(steering.Lane(), steering.examples(), exceptions=reasons)}
    assert results["corrupt"].outcome == "excepted" and "nothing can be wrong" in results["corrupt"].detail
    assert results["split"].outcome == "failed" and "stale" in results["split"].detail


def test_an_exception_must_name_a_check() -> None:
    with pytest.raises(SettingError, match="no check 'overfitt'"):
        check_task(steering.Lane(), steering.examples(), exceptions={"overfitt": "because"})
    assert "overfit" in CHECKS


def test_settings_are_those_of_the_network() -> None:
    found = failures(check_task(windows.Speed(), windows.examples(), settings={"wings": "2"}))
    assert "there is no setting 'wings'" in found["overfit"] and not {"recognised", "split"} & found.keys()


@pytest.mark.parametrize("kind", FAKES)
def test_the_whole_flow_takes_a_task_of_any_kind(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay import registry
    from assay.flow import TrainOptions, train
    from assay.model import Model

    task, table, _ = FAKES[kind]
    monkeypatch.setitem(registry.BUILT_IN, task.name, f"{type(task).__module__}:{type(task).__name__}")
    run = train(table, DataOptions(task=task.name), TrainOptions(epochs=3, evidence="quick"), tmp_path / "run")
    model = Model(run)
    assert model.summary["task"] == task.name and model.summary["verdict"] in ("network", "baseline", "tie")
    assert len(model.predict(table.slice(0, 5))) == 5
    assert (pq.read_table(run.samples).num_rows > table.num_rows) == (kind == "closed loop")  # what it collected
