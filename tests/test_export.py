"""`assay export`: what it leaves, what it proves, what it refuses, and answers without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.stored_network import public_name
from programs import without_absent

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def without_torch(*words: object) -> subprocess.CompletedProcess[str]:
    return without_absent("from assay.cli import main\nmain()", *words)


@pytest.fixture(scope="module")
def exported(command: Any, digits_run: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run on the digits with an export in it, and what exporting printed."""
    run = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(digits_run[0], run)
    return run, command("export", run, "--json")


@pytest.mark.parametrize(
    ("name", "told"),
    [("convnet", "convnet"), ("timm/resnet18", "timm/resnet18"), ("hf/a/b", "hf/a/b"),
     (f"timm/{Path.cwd() / 'lite0'}", "timm/lite0")],
)  # fmt: skip
def test_an_export_names_no_folder_of_this_machine(name: str, told: str) -> None:
    assert public_name({"network": {"name": name}}) == told


def complaint(result: Any) -> str:
    """The error and the hint, one each."""
    lines = result.err.splitlines()
    assert result.code == 1 and "Traceback" not in result.err, result.err
    assert [line.partition(":")[0] for line in lines if line.startswith(("error:", "hint:"))] == ["error", "hint"]
    return str(result.err)


def test_it_tells_how_the_export_compares(exported: tuple[Path, Any]) -> None:
    run, result = exported
    assert result.code == 0, result.err
    found = result.json
    parity = found["parity"]["float"]
    assert found["format"] == 1 and found["precision"] == "float" and found["opset"] == 18
    assert parity["equal"] == 1.0 and parity["largest"] < 1e-3 and parity["answers"] > 5
    assert parity["difference"]["value"] == pytest.approx(0, abs=1e-6)
    assert set(found["latency"]) == set(found["bytes"]) == {"trained", "float"}
    assert found["preprocessing"]["inside"] and found["preprocessing"]["outside"]
    assert {path.name for path in (run / "model").glob("*.onnx")} == {"model.onnx"}
    finding = json.loads((run / "summary.json").read_text())["findings"]["export"]
    assert finding["status"] == "good" and finding["numbers"]["equal answers"]["value"] == 1.0
    assert "Does the export answer as the network does?" in (run / "report.html").read_text(encoding="utf-8")


