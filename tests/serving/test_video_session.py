"""Objects of a video with identities: the session, its answer, and the annotated video."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import DataError, MissingExtraError, RunError, SettingError
from assay.evaluation.followed import FollowedObject, FrameList, FrameObjects, followed
from assay.run import to_json
from assay.samples.box_spec import BoxSpec
from assay.serving.predictor import Predictor
from assay.serving.tracked_video import AnnotatedVideo, annotated, colour_of
from assay.serving.video_session import VideoSession
from assay.sources._video_chunks import VideoFrames
from assay.tasks.object_detection import ObjectDetection
from moving_scenes import CLASSES, RATE_HZ, Finder, scene

cv2 = pytest.importorskip("cv2")
Array = np.ndarray[Any, Any]
SPEC = BoxSpec(3, 96, 128, (110.0,) * 3, (50.0,) * 3, CLASSES)


def session(**options: object) -> VideoSession:
    """A session of a network whose `predict` finds the objects by their colour."""
    finder = Finder(SPEC, ObjectDetection())

    class Task(ObjectDetection):
        def predict(self, network: Any, batch: Any, spec: Any, options: Any) -> Any:
            return finder.respond(batch)

    class Network:
        training = False

    return VideoSession(Predictor(Task(), SPEC, Network(), options=options))  # type: ignore[arg-type]


def chunks(pixels: Array, sizes: tuple[int, ...] = (8,), rate_hz: float = RATE_HZ) -> Iterator[VideoFrames]:
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(pixels):
            return
        some = pixels[start : start + size]
        yield VideoFrames(some, (start + np.arange(len(some))) / rate_hz, rate_hz)
        start += size


def test_identities_and_places_are_those_of_the_scene() -> None:
    pixels, truths = scene(40)
    asked = session()
    said = [one for chunk in chunks(pixels) for one in asked.push(chunk)]
    assert [one.frame for one in said] == list(range(40)) and said[25].time == 2.0
    answer = followed(said, CLASSES)
    assert answer.counts == {"disc": 1, "plate": 2} and len(answer.tracks) == 3
    assert (answer.video.frames, answer.video.seconds, answer.video.rate_hz) == (40, 3.2, 12.5)
    known: dict[int, int] = {}
    for frame, truth in zip(answer.frames, truths, strict=True):
        assert len(frame.objects) == 3
        for one in frame.objects:
            number = int(np.argmin(np.abs(truth[:, :4] - one.box).sum(axis=1)))
            assert np.abs(truth[number, :4] - one.box).max() <= 3 and CLASSES[int(truth[number, 4])] == one.label
            assert known.setdefault(one.id, number) == number
    assert [(one.first, one.last, one.frames, one.first_s, one.last_s) for one in answer.tracks] == [
        (0, 39, 40, 0.0, 3.12)
    ] * 3


@pytest.mark.parametrize("sizes", [(1,), (3, 1, 11), (40,)])
def test_chunks_of_any_size_give_the_same(sizes: tuple[int, ...]) -> None:
    pixels, _ = scene(20)
    one, other = session(), session()
    expected = [said for chunk in chunks(pixels) for said in one.push(chunk)]
    assert [said for chunk in chunks(pixels, sizes) for said in other.push(chunk)] == expected
    assert not one.close()


def test_frames_of_a_camera_come_without_times() -> None:
    pixels, _ = scene(6)
    asked = session()
    said = [*asked.push(pixels[0]), *asked.push(pixels[1:])]
    assert [one.time for one in said] == [None] * 6 and len(said[5].objects) == 3
    assert followed(said, CLASSES).video.rate_hz is None
    for wrong in (pixels.astype(float), pixels[:, :0], pixels[0, 0]):
        with pytest.raises(DataError, match="is no frames"):
            asked.push(wrong)


def test_fewer_frames_a_second_are_looked_at() -> None:
    pixels, _ = scene(25)
    asked = session(rate="5")
    said = [one for chunk in chunks(pixels) for one in asked.push(chunk)]
    assert [one.frame for one in said] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]
    assert followed(said, CLASSES).counts == {"disc": 1, "plate": 2}


def test_patience_is_in_seconds() -> None:
    pixels, _ = scene(40)
    pixels[10:20] = 110  # nothing is seen for 0.8 s
    for patience, count in (("1", 3), ("0.4", 6)):
        asked = session(patience=patience)
        assert len(followed((one for chunk in chunks(pixels) for one in asked.push(chunk)), CLASSES).tracks) == count


@pytest.mark.parametrize("options", [{"min_score": "2"}, {"patience": "-1"}, {"rate": "0"}, {"nms": "many"}])
def test_options_that_are_not_possible(options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(options)).replace("_", "-")):
        session(**options)


def test_an_answer_of_many_frames_is_small_and_is_read_as_any_sequence() -> None:
    frames = [
        FrameObjects(number, number / 25, tuple(FollowedObject(1 + place, "plate", 0.5, (1.0, 2.0, 30.5, 40.0))
                                                for place in range(number % 3)))
        for number in range(30)
    ]  # fmt: skip
    kept = FrameList(CLASSES)
    for frame in frames:
        kept.add(frame)
    assert kept == frames and kept[-1] == frames[-1] and kept[3:5] == frames[3:5] and kept != frames[:-1]
    assert repr(kept) == "<30 frames>" and to_json(kept)[2]["objects"][1]["id"] == 2
    with pytest.raises(IndexError):
        kept[30]
    nothing = followed([], CLASSES)
    assert nothing.counts == {} and not nothing.tracks and not nothing.frames and nothing.video.seconds is None
    assert json.dumps(to_json(nothing), allow_nan=False)


# The annotated video -------------------------------------------------------------------------------------------------


def read(file: Path) -> tuple[list[Array], float]:
    capture = cv2.VideoCapture(str(file))
    found = []
    while (got := capture.read())[0]:
        found.append(got[1][:, :, ::-1])
    return found, float(capture.get(cv2.CAP_PROP_FPS))


@pytest.mark.parametrize("name", ["out.mp4", "out ü.avi", "out.mkv", "out.mov"])
def test_the_video_is_written_with_what_was_found(tmp_path: Path, name: str) -> None:
    pixels, _ = scene(12)
    asked, video = session(), AnnotatedVideo(tmp_path / name)
    for chunk in chunks(pixels, (5,)):
        video.take(chunk, asked.push(chunk))
    assert not (tmp_path / name).exists()
    video.close()
    frames, rate = read(tmp_path / name)
    assert len(frames) == 12 and rate == RATE_HZ and frames[5].shape == pixels[5].shape
    assert [file.name for file in tmp_path.iterdir()] == [name]
    changed = np.abs(frames[5].astype(int) - pixels[5]).max(axis=2) > 60
    assert 100 < changed.sum() < changed.size / 3


def test_frames_are_shown_at_their_time(tmp_path: Path) -> None:
    bright = np.arange(6) * 40
    pixels = np.stack([np.full((48, 64, 3), value, np.uint8) for value in bright])
    times = np.asarray([0.0, 0.1, 0.11, 0.4, 0.5, 1e6])  # one too early, a gap, and a clock that was set anew
    video = AnnotatedVideo(tmp_path / "out.avi")
    video.take(VideoFrames(pixels, times, 10.0), [])
    video.close()
    frames, _ = read(tmp_path / "out.avi")
    shown = [round(float(frame.mean()) / 40) for frame in frames]
    assert shown == [0, 1, 2, 2, 3, 4, 5]


def test_a_video_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, _ = scene(3)
    (chunk,) = chunks(pixels)
    with pytest.raises(SettingError, match=r"cannot be written as out\.gif"):
        AnnotatedVideo(tmp_path / "out.gif")
    with pytest.raises(RunError, match="cannot be written"):
        AnnotatedVideo(tmp_path / "none" / "out.mp4").take(chunk, [])
    video = AnnotatedVideo(tmp_path / "out.mp4")
    video.take(chunk, [])
    video.drop()
    assert not list(tmp_path.iterdir())
    video = AnnotatedVideo(tmp_path / "full.mp4")
    video.take(chunk, [])
    video._written = 100  # as if the disk had taken few of them
    with pytest.raises(RunError, match="to its end"):
        video.close()
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError) as told:
        AnnotatedVideo(tmp_path / "out.mp4")
    assert told.value.hint == 'pip install "assay[video]"'


def test_each_identity_has_a_colour() -> None:
    frame = np.full((320, 400, 3), 40, np.uint8)
    drawn = annotated(frame, (FollowedObject(7, "plate", 0.9, (100.0, 100.0, 140.0, 150.0)),))
    assert tuple(drawn[125, 100]) == tuple(drawn[149, 120]) == colour_of(7) != colour_of(8)
    assert (frame == 40).all()
