"""Objects in pictures: the acceptance test, and what users ask of its answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.check import check_task
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


def test_the_contract_is_fulfilled(shapes: Path, broken: Path) -> None:
    results = check_task(ObjectDetection(), shapes, corrupt=[broken], settings=SMALL)
    bad = [result for result in results if not result.ok]
    assert not bad, bad
