"""Positioning against the contract, and as a user meets it: train, predict, evaluate, explain, follow."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.check import check_task
from assay.errors import SettingError
from assay.evaluation.tracks import Track
from assay.sources._geodesy import back_to_degrees
from assay.tasks.positioning import Positioning
from programs import Result
from route_examples import LAT, LON, made_drive, write_csv, write_drive, write_drives

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drives(tmp_path_factory.mktemp("positioning") / "drives", 20, 20.0)


@pytest.fixture(scope="module")
def run(command: Command, drives: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    run = tmp_path_factory.mktemp("runs") / "car"
    words = ("--epochs", 4, "--set", "width=8", "--evidence", "full", "--json")
    return run, command("train", drives, "--out", run, *words)


def test_it_fulfils_the_contract(drives: Path, tmp_path: Path) -> None:
    broken = write_drive(tmp_path / "no-poses" / "a", made_drive(), poses=False).parent
    write_csv(tmp_path / "words" / "imu.csv", {"time": [1.0, 2.0], "gyro_z": [0.1, 0.2]})
    results = check_task(Positioning(), drives, corrupt=[broken, tmp_path / "words"], settings={"width": "8"})
    bad = [result for result in results if not result.ok]
    assert not bad, bad


def test_a_run_tells_of_drives(run: tuple[Path, Result]) -> None:
    summary = run[1].json
    assert summary["task"] == "positioning" and summary["metric"]["name"] == "position_error"
    assert summary["baseline"]["name"] == "extended Kalman filter"
    accuracy = summary["findings"]["accuracy"]
    assert "Without GNSS it drifts" in accuracy["verdict"]
    assert {"drift without GNSS", "places within the 95 % ellipse"} <= accuracy["numbers"].keys()
    assert any(name.startswith("GNSS outliers") for name in accuracy["numbers"])
    data = summary["findings"]["data"]
    assert data["status"] == "act" and "minutes of driving to learn from is little" in data["verdict"]
    assert data["numbers"]["minutes of driving to learn from"]["value"] == pytest.approx(5.3, abs=0.7)
    page = (run[0] / "report.html").read_text(encoding="utf-8")
    for title in (
        "A drive from above",
        "Drift over distance",
        "Error over time",
        "Drift by turning",
        "When sensors get worse",
    ):
        assert title in page, title


def test_tracks_as_files(run: tuple[Path, Result], command: Command, tmp_path: Path) -> None:
    drive = write_drive(tmp_path / "monday", made_drive(seconds=30.0, seed=77), poses=False)
    command("predict", run[0], drive, "--out", tmp_path / "track.csv")
    rows = list(csv.DictReader((tmp_path / "track.csv").open()))
    assert len(rows) == 300 and float(rows[1]["time"]) == pytest.approx(0.1)
    path = made_drive(seconds=30.0, seed=77).reference
    assert path is not None
    off = np.hypot(float(rows[-1]["east"]) - path.place[-1, 0], float(rows[-1]["north"]) - path.place[-1, 1])
    assert off < 8 and 0 < float(rows[-1]["sigma_m"]) < 10
    for ending in ("tum", "kitti", "json"):
        command("predict", run[0], drive, "--out", tmp_path / f"track.{ending}")
    refused = command("predict", run[0], drive, "--out", tmp_path / "track.geojson")
    assert refused.code == 1 and "no place on a map" in refused.err and not (tmp_path / "track.geojson").exists()
    fixes = made_drive(seconds=30.0, seed=77).fixes
    assert fixes is not None
    lat, lon = back_to_degrees(fixes.place, (LAT, LON)).T
    write_csv(drive / "gnss.csv", {"time": fixes.time, "lat": lat, "lon": lon})
    command("predict", run[0], drive, "--out", tmp_path / "track.geojson")
    line = json.loads((tmp_path / "track.geojson").read_text())["features"][0]["geometry"]["coordinates"]
    assert len(line) == 300 and line[0] == pytest.approx([LON, LAT], abs=0.01)
    assert len((tmp_path / "track.tum").read_text().split("\n")[0].split()) == 8
    assert len((tmp_path / "track.kitti").read_text().split("\n")[0].split()) == 12
    answer = json.loads((tmp_path / "track.json").read_text())[0]
    assert answer["anchored"] and len(answer["poses"]) == 300


def test_dead_reckoning_on_request(run: tuple[Path, Result], drives: Path) -> None:
    model = assay.load(run[0])
    answer = model.predict(drives / "drive-01", options={"gnss": 0})[0]
    assert not answer.anchored and (answer.poses[0].east, answer.poses[0].north) == (0, 0)
    assert model.predict(drives / "drive-01", baseline=True)[0].anchored
    with pytest.raises(SettingError, match="gnss"):
        model.predict(drives / "drive-01", options={"gnss": 3})


def test_evaluating_takes_whole_drives(run: tuple[Path, Result], command: Command, tmp_path: Path) -> None:
    write_drive(tmp_path / "one", made_drive(seconds=30.0, seed=50))
    found = command("evaluate", run[0], tmp_path, "--json").json
    assert found["metrics"]["position_error"]["value"] < 10


def test_which_sensor_matters(run: tuple[Path, Result], command: Command, tmp_path: Path) -> None:
    drive = write_drive(tmp_path / "short", made_drive(seconds=12.0, seed=3), poses=False)
    told = command("explain", run[0], drive, "--out", tmp_path / "why.html", "--json").json
    names = {part["name"].split(",")[0] for part in told["parts"]}
    assert names == {"wheels", "gyroscope", "GNSS"}
    assert told["parts"][0]["name"].startswith("wheels")


def test_a_session_gives_what_the_whole_drive_gives(run: tuple[Path, Result], drives: Path) -> None:
    from assay.samples.samples import hold_samples
    from assay.sources.records import ProblemLog
    from assay.sources.source import open_source

    model = assay.load(run[0])
    task, spec = model.task, model.spec
    samples = hold_samples(task, task.read_inputs(open_source(drives / "drive-02"), spec), spec, ProblemLog())
    steps = task.stream(samples, 0, spec)
    session = model.session()
    poses = [pose for start in range(0, len(steps), 13) for pose in session.push(steps[start : start + 13])]
    poses += session.close()
    whole: Track = model.predictor.outputs(samples.view_of(np.asarray([0])))[0]
    base = whole.place[1] - np.asarray([poses[0].east, poses[0].north])
    assert len(poses) == len(whole) - 1
    assert [pose.east for pose in poses] == pytest.approx((whole.place[1:, 0] - base[0]).tolist(), abs=0.01)
    assert [pose.sigma_deg for pose in poses] == pytest.approx(
        np.degrees(np.sqrt(whole.spread[1:, 3])).tolist(), abs=1e-3
    )


def test_the_demo_is_simulated_and_says_so(monkeypatch: pytest.MonkeyPatch, command: Command, tmp_path: Path) -> None:
    from assay import demo
    from assay.sources.demo_data import DEMO_DATA
    from assay.sources.route_made import made_drives

    monkeypatch.setitem(demo.DEMOS, "positioning", ("positioning", 1.0))
    monkeypatch.setitem(DEMO_DATA, "positioning", lambda: made_drives(12, 40.0))
    found = command("demo", "positioning", "--out", tmp_path / "run", "--json").json
    assert "SIMULATED" in found["findings"]["accuracy"]["verdict"]
    drive = made_drives(1, 40.0)[0]
    assert drive.name.startswith("SIMULATED") and drive.reference is not None
    assert 100 < np.linalg.norm(np.diff(drive.reference.place, axis=0), axis=1).sum() < 800
