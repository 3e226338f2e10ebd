"""`assay listen --camera`: what frames show is named once, by an average over some of them, and actions follow."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.errors import DataError, SettingError
from assay.serving.watching import Seen, Sight, Watcher, Watching
from assay.sources._video_chunks import VideoFrames
from programs import complains

COLOURS = {"stop": (220, 30, 30), "go": (30, 200, 40), "nothing": (90, 90, 90)}


def scene(*parts: tuple[str, float], rate_hz: int = 10) -> np.ndarray:
    """Frames (n, 32, 48, 3) of a colour for so many seconds, one after another, with some noise."""
    random = np.random.default_rng(0)
    names = [name for name, seconds in parts for _ in range(round(seconds * rate_hz))]
    noise = random.integers(-20, 21, (len(names), 32, 48, 3))
    return (np.asarray([COLOURS[name] for name in names])[:, None, None] + noise).clip(0, 255).astype(np.uint8)


SCENE = (("nothing", 1.0), ("stop", 2.0), ("nothing", 3.0), ("go", 2.0), ("stop", 0.2), ("nothing", 1.0))


@pytest.fixture(scope="module")
def run(command: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    for name in COLOURS:
        for number, frame in enumerate(scene((name, 3.0))):  # sides are given, or pictures so alike share one
            side = ("test", "val", "train", "train", "train")[number % 5]
            (folder / "data" / side / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(folder / "data" / side / name / f"{number:02}.png")
    sure = ("--set", "width=16", "--set", "dropout=0", "--set", "label_smoothing=0", "--set", "learning_rate=0.01")
    how = ("--epochs", 120, "--network", "mlp", *sure, "--evidence", "none", "--json")
    done = command("train", folder / "data", "--out", folder / "run", *how)
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    file = tmp_path_factory.mktemp("videos") / "scene.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (48, 32))
    for frame in scene(*SCENE):
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return file


# A watcher ------------------------------------------------------------------------------------------------------------


def looked_at(*rows: tuple[float, float], rate_hz: float = 10.0, **how: float) -> list[Seen]:
    """What is told of frames that show two things as surely as the rows say."""
    shares = np.asarray(rows, np.float32)
    sight = Sight(["lamp", "other"], lambda frames: shares[frames[:, 0, 0, 0]])
    watcher = Watcher(sight, Watching(rate_hz, **{"smoothing_s": 0.3, "refractory_s": 1.0, **how}))
    frames = np.broadcast_to(np.arange(len(rows), dtype=np.uint8)[:, None, None, None], (len(rows), 2, 2, 3))
    parts = np.array_split(frames, 3)
    return [*(one for part in parts for one in watcher.push(part)), *watcher.close()]


def test_one_frame_decides_nothing_and_what_stays_is_told_once() -> None:
    nothing, lamp = (0.0, 1.0), (1.0, 0.0)
    assert looked_at(*[nothing] * 5, lamp, *[nothing] * 5) == []
    found = looked_at(*[nothing] * 5, *[lamp] * 30, *[nothing] * 5)
    assert [(one.command, one.confidence) for one in found] == [("lamp", 1.0)]
    assert 0.6 <= found[0].at_s <= 1.0
    again = looked_at(*[lamp] * 5, *[nothing] * 10, *[lamp] * 5)
    assert [one.command for one in again] == ["lamp", "lamp"]
    assert len(looked_at(*[lamp] * 5, *[nothing] * 10, *[lamp] * 5, refractory_s=5.0)) == 1
    assert [one.command for one in looked_at(*[nothing] * 5, *[lamp] * 3)] == ["lamp"]  # at the very end


def test_frames_are_taken_by_their_time_whatever_the_camera_gives() -> None:
    counted: list[int] = []

    def shares(frames: np.ndarray) -> np.ndarray:
        counted.append(len(frames))
        return np.stack([frames[:, 0, 0, 0] > 0, frames[:, 0, 0, 0] == 0], axis=1).astype(np.float32)

    for hertz in (2.0, 30.0):
        counted.clear()
        watcher, found = Watcher(Sight(["lamp", "other"], shares), Watching(5.0)), []
        times = np.arange(0, 10, 1 / hertz)
        pixels = np.zeros((len(times), 2, 2, 3), np.uint8)
        pixels[(times >= 3) & (times < 6)] = 255
        for place in range(len(times)):
            found += watcher.push(VideoFrames(pixels[place : place + 1], times[place : place + 1], hertz))
        assert sum(counted) == round(10 * min(hertz, 5))
        assert [one.command for one in found] == ["lamp"] and 3.4 <= found[0].at_s <= 5.2
    with pytest.raises(DataError, match="no frames"):
        watcher.push(np.zeros((2, 2), np.uint8))


def test_what_cannot_be_watched() -> None:
    for how in ({"rate_hz": 0.0}, {"smoothing_s": -1.0}, {"refractory_s": float("nan")}, {"threshold": 1.5}):
        with pytest.raises(SettingError, match="is not possible"):
            Watching(**how)
    with pytest.raises(SettingError, match="nothing that this run could name"):
        Watcher(Sight(["other", "Background"], lambda frames: frames), Watching())


def test_of_several_objects_the_surest_of_each_class_counts() -> None:
    torch = pytest.importorskip("torch")
    from assay.samples.box_spec import BoxSpec
    from assay.serving.box_sight import sight
    from assay.tasks.object_detection import ObjectDetection

    spec = BoxSpec(3, 32, 32, (0.0,) * 3, (1.0,) * 3, ("cat", "dog"))
    found = [np.asarray([[0, 0, 9, 9, 0.4, 1], [0, 0, 9, 9, 0.9, 1], [0, 0, 9, 9, 0.2, 0]]), np.zeros((0, 6))]

    def respond(batch: Any) -> Any:
        assert batch.image.shape == (2, 3, 32, 32) and isinstance(batch.image, torch.Tensor)
        return found

    seen = sight(SimpleNamespace(task=ObjectDetection(), spec=spec, respond=respond))  # type: ignore[arg-type]
    assert (tuple(seen.names), seen.threshold) == (("cat", "dog"), 0.5)
    assert seen.shares(scene(("go", 0.2))) == pytest.approx(np.asarray([[0.2, 0.9], [0, 0]]))


# The command ----------------------------------------------------------------------------------------------------------


def test_a_video_is_watched_and_actions_follow(command: Any, run: Path, video: Path, tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'a').write('x')"
    listed = ", ".join(f"'''{word}'''" for word in (sys.executable, "-c", code, tmp_path / "log"))
    file = tmp_path / "actions.toml"
    file.write_text(f"[actions.brake]\ncommand = 'stop'\nrun = [{listed}]\n")
    result = command("listen", run, "--video", video, "--actions", file, "--json")
    assert result.code == 0, result.err
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["command"] for row in rows] == ["stop", "go"], result.err
    assert set(rows[0]) == {"format", "command", "confidence", "at_s", "actions"}
    assert rows[0]["actions"] == [{"action": "brake", "status": "queued"}] and rows[1]["actions"] == []
    assert 1.3 < rows[0]["at_s"] < 2.5 and 6.3 < rows[1]["at_s"] < 7.5
    assert (tmp_path / "log").read_text() == "x"
    assert "2 answers in 9.1 s of pictures" in result.err
    assert command("listen", run, "--video", video, "--threshold", 1).out == ""


class FakeCamera:
    """A camera of OpenCV's that shows a scene and then is pulled out; only number 1 is there."""

    def __init__(self, number: int) -> None:
        self._frames = list(scene(("nothing", 0.5), ("go", 3.0)))
        self._number = number

    def isOpened(self) -> bool:
        return self._number == 1

    def read(self) -> tuple[bool, Any]:
        import time

        time.sleep(0.02)
        return (True, self._frames.pop(0)[:, :, ::-1]) if self._frames else (False, None)

    def release(self) -> None:
        pass


def test_a_camera(command: Any, run: Path, monkeypatch: pytest.MonkeyPatch, wine_run: Any, video: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    result = command("listen", run, "--camera", 1, "--rate", 50, "--smoothing", 0, "--json")
    assert {json.loads(line)["command"] for line in result.out.splitlines()} == {"go"}, result.err  # the last at least
    complains(result, "gives no more pictures")  # what happens when it is pulled out
    complains(command("listen", run, "--camera"), "no camera 0", "--video FILE")
    complains(command("listen", run, "--camera", "--input", "USB"), "--input USB")
    complains(command("listen", run, "--camera", "--video", video), "two things")
    complains(command("listen", run, "--camera", "--microphone"), "two things")
    complains(command("listen", run, "--video", video.with_name("no.mp4")), "no.mp4", "not there")
    complains(command("listen", run, "--video", video, "--rate", 0), "--rate 0")
    complains(command("listen", run, "--wav", video, "--smoothing", 1), "--smoothing")
    complains(command("listen", run, "--wav", video), "while input arrives")
    complains(command("listen", wine_run[0], "--camera", 1), "does not watch a camera")
