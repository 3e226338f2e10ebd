"""Logs of drives: their layouts, their clocks, what is wrong with them, and stretches that never meet."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.errors import DataError, SettingError
from assay.registry import load_task
from assay.sources._drive_clock import in_order, seconds, stamps
from assay.sources._drive_stretches import GUARD_S, sides_by_time, stretches_of
from assay.sources._drive_stuck import stuck_camera
from assay.sources.drive_records import driven
from assay.sources.drives import read_drive_inputs, read_drives, recognise_drives
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, open_source
from driving_examples import frame_of, steered, write_log, write_table


def read(folder: Path, **options: Any) -> Records:
    return read_drives(open_source(folder), DataOptions(**options))


def kinds(records: Records) -> dict[str, tuple[str, int]]:
    return {problem.kind: (problem.action, problem.count) for problem in records.problems}


def frames(records: Records) -> list[str]:
    return [place for batch in records.batches() for places in batch.column("frames").to_pylist() for place in places]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty seconds in Udacity's layout."""
    return write_log(tmp_path_factory.mktemp("udacity"), 600)


def changed(log: Path, target: Path, rows: Sequence[int] | None = None, **columns: Any) -> Path:
    """The log with other columns (functions of the old ones), or with other rows."""
    shutil.copytree(log, target)
    file = target / "driving_log.csv"
    with file.open() as lines:
        table = list(csv.DictReader(lines))
    table = [table[row] for row in rows] if rows is not None else table
    old = {name: [row[name] for row in table] for name in table[0]}
    write_table(file, {name: columns[name](values) if name in columns else values for name, values in old.items()})
    return target


def test_udacity_layout(log: Path) -> None:
    found = recognise_drives(open_source(log))
    assert found is not None and found.score > 0.95 and "steering" in found.why
    records = read(log)
    assert records.facts["controls"] == ["steering", "throttle", "brake"] and records.facts["rate_hz"] == 10
    assert records.facts["clock"] == "the frames' names" and not records.problems
    values = np.concatenate([one["steering"] for one in driven(records.index().column("target"))])
    assert set(values.round(5)) <= set(steered(600).round(5)) and records.facts["frames"] == len(frames(records))


def test_other_applications_do_not_take_it(log: Path) -> None:
    from assay.flow import prepare

    assert prepare(log, DataOptions()).task.name == "driving"


def test_a_zip_and_a_zip_beside_the_table_give_what_the_folder_gives(log: Path, tmp_path: Path) -> None:
    whole = tmp_path / "log.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for file in sorted(log.rglob("*.*")):
            archive.write(file, file.relative_to(log).as_posix())
    beside = tmp_path / "beside"
    beside.mkdir()
    shutil.copy(log / "driving_log.csv", beside)
    with zipfile.ZipFile(beside / "pictures.zip", "w") as archive:
        for file in sorted(log.rglob("*.jpg")):
            archive.write(file, file.name)
    expected = read(log)
    for other in (read(whole), read(beside)):
        assert other.index().column("digest").equals(expected.index().column("digest"))
        assert other.load is not None and expected.load is not None
        assert other.load(frames(other)[7]) == expected.load(frames(expected)[7])


