"""Reading drives: a user's tables, comma2k19, KITTI's poses, Udacity's sightings, and what can be wrong with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError, SettingError
from assay.sources._geodesy import back_to_degrees, flat_degrees
from assay.sources._route import Drive, Fixes, Series
from assay.sources._route_stuck import without_stuck
from assay.sources.records import ProblemLog, Records
from assay.sources.routes import read_drive_inputs, read_drives, recognise_drives
from assay.sources.source import DataOptions, open_source
from real_data import DATA
from route_examples import LAT, LON, made_drive, write_csv, write_drive, write_drives


def read(path: Path, **extra: object) -> Records:
    return read_drives(open_source(path), DataOptions(extra=extra))


def only(path: Path) -> tuple[Drive, dict[str, str]]:
    """The one drive of a folder as an input, and what was found on the way."""
    records = read_drive_inputs(open_source(path), gnss=True)
    assert records.load is not None
    location = next(iter(records.batches())).column("location")[0].as_py()
    return records.load(location), {problem.kind: problem.action for problem in records.problems}


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


# What can be wrong ---------------------------------------------------------------------------------------------------


def broken(tmp_path: Path, file: str, change: object) -> Path:
    """A drive with one of its tables changed: `change` takes its columns and gives others."""
    folder = write_drive(tmp_path / "a", made_drive(seconds=30.0))
    lines = (folder / file).read_text().splitlines()
    names = lines[0].split(",")
    values = np.asarray([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    columns = {name: values[:, place] for place, name in enumerate(names)}
    write_csv(folder / file, change(columns))  # type: ignore[operator]
    return folder


def test_gyroscope_in_degrees_without_saying_so(tmp_path: Path) -> None:
    folder = broken(tmp_path, "imu.csv", lambda columns: {"time": columns["time"], "gyro_z": columns["gyro_z_deg_s"]})
    drive, problems = only(folder)
    assert problems == {"degrees-for-radians": "repaired"}
    assert drive.channels["gyro_z"].value == pytest.approx(made_drive(seconds=30.0).channels["gyro_z"].value, abs=1e-6)
    (folder / "poses.csv").unlink()  # without a reference: by how fast it would turn
    assert only(folder)[1] == {"degrees-for-radians": "repaired"}


def test_headings_in_other_conventions(tmp_path: Path) -> None:
    expected = made_drive(seconds=30.0).reference
    assert expected is not None
    for name, change, kinds in (
        ("heading", lambda degrees: degrees, {"degrees-for-radians"}),
        ("heading", lambda degrees: np.radians(90 - degrees), {"heading-from-north"}),
        ("bearing", lambda degrees: 90 - degrees, set()),
        ("heading_rad", lambda degrees: np.radians(degrees) + 2.0, {"heading-disagrees-with-way"}),
    ):
        folder = broken(
            tmp_path / f"{name}{len(kinds)}{sorted(kinds)}",
            "poses.csv",
            lambda columns, name=name, change=change: {
                "time": columns["time"], "x": columns["x"], "y": columns["y"], name: change(columns["heading_deg"])
            },
        )  # fmt: skip
        drive, problems = only(folder)
        assert set(problems) == kinds, name
        off = np.abs((drive.reference.heading - expected.heading[::2] + np.pi) % (2 * np.pi) - np.pi)  # type: ignore[union-attr]
        assert np.median(off) < 0.02, name


def test_a_clock_that_repeats_and_goes_back(tmp_path: Path) -> None:
    def repeats(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        time = columns["time"].copy()
        time[5] = time[4]
        time[[20, 21]] = time[[21, 20]]
        return {**columns, "time": time}

    drive, problems = only(broken(tmp_path / "repeats", "imu.csv", repeats))
    assert problems == {"time-repeats": "skipped", "rows-out-of-order": "repaired"}
    assert (np.diff(drive.channels["gyro_z"].time) > 0).all()

    def set_back(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        time = columns["time"].copy()
        time[100:] -= 4.5  # the first 100 of 600 rows stand before
        return {**columns, "time": time}

    drive, problems = only(broken(tmp_path / "back", "imu.csv", set_back))
    assert problems == {"clock-jumps-back": "skipped"}
    assert len(drive.channels["gyro_z"].time) == 500


def test_a_clock_that_jumps_ahead_leaves_a_silence(tmp_path: Path) -> None:
    def ahead(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        keep = (columns["time"] < 10) | (columns["time"] > 20)
        return {name: value[keep] for name, value in columns.items()}

    folder = broken(tmp_path, "imu.csv", ahead)
    drive, problems = only(folder)
    assert problems == {"clock-jumps-ahead": "kept"}
    from assay.samples.route_steps import steps_of

    steps = steps_of(drive, ("gyro_z",), 10.0)
    silent = np.flatnonzero(~steps.present[:, 0])
    assert silent.min() in (99, 100) and silent.max() in (199, 200)


def test_one_clock_that_jumps_does_not_make_the_drive_longer(tmp_path: Path) -> None:
    def ahead(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        columns["time"][columns["time"] > 10] += 500
        return columns

    drive, problems = only(broken(tmp_path, "imu.csv", ahead))
    assert problems == {"clock-jumps-ahead": "kept", "reading-beside-no-other": "skipped"}
    assert drive.span[1] < 60 and drive.channels["gyro_z"].time[-1] <= 10


def test_single_rows_far_out_of_order_do_not_cut_a_drive(tmp_path: Path) -> None:
    def mixed(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        order = np.arange(len(columns["time"]))
        order[[50, 300]] = order[[300, 50]]
        return {name: value[order] for name, value in columns.items()}

    whole, _ = only(broken(tmp_path / "whole", "imu.csv", lambda columns: columns))
    drive, problems = only(broken(tmp_path / "mixed", "imu.csv", mixed))
    assert problems == {"rows-out-of-order": "repaired"}
    assert drive.channels["gyro_z"].time == pytest.approx(whole.channels["gyro_z"].time)


@pytest.mark.parametrize(("factor", "kind"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
def test_clocks_in_other_units(tmp_path: Path, factor: float, kind: str) -> None:
    folder = write_drive(tmp_path / "a", made_drive(seconds=20.0))
    for file in folder.glob("*.csv"):
        lines = file.read_text().splitlines()
        rows = [line.split(",") for line in lines[1:]]
        text = [",".join([f"{(1.6e9 + float(row[0])) * factor:.0f}", *row[1:]]) for row in rows]
        file.write_text("\n".join([lines[0], *text]) + "\n")
    drive, problems = only(folder)
    assert problems == {f"time-in-{kind}": "repaired"}
    assert drive.span[1] - drive.span[0] == pytest.approx(19.95, abs=0.01)


def test_a_stuck_gyroscope_is_silent_and_a_parked_car_is_not(tmp_path: Path) -> None:
    def stuck(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = columns["gyro_z_deg_s"].copy()
        values[200:400] = values[200]
        return {**columns, "gyro_z_deg_s": values}

    drive, problems = only(broken(tmp_path / "stuck", "imu.csv", stuck))
    assert problems == {"stuck-sensor": "skipped"}
    assert len(drive.channels["gyro_z"].time) == 401

    def parked(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.where(np.arange(len(value)) < 200, 0.0, value) if name != "time" else value
                for name, value in columns.items()}  # fmt: skip

    assert only(broken(tmp_path / "parked", "wheels.csv", parked))[1] == {}


def test_a_speed_that_stays_the_same_is_stuck_only_where_others_change() -> None:
    """A speedometer of whole km/h in a car that cruises, and one that stays while the car brakes."""
    time = np.arange(0, 30, 0.1)

    def speedometer(true: np.ndarray, shown: np.ndarray, *, wheels: bool) -> set[str]:
        place = np.stack([np.cumsum(true) * 0.1, np.zeros(len(time))], axis=1)[::10]
        channels = {"speed": Series(time, np.round(3.6 * shown) / 3.6)}
        if wheels:
            channels["wheel_rl"] = Series(time, true + np.random.default_rng(0).normal(0, 0.02, len(time)))
        log = ProblemLog()
        without_stuck(Drive("a", channels, Fixes(time[::10], place, np.ones(len(place))), None), log, steering=False)
        return {problem.kind for problem in log.problems()}

    cruises = 20 + 0.1 * np.sin(time / 5)
    brakes = np.where(time < 10, 20.0, np.maximum(20 - 1.5 * (time - 10), 5))
    for wheels in (True, False):
        assert not speedometer(cruises, cruises, wheels=wheels)
        assert not speedometer(brakes, brakes, wheels=wheels)
        assert speedometer(brakes, np.full(len(time), 20.0), wheels=wheels) == {"stuck-sensor"}


def test_a_gyroscope_in_coarse_steps_is_not_stuck(tmp_path: Path) -> None:
    def steps(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {**columns, "gyro_z_deg_s": np.round(columns["gyro_z_deg_s"])}

    assert only(broken(tmp_path, "imu.csv", steps))[1] == {}


def test_a_dead_wheel_and_a_receiver_that_repeats_its_last_fix_are_silent(tmp_path: Path) -> None:
    def dead(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = columns["wheel_speed_rl_kmh"].copy()
        values[200:400] = 0.0
        return {**columns, "wheel_speed_rl_kmh": values}

    drive, problems = only(broken(tmp_path / "dead", "wheels.csv", dead))
    assert problems == {"stuck-sensor": "skipped"}
    assert len(drive.channels["wheel_rl"].time) == 401 and len(drive.channels["wheel_rr"].time) == 600

    def frozen(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        held = np.where((columns["time"] >= 10) & (columns["time"] < 18), 10, np.arange(len(columns["time"])))
        return {name: value if name == "time" else value[held] for name, value in columns.items()}

    drive, problems = only(broken(tmp_path / "frozen", "gnss.csv", frozen))
    assert problems == {"stuck-sensor": "skipped", "gnss-gap": "kept"}
    assert drive.fixes is not None and not ((drive.fixes.time > 10.5) & (drive.fixes.time < 17.5)).any()

    folder = broken(tmp_path / "standing", "gnss.csv", frozen)
    lines = (folder / "wheels.csv").read_text().splitlines()
    (folder / "wheels.csv").write_text("\n".join([lines[0], *(line.split(",")[0] + ",0,0" for line in lines[1:])]))
    assert only(folder)[1] == {}


def test_a_receiver_that_never_said_anything_does_not_cost_the_drive(tmp_path: Path) -> None:
    folder = write_drive(tmp_path / "a", made_drive(seconds=20.0))
    (folder / "gnss.csv").write_text("time,x,y,accuracy\n")
    drive, problems = only(folder)
    assert problems == {"table-without-rows": "skipped"} and drive.fixes is None and "gyro_z" in drive.channels
    for name in ("imu.csv", "wheels.csv"):
        (folder / name).write_text((folder / name).read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match="no table holds a reading"):
        only(folder)


def test_a_clock_of_whole_seconds_is_spread_and_one_that_stands_still_is_an_error(tmp_path: Path) -> None:
    def whole(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {**columns, "time": np.floor(columns["time"] + 0.4)}

    drive, problems = only(broken(tmp_path / "whole", "imu.csv", whole))
    assert problems == {"coarse-clock": "repaired"}
    true = made_drive(seconds=30.0).channels["gyro_z"].time
    assert drive.channels["gyro_z"].time == pytest.approx(true + 0.4, abs=1e-6)

    def again(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.repeat(value, 4) for name, value in columns.items()}

    assert only(broken(tmp_path / "again", "gnss.csv", again))[1] == {"time-repeats": "skipped"}
    still = broken(tmp_path / "still", "imu.csv", lambda columns: {**columns, "time": 0 * columns["time"]})
    with pytest.raises(DataError, match="says the same in every row"):
        only(still)


@pytest.mark.parametrize(("file", "kind"), [("gnss.csv", "stuck-sensor"), ("poses.csv", "stuck-reference")])
def test_places_that_repeat_while_the_car_moves_are_left_out(tmp_path: Path, file: str, kind: str) -> None:
    def frozen(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        held = (columns["time"] > 10) & (columns["time"] < 20)
        first = np.flatnonzero(held)[0]
        return {**columns, **{axis: np.where(held, columns[axis][first], columns[axis]) for axis in "xy"}}

    drive, problems = only(broken(tmp_path, file, frozen))
    assert problems[kind] == "skipped"
    known = drive.fixes if file == "gnss.csv" else drive.reference
    assert known is not None
    assert not ((known.time > 11.5) & (known.time < 20)).any() and (known.time >= 20).sum() > 8


def test_outliers_gaps_and_fixes_that_are_none(tmp_path: Path) -> None:
    def spoilt(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = columns["x"].copy()
        x[12] += 5000
        keep = (columns["time"] < 15) | (columns["time"] > 24)
        return {name: value[keep] for name, value in {**columns, "x": x}.items()}

    assert only(broken(tmp_path, "gnss.csv", spoilt))[1] == {"gnss-gap": "kept", "gnss-outlier": "kept"}


def test_cells_without_numbers(tmp_path: Path) -> None:
    folder = write_drive(tmp_path / "a", made_drive(seconds=20.0))
    lines = (folder / "imu.csv").read_text().splitlines()
    lines[10] = lines[10].split(",")[0] + ","
    lines[11] = "," + lines[11].split(",")[1]
    lines[12] = lines[12].split(",")[0] + ",broken"
    lines[13] = lines[13].split(",")[0] + ",99999"
    (folder / "imu.csv").write_text("\n".join(lines))
    assert only(folder)[1] == {"missing-readings": "skipped", "row-without-time": "skipped", "no-number": "skipped",
                               "impossible-readings": "skipped"}  # fmt: skip


def test_drives_that_teach_nothing_are_told(tmp_path: Path) -> None:
    write_drives(tmp_path, 3, 20.0)
    write_drive(tmp_path / "no-poses", made_drive(seconds=20.0, seed=9), poses=False)
    write_drive(tmp_path / "short", made_drive(seconds=3.0, seed=10))
    records = read(tmp_path)
    kinds = {problem.kind: (problem.action, problem.examples[0].file) for problem in records.problems}
    assert kinds == {"no-reference-poses": ("skipped", "no-poses"), "too-short-drive": ("skipped", "short")}
    assert records.index().num_rows == 3


def test_a_table_of_unknown_columns_is_told(tmp_path: Path) -> None:
    folder = write_drive(tmp_path / "a", made_drive(seconds=20.0))
    write_csv(folder / "wheels.csv", {"time": np.arange(3.0), "foo": np.arange(3.0)})
    drive, problems = only(folder)
    assert problems == {"table-without-known-columns": "skipped"} and set(drive.channels) == {"gyro_z"}


@pytest.mark.parametrize("degrees", [False, True])
def test_latitude_and_longitude_exchanged_is_seen_beside_the_reference(degrees: bool, tmp_path: Path) -> None:
    """Both could be either; the way that they tell is mirrored."""
    made = made_drive(seconds=60.0)
    assert made.fixes is not None and made.reference is not None
    folder = write_drive(tmp_path / "a", made)
    lat, lon = back_to_degrees(made.fixes.place, (LAT, LON)).T
    write_csv(folder / "gnss.csv", {"time": made.fixes.time, "lat": lon, "lon": lat})
    if degrees:
        lat, lon = back_to_degrees(made.reference.place, (LAT, LON)).T
        write_csv(folder / "poses.csv", {"time": made.reference.time, "lat": lat, "lon": lon})
    drive, problems = only(folder)
    assert problems["latitude-and-longitude-swapped"] == "repaired"
    assert drive.fixes is not None and drive.reference is not None
    true = np.stack([np.interp(drive.fixes.time, drive.reference.time, axis) for axis in drive.reference.place.T], 1)
    assert np.median(np.linalg.norm(drive.fixes.place - true, axis=1)) < 4


def test_errors_name_the_file_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reference poses") as told:
        read(write_drive(tmp_path / "a" / "b", made_drive(seconds=20.0), poses=False).parent)
    assert "poses.csv" in told.value.hint
    write_csv(tmp_path / "c" / "imu.csv", {"gyro_z": np.zeros(3)})
    with pytest.raises(DataError, match="no drives here"):
        read(tmp_path / "c")
    folder = write_drive(tmp_path / "d", made_drive(seconds=20.0))
    lines = (folder / "gnss.csv").read_text().splitlines()
    moved = [",".join([str(1e6 + float(line.split(",")[0])), *line.split(",")[1:]]) for line in lines[1:]]
    (folder / "gnss.csv").write_text("\n".join([lines[0], *moved]))
    with pytest.raises(DataError, match="no time in common"):
        only(folder)
    for option, value in (("stretch", 1), ("draws", 0), ("draws", "x")):
        with pytest.raises(SettingError):
            read(write_kitti(tmp_path / "kitti"), **{option: value})
    with pytest.raises(SettingError, match="--target"):
        read_drives(open_source(tmp_path / "d"), DataOptions(target="x"))


# Other forms ---------------------------------------------------------------------------------------------------------


def write_kitti(folder: Path, routes: int = 3) -> Path:
    """Routes as KITTI writes them: along a wide circle."""
    folder.mkdir(parents=True, exist_ok=True)
    for route in range(routes):
        angle = np.linspace(0, 2 + 0.1 * route, 300)
        rows = []
        for one in angle:
            c, s = np.cos(one), np.sin(one)
            rows.append([c, 0, s, 100 * (1 - c), 0, 1, 0, 0, -s, 0, c, 100 * s])
        np.savetxt(folder / f"{route:02}.txt", np.asarray(rows))
    return folder


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
