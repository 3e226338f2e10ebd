"""Boxes, label files and pictures that are broken, odd or turned: what is skipped, repaired or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from box_examples import (
    HEIGHT,
    LAYOUTS,
    TRUTH,
    WIDTH,
    boxes,
    coco_json,
    kinds,
    label_studio,
    pictures,
    read,
    voc,
    voc_xml,
    write_picture,
    yolo_line,
)
from PIL import Image

from assay.errors import DataError
from assay.sources.decode import decode_image
from assay.sources.records import Records


def test_points_of_a_body_are_no_outline(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 0)
    (tmp_path / "a.txt").write_text(yolo_line("cat", 10, 10, 20, 20) + " 0.9 0.9 0.1 0.1")
    (tmp_path / "data.yaml").write_text("kpt_shape: [2, 2]\nnames:\n  0: cat\n")
    assert boxes(read(tmp_path)) == {"a": [("cat", *map(pytest.approx, (10, 10, 20, 20)))]}
    (tmp_path / "data.yaml").write_text("names:\n  0: cat\n")
    assert boxes(read(tmp_path))["a"][0][3] > 50


def test_bad_boxes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 0)
    write_picture(tmp_path / "b.jpg", 1)
    good = yolo_line("cat", 10, 10, 20, 20)
    lines = [
        good, good, yolo_line("dog", -10, 10, 20, 20), yolo_line("cat", 70, 10, 80, 20), "0 0.5 0.5 0 0.2",
        "0 nan 0.5 0.1 0.1", "7 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "what is this", "0 0.1 0.1 0.5 0.1 0.5 0.5",
        "1 0.5 0.5 0.5 0.5 0.93",
    ]  # fmt: skip
    (tmp_path / "a.txt").write_text("\n".join(lines))
    (tmp_path / "b.txt").write_text("0 nan 0.5 0.1 0.1")
    (tmp_path / "classes.txt").write_text("cat\ndog")
    records = read(tmp_path)
    actions = {(problem.kind, problem.action): problem for problem in records.problems}
    assert {key: problem.count for key, problem in actions.items()} == {
        ("same-box-twice", "skipped"): 1, ("box-outside-picture", "repaired"): 1, ("box-outside-picture", "skipped"): 1,
        ("box-without-area", "skipped"): 1, ("box-without-numbers", "skipped"): 2,
        ("box-of-unknown-class", "skipped"): 2, ("line-without-box", "skipped"): 1,
        ("picture-without-usable-box", "skipped"): 1,
    }  # fmt: skip
    assert actions["box-outside-picture", "skipped"].examples[0].row == 4
    assert actions["box-of-unknown-class", "skipped"].examples[0].row == 7
    wanted = [("cat", 10, 10, 20, 20), ("dog", 0, 10, 20, 20), ("cat", 6, 4, 30, 20), ("dog", 15, 10, 45, 30)]
    assert boxes(records) == {"a": [(label, *map(pytest.approx, box)) for label, *box in wanted]}


def test_pictures_without_a_single_usable_box_are_refused_with_what_is_wrong(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 0)
    (tmp_path / "classes.txt").write_text("cat\ndog")
    (tmp_path / "a.txt").write_text("7 0.5 0.5 0.1 0.1\n8 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"can be used \(2 box-of-unknown-class\)") as told:
        read(tmp_path)
    assert "List all classes" in told.value.hint
    (tmp_path / "a.txt").write_text("7 0.5 0.5 0.1 0.1\n0 0.5 0.5 0 0.1\n")
    with pytest.raises(DataError, match=r"\(1 box-of-unknown-class, 1 box-without-area\)") as told:
        read(tmp_path)
    assert "Expected pixels" in told.value.hint


def test_pictures_without_labels_and_labels_without_pictures(tmp_path: Path) -> None:
    for layout in ("voc", "yolo", "coco", "label_studio", "labelme"):
        folder = tmp_path / layout
        LAYOUTS[layout](folder)
        write_picture(folder / "extra.jpg", 99)
        next(folder.rglob("e.jpg")).unlink()
        records = read(folder)
        assert kinds(records) == {
            "picture-without-labels": (1, "skipped"),
            "labels-without-picture": (1, "skipped"),
        }, layout
        assert "extra" not in boxes(records) and boxes(records)["f"] == []


def test_voc_files_that_name_another_picture(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "Annotations" / "a.xml").write_text(voc_xml("a", TRUTH["a"], filename="b.jpg"))
    (tmp_path / "Annotations" / "0001.xml").write_text(voc_xml("c", TRUTH["c"], filename="c.png.jpg"))
    (tmp_path / "Annotations" / "c.xml").rename(tmp_path / "Annotations" / "0002.xml")
    (tmp_path / "Annotations" / "d.xml").write_text(voc_xml("d", TRUTH["d"], difficult=1, size=(0, 0)))
    (tmp_path / "Annotations" / "e.xml").write_text("<annotation><object>")
    records = read(tmp_path)
    assert boxes(records) == {name: [tuple(box) for box in TRUTH[name]] for name in "abcdf"}
    assert kinds(records) == {
        "labels-name-another-picture": (1, "repaired"), "labels-without-picture": (1, "skipped"),
        "unreadable-labels": (1, "skipped"), "picture-without-labels": (1, "skipped"),
    }  # fmt: skip
    assert records.facts["difficult"] == 2


def test_an_entity_is_refused(tmp_path: Path) -> None:
    voc(tmp_path)
    bomb = "<!DOCTYPE annotation [<!ENTITY a 'aaaa'>]><annotation><filename>&a;</filename></annotation>"
    (tmp_path / "Annotations" / "a.xml").write_text(bomb)
    assert kinds(read(tmp_path))["unreadable-labels"] == (1, "skipped")


def test_broken_json(tmp_path: Path) -> None:
    pictures(tmp_path)
    text = json.dumps(coco_json("abc"), indent=1)
    (tmp_path / "coco.json").write_text(text[: len(text) - 40])
    with pytest.raises(DataError, match=r"coco\.json, row \d+: this is no JSON"):
        read(tmp_path)
    (tmp_path / "coco.json").write_text(json.dumps({"images": 3, "annotations": [], "categories": []}))
    with pytest.raises(DataError, match="'images' is no list of objects"):
        read(tmp_path)
    (tmp_path / "coco.json").write_text(json.dumps(coco_json("abc", annotations=[])))
    with pytest.raises(DataError, match="none of the 3 pictures has a box that can be used"):
        read(tmp_path)


def test_bad_annotations_of_coco(tmp_path: Path) -> None:
    pictures(tmp_path)
    data = coco_json("ab")
    data["annotations"] += [
        {"image_id": 97, "category_id": 99, "bbox": [1, 1, 5, 5]},
        {"image_id": 97, "category_id": 10, "bbox": [1, 1, None, float("nan")]},
        {"image_id": 97, "category_id": 10, "bbox": [30, 30, 10, 5], "iscrowd": 1},
        {"image_id": 97, "category_id": 11, "segmentation": [[1, 1, 9, 1, 9, 7]]},
        {"image_id": 5, "category_id": 10, "bbox": [1, 1, 5, 5]},
    ]
    (tmp_path / "coco.json").write_text(json.dumps(data))
    records = read(tmp_path)
    assert kinds(records) == {
        "box-of-unknown-class": (1, "skipped"), "box-without-numbers": (1, "skipped"),
        "labels-without-picture": (1, "skipped"), "picture-without-labels": (4, "skipped"),
    }  # fmt: skip
    assert boxes(records)["a"][2:] == [("cat", 30, 30, 40, 35), ("dog", 1, 1, 9, 7)]
    assert [box["hard"] for box in records.index()["target"][0].as_py()] == [False, False, True, False]


def test_label_studio_turned_boxes_and_tasks_without_labels(tmp_path: Path) -> None:
    label_studio(tmp_path)
    tasks = json.loads((tmp_path / "export.json").read_text())
    value = tasks[0]["annotations"][0]["result"][0]["value"]
    value.update(x=50.0, y=50.0, width=10.0, height=25.0, rotation=90)  # 6 x 10 pixels about (30, 20)
    tasks[1]["annotations"] = []
    tasks[2]["annotations"].insert(0, {"result": [], "was_cancelled": True})
    tasks[3]["annotations"].append({"result": []})
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    records = read(tmp_path)
    assert boxes(records)["a"][0] == ("cat", *map(pytest.approx, (20, 20, 30, 26)))
    assert len(boxes(records)["c"]) == 1 and len(boxes(records)["d"]) == 2
    assert kinds(records) == {"picture-without-labels": (2, "skipped"), "picture-labelled-by-several": (1, "kept")}
    small = [{"image": "pictures/a.jpg", "annotation_id": 1, "label": [{**value, "rotation": 0, "original_width": WIDTH,
              "original_height": HEIGHT}]}]  # fmt: skip
    (tmp_path / "export.json").write_text(json.dumps(small))
    assert boxes(read(tmp_path)) == {"a": [("cat", *map(pytest.approx, (30, 20, 36, 30)))]}


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_turn_with_their_picture(tmp_path: Path, orientation: int) -> None:
    raw = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    raw[5:25, 3:20] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(raw).save(tmp_path / "a.png", exif=exif)
    (tmp_path / "a.xml").write_text(voc_xml("a", [("cat", 3, 5, 20, 25)], filename="a.png"))
    records = read(tmp_path)
    assert kinds(records)["boxes-turned-with-picture"] == (1, "repaired")
    _bright(records)
    upright = read(tmp_path).index()["target"][0].as_py()[0]  # labelled as it is seen
    corners = tuple(int(upright[side]) for side in ("x0", "y0", "x1", "y1"))
    (tmp_path / "a.xml").write_text(voc_xml("a", [("cat", *corners)], filename="a.png", size=(WIDTH, HEIGHT)))
    records = read(tmp_path)
    assert "boxes-turned-with-picture" not in kinds(records)
    _bright(records)


def _bright(records: Records) -> None:
    """The box holds all that is bright, and nothing else."""
    assert records.load is not None
    image = decode_image(records.load("a.png"))[..., 0] > 128
    box = records.index()["target"][0].as_py()[0]
    x0, y0, x1, y1 = (int(box[side]) for side in ("x0", "y0", "x1", "y1"))
    assert image[y0:y1, x0:x1].all() and image.sum() == (y1 - y0) * (x1 - x0)


def test_a_picture_that_was_scaled_after_it_was_labelled(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 0)
    (tmp_path / "a.xml").write_text(voc_xml("a", [("cat", 20, 20, 40, 60)], size=(2 * HEIGHT, 2 * WIDTH)))
    assert boxes(read(tmp_path)) == {"a": [("cat", 10, 10, 20, 30)]}
    assert kinds(read(tmp_path)) == {"picture-of-another-size": (1, "repaired")}


def test_bad_pictures_are_skipped(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "JPEGImages" / "a.jpg").write_bytes(b"")
    (tmp_path / "JPEGImages" / "b.jpg").write_bytes(b"no picture")
    records = read(tmp_path)
    assert kinds(records) == {"empty-file": (1, "skipped"), "unreadable-image": (1, "skipped")}
    assert records.facts["boxes"] == 4


def test_numbers_and_addresses_that_are_none(tmp_path: Path) -> None:
    """What stands in the place of a class, an angle, points or an address is told of, and never a traceback."""
    for layout in ("yolo", "label_studio", "labelme"):
        LAYOUTS[layout](tmp_path / layout)
    label = tmp_path / "yolo" / "labels" / "a.txt"
    label.write_text(f"{'9' * 400} 0.5 0.5 0.1 0.1\n" + label.read_text())
    assert kinds(read(tmp_path / "yolo"))["box-of-unknown-class"] == (1, "skipped")
    export = tmp_path / "label_studio" / "export.json"
    tasks = json.loads(export.read_text())
    tasks[0]["annotations"][0]["result"][0]["value"]["rotation"] = float("inf")
    tasks[1]["data"]["image"] = "http://[a/b.jpg"
    export.write_text(json.dumps(tasks))
    told = kinds(read(tmp_path / "label_studio"))
    assert told["box-without-numbers"] == (1, "skipped") and told["labels-without-picture"] == (1, "skipped")
    shapes = tmp_path / "labelme" / "a.json"
    data = json.loads(shapes.read_text())
    data["shapes"][0]["points"] = 5
    shapes.write_text(json.dumps(data))
    assert kinds(read(tmp_path / "labelme"))["label-without-box"] == (1, "skipped")
