"""Objects in pictures: the acceptance test, and what users ask of its answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay.check import check_task
from assay.errors import DataError
from assay.samples.box_spec import BoxSpec
from assay.sources.source import DataOptions, open_source
from assay.tasks.object_detection import ObjectDetection
from box_scenes import write_voc

SMALL = {"width": "16", "depth": "0", "neck": "32", "head": "1", "finest": "4"}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("boxes") / "shapes")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_voc(tmp_path_factory.mktemp("boxes") / "broken", count=12)
    (folder / "JPEGImages" / "003.png").write_bytes(b"\x89PNG no picture")
    return folder


@pytest.mark.slow
def test_the_contract_is_fulfilled(shapes: Path, broken: Path) -> None:
    results = check_task(ObjectDetection(), shapes, corrupt=[broken], settings=SMALL)
    bad = [result for result in results if not result.ok]
    assert not bad, bad


SPEC = BoxSpec(3, 64, 64, (0.0,) * 3, (1.0,) * 3, ("car", "bus"))


def test_other_classes_than_those_learned_are_an_error(shapes: Path) -> None:
    with pytest.raises(DataError, match="of other classes") as told:
        ObjectDetection().read_like(open_source(shapes), DataOptions(), SPEC)
    assert "car, bus" in told.value.hint


def test_frames_of_a_video_are_inputs(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "walk ü.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(4):
        writer.write(np.full((48, 64, 3), 5 * number, np.uint8))
    writer.release()
    records = ObjectDetection().read_inputs(open_source(tmp_path / "walk ü.avi"), SPEC)
    assert records.index()["id"].to_pylist() == [f"walk ü.avi#{number}" for number in range(4)]