def test_without_a_header(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(log, folder)
    lines = (log / "driving_log.csv").read_text().splitlines(keepends=True)
    (folder / "driving_log.csv").write_text("".join(lines[1:]))
    bare = read(folder)
    assert bare.facts["frames"] == read(log).facts["frames"] and bare.facts["controls"][2] == "brake"


def test_a_table_of_other_names_and_a_clock_in_milliseconds(tmp_path: Path) -> None:
    names = []
    for number, angle in enumerate(steered(150)):
        names.append(f"f{number}.png")
        Image.fromarray(frame_of(float(angle), number)).save(tmp_path / names[-1])
    columns = {
        "image": names,
        "Steering_Angle": steered(150).tolist(),
        "timestamp": [1000 + 50 * n for n in range(150)],
    }
    write_table(tmp_path / "manifest.csv", columns)
    records = read(tmp_path)
    assert records.facts["controls"] == ["steering"] and records.facts["rate_hz"] == 20


def test_a_video_with_a_table(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from assay.serving.video_file import write_video

    angles = steered(120)
    write_video((frame_of(float(angle), n, (48, 96)) for n, angle in enumerate(angles)), tmp_path / "a.mp4", 20)
    write_table(tmp_path / "a.csv", {"frame": [*range(100), 500], "steering": [*angles[:100], 0.3]})
    records = read(tmp_path)
    assert records.facts["rate_hz"] == pytest.approx(20, rel=0.01) and kinds(records)["missing-frame"] == ("skipped", 1)
    first = records.load(frames(records)[0]) if records.load else None
    assert first.shape == (48, 96, 3)
    write_table(
        tmp_path / "a.csv", {"video": ["a.mp4"] * 100, "frame": [*range(100)], "steering": angles[:100].tolist()}
    )
    assert len(frames(read(tmp_path))) == len(frames(records))
    write_table(tmp_path / "a.csv", {"steering": angles[:100].tolist()})
    with pytest.raises(DataError, match=r"100 rows, and a\.mp4 has 120 frames"):
        read(tmp_path)


def test_a_table_of_two_videos_is_an_error(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    write_table(tmp_path / "log.csv", {"video": ["a.mp4", "b.mp4"], "frame": [0, 0], "steering": [0.1, 0.2]})
    with pytest.raises(DataError, match=r"names 2 videos, 'a\.mp4' and 'b\.mp4'"):
        read(tmp_path)


def test_dates_are_a_clock_and_words_are_none(log: Path, tmp_path: Path) -> None:
    folder = changed(log, tmp_path / "dates")
    lines = (folder / "driving_log.csv").read_text().splitlines()

    def with_times(times: Sequence[str]) -> Records:
        rows = [f"{line},{time}" for line, time in zip(lines, ("time", *times), strict=True)]
        (folder / "driving_log.csv").write_text("\n".join(rows))
        return read(folder)

    found = with_times([f"2024-05-01T12:{row // 1200:02}:{row / 20 % 60:06.3f}Z" for row in range(len(lines) - 1)])
    assert found.facts["clock"] == "a column" and found.facts["rate_hz"] == pytest.approx(20)
    with pytest.raises(DataError, match="'time' holds no numbers, but 'soon'") as told:
        with_times(["soon"] * (len(lines) - 1))
    assert "seconds" in str(told.value.hint) and "driving_log.csv" in str(told.value)


def test_missing_and_broken_frames_and_rows_without_steering(log: Path, tmp_path: Path) -> None:
    def gaps(values: list[str]) -> list[str]:
        return ["" if number in (30, 31) else value for number, value in enumerate(values)]

    folder = changed(log, tmp_path / "gaps", steering=gaps)
    pictures = sorted((folder / "IMG").iterdir())
    pictures[5].unlink()
    pictures[9].write_bytes(b"no picture")
    found = kinds(read(folder))
    assert found["missing-frame"] == ("skipped", 1) and found["unusable-frame"] == ("skipped", 1)
    assert found["missing-steering"] == ("skipped", 2)


def test_no_frame_at_all_is_one_error(log: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(log / "driving_log.csv", tmp_path / "alone")
    with pytest.raises(DataError, match="none of its 600 rows") as error:
        read(tmp_path / "alone")
    assert "folder that holds the frames" in error.value.hint


def test_rows_out_of_order_and_repeated(log: Path, tmp_path: Path) -> None:
    order = list(range(600))
    order[100], order[101] = 101, 100
    mixed = read(changed(log, tmp_path / "mixed", [*order[:300], 299, *order[300:]]))
    assert kinds(mixed) == {"row-out-of-order": ("repaired", 1), "repeated-time": ("skipped", 1)}
    assert frames(mixed) == frames(read(log))


def test_rows_far_out_of_order_and_shuffled(log: Path, tmp_path: Path) -> None:
    """A row that was written much later is no other drive, and a shuffled log is sorted."""
    order = list(range(600))
    order[100], order[200] = 200, 100
    far = read(changed(log, tmp_path / "far", order))
    assert kinds(far) == {"row-out-of-order": ("repaired", 2)} and frames(far) == frames(read(log))
    mixed = read(changed(log, tmp_path / "mixed", np.random.default_rng(0).permutation(600).tolist()))
    assert set(kinds(mixed)) == {"row-out-of-order"} and frames(mixed) == frames(read(log))
    again = read(changed(log, tmp_path / "again", [*order[300:], *order[:300]]))
    assert {kind: count for kind, (_, count) in kinds(again).items()} == {"clock-set-back": 1, "row-out-of-order": 2}


def test_a_clock_that_jumps_cuts_the_drive(log: Path, tmp_path: Path) -> None:
    gap = read(changed(log, tmp_path / "gap", [*range(250), *range(300, 600)]))
    assert kinds(gap) == {"clock-gap": ("kept", 1)}
    back = read(changed(log, tmp_path / "back", [*range(300, 600), *range(300)]))
    assert kinds(back) == {"clock-set-back": ("kept", 1)}
    for records in (gap, back):
        for places in (list(filter(None, batch.column("frames").to_pylist())) for batch in records.batches()):
            for one in places:
                times = stamps(one)
                assert times is not None and np.diff(times).max(initial=0) < 0.5


def test_clocks_of_whole_seconds_dates_and_one_that_stands_still(log: Path, tmp_path: Path) -> None:
    """Frames of one second are spread over it; none is lost."""
    rows = list(csv.reader((log / "driving_log.csv").read_text().splitlines()))
    table = {name: [row[place] for row in rows[1:]] for place, name in enumerate(rows[0])}
    times = np.arange(600) / 10

    def told(name: str, clock: Sequence[Any]) -> Records:
        shutil.copytree(log, tmp_path / name)
        write_table(tmp_path / name / "driving_log.csv", {**table, "time": clock})
        return read(tmp_path / name)

    whole = told("whole", np.floor(times + 0.3).astype(int).tolist())
    assert kinds(whole) == {"coarse-clock": ("repaired", 600)}
    assert whole.facts["rate_hz"] == 10.0 and frames(whole) == frames(read(log))
    dates = told("dates", [f"2024-01-01T10:00:{time:06.3f}Z" for time in times])
    assert kinds(dates) == {} and dates.facts["clock"] == "a column" and frames(dates) == frames(read(log))
    still = told("still", [7.5] * 600)
    assert kinds(still) == {"clock-stands-still": ("repaired", 600)} and frames(still) == frames(read(log))
    with pytest.raises(DataError, match="'time' holds no numbers") as error:
        told("words", ["noon"] * 600)
    assert "seconds, or dates" in error.value.hint


def test_degrees_are_told_and_kept(log: Path, tmp_path: Path) -> None:
    degrees = changed(log, tmp_path / "degrees", steering=lambda values: [40 * float(value) for value in values])
    found = read(degrees)
    assert kinds(found)["steering-looks-like-degrees"][0] == "kept"
    assert found.facts["frames"] == read(log).facts["frames"]


def test_a_stuck_wheel_and_a_stuck_camera_are_left_out(log: Path, tmp_path: Path) -> None:
    def stuck(values: list[str]) -> list[Any]:
        return [0.25 if 100 <= number < 200 else value for number, value in enumerate(values)]

    wheel = kinds(read(changed(log, tmp_path / "wheel", steering=stuck)))
    assert wheel["stuck-steering"] == ("skipped", 99)
    folder = tmp_path / "camera"
    shutil.copytree(log, folder)
    pictures = sorted((folder / "IMG").iterdir())
    for picture in pictures[400:450]:
        shutil.copy(pictures[399], picture)
    assert kinds(read(folder))["stuck-camera"] == ("skipped", 50)


def test_a_wheel_that_rests_is_not_stuck(log: Path, tmp_path: Path) -> None:
    """A car that stands with its wheel turned, a long bend at one speed, and a wheel that is told in steps."""
    held = lambda number: 100 <= number < 200  # noqa: E731

    def turned(values: list[str]) -> list[Any]:
        return [0.25 if held(number) else value for number, value in enumerate(values)]

    for name, here in (("standing", 0.0), ("bend", 9.5)):
        speed = lambda values, here=here: [here if held(number) else 9 + number % 7 / 10  # noqa: E731
                                           for number, _ in enumerate(values)]  # fmt: skip
        assert "stuck-steering" not in kinds(read(changed(log, tmp_path / name, steering=turned, speed=speed)))
    faster = lambda values: [9 + number % 7 for number in range(len(values))]  # noqa: E731
    assert kinds(read(changed(log, tmp_path / "fast", steering=turned, speed=faster)))["stuck-steering"][1] == 99
    steps = lambda values: [round(float(value) * 5) / 5 for value in turned(values)]  # noqa: E731
    assert "stuck-steering" not in kinds(read(changed(log, tmp_path / "steps", steering=steps)))


def test_a_camera_that_repeats_while_nothing_moves_is_not_stuck() -> None:
    digests, times = ["a"] * 30, np.arange(30) / 10
    wheel = np.linspace(0, 1, 30)
    assert stuck_camera(digests, None, wheel, times).sum() == 29
    assert not stuck_camera(digests, None, np.zeros(30), times).any()
    assert not stuck_camera(digests, np.zeros(30), wheel, times).any()


def test_a_wheel_that_never_moves_is_an_error(log: Path, tmp_path: Path) -> None:
    still = changed(log, tmp_path / "still", steering=lambda values: [0.0] * len(values))
    with pytest.raises(DataError, match="the steering is 0 in every row"):
        read(still)


def test_stretches_of_different_sides_never_meet(log: Path) -> None:
    records = read(log)
    index = records.index()
    ends = []
    for places, side in zip(
        [places for batch in records.batches() for places in batch.column("frames").to_pylist()],
        index.column("split").to_pylist(),
        strict=True,
    ):
        times = stamps(places)
        assert times is not None
        ends.append((times[0], times[-1], side))
    ends.sort()
    for (_, stop, one), (start, _, other) in pairwise(ends):
        assert start > stop and (one == other or start - stop >= 2 * GUARD_S)
    assert records.sides_cut and {side for _, _, side in ends} == {"train", "validation", "test"}


def test_the_split_follows_shares_seed_and_column(log: Path, tmp_path: Path) -> None:
    shares = read(log, split="60/20/20").facts["split"]
    assert set(shares) == {"train", "validation", "test"}
    moved = read(log, split_seed=3).index()
    assert not moved.column("id").equals(read(log).index().column("id"))
    named = changed(log, tmp_path / "named", left=lambda values: ["test" if n > 400 else "train" for n in range(600)])
    given = read(named, split="left").index()
    sides = set(given.column("split").to_pylist())
    assert sides == {"train", "test"}
    with pytest.raises(SettingError, match="neither shares"):
        read(log, split="rihgt")


def test_many_routes_are_groups(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "routes"
    for number in range(6):
        write_log(folder / f"route-{number}", 60, seed=number)
    records = read(folder)
    index = records.index()
    assert records.facts["routes"] == 6 and "split" not in index.column_names
    assert len(set(index.column("group").to_pylist())) == 6


def test_inputs_without_a_log(log: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(log / "IMG", pictures)
    found = read_drive_inputs(open_source(pictures))
    assert found.facts["samples"] == 600 and "target" not in found.index().column_names
    one = read_drive_inputs(open_source(next(pictures.iterdir())))
    assert one.facts["frames"] == 1
    with_log = read_drive_inputs(open_source(log))
    assert with_log.index().column("id").equals(read(log).index().column("id"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="no picture and no video"):
        read_drive_inputs(open_source(tmp_path / "nothing"))


def test_a_folder_of_something_else_is_no_drive(tmp_path: Path) -> None:
    write_table(tmp_path / "prices.csv", {"steering": [1, 2, 3], "price": [1, 2, 3]})
    assert load_task("driving").recognise(open_source(tmp_path)) is None
    with pytest.raises(DataError, match="there is no log of a drive"):
        read(tmp_path)


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
def test_clocks_of_every_unit_are_seconds(unit: float) -> None:
    times = np.arange(50) / 20
    assert np.allclose(seconds(times * unit), times)


def test_names_that_are_no_times() -> None:
    assert stamps(["center_2024_02_31_10_00_00_000.jpg"]) is None and stamps(["a.jpg"]) is None and stamps([]) is None


def test_order_is_what_sorting_gives() -> None:
    later, again = 10 + np.arange(5) / 10, 1 + np.arange(5) / 10
    log, times = ProblemLog(), np.asarray([0.0, 0.1, 0.3, 0.2, 0.2, 0.4, *later, *again])
    found = in_order(times, "log.csv", np.arange(16), log)
    assert found.rows.tolist() == [0, 1, 3, 2, 5, *range(6, 16)]
    assert found.pieces.tolist() == [*[0] * 5, *[1] * 5, *[2] * 5]
    assert {problem.kind for problem in log.problems()} == {
        "row-out-of-order", "repeated-time", "clock-gap", "clock-set-back",
    }  # fmt: skip


def test_shares_of_time_are_those_asked_for() -> None:
    times = np.arange(0, 2000, 0.1)
    side = sides_by_time(times, DataOptions(split="70/10/20"))
    assert np.allclose(np.bincount(side) / len(side), [0.7, 0.1, 0.2], atol=0.01)
    runs = stretches_of(side, np.zeros(len(side), int), times, guarded=True)
    assert all(len(set(side[frames])) == 1 for _, frames in runs)
