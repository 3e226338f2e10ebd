"""`--log`: what TensorBoard's own reader and a real MLflow server hold afterwards, and servers that are not there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.errors import SettingError
from assay.flow import TrainOptions, train
from assay.logs import _settings, check_log
from assay.run import RunFolder
from assay.sources.source import DataOptions
from assay.training.plan import Plan
from programs import Result

Command = Callable[..., Result]
WORDS = ("--epochs", 2, "--network", "mlp", "--set", "width=16", "--evidence", "none", "--json")


@pytest.mark.parametrize("where", ["", "tensorboard", "tensorboard:", "wandb:x", "mlflow:"])
def test_places_that_are_none(where: str) -> None:
    with pytest.raises(SettingError, match="--log") as caught:
        check_log(where)
    assert "tensorboard:FOLDER" in caught.value.hint


def test_a_password_does_not_get_into_the_plan(digits: Path, tmp_path: Path, command: Command) -> None:
    where = "mlflow:https://ann:pa55word@host"
    done = command("train", digits, "--out", tmp_path / "run", "--log", where)
    assert done.code == 1 and "holds a password" in done.err and "pa55word" not in done.err
    assert command("train", "https://ann:pa55word@host/a.csv", "--out", tmp_path / "run").code == 1
    assert not (tmp_path / "run").exists()


def test_no_folder_of_a_network_leaves_the_machine(tmp_path: Path) -> None:
    made: Any = SimpleNamespace(
        task=SimpleNamespace(name="text-classification"),
        network=f"hf/{tmp_path / 'minilm'}",
        settings={"model": str(tmp_path / "minilm"), "width": 16},
        plan=Plan(),
        prepared=SimpleNamespace(records=SimpleNamespace(fingerprint="f")),
    )
    told = _settings(made)
    assert told["network"] == "hf/minilm" and told["network.model"] == "minilm" and told["network.width"] == 16
    assert not [value for value in told.values() if str(tmp_path) in str(value)]


def test_a_missing_package_names_the_extra(
    digits: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    done = command("train", digits, "--out", tmp_path / "run", "--log", "mlflow:http://localhost:1")
    assert done.code == 1 and 'pip install "assay[log]"' in done.err and not (tmp_path / "run").exists()


def test_tensorboard_holds_the_history(digits: Path, tmp_path: Path, command: Command) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed: assay[log]")
    done = command("train", digits, "--out", tmp_path / "one", "--log", f"tensorboard:{tmp_path / 'logs'}", *WORDS)
    assert done.code == 0, done.err
    (file,) = (tmp_path / "logs" / "one").iterdir()
    assert file.name.startswith("events.out.tfevents")
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard's own reader is not installed"
    ).EventAccumulator(str(file))
    reader.Reload()
    lines = RunFolder(tmp_path / "one").history()
    for name in ("train_loss", "validation_loss", "learning_rate"):
        expected = [(line["step"], line[name]) for line in lines if name in line]
        got = [(event.step, event.value) for event in reader.Scalars(name)]
        assert [step for step, _ in got] == [step for step, _ in expected]
        assert [value for _, value in got] == pytest.approx([value for _, value in expected])
    (accuracy,) = reader.Scalars("test/accuracy")
    assert accuracy.value == pytest.approx(json.loads(done.out)["metrics"]["accuracy"])
    assert any(name.startswith("gradient_norm/") for name in reader.Tags()["scalars"])


# MLflow --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on a free port; fails without one where `ASSAY_NEEDS` says that there has to be one."""
    if "mlflow" not in os.environ.get("ASSAY_NEEDS", ""):
        # assay[log] brings mlflow-skinny, which has the module and not what its server stands on.
        pytest.importorskip("mlflow.server", reason="the server needs all of mlflow: pip install mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri"]
    environment = {**os.environ, "MLFLOW_ENABLE_ASYNC_LOGGING": "false"}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words, f"sqlite:///{folder / 'mlflow.db'}"],
            cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 600  # it imports for seconds, and for minutes where the machine is busy
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def test_a_real_mlflow_server_holds_settings_history_and_metrics(
    server: str, digits: Path, tmp_path: Path, command: Command
) -> None:
    from mlflow import MlflowClient

    done = command("train", digits, "--out", tmp_path / "two", "--log", f"mlflow:{server}", *WORDS)
    assert done.code == 0, done.err
    client = MlflowClient(tracking_uri=server)
    known = json.loads((tmp_path / "two" / "log.json").read_text())
    run = client.get_run(known["run_id"])
    assert run.info.status == "FINISHED" and run.info.run_name == "two"
    assert run.data.params["network"] == "mlp" and run.data.params["network.width"] == "16"
    assert run.data.metrics["test/accuracy"] == json.loads(done.out)["metrics"]["accuracy"]
    lines = RunFolder(tmp_path / "two").history()
    expected = [(line["step"], line["train_loss"]) for line in lines if "train_loss" in line]
    got = [(one.step, one.value) for one in client.get_metric_history(known["run_id"], "train_loss")]
    assert [step for step, _ in got] == [step for step, _ in expected]
    assert [value for _, value in got] == pytest.approx([value for _, value in expected])
    assert not [text for text in run.data.params.values() if str(digits) in text], "no path leaves the machine"


def test_a_stopped_training_goes_on_in_the_same_mlflow_run(server: str, digits: Path, tmp_path: Path) -> None:
    import threading

    from mlflow import MlflowClient

    from assay.flow import resume
    from assay.training.loop import Interrupted

    options = TrainOptions(epochs=2, network="mlp", settings={"width": "16"}, evidence="none", log=f"mlflow:{server}")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        train(digits, DataOptions(), options, tmp_path / "run", stop=stop)
    known = json.loads((tmp_path / "run" / "log.json").read_text())
    client = MlflowClient(tracking_uri=server)
    assert client.get_run(known["run_id"]).info.status == "KILLED"
    resume(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "log.json").read_text()) == known
    assert client.get_run(known["run_id"]).info.status == "FINISHED"


def test_a_server_that_is_not_there_is_told_before_anything_is_trained(
    digits: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed: assay[log]")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = command("train", digits, "--out", tmp_path / "run", "--log", f"mlflow:http://127.0.0.1:{port}", *WORDS)
    assert (
        done.code == 1 and "cannot log to mlflow:" in done.err and "hint: Check that the server is there." in done.err
    )


def test_a_log_that_fails_later_does_not_end_the_training(
    digits: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay import logs

    class Failing:
        def settings(self, values: Any) -> None: ...

        def numbers(self, values: Any, step: int) -> None:
            raise ConnectionError("gone")

        def close(self, status: str) -> None: ...

    monkeypatch.setattr(logs, "_library", lambda kind: None)
    monkeypatch.setattr(logs, "_open", lambda where, run: Failing())
    done = command("train", digits, "--out", tmp_path / "run", "--log", "tensorboard:x", *WORDS)
    assert done.code == 0 and done.err.count("takes no more (gone)") == 1
