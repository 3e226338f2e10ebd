"""Six pictures with boxes, written in each layout of labels that is read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.sources.boxes import read_boxes
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source

HEIGHT, WIDTH = 40, 60
CLASSES = ("cat", "dog")
#: By the picture's name: class, x0, y0, x1, y1, right and bottom exclusive; the last shows nothing.
TRUTH: dict[str, list[tuple[str, int, int, int, int]]] = {
    "a": [("cat", 3, 5, 20, 25), ("dog", 30, 10, 60, 40)],
    "b": [("dog", 0, 0, 10, 12)],
    "c": [("cat", 7, 8, 9, 38)],
    "d": [("cat", 12, 4, 40, 20), ("cat", 13, 21, 40, 30)],
    "e": [("dog", 1, 2, 50, 30)],
    "f": [],
}


def write_picture(file: Path, seed: int, height: int = HEIGHT, width: int = WIDTH, orientation: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    image = Image.fromarray(values)
    exif = image.getexif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif)
    file.write_bytes(stream.getvalue())


def pictures(folder: Path, names: str = "abcdef") -> None:
    for name in names:
        write_picture(folder / f"{name}.jpg", ord(name))


def voc_xml(name: str, boxes: list[Any], *, difficult: int = 0, filename: str | None = None, size: Any = None) -> str:
    height, width = size or (HEIGHT, WIDTH)
    objects = "".join(
        f"<object><name>{label}</name><difficult>{difficult}</difficult><part><name>head</name></part><bndbox>"
        f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>\n"
        for label, x0, y0, x1, y1 in boxes
    )
    return (
        f"<annotation>\n<filename>{filename or name + '.jpg'}</filename>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n{objects}</annotation>"
    )


def voc(folder: Path) -> None:
    pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, boxes in TRUTH.items():
        (folder / "Annotations" / f"{name}.xml").write_text(voc_xml(name, boxes))


def coco_json(names: str, **others: Any) -> dict[str, Any]:
    annotations = [
        {"image_id": ord(name), "category_id": 10 + CLASSES.index(label), "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for name in names
        for label, x0, y0, x1, y1 in TRUTH[name]
    ]
    return {
        "images": [
            {
                "id": ord(name),
                "file_name": f"{name}.jpg",
                "height": HEIGHT,
                "width": WIDTH,
                "farm": f"farm {name < 'c'}",
            }
            for name in names
        ],
        "categories": [{"id": 10 + place, "name": name} for place, name in enumerate(CLASSES)],
        "annotations": annotations,
        **others,
    }


def coco(folder: Path) -> None:
    pictures(folder / "images")
    (folder / "annotations.json").write_text(json.dumps(coco_json("abcdef")))


def yolo_line(label: str, x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT
    return f"{CLASSES.index(label)} {middle[0]:.9f} {middle[1]:.9f} {(x1 - x0) / WIDTH:.9f} {(y1 - y0) / HEIGHT:.9f}"


def yolo(folder: Path) -> None:
    pictures(folder / "images")
    (folder / "labels").mkdir()
    for name, boxes in TRUTH.items():
        (folder / "labels" / f"{name}.txt").write_text("\n".join(yolo_line(*box) for box in boxes))
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "README.txt").write_text("Pictures of cats and dogs.")


def cvat(folder: Path) -> None:
    pictures(folder / "images")
    inside = "".join(
        f'<image id="{place}" name="{name}.jpg" width="{WIDTH}" height="{HEIGHT}">\n'
        + "".join(
            f'<box label="{label}" occluded="0" xtl="{x0}.0" ytl="{y0}.0" xbr="{x1}.0" ybr="{y1}.0"></box>\n'
            for label, x0, y0, x1, y1 in boxes
        )
        + "</image>\n"
        for place, (name, boxes) in enumerate(TRUTH.items())
    )
    head = "<version>1.1</version><meta><task><name>pets</name></task></meta>\n"
    (folder / "annotations.xml").write_text(f"<?xml version='1.0'?>\n<annotations>{head}{inside}</annotations>")


def label_studio(folder: Path) -> None:
    pictures(folder / "pictures")
    tasks = []
    for number, (name, boxes) in enumerate(TRUTH.items()):
        result = [
            {
                "type": "rectanglelabels", "original_width": WIDTH, "original_height": HEIGHT,
                "value": {"x": 100 * x0 / WIDTH, "y": 100 * y0 / HEIGHT, "width": 100 * (x1 - x0) / WIDTH,
                          "height": 100 * (y1 - y0) / HEIGHT, "rotation": 0, "rectanglelabels": [label]},
            }
            for label, x0, y0, x1, y1 in boxes
        ]  # fmt: skip
        address = f"/data/upload/1/0a1b2c3d-{name}.jpg" if number % 2 else f"/data/local-files/?d=pictures%2F{name}.jpg"
        tasks.append({"id": number, "data": {"image": address}, "annotations": [{"result": result}]})
    (folder / "export.json").write_text(json.dumps(tasks))


def labelme(folder: Path) -> None:
    pictures(folder)
    for name, boxes in TRUTH.items():
        shapes = [
            {"label": label, "points": [[x1, y0], [x0, y1]], "shape_type": "rectangle", "flags": {}}
            if place == 0
            else {"label": label, "points": [[x0, y0], [x1, (y0 + y1) / 2], [x0 + 1, y1]], "shape_type": "polygon"}
            for place, (label, x0, y0, x1, y1) in enumerate(boxes)
        ]
        data = {
            "version": "5.0",
            "shapes": shapes,
            "imagePath": f"{name}.jpg",
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
        }
        (folder / f"{name}.json").write_text(json.dumps(data))


LAYOUTS = {"voc": voc, "coco": coco, "yolo": yolo, "cvat": cvat, "label_studio": label_studio, "labelme": labelme}


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
