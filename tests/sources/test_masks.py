"""Pictures with masks: layouts, what values and colours mean, and what is wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.errors import DataError, SettingError
from assay.sources._mask_classes import VOC
from assay.sources._mask_pairs import find_pairs
from assay.sources.images import recognise_images
from assay.sources.label_mask import LabelMask
from assay.sources.masks import read_masks, read_pictures, recognise_masks
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from mask_examples import example, write_mask, write_pairs

Array = np.ndarray[Any, Any]


def read(folder: Path, **options: Any) -> Records:
    return read_masks(open_source(folder), DataOptions(**options))


def masks_of(records: Records) -> dict[str, Array]:
    index = records.index()
    texts = index["target"].to_pylist()
    return {name: LabelMask.from_text(text).array() for name, text in zip(index["id"].to_pylist(), texts, strict=True)}


def kinds(records: Records) -> dict[str, int]:
    return {problem.kind: problem.count for problem in records.problems}


def picture(file: Path, size: tuple[int, int] = (10, 12), seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(file)


def test_folders_side_by_side(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    source = open_source(tmp_path)
    found, other = recognise_masks(source), recognise_images(source)
    assert found is not None and other is not None and found.score > other.score
    records = read(tmp_path)
    assert records.facts["classes"] == ["background", "1", "2"]
    assert records.facts["background"] == 0
    for name, mask in masks_of(records).items():
        np.testing.assert_array_equal(mask, example(int(Path(name).stem))[1])
    assert not records.problems


def test_a_zip_is_read_as_its_folder(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data", 5)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "data"))
    one, other = read(tmp_path / "data"), read(packed)
    assert one.index()["target"].to_pylist() == other.index()["target"].to_pylist()


LAYOUTS = {
    "sides above": (["train/images/a.jpg", "val/images/b.jpg"], ["train/masks/a.png", "val/masks/b.png"]),
    "sides below": (["images/train/a.jpg", "images/test/b.jpg"], ["labels/train/a.png", "labels/test/b.png"]),
    "sides in the folder's name": (
        ["train_images/a.jpg", "val_images/b.jpg"],
        ["train_masks/a.png", "val_masks/b.png"],
    ),
    "suffix": (["a.jpg", "b.jpg"], ["a_mask.png", "b_mask.png"]),
    "suffix in folders": (["x/images/a.jpg", "x/images/b.jpg"], ["x/masks/a_mask.png", "x/masks/b_seg.png"]),
    "pictures anywhere": (["a.jpg", "b.jpg"], ["masks/a.png", "masks/b.png"]),
    "VOC": (["JPEGImages/a.jpg", "JPEGImages/b.jpg"], ["SegmentationClass/a.png", "SegmentationClass/b.png"]),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(kind: str) -> None:
    pictures, masks = LAYOUTS[kind]
    found = find_pairs([*pictures, *masks, "readme.txt"])
    assert {name: group[""] for name, group in found.masks.items()} == {
        picture: [mask] for picture, mask in zip(pictures, masks, strict=True)
    }
    assert not found.pictures_alone and not found.masks_alone and found.stray == ["readme.txt"]


@pytest.mark.parametrize(
    "masks",
    [
        ["masks/cat/a.png", "masks/dog/a.png", "masks/cat/b.png"],
        ["masks/a/cat.png", "masks/a/dog.png", "masks/b/cat.png"],
        ["masks/a_cat.png", "masks/a_dog.png", "masks/b_cat.png"],
    ],
)
def test_a_mask_for_each_class(masks: list[str], tmp_path: Path) -> None:
    found = find_pairs(["images/a.jpg", "images/b.jpg", *masks])
    assert found.classes == ("cat", "dog") and not found.objects
    for number, name in enumerate(masks):
        mask = np.zeros((10, 12), np.uint8)
        mask[number : number + 3] = 255
        write_mask(tmp_path / name, mask)
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.jpg", seed=1)
    records = read(tmp_path)
    assert records.facts["classes"] == ["background", "cat", "dog"]
    assert masks_of(records)["images/a.jpg"][:5, 0].tolist() == [1, 2, 2, 2, 0]


def test_files_of_objects_are_joined(tmp_path: Path) -> None:
    """The layout of the Data Science Bowl of 2018: a folder a picture, a mask an object."""
    for place, name in enumerate(("p", "q")):
        picture(tmp_path / name / "images" / f"{name}.png", seed=place)
        for number in range(3):
            mask = np.zeros((10, 12), np.uint8)
            mask[3 * number] = 255
            write_mask(tmp_path / name / "masks" / f"{name}{number}f.png", mask)
    records = read(tmp_path)
    assert records.facts["classes"] == ["background", "foreground"]
    assert masks_of(records)["p/images/p.png"][:, 0].tolist() == [1, 0, 0, 1, 0, 0, 1, 0, 0, 0]


def test_given_sides(tmp_path: Path) -> None:
    for side, count in (("train", 6), ("val", 2)):
        write_pairs(tmp_path / side, count)
    assert read(tmp_path).facts["split"] == {"train": 6, "validation": 2}
    assert "split" not in read(tmp_path, split="80/10/10").facts


def test_voc_lists_and_palettes(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        picture(tmp_path / "JPEGImages" / f"{name}.jpg", seed=number)
        mask = np.full((10, 12), 255, np.uint8)
        mask[:4], mask[6:] = 0, 15
        indexed = Image.fromarray(mask, "P")
        indexed.putpalette([value for value in range(256) for _ in range(3)])
        (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
        indexed.save(tmp_path / "SegmentationClass" / f"{name}.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("c\n")
    records = read(tmp_path)
    assert records.facts["classes"] == list(VOC)
    assert records.facts["split"] == {"train": 2, "validation": 1}
    assert masks_of(records)["JPEGImages/a.jpg"][:, 0].tolist() == [0] * 4 + [255] * 2 + [15] * 4


COLOURED = {
    "class_dict.csv": "name,r,g,b\nsky,0,0,255\nroad,128,64,128\nvoid,0,0,0\n",
    "classes.json": '[{"name": "sky", "color": [0, 0, 255]}, {"name": "road", "color": "#804080"}, '
    '{"name": "void", "color": [0, 0, 0]}]',
    "labelmap.txt": "# label:color_rgb:parts:actions\nsky:0,0,255::\nroad:128,64,128::\nvoid:0,0,0::\n",
    "label_colors.txt": "0 0 255\tsky\n128 64 128\troad\n0 0 0\tvoid\n",
}


@pytest.mark.parametrize("table", COLOURED)
def test_colours_by_a_table(table: str, tmp_path: Path) -> None:
    colours = np.asarray([[0, 0, 255], [128, 64, 128], [0, 0, 0], [126, 66, 128], [255, 255, 0]], np.uint8)
    mask = np.repeat(np.arange(5), [3, 3, 2, 1, 1])
    picture(tmp_path / "images" / "a.png")
    write_mask(tmp_path / "masks" / "a.png", colours[np.repeat(mask[:, None], 12, axis=1)])
    (tmp_path / table).write_text(COLOURED[table])
    records = read(tmp_path)
    assert records.facts["classes"] == ["sky", "road"]
    assert masks_of(records)["images/a.png"][:, 0].tolist() == [0] * 3 + [1] * 3 + [255] * 2 + [1, 255]
    assert kinds(records) == {"colour-without-class": 1}


def test_colours_without_a_table(tmp_path: Path) -> None:
    colours = np.asarray([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    picture(tmp_path / "images" / "a.png")
    write_mask(tmp_path / "masks" / "a.png", colours[np.repeat(np.arange(10) % 3, 12).reshape(10, 12)])
    records = read(tmp_path)
    assert records.facts["classes"] == ["background", "#00ff00", "#ff0000"]
    assert masks_of(records)["images/a.png"][:3, 0].tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        ([0, 255], ["background", "foreground"], [0, 1]),
        ([0, 1], ["background", "foreground"], [0, 1]),
        ([0, 1, 255], ["background", "foreground"], [0, 1, 255]),
        ([0, 128, 255], ["background", "128", "255"], [0, 1, 2]),
        ([0, 3, 7, 255], ["background", "3", "7"], [0, 1, 2, 255]),
        ([1, 2, 3], ["1", "2", "3"], [0, 1, 2]),
    ],
)
def test_what_values_mean(values: list[int], classes: list[str], expected: list[int], tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    mask = np.resize(np.asarray(values, np.uint8), (10, 12))
    write_mask(tmp_path / "masks" / "a.png", mask)
    records = read(tmp_path)
    assert records.facts["classes"] == classes
    np.testing.assert_array_equal(masks_of(records)["images/a.png"], np.resize(expected, (10, 12)))


def test_numbers_of_objects_are_foreground(tmp_path: Path) -> None:
    """Masks of 16 bits, as those of `dsb2018_nuclei`; and `--mask-kind` overrules what they look like."""
    for name, objects in (("a", 300), ("b", 12), ("c", 350)):
        picture(tmp_path / "images" / f"{name}.png", (20, 20), objects)
        mask = np.zeros(400, np.uint16)
        mask[:objects] = np.arange(objects) + 1
        write_mask(tmp_path / "labels" / f"{name}.png", mask.reshape(20, 20))
    found = recognise_masks(open_source(tmp_path))
    assert found is not None and "objects" in found.why
    records = read(tmp_path)
    assert records.facts["classes"] == ["background", "foreground"]
    assert masks_of(records)["images/b.png"].sum() == 12
    with pytest.raises(DataError, match="different values"):
        read(tmp_path, extra={"mask_kind": "classes"})
    with pytest.raises(SettingError, match="--mask-kind"):
        read(tmp_path, extra={"mask_kind": "objects"})


def test_numbers_of_objects_with_a_gap_are_not_taken_for_black(tmp_path: Path) -> None:
    objects = np.repeat(np.delete(np.arange(32, dtype=np.uint8), 20), 4).reshape(31, 4)
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", (31, 4), number)
        write_mask(tmp_path / "masks" / f"{number}.png", objects)
    found = read(tmp_path, extra={"mask_kind": "instances"})
    assert not kinds(found)
    for mask in masks_of(found).values():
        np.testing.assert_array_equal(mask, objects > 0)


def test_sixteen_bits_for_few_classes(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    write_mask(tmp_path / "masks" / "a.png", np.resize(np.asarray([0, 2, 5], np.uint16), (10, 12)))
    assert read(tmp_path).facts["classes"] == ["background", "2", "5"]


def test_jpeg_masks_of_two_levels_are_mended_and_others_refused(tmp_path: Path) -> None:
    for name, step in (("two", 255), ("many", 25)):
        for number in range(3):
            rows = np.arange(64)[:, None] // 8 * step % 256
            mask = np.broadcast_to(rows if step != 255 else (np.arange(64)[:, None] // 32) * 255, (64, 64))
            picture(tmp_path / name / "images" / f"{number}.png", (64, 64), number)
            file = tmp_path / name / "masks" / f"{number}.jpg"
            file.parent.mkdir(exist_ok=True)
            noise = np.random.default_rng(number).normal(0, 6, (64, 64))
            Image.fromarray(np.clip(mask + noise, 0, 255).astype(np.uint8)).save(file, quality=60)
    records = read(tmp_path / "two")
    assert kinds(records)["mask-with-many-values"] == 3
    assert masks_of(records)["images/0.png"].mean() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(DataError, match=r"masks/.\.jpg: the mask holds \d+ different values") as error:
        read(tmp_path / "many")
    assert "PNG" in error.value.hint


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    write_pairs(tmp_path, 9)
    shutil.copy(tmp_path / "images" / "000.png", tmp_path / "images" / "alone.png")
    shutil.copy(tmp_path / "masks" / "000.png", tmp_path / "masks" / "nobody.png")
    write_mask(tmp_path / "masks" / "001.png", np.zeros((7, 9), np.uint8))
    write_mask(tmp_path / "masks" / "002.png", np.zeros((40, 48), np.uint8))
    (tmp_path / "masks" / "003.png").write_bytes(b"")
    (tmp_path / "masks" / "004.png").write_bytes((tmp_path / "masks" / "004.png").read_bytes()[:60])
    records = read(tmp_path)
    places = {problem.kind: problem.examples[0].file for problem in records.problems}
    assert places["picture-without-mask"] == "images/alone.png"
    assert places["mask-without-picture"] == "masks/nobody.png"
    assert places["mask-of-another-size"] == "masks/001.png"
    assert places["empty-mask"] == "masks/002.png"
    assert kinds(records)["unreadable-mask"] == 2
    assert records.facts["samples"] == 6
    assert read_pictures(open_source(tmp_path)).facts["samples"] == 10


def test_masks_that_all_have_another_size_are_an_error(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3)
    for file in (tmp_path / "masks").iterdir():
        write_mask(file, np.zeros((20, 24), np.uint8))
    with pytest.raises(DataError, match=r"masks/000\.png: the mask has 24 x 20 pixels, its picture .* 48 x 40"):
        read(tmp_path)


def test_masks_of_one_class_are_an_error(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3)
    for file in (tmp_path / "masks").iterdir():
        write_mask(file, np.zeros((40, 48), np.uint8))
    with pytest.raises(DataError, match="all pixels of all masks are of one class, 'background'"):
        read(tmp_path)


def test_ids_beyond_the_table(tmp_path: Path) -> None:
    """In one mask they are void and noted; in most, the table is wrong."""
    write_pairs(tmp_path, 6)
    (tmp_path / "classes.csv").write_text("id,name\n0,ground\n1,disc\n2,square\n")
    mask = example(0)[1]
    mask[:2] = 9
    write_mask(tmp_path / "masks" / "000.png", mask)
    records = read(tmp_path)
    assert records.facts["classes"] == ["ground", "disc", "square"]
    assert kinds(records) == {"value-without-class": 1}
    assert (masks_of(records)["images/000.png"][:2] == 255).all()
    (tmp_path / "classes.csv").write_text("id,name\n0,ground\n1,disc\n")
    with pytest.raises(DataError, match=r"classes\.csv does not name"):
        read(tmp_path)


def test_a_table_of_pictures_and_masks(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data", 6)
    rows = [f"data/images/{n:03}.png,data/masks/{n:03}.png,{'train' if n < 4 else 'test'},g{n // 2}" for n in range(6)]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(["image,mask,split,slide", *rows, "data/images/nothing.png,data/masks/000.png,train,g9"]))
    source = open_source(file)
    found, other = recognise_masks(source), recognise_images(source)
    assert found is not None and (other is None or found.score > other.score)
    records = read(file, group="slide")
    assert records.facts["split"] == {"test": 2, "train": 4}
    assert records.index()["group"].to_pylist() == ["g0", "g0", "g1", "g1", "g2", "g2"]
    assert kinds(records) == {"missing-file": 1}
    np.testing.assert_array_equal(masks_of(records)["data/images/003.png"], example(3)[1])
    with pytest.raises(SettingError, match="no column 'patient'"):
        read(file, group="patient")
    assert read_pictures(source).facts["samples"] == 6


def test_folders_of_classes_are_no_masks(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        picture(tmp_path / name / "1.jpg")
    assert recognise_masks(open_source(tmp_path)) is None
    with pytest.raises(DataError, match="none of them is the mask of another"):
        read(tmp_path)


def test_masks_as_text() -> None:
    mask = np.random.default_rng(0).integers(0, 3, (17, 9)).astype(np.uint8)
    kept = LabelMask.of(mask)
    np.testing.assert_array_equal(LabelMask.from_text(kept.to_text()).array(), mask)
    assert kept.pixels(3).tolist() == np.bincount(mask.ravel(), minlength=3).tolist()
    for damaged in ("", "abc", kept.to_text()[:-3], kept.to_text()[:12]):
        with pytest.raises(DataError, match="a stored mask is damaged"):
            LabelMask.from_text(damaged)


@pytest.mark.data
def test_nuclei(data_set: Callable[[str], Path]) -> None:
    records = read(data_set("dsb2018_nuclei") / "dsb2018_nuclei.zip")
    assert records.facts["samples"] == 207
    assert records.facts["classes"] == ["background", "foreground"]


@pytest.mark.parametrize("option", ["target", "group"])
def test_columns_are_refused_where_folders_have_none(option: str, tmp_path: Path) -> None:
    write_pairs(tmp_path)
    with pytest.raises(SettingError, match=f"--{option} patient is not possible"):
        read(tmp_path, **{option: "patient"})
