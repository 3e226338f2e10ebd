"""Cells in every layout: points, label images, masks a cell, boxes, PanNuke, MoNuSAC; and what is wrong with them."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.errors import DataError, MissingExtraError, SettingError
from assay.evaluation.cells import painted
from assay.samples.cell_spec import target_cells
from assay.sources.cell_masks import read_labels
from assay.sources.cells import read_cells, recognise_cells
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from cell_examples import example, write_masks, write_points
from real_data import DATA


def read(path: Path, **options: object) -> Records:
    return read_cells(open_source(path), DataOptions(**options))  # type: ignore[arg-type]


def problems(records: Records) -> dict[str, int]:
    return {problem.kind: problem.count for problem in records.problems}


def zipped(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return target


def test_points_of_a_table(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=3)
    for source in (folder, folder / "cells.csv", zipped(folder)):
        found = recognise_cells(open_source(source))
        assert found is not None and found.score > 0.95
        records = read(source)
        cells = target_cells(records.index()["target"], ("long", "round"), False)
        for number, one in enumerate(cells):
            true = example(number).places
            np.testing.assert_allclose(one.places, [place[:2] for place in true])
            known = [("long", "round").index(place[2]) if at % 5 != 4 else -1 for at, place in enumerate(true)]
            assert one.label.tolist() == known
    assert records.facts["classes"] == 2 and problems(records)["cell-without-class"] == 6


def test_coordinates_that_are_counted_from_one(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=2)
    first, second = (target_cells(read(folder, extra=extra).index()["target"], (), False)[0].places
                     for extra in ({}, {"first_pixel": "1"}))  # fmt: skip
    np.testing.assert_allclose(first - 1, second)
    with pytest.raises(SettingError, match="first-pixel"):
        read(folder, extra={"first_pixel": "2"})


def test_rows_that_are_of_no_use_are_named(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=3)
    table = folder / "cells.csv"
    bad = ["p00,500,3,round", "p00,-4,3,round", "p01,oops,3,round", "nowhere,1,1,round", "p02,9,9,x", "p02,9,9,x"]
    table.write_text(table.read_text() + "\n".join(bad) + "\n")
    Image.fromarray(example(9).picture).save(folder / "images" / "unmarked.png")
    records = read(folder)
    found = problems(records)
    wanted = {
        "cell-outside-image": 2,
        "no-coordinates": 1,
        "missing-file": 1,
        "repeated-point": 1,
        "image-without-points": 1,
    }
    assert wanted.items() <= found.items()
    place = next(problem for problem in records.problems if problem.kind == "no-coordinates").examples[0]
    assert place.file == "cells.csv" and place.row == 34
    assert "unmarked.png" not in str(records.index()["id"].to_pylist())


def test_a_picture_whose_marks_are_all_of_no_use_is_none_without_cells(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=4)
    table = folder / "cells.csv"
    rows = [row for row in table.read_text().splitlines() if not row.startswith(("p01", "p02"))]
    table.write_text("\n".join([*rows, "p01,oops,3,round", "p02,500,3,round", "p02,3,nan,round"]) + "\n")
    records = read(folder)
    assert problems(records)["image-without-usable-cell"] == 2 and "image-without-cells" not in problems(records)
    assert len(records.index()) == 2 and records.facts["images_without_cells"] == 0
    table.write_text("\n".join([rows[0], "p01,oops,3,round", "p02,500,3,round"]) + "\n")
    with pytest.raises(DataError, match=r"no cell is marked in any of the images \(.*1 no-coordinates") as told:
        read(folder)
    assert "1 cell-outside-image" in told.value.message and "in pixels" in told.value.hint


def test_pictures_without_cells_are_kept_where_a_table_names_them(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=3)
    for name in ("blank", "empty"):
        Image.fromarray(np.full((96, 96, 3), 230, np.uint8)).save(folder / "images" / f"{name}.png")
    table = folder / "cells.csv"
    table.write_text(table.read_text() + "blank,,,\n")
    names = [f"p{number:02}" for number in range(3)]
    (folder / "about.csv").write_text(
        "image,slide\n" + "\n".join(f"{one},s{one}" for one in [*names, "blank", "empty"])
    )
    records = read(folder, group="slide")
    index = records.index()
    assert index.num_rows == 5 and problems(records)["image-without-cells"] == 2
    assert index["group"].to_pylist() == ["sblank", "sempty", "sp00", "sp01", "sp02"]
    with pytest.raises(SettingError, match="no table about the images has a column 'nothing'"):
        read(folder, group="nothing")
    with pytest.raises(SettingError, match="has no column 'kind'"):
        read(folder, target="kind")


def test_sides_of_a_table(tmp_path: Path) -> None:
    folder = write_points(tmp_path / "data", count=3)
    lines = (folder / "cells.csv").read_text().splitlines()
    sides = {"p00": "train", "p01": "val", "p02": "test"}
    (folder / "cells.csv").write_text(
        "\n".join([f"{lines[0]},split", *(f"{one},{sides[one[:3]]}" for one in lines[1:])])
    )
    assert read(folder).index()["split"].to_pylist() == ["train", "validation", "test"]
    assert "split" not in read(folder, split="80/10/10").index().column_names
    (folder / "cells.csv").write_text((folder / "cells.csv").read_text() + "\np00,2,2,round,test\n")
    with pytest.raises(DataError, match="has two values in the column 'split'"):
        read(folder)


def test_a_table_beside_each_picture(tmp_path: Path) -> None:
    for number in range(3):
        one = example(number)
        Image.fromarray(one.picture).save(tmp_path / f"p{number}.png")
        lines = ["x,y,class", *(f"{x},{y},{kind}" for x, y, kind in one.places)]
        (tmp_path / f"p{number}.csv").write_text("\n".join(lines if number < 2 else lines[:1]))
    records = read(tmp_path)
    assert [len(one) for one in records.index()["target"].to_pylist()] == [10, 10, 0]


def test_label_images(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "data", count=4)
    records = read(folder)
    assert records.facts["marked_by"] == "outlines" and records.facts["cells"] == 40
    for number, one in enumerate(target_cells(records.index()["target"], (), True)):
        np.testing.assert_array_equal(painted(one.outlines, 96, 96), example(number).labels)
        np.testing.assert_allclose(one.places, [place[:2] for place in example(number).places], atol=1e-4)
    (folder / "images.csv").write_text("image,slide,split\n" + "\n".join(f"p{n:02},s,train" for n in range(4)))
    assert read(folder, group="slide").index()["group"].to_pylist() == ["s"] * 4


def test_a_mask_a_cell(tmp_path: Path) -> None:
    for number in range(3):
        one = example(number)
        for name in ("images", "masks"):
            (tmp_path / f"i{number}" / name).mkdir(parents=True)
        Image.fromarray(one.picture).save(tmp_path / f"i{number}/images/i{number}.png")
        for cell in range(1, 11):
            Image.fromarray(((one.labels == cell) * 255).astype(np.uint8)).save(
                tmp_path / f"i{number}/masks/{cell}.png"
            )
    records = read(tmp_path)
    assert records.facts["cells"] == 30
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "i0/masks/odd.png")
    assert problems(read(tmp_path)) == {"mask-of-another-size": 1}


def test_label_images_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "data", count=5)
    Image.fromarray(np.zeros((50, 96), np.uint16)).save(folder / "labels" / "p00.png")
    (folder / "labels" / "p01.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.fromarray(np.zeros((96, 96), np.uint16)).save(folder / "labels" / "p02.png")
    Image.fromarray(example(7).picture).save(folder / "images" / "alone.png")
    Image.fromarray(example(7).labels).save(folder / "labels" / "nobody.png")
    records = read(folder)
    assert records.index()["id"].to_pylist() == ["images/p02.png", "images/p03.png", "images/p04.png"]
    wanted = {"mask-of-another-size": 1, "undecodable-mask": 1, "image-without-cells": 1, "image-without-labels": 1,
              "mask-without-image": 1}  # fmt: skip
    assert problems(records) == wanted


def test_masks_of_classes_are_no_cells(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "data", count=3)
    for file in (folder / "labels").iterdir():
        values = np.asarray(Image.open(file))
        Image.fromarray(((values > 0) + (values > 5)).astype(np.uint8)).save(file)
    assert recognise_cells(open_source(folder)) is None


def test_boxes_become_centres(tmp_path: Path) -> None:
    import json

    Image.fromarray(example(0).picture).save(tmp_path / "p.png")
    images = [{"id": 1, "file_name": "p.png", "width": 96, "height": 96}]
    marks = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 20, 11, 7], "area": 77, "iscrowd": 0}]
    coco = {"images": images, "annotations": marks, "categories": [{"id": 3, "name": "RBC"}]}
    (tmp_path / "a.json").write_text(json.dumps(coco))
    found = recognise_cells(open_source(tmp_path))
    assert found is not None and found.score < 0.9
    cell = read(tmp_path).index()["target"].to_pylist()[0][0]
    assert (cell["x"], cell["y"], cell["label"]) == (15.0, 23.0, "RBC")
    assert cell["radius"] == pytest.approx(np.sqrt(77) / 2)


def pannuke(folder: Path, folds: int = 3) -> Path:
    for fold in range(1, folds + 1):
        images, masks = np.zeros((3, 64, 64, 3)), np.zeros((3, 64, 64, 6))
        for row in range(3):
            images[row] = 200 + fold + row
            masks[row, 5:12, 6:14, 0], masks[row, 30:40, 30:44, 4] = 1, 3
        for kind, values in (("images", images), ("masks", masks)):
            place = folder / f"Fold {fold}" / kind / f"fold{fold}"
            place.mkdir(parents=True)
            np.save(place / f"{kind}.npy", values)
        np.save(
            folder / f"Fold {fold}" / "images" / f"fold{fold}" / "types.npy", np.asarray(["Breast", "Colon", "Colon"])
        )
    return folder


def test_pannuke(tmp_path: Path) -> None:
    records = read(pannuke(tmp_path))
    index = records.index()
    assert index["split"].to_pylist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    cells = index["target"].to_pylist()[0]
    assert [(one["label"], one["x"], one["y"]) for one in cells] == [
        ("neoplastic", 9.5, 8.0),
        ("epithelial", 36.5, 34.5),
    ]
    assert records.load is not None and records.load("fold2/1").tolist() == np.full((64, 64, 3), 203).tolist()
    assert read(tmp_path, split="80/10/10", group="types").index()["group"].to_pylist()[:2] == ["Breast", "Colon"]
    place = tmp_path / "Fold 2/masks/fold2/masks.npy"
    np.save(place, np.zeros((3, 64, 60, 6)))
    with pytest.raises(DataError, match=r"masks are \(3, 64, 64, 6\)"):
        read(tmp_path)
    place.write_bytes(b"no array")
    with pytest.raises(DataError, match="the array is damaged"):
        read(tmp_path)


_XML = """<Annotations><Annotation Id="1"><Attributes><Attribute Name="{kind}" Id="0" Value=""/></Attributes><Regions>
<Region Id="1"><Vertices>{vertices}</Vertices></Region></Regions></Annotation></Annotations>"""


def monusac(folder: Path) -> Path:
    tifffile = pytest.importorskip("tifffile")
    corners = [(10, 10), (20, 10), (20, 24), (10, 24)]
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in corners)
    for number, kind in enumerate(("Epithelial", "Lymphocyte")):
        place = folder / f"TCGA-5P-A9K{number}-01Z-00-DX1"
        place.mkdir(parents=True)
        name = f"TCGA-5P-A9K{number}-01Z-00-DX1_1"
        tifffile.imwrite(place / f"{name}.svs", example(number).picture, photometric="rgb", tile=(32, 32))
        Image.fromarray(example(number).picture).save(place / f"{name}.tif")
        (place / f"{name}.xml").write_text(_XML.format(kind=kind, vertices=vertices))
    return folder


def test_monusac(tmp_path: Path) -> None:
    records = read(monusac(tmp_path))
    index = records.index()
    assert index["group"].to_pylist() == ["TCGA-5P-A9K0", "TCGA-5P-A9K1"]
    first = index["target"].to_pylist()[0][0]
    assert first["label"] == "Epithelial" and (first["x"], first["y"]) == pytest.approx((15, 17), abs=0.6)
    broken = next(tmp_path.rglob("*A9K1*.xml"))
    broken.write_text("<Annotations><Annotation>")
    assert problems(read(tmp_path)) == {"unreadable-annotation": 1}
    next(tmp_path.rglob("*A9K0*.svs")).write_bytes(b"")
    with pytest.raises(DataError):
        read(tmp_path)


def test_other_xml_is_none_of_polygons(tmp_path: Path) -> None:
    Image.fromarray(example(0).picture).save(tmp_path / "a.jpg")
    box = "<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
    (tmp_path / "a.xml").write_text(f"<annotation><object><name>RBC</name>{box}</object></annotation>")
    found = recognise_cells(open_source(tmp_path))
    assert found is None or "polygons" not in found.why


def test_a_patient_on_both_given_sides_is_tested_alone(tmp_path: Path) -> None:
    for side in ("train", "test"):
        monusac(tmp_path / side)
    for file in (tmp_path / "test" / "TCGA-5P-A9K0-01Z-00-DX1").iterdir():
        file.rename(file.with_name(file.name.replace("DX1_1", "DX1_2")))
    for file in (tmp_path / "test" / "TCGA-5P-A9K1-01Z-00-DX1").iterdir():
        file.unlink()
    records = read(tmp_path)
    assert records.index()["split"].to_pylist() == ["test", "train"]
    assert problems(records) == {"patient-on-two-sides": 1}


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images with marked cells"):
        read(tmp_path)
    (tmp_path / "cells.csv").write_text("image,x,y\na.png,1,2\n")
    Image.fromarray(example(0).picture).save(tmp_path / "b.png")
    with pytest.raises(DataError):
        read(tmp_path)


@pytest.mark.data
def test_real_nuclei() -> None:
    folder = DATA / "crc_nuclei"
    if not (folder / "nuclei.csv").exists():
        pytest.skip("needs crc_nuclei in ASSAY_DATA")
    records = read(folder, extra={"first_pixel": "1"})
    assert records.facts["samples"] == 100 and records.facts["classes"] == 4
    assert 29_700 < records.facts["cells"] <= 29_762
    assert problems(records)["cell-without-class"] == 7313


def test_a_missing_tifffile_is_told_and_not_taken_for_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(stream, "TIFF")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(MissingExtraError, match=r"label images as TIFF"):
        read_labels(stream.getvalue(), "a.tif")
