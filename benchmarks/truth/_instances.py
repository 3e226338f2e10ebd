"""Wrong labels planted in pictures with boxes, cells or masks: some removed, moved, added, or given another class."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _common import data_root

Array = np.ndarray[Any, Any]
#: Pixels from the original at which a moved point lies, and that an added one is away from all others.
_MOVED, _AWAY = 15.0, 15.0
_TRIES = 60


@dataclass(frozen=True)
class Wrong:
    """One planted error.

    Attributes:
        kind: `removed`, `moved`, `added` or `class`.
        boxes: where it is to be seen, x0, y0, x1, y1: a moved label where it was and where it is.
    """

    kind: str
    boxes: tuple[tuple[float, float, float, float], ...]


@dataclass
class Source:
    """Data with planted errors.

    Attributes:
        path: of the data.
        task: the application.
        options: further data options.
        group: the group of each picture, by its name without folder and ending.
        wrong: what was planted, likewise.
        labels: how many labels there were.
    """

    path: Path
    task: str
    options: dict[str, Any] = field(default_factory=dict)
    group: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, list[Wrong]] = field(default_factory=dict)
    labels: int = 0


def kinds_of(count: int, share: float, classes: bool, random: np.random.Generator) -> list[str]:
    """What befalls each of some labels: "" for most, the kinds of error in equal shares for the others."""
    kinds = ["removed", "moved", "added", *(["class"] if classes else [])]
    struck = random.random(count) < share
    return [kinds[int(random.integers(len(kinds)))] if hit else "" for hit in struck]


def blood(folder: Path, share: float, seed: int) -> Source:
    """Blood cells in boxes (BCCD)."""
    random, origin = np.random.default_rng([seed, 31]), data_root() / "bccd"
    source = Source(folder, "object-detection")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "Annotations").mkdir(parents=True)
    (folder / "JPEGImages").symlink_to((origin / "JPEGImages").resolve())
    for file in sorted((origin / "Annotations").glob("*.xml")):
        text, name = file.read_text(), file.stem
        head, tail = text[: text.index("<object>")], "</annotation>"
        found = re.findall(r"<object>.*?</object>", text, re.S)
        width, height = (int(re.search(rf"<{side}>(\d+)", head)[1]) for side in ("width", "height"))  # type: ignore[index]
        labels = [_voc(one) for one in found]
        source.labels += len(labels)
        source.wrong[name] = []
        kept: list[tuple[str, Array]] = []
        boxes = np.asarray([box for _, box in labels], float)
        for place, kind in enumerate(kinds_of(len(labels), share, True, random)):
            label, box = labels[place]
            other = _elsewhere(box, boxes, (width, height), random) if kind in ("moved", "added") else None
            kept += _struck(kind, label, box, other, random, source.wrong[name])
        objects = "".join(_written(label, box) for label, box in kept)
        (folder / "Annotations" / file.name).write_text(head + objects + tail)
    return source


def _voc(text: str) -> tuple[str, Array]:
    sides = [float(re.search(rf"<{name}>([\d.]+)", text)[1]) for name in ("xmin", "ymin", "xmax", "ymax")]  # type: ignore[index]
    return re.search(r"<name>(.*?)</name>", text)[1], np.asarray(sides)  # type: ignore[index]


def _written(label: str, box: Array) -> str:
    corners = "".join(f"<{name}>{round(float(value))}</{name}>"
                      for name, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))  # fmt: skip
    return f"<object><name>{label}</name><difficult>0</difficult><bndbox>{corners}</bndbox></object>"


def _struck(kind: str, label: str, box: Array, other: Array | None, random: np.random.Generator,
            wrong: list[Wrong]) -> list[tuple[str, Array]]:  # fmt: skip
    """The labels that stand in the place of one; notes what is wrong with them."""
    if kind == "removed":
        wrong.append(Wrong(kind, (tuple(box),)))
        return []
    if kind == "class":
        wrong.append(Wrong(kind, (tuple(box),)))
        others = [name for name in ("RBC", "WBC", "Platelets") if name != label]
        return [(others[int(random.integers(2))], box)]
    if kind == "moved":
        size = box[2:] - box[:2]
        turn = random.uniform(0, 2 * np.pi)
        step = 0.6 * size * np.asarray([np.cos(turn), np.sin(turn)])
        step = np.where(np.abs(step) < 0.2 * size, 0.2 * size * np.sign(step), step)
        moved = np.maximum(box + np.tile(step, 2), 1)
        wrong.append(Wrong(kind, (tuple(box), tuple(moved))))
        return [(label, moved)]
    if kind == "added" and other is not None:
        wrong.append(Wrong(kind, (tuple(other),)))
        return [(label, box), (label, other)]
    return [(label, box)]


def _elsewhere(box: Array, boxes: Array, size: tuple[int, int], random: np.random.Generator) -> Array | None:
    """A box of the same size that overlaps none; None where no place is found."""
    wide, high = box[2:] - box[:2]
    for _ in range(_TRIES):
        x, y = random.uniform(1, max(2, size[0] - wide)), random.uniform(1, max(2, size[1] - high))
        apart = (x > boxes[:, 2]) | (x + wide < boxes[:, 0]) | (y > boxes[:, 3]) | (y + high < boxes[:, 1])
        if apart.all():
            return np.asarray([x, y, x + wide, y + high])
    return None


def points(folder: Path, share: float, seed: int) -> Source:
    """Nuclei as points of four classes in colorectal cancer; the groups are blocks of five consecutive images."""
    random, origin = np.random.default_rng([seed, 32]), data_root() / "crc_nuclei"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "images").symlink_to((origin / "images").resolve())
    source = Source(folder, "cell-detection", {"first_pixel": 1})
    with open(origin / "nuclei.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    source.labels = len(rows)
    classes = sorted({row["class"] for row in rows} - {"unlabelled"})
    lines = ["image,x,y,class"]
    for name in sorted({row["image"] for row in rows}):
        own = [row for row in rows if row["image"] == name]
        places = np.asarray([[float(row["x"]), float(row["y"])] for row in own])
        stem = Path(name).stem
        source.group[stem] = str((int(re.sub(r"\D", "", stem)) - 1) // 5)
        wrong = source.wrong[stem] = []
        for place, kind in enumerate(kinds_of(len(own), share, True, random)):
            (x, y), label = places[place], own[place]["class"]
            if kind == "class" and label == "unlabelled":
                kind = "removed"
            lines += [f"{name},{a:g},{b:g},{c}"
                      for a, b, c in _struck_point(kind, x, y, label, places, classes, random, wrong)]  # fmt: skip
    (folder / "nuclei.csv").write_text("\n".join(lines) + "\n")
    return source


def _struck_point(kind: str, x: float, y: float, label: str, places: Array, classes: list[str],
                  random: np.random.Generator, wrong: list[Wrong]) -> list[tuple[float, float, str]]:  # fmt: skip
    """The points that stand in the place of one; notes what is wrong with them."""
    here = (x - 1, y - 1, x, y)  # the table counts from 1
    if kind == "removed":
        wrong.append(Wrong(kind, (here,)))
        return []
    if kind == "class":
        wrong.append(Wrong(kind, (here,)))
        others = [name for name in classes if name != label]
        return [(x, y, others[int(random.integers(len(others)))])]
    for _ in range(_TRIES if kind in ("moved", "added") else 0):
        turn = random.uniform(0, 2 * np.pi)
        step = _MOVED * np.asarray([np.cos(turn), np.sin(turn)])
        a, b = np.asarray([x, y]) + step if kind == "moved" else random.uniform(8, 492, 2)
        if 4 < a < 496 and 4 < b < 496 and np.hypot(*(places - (a, b)).T).min() > (8 if kind == "moved" else _AWAY):
            there = (a - 1, b - 1, a, b)
            wrong.append(Wrong(kind, (here, there) if kind == "moved" else (there,)))
            return [(a, b, label)] if kind == "moved" else [(x, y, label), (a, b, label)]
    return [(x, y, label)]


def outlines(folder: Path, share: float, seed: int, task: str) -> Source:
    """Nuclei outlined in stained tissue (Data Science Bowl 2018), for cells or for masks; groups are mosaics."""
    from PIL import Image

    random, origin = np.random.default_rng([seed, 33]), data_root() / "dsb2018_nuclei"
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    with open(origin / "index.csv", newline="") as file:
        stained = {row["id"] for row in csv.DictReader(file) if row["kind"] == "stained_colour"}
    with open(origin / "mosaic.csv", newline="") as file:
        group = {row["id"]: row["mosaic"] for row in csv.DictReader(file) if row["id"] in stained}
    source = Source(folder, task, {"mask_kind": "instances"} if task == "segmentation" else {}, group)
    with zipfile.ZipFile(origin / "dsb2018_nuclei.zip") as archive:
        for name in sorted(group):
            (folder / "images" / f"{name}.png").write_bytes(archive.read(f"images/{name}.png"))
            with archive.open(f"labels/{name}.png") as file:
                labels = np.asarray(Image.open(file)).astype(np.int32)
            source.wrong[name], source.labels = [], source.labels + len(np.unique(labels)) - 1
            _strike(labels, share, random, source.wrong[name])
            Image.fromarray(labels.astype(np.uint16)).save(folder / "labels" / f"{name}.png")
    return source


def _strike(labels: Array, share: float, random: np.random.Generator, wrong: list[Wrong]) -> None:
    """Plants errors in an instance map (H, W); changes it."""
    numbers = np.unique(labels)[1:]
    for number, kind in zip(numbers, kinds_of(len(numbers), share, False, random), strict=True):
        rows, columns = np.nonzero(labels == number)
        if not kind or not len(rows):
            continue
        here = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        if kind == "removed":
            labels[rows, columns] = 0
            wrong.append(Wrong(kind, (tuple(map(float, here)),)))
            continue
        place = _free_shift(labels, rows, columns, kind, random)
        if place is None:
            continue
        if kind == "moved":
            labels[rows, columns] = 0
        labels[rows + place[0], columns + place[1]] = number if kind == "moved" else labels.max() + 1
        there = tuple(float(one + step) for one, step in zip(here, (place[1], place[0]) * 2, strict=True))
        wrong.append(Wrong(kind, (tuple(map(float, here)), there) if kind == "moved" else (there,)))  # type: ignore[arg-type]


def _free_shift(labels: Array, rows: Array, columns: Array, kind: str, random: np.random.Generator) -> Any:
    """Rows and columns by which a nucleus can be moved onto free ground; None where there is none."""
    high, wide = labels.shape
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    for _ in range(_TRIES):
        if kind == "moved":
            turn = random.uniform(0, 2 * np.pi)
            down, right = (np.rint(1.0 * side * np.asarray([np.sin(turn), np.cos(turn)]))).astype(int)
        else:
            down = int(random.integers(-rows.min(), high - rows.max()))
            right = int(random.integers(-columns.min(), wide - columns.max()))
        inside = rows.min() + down >= 0 and rows.max() + down < high
        inside &= columns.min() + right >= 0 and columns.max() + right < wide
        if inside and not labels[rows + down, columns + right].any():
            return down, right
    return None
