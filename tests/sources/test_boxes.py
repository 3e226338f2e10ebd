from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_examples import (
    HEIGHT,
    LAYOUTS,
    TRUTH,
    WIDTH,
    coco_json,
    cvat,
    label_studio,
    pictures,
    voc,
    voc_xml,
    write_picture,
    yolo,
    yolo_line,
)
from PIL import Image

from assay.errors import DataError, SettingError
from assay.sources.boxes import BOXES, read_boxes, recognise_boxes
from assay.sources.decode import decode_image
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source


def read(data: Any, **options: Any) -> Records:
    return read_boxes(open_source(data), DataOptions(**options))


def kinds(records: Records) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in records.problems}


def boxes(records: Records) -> dict[str, list[Any]]:
    """Class and corners by the picture's name without ending."""
    index = records.index()
    return {
        Path(name).stem: [(box["label"], *(box[side] for side in ("x0", "y0", "x1", "y1"))) for box in found]
        for name, found in zip(index["id"].to_pylist(), index["target"].to_pylist(), strict=True)
    }


def sides(records: Records) -> dict[str, str]:
    index = records.index()
    return {
        Path(name).stem: side for name, side in zip(index["id"].to_pylist(), index["split"].to_pylist(), strict=True)
    }


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


def test_lists_of_voc_give_the_sides(tmp_path: Path) -> None:
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for name, inside in {"train": "a\nb\n", "val": "c 1\n", "trainval": "a\nb\nc\n", "test": "d\ne\n"}.items():
        (lists / f"{name}.txt").write_text(inside)
    (lists / "cat_train.txt").write_text("f 1\n")
    records = read(tmp_path)
    assert sides(records) == {"a": "train", "b": "train", "c": "validation", "d": "test", "e": "test"}
    assert kinds(records) == {"picture-in-no-list": (1, "skipped")}
    assert "split" not in read(tmp_path, split="80/10/10").index().column_names
    with pytest.raises(SettingError, match="neither shares"):
        read(tmp_path, split="camera")


@pytest.mark.parametrize("order", [("{side}", "images"), ("images", "{side}")])
@pytest.mark.parametrize("words", [("train", "valid", "test"), ("train2017", "val2017", "test2017")])
def test_folders_of_yolo_give_the_sides(tmp_path: Path, order: tuple[str, str], words: tuple[str, ...]) -> None:
    yolo(tmp_path / "all")
    wanted = {}
    for place, name in enumerate(TRUTH):
        for kind, ending in (("images", "jpg"), ("labels", "txt")):
            parts = [part.format(side=words[place % 3]).replace("images", kind) for part in order]
            target = tmp_path / "data" / parts[0] / parts[1] / f"{name}.{ending}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "all" / kind / f"{name}.{ending}", target)
        wanted[name] = ("train", "validation", "test")[place % 3]
    (tmp_path / "data" / "data.yaml").write_text("names: {0: cat, 1: 'dog'}\nnc: 2\n")
    records = read(tmp_path / "data")
    assert sides(records) == wanted
    assert boxes(records)["e"] == [("dog", *map(pytest.approx, (1, 2, 50, 30)))]


def test_pictures_of_one_name_on_two_sides(tmp_path: Path) -> None:
    for side, name in (("train", "a"), ("val", "b")):
        write_picture(tmp_path / "images" / side / "1.jpg", ord(name))
        label = tmp_path / "labels" / side / "1.txt"
        label.parent.mkdir(parents=True)
        label.write_text("\n".join(yolo_line(*box) for box in TRUTH[name]))
        (tmp_path / f"{side}.json").write_text(json.dumps(coco_json(name)).replace(f"{name}.jpg", "1.jpg"))
    index = read(tmp_path).index()
    assert [len(found) for found in index["target"].to_pylist()] == [2, 1]
    assert index["split"].to_pylist() == ["train", "validation"]
    shutil.rmtree(tmp_path / "labels")
    assert read(tmp_path).index()["target"].to_pylist() == index["target"].to_pylist()


