"""Work on a Ray of one's own: the losses of one process, also where a worker is killed; small trainings; trials."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.cluster.connection import LOCAL, machines, ray_at
from assay.errors import SettingError
from programs import Result

for _name in ("ray", "pandas", "fsspec"):
    pytest.importorskip(_name, reason=f"--cluster needs {_name}")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Ray runs on POSIX systems")
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray that all tests of this module share, as `--cluster local` takes one that is there."""
    from assay.cluster.force import Cluster

    before = signal.getsignal(signal.SIGTERM)
    with ray_at(LOCAL) as ray:
        assert signal.getsignal(signal.SIGTERM) == before, "a training that is asked to stop ends behind a step"
        yield Cluster(ray)


def lines(run: Path) -> list[dict[str, Any]]:
    file = run / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")] if file.exists() else []


def losses(run: Path) -> list[float]:
    return [line["train_loss"] for line in lines(run) if "train_loss" in line]


def words(run: object, digits: Path, epochs: float) -> list[object]:
    # GELU: across the kink of ReLU the last bit of a sum can decide whether a weight moves at all.
    network = ("--network", "mlp", "--set", "width=16", "--set", "activation=gelu")
    return ["train", digits, "--out", run, *network, "--set", "batch_size=16", "--epochs", epochs, "--evidence", "none"]


def test_the_machines_say_who_they_are(cluster: Any, tmp_path: Path) -> None:
    (found,) = machines(cluster.ray, (str(tmp_path), str(tmp_path / "nowhere")))
    assert found.cores >= 1 and found.sees == (str(tmp_path),)
    assert found.versions["torch"] and cluster.machines() and cluster.width >= 1
    with pytest.raises(SettingError, match="does not see") as told:
        cluster.check_sees(str(tmp_path / "nowhere"))
    assert "ASSAY_CACHE" in told.value.hint


def kill_a_worker(run: Path, rank: int, seen: list[int]) -> None:
    """Kill a worker once it trains."""
    while not losses(run):
        time.sleep(0.01)
    seen.append(json.loads((run / "checkpoint" / "workers" / f"process-{rank}.json").read_text())["pid"])
    os.kill(seen[0], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_training_whose_worker_is_killed_gives_the_losses_of_one_process(
    cluster: Any, command: Command, digits: Path, tmp_path: Path, devices: int
) -> None:
    run, seen, devices = tmp_path / "killed", list[int](), min(devices, cluster.width)
    killer = threading.Thread(target=kill_a_worker, args=(run, devices - 1, seen), daemon=True)
    killer.start()
    done = command(*words(run, digits, 28), "--devices", devices, "--cluster", LOCAL)
    killer.join(1)
    assert done.code == 0 and seen, done.err
    assert command(*words(tmp_path / "one", digits, 28)).code == 0
    one, two = losses(tmp_path / "one"), losses(run)
    assert len(one) == len(two) == 196
    assert two[:50] == pytest.approx(one[:50], rel=1e-5)
    assert [line["step"] for line in lines(run) if "train_loss" in line] == list(range(1, 197))
    assert any("was lost" in line.get("event", "") for line in lines(run))
    assert not (run / "checkpoint").exists()


def test_one_worker_behind_a_url_is_one_process_bit_for_bit(
    cluster: Any, command: Command, digits: Path, tmp_path: Path
) -> None:
    run = tmp_path / "there"
    done = command(*words(run.as_uri(), digits, 10 / 7), "--cluster", LOCAL)
    assert done.code == 0, done.err
    assert command(*words(tmp_path / "one", digits, 10 / 7)).code == 0
    assert len(losses(run)) == 10 and losses(run) == losses(tmp_path / "one")
    assert not (run / "checkpoint").exists() and not (run / "owner.json").exists()


def test_more_processes_than_the_cluster_has(cluster: Any, command: Command, digits: Path, tmp_path: Path) -> None:
    done = command(*words(tmp_path / "run", digits, 1), "--devices", cluster.width + 1, "--cluster", LOCAL)
    assert done.code == 1 and f"--devices {cluster.width}" in done.err


def test_a_cluster_without_room_is_told(
    cluster: Any, command: Command, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.util import placement_group, remove_placement_group

    monkeypatch.setattr("assay.cluster.training._ROOM_S", 0.5)
    others = placement_group([{"CPU": cluster.width}])
    try:
        assert others.wait(60)
        done = command(*words(tmp_path / "run", digits, 1), "--cluster", LOCAL)
    finally:
        remove_placement_group(others)
    assert done.code == 1 and "the cluster had no room for the training" in done.err and "ray status" in done.err


def test_small_trainings_are_those_of_this_process(cluster: Any, wine: Path, tmp_path: Path) -> None:
    from assay.baselines.fit import Fit
    from assay.cluster.address import subject_address
    from assay.cluster.mapping import OnCluster
    from assay.evidence._side_training import Training
    from assay.flow import TrainOptions, prepare
    from assay.planning import choose
    from assay.progress import Progress
    from assay.run import RunFolder
    from assay.samples.split import TEST
    from assay.sources.source import DataOptions
    from assay.work import InTurn

    data = DataOptions(target="cultivar")
    options = TrainOptions(epochs=2, network="mlp", settings={"width": "16"})
    made = choose(prepare(wine, data), data, options, RunFolder.create(tmp_path / "run"), Progress())
    places = range(len(made.task.baselines(made.spec)))
    some = np.flatnonzero(made.samples.side == 0)[::2]
    work: list[Any] = [Training("half", some, made.plan), *(Fit(place, 2.0, 0) for place in places)]
    there = list(OnCluster(cluster, subject_address(made))(made.subject, work))
    here = list(InTurn()(made.subject, work))
    for (name, value), (_, other) in zip(there[0].state_dict().items(), here[0].state_dict().items(), strict=True):
        np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=1e-5, atol=1e-7, err_msg=name)
    view = made.samples.view(TEST)
    dummy = next(place for place in places if made.task.baselines(made.spec)[place].floor)
    np.testing.assert_array_equal(there[1 + dummy].model.predict(view), here[1 + dummy].model.predict(view))
    assert all(one.note and one.seconds >= 0 for one in there[1:])


@pytest.mark.slow
def test_trials_are_tasks_and_each_is_told_once(cluster: Any, command: Command, wine: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from assay.tuning.storage import open_storage

    run = tmp_path / "run"
    how = ("--target", "cultivar", "--network", "mlp", "--set", "width=16", "--search", "learning_rate")
    done = command("tune", wine, *how, "--trials", 3, "--budget", "15m", "--evidence", "none", "--out", run,
                   "--cluster", LOCAL)  # fmt: skip
    assert done.code == 0, done.err
    file = run / "tuning" / "journal.jsonl"
    trials = optuna.load_study(study_name=None, storage=open_storage(str(file), file)).trials
    assert [one.number for one in trials] == [0, 1, 2]
    assert all(one.state.is_finished() and one.user_attrs["seconds"] > 0 for one in trials)
    assert (run / "summary.json").exists()
