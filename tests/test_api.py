"""Training, loading and asking from Python; and that nothing heavy or hostile is loaded on the way."""

import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import DataError, RunError, SettingError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained on arrays of images."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images[:200] * 15).astype(np.uint8)
    out = tmp_path_factory.mktemp("runs") / "arrays"
    return assay.train((images, data.target[:200]), network="mlp", settings={"width": 32}, epochs=3, evidence="quick",
                       out=out)  # fmt: skip


def test_train_on_arrays_and_ask(model):
    image = np.zeros((8, 8), np.uint8)
    answer = model.predict(image)[0]
    assert answer.label in set("0123456789")
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert len(model.predict([image, image])) == 2
    assert len(model.predict(np.zeros((3, 8, 8), np.uint8))) == 3
    assert len(model.predict(image, baseline=True)) == 1
    assert model.summary["metric"]["name"] == "accuracy"
    assert model.run.read(model.run.plan)["source"] is None


def test_evidence(model):
    assert [finding.name for finding in model.evidence][:2] == ["accuracy", "baseline"]
    assert all(finding.verdict for finding in model.evidence)


def test_shown(model):
    assert repr(model) == f"<assay.Model {model.run.path}>"
    shown = model._repr_html_()
    assert "image-classification" in shown
    assert all(finding.name in shown for finding in model.evidence)


def test_save_and_load(model, tmp_path):
    images = np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8)
    loaded = assay.load(model.save(tmp_path / "copy"))
    assert loaded.predict(images) == model.predict(images)
    assert loaded.summary == model.summary
    with pytest.raises(RunError, match="not empty"):
        model.save(tmp_path / "copy")
    with pytest.raises(RunError, match="is not a run"):
        assay.load(tmp_path)
    with pytest.raises(RunError, match="lies in the run"):
        model.save(model.run.path / "copy")