def test_yaml_names_lists_and_folders(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "classes.txt").unlink()
    for text in (
        "path: ../pets\ntrain: images\nnames:\n  0: cat  # the first\n  1: dog\n",
        "names: [cat,\n  'dog']\n",
        'nc: 2\nnames:\n- "cat"\n- dog\n',
    ):
        (tmp_path / "data.yaml").write_text(text)
        assert read(tmp_path).facts["class_counts"] == {"cat": 4, "dog": 3}
    (tmp_path / "data.yaml").unlink()
    assert read(tmp_path).facts["class_counts"] == {"0": 4, "1": 3}
    for name in "def":  # two folders with names of their own
        for kind, ending in (("images", "jpg"), ("labels", "txt")):
            (tmp_path / "later" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / kind / f"{name}.{ending}").rename(tmp_path / "later" / kind / f"{name}.{ending}")
    (tmp_path / "pets.yaml").write_text("train: ./images\nval: ../later/images\nnames: [cat, dog]\n")
    assert [sides(read(tmp_path))[name] for name in "abcdef"] == ["train"] * 3 + ["validation"] * 3
    (tmp_path / "pets.yaml").write_text("train: train.txt\nval: val.txt\nnames: [cat, dog]\n")
    (tmp_path / "train.txt").write_text("./images/a.jpg\n./images/b.jpg\n./images/c.jpg\n./later/images/d.jpg\n")
    (tmp_path / "val.txt").write_text("/home/me/later/images/e.jpg\nlater/images/f.jpg\n")
    assert [sides(read(tmp_path))[name] for name in "abcdef"] == ["train"] * 4 + ["validation"] * 2


def test_points_of_a_body_are_no_outline(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 0)
    (tmp_path / "a.txt").write_text(yolo_line("cat", 10, 10, 20, 20) + " 0.9 0.9 0.1 0.1")
    (tmp_path / "data.yaml").write_text("kpt_shape: [2, 2]\nnames:\n  0: cat\n")
    assert boxes(read(tmp_path)) == {"a": [("cat", *map(pytest.approx, (10, 10, 20, 20)))]}
    (tmp_path / "data.yaml").write_text("names:\n  0: cat\n")
    assert boxes(read(tmp_path))["a"][0][3] > 50


def test_several_coco_files(tmp_path: Path) -> None:
    pictures(tmp_path / "train2017", "abc")
    pictures(tmp_path / "val2017", "def")
    (tmp_path / "annotations").mkdir()
    for name, inside in (("train", "abc"), ("val", "def")):
        (tmp_path / "annotations" / f"instances_{name}2017.json").write_text(json.dumps(coco_json(inside)))
        captions = {**coco_json(inside), "annotations": [{"image_id": 97, "caption": "a cat"}]}
        (tmp_path / "annotations" / f"captions_{name}2017.json").write_text(json.dumps(captions))
    records = read(tmp_path, group="farm")
    assert sides(records) == dict.fromkeys("abc", "train") | dict.fromkeys("def", "validation")
    assert records.index()["group"].to_pylist() == ["farm True"] * 2 + ["farm False"] * 4
    assert set(read(tmp_path, group="folder").index()["group"].to_pylist()) == {"train2017", "val2017"}
    with pytest.raises(SettingError, match="no such field"):
        read(tmp_path, group="owner")


def test_subsets_of_cvat(tmp_path: Path) -> None:
    cvat(tmp_path)
    text = (tmp_path / "annotations.xml").read_text()
    for name in "abcdef":
        text = text.replace(f'name="{name}.jpg"', f'name="{name}.jpg" subset="{"Train" if name < "d" else "Test"}"')
    (tmp_path / "annotations.xml").write_text(text)
    assert sides(read(tmp_path)) == dict.fromkeys("abc", "train") | dict.fromkeys("def", "test")
    (tmp_path / "annotations.xml").write_text('<annotations><track id="0" label="cat"></track></annotations>')
    with pytest.raises(DataError, match="those of a video"):
        read(tmp_path)


# What is wrong --------------------------------------------------------------------------------------------------------


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
