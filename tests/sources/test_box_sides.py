"""On which side of the split pictures with boxes are: by lists, folders, subsets and tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from box_examples import (
    TRUTH,
    boxes,
    coco_json,
    cvat,
    kinds,
    pictures,
    read,
    sides,
    voc,
    write_picture,
    yolo,
    yolo_line,
)

from assay.errors import DataError, SettingError


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
