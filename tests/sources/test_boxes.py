"""Boxes in pictures: every layout gives the same, and public data sets are read as a whole."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from box_examples import HEIGHT, LAYOUTS, TRUTH, WIDTH, boxes, cvat, kinds, label_studio, pictures, read, voc, voc_xml

from assay.errors import DataError, SettingError
from assay.sources.boxes import BOXES, recognise_boxes
from assay.sources.decode import decode_image
from assay.sources.source import open_source


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_give_the_same(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout](tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in sorted((tmp_path / "data").rglob("*.*")):
            archive.write(file, f"pets/{file.relative_to(tmp_path / 'data')}")
    for place in (tmp_path / "data", tmp_path / "data.zip"):
        recognition = recognise_boxes(open_source(place))
        assert recognition is not None and recognition.score > 0.95 and recognition.why.startswith("boxes in")
        records = read(place)
        found = boxes(records)
        assert found.keys() == TRUTH.keys()
        for name, wanted in TRUTH.items():
            assert [box[0] for box in found[name]] == [box[0] for box in wanted]
            np.testing.assert_allclose([box[1:] for box in found[name]], [box[1:] for box in wanted], atol=1e-3)
        assert kinds(records) == {}
        assert records.index()["target"].type == BOXES
        assert records.facts["class_counts"] == {"cat": 4, "dog": 3}
        assert (records.facts["boxes"], records.facts["without_boxes"], records.facts["samples"]) == (7, 1, 6)
        assert records.load is not None
        assert decode_image(records.load(records.index()["location"][0].as_py())).shape == (HEIGHT, WIDTH, 3)


def test_the_fingerprint_follows_the_boxes(tmp_path: Path) -> None:
    voc(tmp_path)
    first = read(tmp_path).fingerprint
    assert read(tmp_path).fingerprint == first
    (tmp_path / "Annotations" / "a.xml").write_text(voc_xml("a", [("cat", 3, 5, 21, 25)]))
    assert read(tmp_path).fingerprint != first


def test_other_data_is_not_recognised(tmp_path: Path) -> None:
    pictures(tmp_path / "cat")
    assert recognise_boxes(open_source(tmp_path)) is None
    (tmp_path / "notes.txt").write_text("a few words")
    (tmp_path / "data.json").write_text('{"images": 3}')
    (tmp_path / "feed.xml").write_text("<feed><entry/></feed>")
    (tmp_path / "cat" / "a.txt").write_text("a photo of a cat that sits on a mat")
    assert recognise_boxes(open_source(tmp_path)) is None
    with pytest.raises(DataError, match="6 pictures and no labels of boxes"):
        read(tmp_path)
    assert recognise_boxes(open_source([1, 2])) is None


def test_a_label_file_by_itself_finds_its_pictures(tmp_path: Path) -> None:
    cvat(tmp_path / "pets")
    assert len(boxes(read(tmp_path / "pets" / "annotations.xml"))) == 6
    label_studio(tmp_path / "studio")
    assert len(boxes(read(tmp_path / "studio" / "export.json"))["a"]) == 2
    shutil.rmtree(tmp_path / "studio" / "pictures")
    with pytest.raises(DataError, match="belong to no picture that is here"):
        read(tmp_path / "studio" / "export.json")


# Splits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_blood_cells(data_set: Callable[[str], Path]) -> None:
    records = read(data_set("bccd"))
    assert records.facts["class_counts"] == {"Platelets": 361, "RBC": 4155, "WBC": 372}
    assert (records.facts["samples"], records.facts["boxes"]) == (364, 4888)
    assert records.facts["split"] == {"test": 72, "train": 205, "validation": 87}
    assert kinds(records) == {"box-of-one-pixel": (2, "kept")}
    assert boxes(records)["BloodImage_00000"][0] == ("WBC", 259, 176, 491, 376)


@pytest.mark.data
def test_road_signs(data_set: Callable[[str], Path]) -> None:
    records = read(data_set("road_signs"))
    assert records.facts["class_counts"] == {"crosswalk": 200, "speedlimit": 783, "stop": 91, "trafficlight": 170}
    assert (records.facts["samples"], records.facts["boxes"]) == (877, 1244)
    assert kinds(records) == {"box-outside-picture": (10, "repaired")}  # ten count from 0


def test_a_target_is_refused_where_it_would_do_nothing(tmp_path: Path) -> None:
    voc(tmp_path)
    with pytest.raises(SettingError, match="--target age is not possible"):
        read(tmp_path, target="age")