def test_the_file_says_what_it_is_and_nothing_of_the_machine(exported: tuple[Path, Any]) -> None:
    content = (exported[0] / "model" / "model.onnx").read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["assay.task"] == "image-classification" and told["assay.opset"] == "18"
    assert json.loads(told["assay.labels"]) == [str(digit) for digit in range(10)]
    assert json.loads(told["assay.preprocessing"])["inside"]
    assert [value.name for value in model.graph.input] == ["image"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert str(Path(__file__).parent.parent).encode() not in content and b"site-packages" not in content


def test_answers_are_the_same_without_torch(exported: tuple[Path, Any], digits: Path) -> None:
    import assay
    from assay.serving.stand_in import StandIn
    from assay.sources.source import open_source

    run = exported[0]
    told = without_torch("predict", run, digits / "3", "--json")
    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    model = assay.load(run)
    assert model.exported is not None and isinstance(model.exported.network, StandIn)
    wanted = model.predictor.predict(model.task.read_inputs(open_source(digits / "3"), model.spec))[0]
    assert [row["id"] for row in rows] == [one.id for one in wanted]
    for row, one in zip(rows, wanted, strict=True):
        assert row["label"] == one.answer.label
        assert row["confidence"] == pytest.approx(one.answer.confidence, abs=1e-4)


def test_a_folder_of_its_own_answers_and_holds_no_weights_of_torch(
    command: Any, exported: tuple[Path, Any], digits: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small"
    assert command("export", exported[0], "--out", out, "--json").code == 0
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert there >= {"plan.json", "model/model.json", "model/model.onnx", "model/export.json"}
    assert not any(name.endswith((".safetensors", ".npz")) for name in there)
    assert command("predict", out, digits / "3", "--json").code == 0
    assert "is not empty" in complaint(command("export", exported[0], "--out", out))
    assert "lies in the run" in complaint(command("export", exported[0], "--out", exported[0] / "within"))


def test_a_folder_that_is_taken_is_told_first(command: Any, digits_run: Any, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "taken"
    shutil.copytree(digits_run[0], run)
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    page = (run / "report.html").read_bytes()
    assert "is not empty" in complaint(command("export", run, "--out", out))
    assert (run / "report.html").read_bytes() == page and "export" not in (run / "evidence.json").read_text()


def test_a_refused_export_leaves_no_folder(
    command: Any, digits_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.serving import parity

    monkeypatch.setattr(parity, "LEAST_EQUAL", 2.0)
    out = tmp_path / "new" / "small"
    assert "answers of the export equal" in complaint(command("export", digits_run[0], "--out", out))
    assert not out.parent.exists()


def test_what_is_not_in_the_graph_is_told_with_its_place() -> None:
    from assay.evidence.export import _beside

    told = [_beside(text) for text in ("decode", "after it: softmax", "around it: a search")]
    assert told == ["before the graph: decode", "after the graph: softmax", "around the graph: a search"]


def test_what_was_changed_is_not_believed(
    command: Any, exported: tuple[Path, Any], digits: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(exported[0], run)
    file, facts = run / "model" / "model.onnx", run / "model" / "export.json"
    content, written = file.read_bytes(), facts.read_text()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "was changed since it was exported" in complaint(command("predict", run, digits / "3"))
    file.unlink()
    assert "cannot be read" in complaint(command("predict", run, digits / "3"))
    file.write_bytes(content)
    facts.write_text(written.replace('"format": 1', '"format": 2'))
    assert "newer Assay" in complaint(command("predict", run, digits / "3"))
    facts.write_text(written.replace('"model.onnx"', '"../../plan.json"'))
    assert "outside of its folder" in complaint(command("predict", run, digits / "3"))
    facts.write_text("{")
    assert "is damaged" in complaint(command("predict", run, digits / "3"))
    facts.write_text(written)
    model = json.loads((run / "model" / "model.json").read_text())
    (run / "model" / "model.json").write_text(json.dumps({**model, "temperature": 2.0}))
    assert "of another model" in complaint(command("predict", run, digits / "3"))
    (run / "model" / "model.json").write_text(json.dumps(model))
    junk = b"no graph"
    file.write_bytes(junk)
    known = json.loads(written)
    from assay.serving.exported import digest

    known["graphs"]["model"]["sha256"] = digest(junk)
    facts.write_text(json.dumps(known))
    assert "cannot be run by ONNX Runtime" in complaint(command("predict", run, digits / "3"))


def test_an_export_that_answers_differently_is_refused_with_its_layer(
    command: Any, digits_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from assay.serving import onnx_writing

    run = tmp_path / "run"
    shutil.copytree(digits_run[0], run)
    write = onnx_writing.write_step

    def spoiled(step: Any, metadata: Any) -> Any:
        model = write(step, metadata)
        last = [node for node in model.graph.node if node.op_type == "Gemm"][-1]
        weight = next(value for value in model.graph.initializer if value.name == last.input[1])
        values = onnx.numpy_helper.to_array(weight)
        weight.CopyFrom(onnx.numpy_helper.from_array(-np.asarray(values), weight.name))
        return model

    monkeypatch.setattr(onnx_writing, "write_step", spoiled)
    told = complaint(command("export", run))
    assert "answers of the export equal the network's" in told and "begin to differ in body." in told
    assert not (run / "model" / "export.json").exists()


def test_int8_is_smaller_and_refused_where_it_loses(
    command: Any, digits_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: Path
) -> None:
    from assay.serving import parity

    run = tmp_path / "run"
    shutil.copytree(digits_run[0], run)
    monkeypatch.setattr(parity, "MOST_LOST", 1.0)
    result = command("export", run, "--int8", "--json")
    assert result.code == 0, result.err
    found = result.json
    assert found["precision"] == "int8" and set(found["parity"]) == {"float", "int8"}
    assert found["bytes"]["int8"] < found["bytes"]["float"]
    assert command("predict", run, digits / "3", "--json").code == 0
    monkeypatch.setattr(parity, "MOST_LOST", -1.0)
    assert "the int8 export loses" in complaint(command("export", run, "--int8"))


@pytest.mark.parametrize(
    ("trained", "exported", "equal", "lost"),
    [(0.9, 0.88, 0.97, 0.02), (0.9, 0.91, 0.97, 0.0), (0.9, np.nan, 0.0, np.inf), (np.nan, np.nan, 1.0, 0.0),
     (np.nan, np.nan, 0.5, np.inf)],
)  # fmt: skip
def test_answers_that_are_no_numbers_lose_everything(
    trained: float, exported: float, equal: float, lost: float
) -> None:
    from assay.evaluation.intervals import Estimate
    from assay.serving.parity import Parity

    found = Parity("accuracy", trained, exported, Estimate(exported - trained), equal, 9, 0.0)
    assert found.lost == pytest.approx(lost)


def test_what_cannot_be_exported_is_told(command: Any, digits_run: Any, tmp_path: Path) -> None:
    assert "--format tflite" in complaint(command("export", digits_run[0], "--format", "tflite"))
    half = tmp_path / "half"
    shutil.copytree(digits_run[0], half)
    (half / "summary.json").unlink()
    assert "the run is not complete" in complaint(command("export", half))
    assert "is not a run" in complaint(command("export", tmp_path))


@pytest.fixture
def moved(command: Any, digits: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Digits of one's own, which may be changed, and a run on them."""
    data, run = tmp_path / "digits", tmp_path / "run"
    shutil.copytree(digits, data)
    how = ("--epochs", 1, "--network", "mlp", "--set", "width=8", "--evidence", "none", "--json")
    assert command("train", data, "--out", run, *how).code == 0
    return data, run


def test_data_that_changed_or_moved_proves_with_what_is_left(
    command: Any, moved: tuple[Path, Path], digits: Path, tmp_path: Path
) -> None:
    import assay
    from assay.arrow import pq
    from assay.errors import RunError
    from assay.run import RunFolder

    data, run = moved
    rows = pq.read_table(run / "samples.parquet").to_pylist()
    tested = [row["id"] for row in rows if row["split"] == "test"]
    learned = [row["id"] for row in rows if row["split"] == "train"]
    (data / tested[0]).unlink()
    (data / tested[1]).write_bytes((data / learned[0]).read_bytes())  # another picture under the old name
    (data / tested[2]).rename(data / "renamed.png")
    (data / "renamed.png").rename((data / tested[2]).with_name("renamed.png"))
    (data / "a new class").mkdir()
    shutil.copy(data / learned[1], data / "a new class" / "0.png")
    result = command("export", run, "--json")
    assert result.code == 0, result.err
    left = len(tested) - 2
    assert result.json["proven_on"] == {"test_samples": len(tested), "there": left}
    assert result.json["parity"]["float"]["answers"] == left and result.json["parity"]["float"]["equal"] == 1.0
    finding = json.loads((run / "summary.json").read_text())["findings"]["export"]
    assert finding["status"] == "watch" and "--source" in finding["next"]
    assert f"{left} of {len(tested)} test samples are left" in command("export", run).out
    from assay.studio.inside_samples import Shelf

    shelf = Shelf(RunFolder.open(run), assay.load(run))  # what the studio's Inside shows of them
    assert set(shelf.drawings(tested)) == set(tested[3:]) and shelf.drawings(tested[:3]) == {}
    with pytest.raises(RunError, match="any more"):
        shelf.held(tested[:1])
    shutil.rmtree(data)
    assert "--source" in complaint(command("export", run))
    (tmp_path / "other").mkdir()
    foreign = next((digits / "0").glob("*.png"))
    for number in range(3):
        target = tmp_path / "other" / str(number) / "x.png"
        target.parent.mkdir()
        target.write_bytes(foreign.read_bytes())
    assert "test samples of this run is in" in complaint(command("export", run, "--source", tmp_path / "other"))
    whole = command("export", run, "--source", digits, "--json")
    assert whole.code == 0 and whole.json["proven_on"]["there"] == len(tested)
    assert json.loads((run / "summary.json").read_text())["findings"]["export"]["status"] == "good"


def test_arrays_that_were_in_memory_are_given_as_a_file(command: Any, tmp_path: Path) -> None:
    import assay

    dice = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (dice.integers(0, 100, (60, 8, 8, 1)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    run = tmp_path / "run"
    assay.train((images, labels), out=run, epochs=1, network="mlp", settings={"width": 8}, evidence="none")
    assert "--source" in complaint(command("export", run))
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    result = command("export", run, "--source", tmp_path / "data.npz", "--json")
    assert result.code == 0, result.err
    assert result.json["proven_on"]["there"] == result.json["proven_on"]["test_samples"] > 0


@pytest.mark.slow
def test_a_recording_is_listened_to_without_torch(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.tasks.voice_commands import VoiceCommands
    from sound_examples import write_words

    monkeypatch.setattr(VoiceCommands, "settled", lambda *_: {})  # thresholds take longer than all else
    words, run = write_words(tmp_path / "words", 12), tmp_path / "run"
    how = ("--epochs", 1, "--evidence", "none", "--task", "voice-commands", "--json")
    assert command("train", words, "--out", run, *how).code == 0
    result = command("export", run, "--json")
    assert result.code == 0, result.err
    assert result.json["preprocessing"]["inside"] == ["log-mel energies, less each band's mean"]
    clip = next((words / "up").glob("*.wav"))
    told = without_torch("listen", run, "--wav", clip, "--json")
    assert told.returncode == 0, told.stderr
    heard = without_torch("predict", run, clip, "--json")
    assert json.loads(heard.stdout)["label"] in ("up", "down", "left", "right", "other")
