from __future__ import annotations

import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError, SettingError
from assay.sources.records import Records
from assay.sources.source import open_source
from assay.sources.video import frame_of, holds_only_videos, holds_videos, read_video_frames

cv2 = pytest.importorskip("cv2")
FRAMES, RATE = 40, 10.0


def write_video(file: Path, frames: int = FRAMES) -> None:
    """Frame n is grey of brightness 5 n, its left half red."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (64, 48))
    for number in range(frames):
        frame = np.full((48, 64, 3), 5 * number, np.uint8)
        frame[:, :32] = (0, 0, 5 * number)
        writer.write(frame)
    writer.release()


def numbers(records: Records) -> list[int]:
    """The number of each frame by its brightness."""
    assert records.load is not None
    frames = [records.load(place) for place in records.index()["location"].to_pylist()]
    assert all(frame.shape == (48, 64, 3) and int(frame[10, 10, 0]) > int(frame[10, 10, 2]) - 4 for frame in frames)
    return [round(float(frame[:, 40:].mean()) / 5) for frame in frames]


def test_frames_are_records(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    source = open_source(tmp_path / "walk.avi")
    assert holds_videos(source)
    records = read_video_frames(source)
    index = records.index()
    assert index["id"].to_pylist()[::39] == ["walk.avi#0", "walk.avi#39"]
    assert set(index["group"].to_pylist()) == {"walk.avi"}
    np.testing.assert_allclose(index["time"].to_numpy(), np.arange(FRAMES) / RATE, atol=1e-3)
    assert len(set(index["digest"].to_pylist())) == FRAMES
    assert numbers(records) == list(range(FRAMES))
    assert records.facts["videos"] == {"walk.avi": {"frames": 40, "rate_hz": 10.0, "height": 48, "width": 64}}
    assert read_video_frames(source).fingerprint == records.fingerprint
    assert frame_of("a#1/walk.avi#7") == ("a#1/walk.avi", 7)


def test_any_order_and_threads(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    records = read_video_frames(open_source(tmp_path))
    load = records.load
    assert load is not None
    order = np.random.default_rng(0).permutation(FRAMES)
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(lambda number: load(f"walk.avi#{number}"), order))
    assert [round(float(frame[:, 40:].mean()) / 5) for frame in frames] == order.tolist()
    with pytest.raises(DataError, match="frame 99 cannot be read"):
        load("walk.avi#99")


def test_fewer_frames_a_second(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    assert numbers(read_video_frames(open_source(tmp_path), 2.5)) == list(range(0, FRAMES, 4))
    assert len(numbers(read_video_frames(open_source(tmp_path), 100.0))) == FRAMES
    with pytest.raises(SettingError, match="not possible"):
        read_video_frames(open_source(tmp_path), 0.0)


def test_folders_archives_and_broken_files(tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "a.avi", 5)
    write_video(tmp_path / "videos" / "day" / "b.avi", 4)
    (tmp_path / "videos" / "notes.txt").write_text("two walks")
    (tmp_path / "videos" / "empty.mp4").write_bytes(b"")
    (tmp_path / "videos" / "none.mp4").write_bytes(b"no video at all" * 99)
    with zipfile.ZipFile(tmp_path / "videos.zip", "w") as archive:
        for file in (tmp_path / "videos").rglob("*.*"):
            archive.write(file, str(file.relative_to(tmp_path / "videos")))
    for place in (tmp_path / "videos", tmp_path / "videos.zip"):
        records = read_video_frames(open_source(place))
        assert numbers(records) == [0, 1, 2, 3, 4, 0, 1, 2, 3]
        assert {problem.kind: problem.count for problem in records.problems} == {"unreadable-video": 2, "stray-file": 1}
    (tmp_path / "videos" / "a.avi").unlink()
    (tmp_path / "videos" / "day" / "b.avi").unlink()
    with pytest.raises(DataError, match="none of the 2 videos can be read"):
        read_video_frames(open_source(tmp_path / "videos"))
    assert not holds_videos(open_source(tmp_path / "videos" / "notes.txt"))
    with pytest.raises(DataError, match="there is no video"):
        read_video_frames(open_source(tmp_path / "videos" / "notes.txt"))


def test_a_cut_video_gives_what_is_there(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    whole = (tmp_path / "walk.avi").read_bytes()
    (tmp_path / "walk.avi").write_bytes(whole[: len(whole) // 2])
    records = read_video_frames(open_source(tmp_path))
    assert 5 < len(numbers(records)) < FRAMES
    assert [problem.kind for problem in records.problems] == ["truncated-video"]


def test_only_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi", 4)
    assert holds_only_videos(open_source(tmp_path))
    (tmp_path / "photo.png").write_bytes(b"a picture")
    assert not holds_only_videos(open_source(tmp_path))


def test_ffmpeg_is_silent(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200))
    # By itself, as FFmpeg asks once how loud it may be.
    program = (
        "from assay.errors import DataError; from assay.sources.source import open_source\n"
        "from assay.sources.video import read_video_frames\n"
        "try: read_video_frames(open_source('cut.mp4'))\n"
        "except DataError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "none of the 1 videos can be read" in done.stdout
    assert done.stderr == ""
