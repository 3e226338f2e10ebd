"""`assay predict` on videos: identities as JSON, the annotated video, and what can be wrong with either."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.baselines.hog_windows import HogWindows
from assay.evaluation.followed import FollowedObjects
from assay.progress import Progress
from assay.run import to_json
from assay.samples.box_spec import BoxSpec
from assay.serving.predictor import Classical, predict
from assay.serving.streamed import Following
from assay.sources.source import open_source
from assay.tasks.object_detection import ObjectDetection
from box_scenes import CLASSES, write_voc
from moving_scenes import Finder, write_video

cv2 = pytest.importorskip("cv2")
Assay = Callable[..., Any]
SMALL = {"width": "16", "depth": "0", "neck": "32", "head": "1", "finest": "4"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of seconds, which tells discs from plates about."""
    folder = tmp_path_factory.mktemp("videos")
    shapes = write_voc(folder / "shapes", count=60)
    assay.train(str(shapes), task="object-detection", epochs=16, evidence="none", out=folder / "run", settings=SMALL)
    return folder / "run"


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("videos") / "traffic.avi", 24)


def frames_of(file: Path) -> int:
    capture, count = cv2.VideoCapture(str(file)), 0
    while capture.read()[0]:
        count += 1
    return count


def test_objects_with_identities_as_json(run: Path, traffic: Path, tmp_path: Path, command: Assay) -> None:
    out = tmp_path / "found.json"
    done = command("predict", run, traffic, "--out", out)
    assert done.code == 0 and "1 answer in" in done.err and "traffic.avi" in done.err
    (told,) = json.loads(out.read_text())
    assert list(told) == ["format", "id", "counts", "video", "tracks", "unlike", "unlike_ratio", "frames"]
    assert (told["format"], told["id"]) == (1, "traffic.avi")
    assert told["video"] == {"frames": 24, "seconds": 1.92, "rate_hz": 12.5}
    assert [frame["frame"] for frame in told["frames"]] == list(range(24)) and told["frames"][5]["time"] == 0.4
    seen = [(one["id"], one["label"]) for frame in told["frames"] for one in frame["objects"]]
    assert seen and {(track["id"], track["label"]): track["frames"] for track in told["tracks"]} == {
        one: seen.count(one) for one in set(seen)
    }
    assert sum(told["counts"].values()) == len(told["tracks"])
    assert set(told["frames"][-1]["objects"][0]) == {"id", "label", "score", "box"}
    line = json.loads(command("predict", run, traffic, "--json").out)
    assert line == told
    (answer,) = assay.load(run).predict(str(traffic))
    assert isinstance(answer, FollowedObjects)
    assert {"format": 1, "id": "traffic.avi", **to_json(answer), "unlike": None, "unlike_ratio": None} == told
    shown = command("predict", run, traffic).out
    assert shown.startswith("traffic.avi\t") and "rate_hz 12.5" in shown and len(shown.splitlines()) == 1


def test_the_annotated_video_and_the_answer_beside_it(run: Path, traffic: Path, tmp_path: Path, command: Assay) -> None:
    assert command("predict", run, traffic, "--out", tmp_path / "found.mp4").code == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["found.json", "found.mp4"]
    assert frames_of(tmp_path / "found.mp4") == 24
    assert json.loads((tmp_path / "found.json").read_text())[0]["id"] == "traffic.avi"