@pytest.mark.parametrize("wrong", [{"budget": -1}, {"budget": 0}, {"epochs": 0}, {"budget": "5m", "epochs": 1}])
def test_an_impossible_time_is_refused(digits, tmp_path, wrong):
    with pytest.raises(SettingError):
        assay.train(digits, out=tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


def test_train_on_a_folder(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = assay.train(digits, network="mlp", settings={"width": 16}, epochs=1, evidence="none")
    assert model.run.path == Path("runs") / "digits-1"
    assert model.evidence == []
    photo = sorted((digits / "3").iterdir())[0]
    assert len(model.predict(photo)) == 1
    assert len(model.predict([photo, str(photo)])) == 2
    assert len(model.predict(str(digits / "3"))) == 14
    found, evaluation, problems = model.evaluate(digits)
    assert (len(evaluation), problems) == (140, ())
    assert 0 <= found["accuracy"].value <= 1


def test_train_on_a_data_frame(tmp_path):
    import pandas

    random = np.random.default_rng(0)
    size = random.normal(size=200)
    frame = pandas.DataFrame({"size": size, "colour": random.choice(["red", "blue"], 200), "price": 3 * size + 1})
    frame.loc[5, "size"] = np.nan
    model = assay.train(frame, target="price", epochs=3, evidence="none", out=tmp_path / "run", settings={"width": 16})
    answers = model.predict(frame.drop(columns="price"))
    assert len(answers) == 200
    assert np.isfinite([answer.value for answer in answers]).all()
    with pytest.raises(DataError, match="'size' is missing"):
        model.predict(frame[["colour"]])
    rows = [{"size": 1.0, "colour": "red"}, {"size": 2.0, "colour": "green"}]
    assert len(model.predict(rows)) == 2


def test_nothing_in_a_strange_run_is_executed(model, tmp_path):
    """A pickle in place of the weights is refused unread, wherever it stands."""
    mark = tmp_path / "executed"

    class Hostile:
        def __reduce__(self):
            return (os.mkdir, (str(mark),))

    content = pickle.dumps(Hostile())
    for name in ("model/model.safetensors", "model/model.json", "plan.json", "evidence.json"):
        run = shutil.copytree(model.run.path, tmp_path / Path(name).name)
        (run / name).write_bytes(content)
        with pytest.raises(RunError):
            loaded = assay.load(run)
            assert loaded.summary
            loaded.evaluate((np.zeros((2, 8, 8), np.uint8), np.array([1, 2])))
            assert loaded.evidence
    run = shutil.copytree(model.run.path, tmp_path / "baseline")
    for path in (run / "model" / "baseline").rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    with pytest.raises(RunError):
        assay.load(run).predict(np.zeros((1, 8, 8), np.uint8), baseline=True)
    assert not mark.exists()


@pytest.mark.parametrize("change", [{"task": "../../etc/passwd"}, {"task": "os:system"}, {"format": "x"}, {"spec": []}])
def test_made_up_facts_are_refused(model, tmp_path, change):
    run = shutil.copytree(model.run.path, tmp_path / "run")
    facts = json.loads((run / "model" / "model.json").read_text())
    (run / "model" / "model.json").write_text(json.dumps({**facts, **change}))
    with pytest.raises(assay.AssayError):
        assay.load(run)


@pytest.mark.parametrize("name", ["../../model", "timm//etc", "mlp/../mlp", "__import__('os')"])
def test_made_up_networks_are_refused(model, tmp_path, name):
    run = shutil.copytree(model.run.path, tmp_path / "run")
    facts = json.loads((run / "model" / "model.json").read_text())
    facts["network"]["name"] = name
    (run / "model" / "model.json").write_text(json.dumps(facts))
    with pytest.raises(assay.AssayError):
        assay.load(run)


def test_help_is_quick_and_loads_nothing_heavy():
    code = ("import sys, assay\nfrom assay.cli import app\ntry:\n app(['--help'])\nexcept SystemExit: pass\n"
            "heavy = {'torch', 'sklearn', 'pyarrow', 'pandas', 'numpy', 'lightgbm'} & set(sys.modules)\n"
            "sys.stderr.write(repr(heavy))")  # fmt: skip
    resource = pytest.importorskip("resource")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stderr == "set()"
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "assay", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert statistics.median(taken) < 0.3


@pytest.mark.skipif(os.name != "posix", reason="makes links as POSIX has them")
@pytest.mark.parametrize(
    "name", ["plan.json", "model", "model/model.json", "model/model.safetensors", "model/baseline/x"]
)
def test_links_in_a_strange_run_are_not_followed(model, tmp_path, name):
    run = shutil.copytree(model.run.path, tmp_path / "run")
    place = run / name
    place.parent.mkdir(exist_ok=True)
    target = tmp_path / "elsewhere"
    if place.exists():
        place.rename(target)
    else:
        target.write_text("secret")
    place.symlink_to(target)
    with pytest.raises(RunError, match="is a link"):
        assay.load(run)


@pytest.mark.skipif(os.name != "posix", reason="makes pipes as POSIX has them")
def test_a_pipe_in_a_strange_run_is_not_waited_for(model, tmp_path):
    run = shutil.copytree(model.run.path, tmp_path / "run")
    (run / "model" / "model.safetensors").unlink()
    os.mkfifo(run / "model" / "model.safetensors")
    with pytest.raises(RunError, match="is no file"):
        assay.load(run)


def _changed(model, folder, **settings):
    run = shutil.copytree(model.run.path, folder)
    file = run / "model" / "model.json"
    facts = json.loads(file.read_text())
    facts["network"]["settings"].update(settings)
    file.write_text(json.dumps(facts))
    return run


@pytest.mark.parametrize(
    "settings", [{"width": 10**12}, {"width": 10**5}, {"depth": 10**6}, {"width": 3}, {"width": "x"}]
)
def test_a_strange_network_takes_no_more_than_its_weights(model, tmp_path, settings):
    with pytest.raises(RunError, match="damaged"):
        assay.load(_changed(model, tmp_path / "run", **settings))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"format": ' + "1" * 10_000 + "}", "[]", '"text"', "{}", "\0", '{"format": 1, "task": ["table"]}'],
)
def test_odd_json_in_a_strange_run_is_refused(model, tmp_path, text):
    run = shutil.copytree(model.run.path, tmp_path / "run")
    (run / "model" / "model.json").write_text(text)
    with pytest.raises(assay.AssayError):
        assay.load(run)


@pytest.mark.parametrize("change", ["nan", "shape", "type", "name", "missing", "cut", "header"])
def test_wrong_tensors_in_a_strange_run_are_refused(model, tmp_path, change):
    import torch
    from safetensors.torch import load_file, save_file

    run = shutil.copytree(model.run.path, tmp_path / "run")
    file = run / "model" / "model.safetensors"
    tensors, content = load_file(file), file.read_bytes()
    first = next(name for name, value in tensors.items() if value.ndim == 2)
    if change in ("cut", "header"):
        file.write_bytes(content[: len(content) // 2] if change == "cut" else b"\xff" * 8 + content[8:])
    else:
        value = tensors.pop(first)
        changed = {"nan": value * float("nan"), "shape": value.T.contiguous(), "type": value.to(torch.int32)}
        if change != "missing":
            tensors["other" if change == "name" else first] = changed.get(change, value)
        save_file(tensors, file)
    with pytest.raises(RunError, match="damaged"):
        assay.load(run)


def test_a_strange_network_fetches_nothing():
    from assay._strange_run import _check_settings
    from assay.networks.hf_loading import HfBodySettings, _plain
    from assay.networks.timm_networks import TimmSettings

    for settings in (
        TimmSettings("resnet18", pretrained=True),
        TimmSettings("../elsewhere", pretrained=False),
        HfBodySettings("some/model", pretrained=True, config="{}"),
        HfBodySettings("some/model", pretrained=False),
    ):
        with pytest.raises(ValueError, match="from elsewhere"):
            _check_settings(settings, 10)
    config = {
        "model_type": "bert",
        "auto_map": {"AutoModel": "x--y"},
        "text": {"_attn_implementation": "a/b", "size": 1},
    }
    assert _plain(config) == {"model_type": "bert", "text": {"size": 1}}
