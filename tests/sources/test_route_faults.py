"""What can be wrong with drives: clocks, sensors that are stuck, places, tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError, SettingError
from assay.sources._geodesy import back_to_degrees
from assay.sources._route import Drive, Fixes, Series
from assay.sources._route_stuck import without_stuck
from assay.sources.records import ProblemLog
from assay.sources.routes import read_drives
from assay.sources.source import DataOptions, open_source
from route_examples import LAT, LON, made_drive, only, read, write_csv, write_drive, write_drives, write_kitti


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
