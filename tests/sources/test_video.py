from __future__ import annotations

import operator
import subprocess
import sys
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.errors import DataError, MissingExtraError
from assay.sources._video_chunks import VideoChunks, VideoFrames
from assay.sources.records import ProblemLog, Records
from assay.sources.source import open_source
from assay.sources.video import (
    frame_of,
    read_pictures_and_videos,
    read_pictures_or_frames,
    read_video_frames,
    videos_of,
)

cv2 = pytest.importorskip("cv2")
FRAMES, RATE = 40, 10.0


def write_video(file: Path, frames: int = FRAMES, codec: str = "MJPG", rate_hz: float = RATE) -> None:
    """Frame n is grey of brightness 5 n, its left half red."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*codec), rate_hz, (64, 48))
    for number in range(frames):
        frame = np.full((48, 64, 3), 5 * (number % 50), np.uint8)
        frame[:, :32] = (0, 0, 5 * (number % 50))
        writer.write(frame)
    writer.release()


def numbers(records: Records) -> list[int]:
    """The number of each frame by its brightness."""
    assert records.load is not None
    frames = [records.load(place) for place in records.index()["location"].to_pylist()]
    assert all(frame.shape == (48, 64, 3) and int(frame[10, 10, 0]) > int(frame[10, 10, 2]) - 4 for frame in frames)
    return [round(float(frame[:, 40:].mean()) / 5) for frame in frames]


def read(place: Path) -> tuple[dict[str, list[VideoFrames]], dict[str, int]]:
    """The chunks of each video of a source, none for one that cannot be read, and how often what was noted."""
    log = ProblemLog()
    records = read_pictures_and_videos(open_source(place))
    log.extend(records.problems)
    found: dict[str, list[VideoFrames]] = {}
    for name, chunks in videos_of(records, log) or ():
        try:
            found[name] = list(chunks)
        except DataError:
            found[name] = []
    return found, {problem.kind: problem.count for problem in log.problems()}


def brightness(chunks: list[VideoFrames]) -> list[int]:
    return [round(float(frame[:, 40:].mean()) / 5) for chunk in chunks for frame in chunk.pixels]


@pytest.mark.parametrize(("name", "codec", "rate_hz"), [("walk.avi", "MJPG", 10.0), ("walk.mp4", "mp4v", 29.97)])
def test_a_video_comes_in_chunks_with_its_times(tmp_path: Path, name: str, codec: str, rate_hz: float) -> None:
    write_video(tmp_path / name, codec=codec, rate_hz=rate_hz)
    found, problems = read(tmp_path / name)
    np.testing.assert_allclose(brightness(found[name]), np.arange(FRAMES), atol=1)
    assert not problems
    assert {len(chunk.pixels) for chunk in found[name]} == {8}
    times = np.concatenate([chunk.times for chunk in found[name]])
    np.testing.assert_allclose(times, np.arange(FRAMES) / rate_hz, atol=1e-3)
    assert {round(chunk.rate_hz, 2) for chunk in found[name]} == {rate_hz}
    red = found[name][3].pixels[0, 20, 10].astype(int)
    assert red[0] > 100 and red[2] < 60, "red comes first"


def test_the_length_is_a_hint(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi", 17)
    (pair,) = videos_of(read_pictures_and_videos(open_source(tmp_path)), ProblemLog()) or ()
    assert operator.length_hint(pair[1]) == 3
    assert sum(len(chunk.pixels) for chunk in pair[1]) == 17


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi", 400)
    chunks = VideoChunks(open_source(tmp_path).store, "walk.avi", ProblemLog())
    tracemalloc.start()
    try:
        assert sum(len(chunk.pixels) for chunk in chunks) == 400
        assert tracemalloc.get_traced_memory()[1] < 40 * 48 * 64 * 3
    finally:
        tracemalloc.stop()


def test_folders_archives_pictures_and_broken_files(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    write_video(folder / "a.avi", 5)
    write_video(folder / "day" / "b.AVI", 4)
    (folder / "notes.txt").write_text("two walks")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "none.mp4").write_bytes(b"no video at all" * 99)
    Image.new("RGB", (30, 20)).save(folder / "photo.png")
    (folder / "broken.png").write_bytes(b"\x89PNG no picture")
    with zipfile.ZipFile(tmp_path / "videos.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, str(file.relative_to(folder)))
    for place in (folder, tmp_path / "videos.zip"):
        found, problems = read(place)
        assert {name: brightness(chunks) for name, chunks in found.items()} == {
            "a.avi": [0, 1, 2, 3, 4], "day/b.AVI": [0, 1, 2, 3], "empty.mp4": [], "none.mp4": []
        }  # fmt: skip
        assert problems == {"stray-file": 1, "unreadable-image": 1}
        records = read_pictures_and_videos(open_source(place))
        assert records.index()["id"].to_pylist() == ["photo.png", "a.avi", "day/b.AVI", "empty.mp4", "none.mp4"]
        assert records.load is not None and records.load("photo.png")[:4] == b"\x89PNG"
        assert read_pictures_or_frames(open_source(place)).index()["id"].to_pylist() == ["photo.png"]
    (folder / "photo.png").unlink()
    assert "photo.png" not in read_pictures_and_videos(open_source(folder)).index()["id"].to_pylist()


def test_pictures_alone_are_read_as_ever(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "photo.png")
    records = read_pictures_and_videos(open_source(tmp_path))
    assert records.index()["id"].to_pylist() == ["photo.png"] and videos_of(records, ProblemLog()) is None
    with pytest.raises(DataError, match="no images"):
        read_pictures_and_videos(open_source(_folder_of(tmp_path / "texts", "a.txt")))


def _folder_of(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / name).write_text("words")
    (folder / f"more-{name}").write_text("words")
    return folder


def test_a_video_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "none.mp4").write_bytes(b"no video at all" * 99)
    write_video(tmp_path / "other.avi")
    content = (tmp_path / "other.avi").read_bytes()
    (tmp_path / "other.avi").write_bytes(content.replace(b"MJPG", b"QQQQ"))
    store = open_source(tmp_path).store
    with pytest.raises(DataError, match=r"none\.mp4: the video cannot be opened") as told:
        list(VideoChunks(store, "none.mp4", ProblemLog()))
    assert "MP4" in told.value.hint
    with pytest.raises(DataError, match=r"other\.avi: (no frame of the video can be read \(codec QQQQ\)|.*opened)"):
        list(VideoChunks(store, "other.avi", ProblemLog()))


def test_a_cut_video_gives_what_is_there(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    whole = (tmp_path / "walk.avi").read_bytes()
    (tmp_path / "walk.avi").write_bytes(whole[: len(whole) // 2])
    found, problems = read(tmp_path)
    count = len(brightness(found["walk.avi"]))
    assert 5 < count < FRAMES and problems == {"unreadable-frame": FRAMES - count}


def test_without_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "walk.avi", 2)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError) as told:
        read_pictures_and_videos(open_source(tmp_path))
    assert told.value.hint == 'pip install "assay[video]"'


# Frames as pictures --------------------------------------------------------------------------------------------------


def test_frames_are_records(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    source = open_source(tmp_path / "walk.avi")
    records = read_video_frames(source)
    index = records.index()
    assert index["id"].to_pylist()[::39] == ["walk.avi:0", "walk.avi:39"]
    assert set(index["group"].to_pylist()) == {"walk.avi"}
    assert numbers(records) == list(range(FRAMES))
    assert read_video_frames(source).fingerprint == records.fingerprint
    assert read_pictures_or_frames(source).fingerprint == records.fingerprint
    assert frame_of("a:1/walk.avi:7") == ("a:1/walk.avi", 7)


def test_any_order_and_threads(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi")
    records = read_video_frames(open_source(tmp_path))
    load = records.load
    assert load is not None
    order = np.random.default_rng(0).permutation(FRAMES)
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(lambda number: load(f"walk.avi:{number}"), order))
    assert [round(float(frame[:, 40:].mean()) / 5) for frame in frames] == order.tolist()
    with pytest.raises(DataError, match="frame 99 cannot be read"):
        load("walk.avi:99")


def test_videos_whose_frames_cannot_be_read(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.avi", 3)
    (tmp_path / "none.mp4").write_bytes(b"no video at all" * 99)
    records = read_video_frames(open_source(tmp_path))
    assert numbers(records) == [0, 1, 2]
    assert [problem.kind for problem in records.problems] == ["unreadable-video"]
    (tmp_path / "walk.avi").unlink()
    with pytest.raises(DataError, match="the video cannot be read"):
        read_video_frames(open_source(tmp_path))
    (tmp_path / "notes.txt").write_text("no walk")
    with pytest.raises(DataError, match="there is no video"):
        read_video_frames(open_source(tmp_path / "notes.txt"))


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
    assert "the video cannot be read" in done.stdout
    assert done.stderr == ""
