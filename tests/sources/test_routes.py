"""Reading drives: a user's tables, comma2k19, KITTI's poses, Udacity's sightings."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError
from assay.sources._geodesy import back_to_degrees, flat_degrees
from assay.sources.routes import read_drives, recognise_drives
from assay.sources.source import DataOptions, open_source
from real_data import DATA
from route_examples import LAT, LON, made_drive, only, read, write_csv, write_drive, write_drives, write_kitti


def test_a_folder_a_drive(tmp_path: Path) -> None:
    folder = write_drives(tmp_path / "drives", 3, 20.0)
    found = recognise_drives(open_source(folder))
    assert found is not None and "3 drives" in found.why
    records = read(folder)
    index = records.index()
    assert index.column("id").to_pylist() == ["drive-00", "drive-01", "drive-02"]
    assert index.column("group").to_pylist() == index.column("id").to_pylist()
    assert records.facts["rates_hz"] == {"wheel_rl": 20.0, "wheel_rr": 20.0, "gyro_z": 20.0, "gnss": 1.0}
    assert not records.problems
    drive, expected = records.load("1"), made_drive(seconds=20.0, seed=1)  # type: ignore[misc]
    assert drive.channels["wheel_rr"].value == pytest.approx(expected.channels["wheel_rr"].value, abs=1e-6)
    assert drive.channels["gyro_z"].value == pytest.approx(expected.channels["gyro_z"].value, abs=1e-6)
    assert drive.reference.heading == pytest.approx(expected.reference.heading[::2], abs=1e-6)


def test_a_zip_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = write_drives(tmp_path / "drives", 3, 20.0)
    with zipfile.ZipFile(tmp_path / "drives.zip", "w") as archive:
        for file in sorted(folder.rglob("*.csv")):
            archive.write(file, file.relative_to(folder))
    assert read(tmp_path / "drives.zip").fingerprint == read(folder).fingerprint


def test_sides_are_folders_and_routes_are_groups(tmp_path: Path) -> None:
    for name in ("train/city/a", "train/city/b", "validation/city2/a", "test/city3/a"):
        write_drive(tmp_path / name, made_drive(seconds=15.0, seed=len(name)))
    index = read(tmp_path).index()
    assert index.column("split").to_pylist() == ["test", "train", "train", "validation"]
    assert index.column("group").to_pylist() == ["city3", "city", "city", "city2"]


def everything(seconds: float = 20.0, seed: int = 0) -> dict[str, np.ndarray]:
    """One table that holds everything, with empty cells where a sensor says nothing."""
    drive = made_drive(seconds=seconds, seed=seed)
    time = drive.channels["gyro_z"].time
    fixes = np.full((len(time), 2), np.nan)
    fixes[::20] = drive.fixes.place  # type: ignore[union-attr]
    speed = (drive.channels["wheel_rl"].value + drive.channels["wheel_rr"].value) / 2
    path = drive.reference
    assert path is not None
    return {"timestamp": time, "speed_mps": speed, "yaw_rate_deg_s": np.degrees(drive.channels["gyro_z"].value),
            "gnss_x": fixes[:, 0], "gnss_y": fixes[:, 1], "ref_x": path.place[:, 0],
            "ref_y": path.place[:, 1]}  # fmt: skip


def test_a_table_a_drive(tmp_path: Path) -> None:
    for number in range(3):
        write_csv(tmp_path / f"{number}.csv", everything(seed=number))
    records = read(tmp_path)
    drive = records.load("0")  # type: ignore[misc]
    assert set(drive.channels) == {"speed", "gyro_z"}
    assert len(drive.fixes.time) == 20
    # Without a heading the way tells it.
    expected = made_drive(seconds=20.0).reference
    assert expected is not None
    off = (drive.reference.heading - expected.heading + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(off[10:-10]).max() < 0.1
    assert not records.problems


def test_one_table_is_cut_in_time(tmp_path: Path) -> None:
    write_csv(tmp_path / "drive.csv", everything(100.0))
    records = read(tmp_path / "drive.csv")
    index = records.index()
    assert index.column("split").to_pylist() == ["train", "validation", "test"]
    assert records.sides_cut
    parts = [records.load(str(number)) for number in range(3)]  # type: ignore[misc]
    assert [round(part.span[1] - part.span[0]) for part in parts] == [80, 10, 10]
    assert parts[0].span[1] <= parts[1].span[0] and parts[1].span[1] <= parts[2].span[0]
    stretched = read(tmp_path / "drive.csv", stretch=10)
    assert stretched.index().num_rows == 10


def test_arrays_hold_what_tables_hold(tmp_path: Path) -> None:
    for number in range(3):
        columns = everything(seed=number)
        np.savez(tmp_path / f"{number}.npz", **columns)  # type: ignore[arg-type]
    assert read(tmp_path).index().num_rows == 3
    rows = np.zeros(5, [("time", "f8"), ("gyro_z", "f8")])
    rows["time"] = np.arange(5) * 0.5
    rows["gyro_z"] = np.random.default_rng(0).normal(0, 0.1, 5)
    (tmp_path / "one").mkdir()
    np.save(tmp_path / "one" / "imu.npy", rows)
    drive, _ = only(tmp_path / "one" / "imu.npy")
    assert len(drive.channels["gyro_z"].time) == 5


def test_degrees_on_the_ground_become_metres(tmp_path: Path) -> None:
    places = np.asarray([[0.0, 0.0], [300.0, -200.0], [5000.0, 9000.0]])
    degrees = back_to_degrees(places, (LAT, LON))
    assert flat_degrees(degrees, (LAT, LON)) == pytest.approx(places, abs=2e-2)
    made = made_drive(seconds=20.0)
    assert made.fixes is not None
    write_drive(tmp_path / "a", made, gnss=False, poses=False)
    ground = back_to_degrees(made.fixes.place, (LAT, LON))
    write_csv(tmp_path / "a" / "gnss.csv", {"time": made.fixes.time, "lat": ground[:, 0], "lon": ground[:, 1]})
    drive, _ = only(tmp_path / "a")
    assert drive.origin == pytest.approx(tuple(ground[0]), abs=1e-6)
    assert drive.fixes is not None
    assert drive.fixes.place == pytest.approx(made.fixes.place - made.fixes.place[0], abs=0.05)


# Other forms ---------------------------------------------------------------------------------------------------------


def test_kittis_poses_get_simulated_sensors(tmp_path: Path) -> None:
    folder = write_kitti(tmp_path)
    found = recognise_drives(open_source(folder))
    assert found is not None and "SIMULATED" in found.why
    whole = tmp_path.with_name("whole")
    write_kitti(whole / "poses")
    (whole / "README.txt").write_text("Ground truth poses.")
    (whole / "estimates").mkdir()
    (whole / "estimates" / "times.txt").write_text("0.0\n0.1\n")
    beside = recognise_drives(open_source(whole))
    assert beside is not None and beside.why == found.why
    records = read(folder, draws=2)
    index = records.index()
    assert index.column("id").to_pylist()[:2] == ["00.txt@0", "00.txt@1"]
    assert index.column("group").to_pylist()[:3] == ["00.txt", "00.txt", "01.txt"]
    assert len(set(index.column("digest").to_pylist())) == 6
    assert records.facts["sensors"] == "SIMULATED"
    first, second, again = (records.load(place) for place in ("0", "1", "0"))  # type: ignore[misc]
    assert first.channels["gyro_z"].value == pytest.approx(again.channels["gyro_z"].value)
    assert not np.allclose(first.channels["gyro_z"].value, second.channels["gyro_z"].value)
    assert read(folder, draws=1, gnss=0).load("0").fixes is None  # type: ignore[misc]


def test_the_simulation_has_the_size_that_it_says(tmp_path: Path) -> None:
    from assay.sources import route_simulation as simulation

    records = read(write_kitti(tmp_path), draws=60)
    drives = [records.load(str(number)) for number in range(60)]  # type: ignore[misc]
    true = drives[0].motion
    scales = [drive.channels["wheel_rl"].value[1:].mean() / (true.speed[:, 0] - true.rate[:, 2] * 0.775).mean()
              for drive in drives]  # fmt: skip
    assert 0.99 < np.mean(scales) < 1.01
    assert 0.009 < np.std(scales) < 0.014  # an even spread of 2 % deviates by 1.15 %
    biases = [(drive.channels["gyro_z"].value[1:] - true.rate[:, 2]).mean() for drive in drives]
    assert np.std(biases) == pytest.approx(simulation.GYRO_BIAS, rel=0.35)
    errors = np.concatenate([drive.fixes.place - true.place[np.searchsorted(true.time, drive.fixes.time)]
                             for drive in drives])  # fmt: skip
    assert errors.std() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("text", "match"),
    [("1 2 3\n", "12"), ("0 " + "1 " * 12 + "\n0 " + "1 " * 12 + "\n", "ascend"), ("a b c\n", "no poses")],
)
def test_poses_that_are_none(text: str, match: str) -> None:
    from assay.sources.routes_kitti import pose_rows

    with pytest.raises(DataError) as told:
        pose_rows(text.encode(), "00.txt")
    assert "00.txt" in str(told.value) and (match in str(told.value) or match in told.value.hint or match == "12")


@pytest.mark.data
def test_commas_example() -> None:
    source = DATA / "comma2k19_example"
    if not source.exists():
        pytest.skip("comma2k19's example is not there (ASSAY_DATA)")
    records = read_drives(open_source(source), DataOptions(split="58/9/33"))
    assert records.index().column("split").to_pylist() == ["train", "validation", "test"]
    assert records.facts["minutes"] == 1.0 and records.facts["km"] == pytest.approx(1.01, abs=0.01)
    drive, problems = only(source)
    assert problems == {}  # nothing of it is stuck, strays or is left out
    inside = (drive.fixes.time > drive.reference.time[0]) & (drive.fixes.time < drive.reference.time[-1])  # type: ignore[union-attr]
    fixes, path = drive.fixes, drive.reference
    assert fixes is not None and path is not None
    true = np.stack([np.interp(fixes.time[inside], path.time, axis) for axis in path.place.T], axis=1)
    off = np.linalg.norm(fixes.place[inside] - true, axis=1)
    assert np.median(off) == pytest.approx(1.43, abs=0.02) and np.quantile(off, 0.95) == pytest.approx(1.87, abs=0.02)
    moved = np.diff(path.place, axis=0)
    course = np.unwrap(np.arctan2(moved[:, 1], moved[:, 0]))
    assert np.abs(course - path.heading[1:]).max() < 0.15


@pytest.mark.data
def test_udacitys_sightings() -> None:
    file = DATA / "udacity_ekf" / "obj_pose-laser-radar-synthetic-input.txt"
    if not file.exists():
        pytest.skip("Udacity's sightings are not there (ASSAY_DATA)")
    from assay.sources.routes_udacity import sightings

    found = sightings(file.read_bytes(), file.name)
    assert len(found.time) == 500 and found.radar.sum() == 250
    drive, problems = only(file)
    assert problems == {} and drive.fixes is not None and drive.reference is not None
    assert np.abs(drive.fixes.place - drive.reference.place).mean() < 0.3
    with pytest.raises(DataError, match="row 1"):
        sightings(b"L 1 2 x\n", "a.txt")