def test_a_folder_of_videos_and_pictures(run: Path, traffic: Path, tmp_path: Path, command: Assay) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    shutil.copy(traffic, folder / "a.avi")
    (folder / "b.mp4").write_bytes(b"no video" * 99)
    cut = traffic.read_bytes()
    (folder / "c.avi").write_bytes(cut[: len(cut) // 2])
    shutil.copy(run.parent / "shapes" / "JPEGImages" / "003.png", folder / "a.png")
    done = command("predict", run, folder, "--out", out)
    assert done.code == 0 and "(unreadable-frame): c.avi" in done.err and "(unreadable-input): b.mp4" in done.err
    assert sorted(file.name for file in out.iterdir()) == ["a-2.json", "a.json", "a.mp4", "c.json", "c.mp4"]
    assert [json.loads((out / name).read_text())[0]["id"] for name in ("a.json", "a-2.json")] == ["a.avi", "a.png"]
    table = tmp_path / "counts.csv"
    assert command("predict", run, folder, "--out", table, "--rate", "6").code == 0
    with open(table, encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a.png", "a.avi", "c.avi"] and rows["a.avi"]["video.frames"] == "12"
    assert not any("tracks" in name or "box" in name for name in rows["a.png"])


def test_pictures_are_answered_as_before(run: Path, tmp_path: Path, command: Assay) -> None:
    photo = run.parent / "shapes" / "JPEGImages" / "003.png"
    assert command("predict", run, photo, "--out", tmp_path / "found.json").code == 0
    (told,) = json.loads((tmp_path / "found.json").read_text())
    assert list(told) == ["format", "id", "counts", "objects", "unlike", "unlike_ratio"] and told["objects"]
    assert set(told["objects"][0]) == {"label", "score", "x0", "y0", "x1", "y1"}
    text = json.dumps([told], indent=1, ensure_ascii=False) + "\n"
    assert (tmp_path / "found.json").read_text() == text
    assert command("predict", run, photo, "--out", tmp_path / "found.csv").code == 0
    assert (tmp_path / "found.csv").read_text().splitlines()[0].startswith("id,counts.")


@pytest.mark.parametrize(
    ("name", "words"),
    [("found.webm", "cannot be written as found.webm"), ("found.xlsx", "cannot be written as found.xlsx"),
     ("none/found.mp4", "is not a folder")],
)  # fmt: skip
def test_places_are_checked_before_the_work(
    run: Path, traffic: Path, tmp_path: Path, command: Assay, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.serving.predictor.predict", lambda *_: pytest.fail("the work was begun"))
    done = command("predict", run, traffic, "--out", tmp_path / name)
    assert done.code == 1 and words in done.err
    assert [line.split(":")[0] for line in done.err.strip().splitlines()] == ["error", "hint"]


def test_a_video_form_holds_one_video(run: Path, traffic: Path, tmp_path: Path, command: Assay) -> None:
    photo = run.parent / "shapes" / "JPEGImages" / "003.png"
    for inputs, words in (((photo,), "nothing that a .mp4 file can hold"), ((traffic, traffic), "holds one answer")):
        done = command("predict", run, *inputs, "--out", tmp_path / "found.mp4")
        assert done.code == 1 and words in done.err and not (tmp_path / "found.mp4").exists()


@pytest.mark.parametrize("option", ["min-score", "patience", "rate", "nms"])
def test_options_that_are_not_possible(run: Path, traffic: Path, command: Assay, option: str) -> None:
    done = command("predict", run, traffic, f"--{option}", "-1")
    assert done.code == 1 and f"error: --{option} -1 is not possible" in done.err


def test_a_video_that_cannot_be_read(
    run: Path, tmp_path: Path, command: Assay, monkeypatch: pytest.MonkeyPatch, traffic: Path
) -> None:
    (tmp_path / "none.mp4").write_bytes(b"no video" * 99)
    done = command("predict", run, tmp_path / "none.mp4", "--out", tmp_path / "found.mp4")
    assert done.code == 1 and done.err.startswith("error: none.mp4: the video cannot be opened.\nhint: ")
    assert [file.name for file in tmp_path.iterdir()] == ["none.mp4"]
    monkeypatch.setitem(sys.modules, "cv2", None)
    done = command("predict", run, traffic)
    assert done.code == 1 and 'hint: pip install "assay[video]"' in done.err


def test_a_frame_is_explained(run: Path, traffic: Path, tmp_path: Path, command: Assay) -> None:
    done = command("explain", run, traffic, "--row", 12, "--out", tmp_path / "why.png", "--json")
    assert done.code == 0 and done.json["id"] == "traffic.avi:12" and (tmp_path / "why.png").exists()
    done = command("explain", run, traffic, "--row", 99)
    assert done.code == 1 and "there is no row 99" in done.err


def test_which_frames_to_label_next(
    run: Path, traffic: Path, tmp_path: Path, command: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are looked at as pictures, spread over the video; of a long one no more than can be decoded."""
    done = command("label-next", run, traffic, "--count", 3, "--json")
    assert done.code == 0, done.err
    frames = sorted(int(one["id"].rpartition(":")[2]) for one in done.json["suggestions"])
    assert done.json["of"] == done.json["looked"] == 24 and frames[2] - frames[0] > 4
    assert all(0 <= one["uncertainty"] <= 1 and "% sure" in one["reason"] for one in done.json["suggestions"])
    monkeypatch.setattr("assay.serving.label_next._MOST_FRAMES", 10)
    found = assay.load(run).label_next(traffic, 2)
    assert (found.looked, found.of, len(found.chosen)) == (8, 24, 2)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    done = command("label-next", run, tmp_path)
    assert done.code == 1 and "the video cannot be read" in done.err and "hint:" in done.err


def test_a_classical_model_is_followed_too(traffic: Path) -> None:
    spec = BoxSpec(3, 96, 128, (110.0,) * 3, (50.0,) * 3, CLASSES)
    finder = Finder(spec, ObjectDetection())

    class Windows(HogWindows):
        def respond(self, batch: Any) -> Any:
            return finder.respond(batch)

    class Shown(Progress):
        def __init__(self) -> None:
            self.told: list[object] = []

        def stage(self, name: str, total: float | None = None) -> None:
            self.told.append((name, total))

        def advance(self, done: float, note: str = "") -> None:
            self.told.append(done)

    following = Following()
    following.progress = shown = Shown()
    task = ObjectDetection()
    records = task.read_inputs(open_source(traffic), spec)
    ((one,), problems) = predict(Classical(task, spec, Windows(spec)), records, following)
    assert one.answer.counts == {"disc": 1, "plate": 2} and not problems
    assert max(finder.batches) == 8 and np.sum(finder.batches) == 24
    assert shown.told == [("Answering traffic.avi", 3), 0, 1, 2]
