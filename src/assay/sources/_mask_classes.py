"""The names of classes and the values or colours by which masks mean them: tables of many forms beside the masks.

Known: `classes.csv` and CamVid's `class_dict.csv` (a name, and an id or r, g, b or a colour as hexadecimal), JSON (a
list of names, of objects, or a mapping), CVAT's `labelmap.txt` ("name:r,g,b::"), "r g b name" a line, a name a line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import DataError
from assay.sources.store import Store

Colour = tuple[int, int, int]

#: The classes of Pascal VOC, whose masks carry their numbers as palette indices.
VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_FILES = re.compile(
    r"(classes|class_?dict|class_?names|label_?map|label_?colou?rs|colou?r_?map|palette)\.(csv|tsv|json|txt)|labels\.txt",
    re.IGNORECASE,
)
_NAMES = ("name", "class", "label", "class_name", "category", "title")
_IDS = ("id", "index", "value", "class_id", "label_id", "pixel", "pixel_value")
_COLOURS = ("color", "colour", "rgb", "color_rgb", "hex")
_VOID_NAMES = frozenset({"void", "ignore", "unlabeled", "unlabelled", "ignored", "undefined"})
BACKGROUNDS = frozenset({"background", "bg", "_background_", "back", "none", "__background__"})


@dataclass(frozen=True)
class ClassTable:
    """What a table beside the masks says.

    Attributes:
        file: where it stands.
        names: of the classes, in their order.
        values: the value of each in a mask of one channel; None where only colours are told.
        colours: the colour of each in a mask of three; None where only values are told.
        void_values: values that stand for no class.
        void_colours: colours that do.
    """

    file: str
    names: tuple[str, ...]
    values: tuple[int, ...] | None = None
    colours: tuple[Colour, ...] | None = None
    void_values: tuple[int, ...] = ()
    void_colours: tuple[Colour, ...] = ()


def find_class_table(store: Store) -> ClassTable | None:
    """The table of classes in a store, the one least deep; None where there is none.

    Raises:
        DataError: the file of that name cannot be understood.
    """
    found = [name for name in store.names if _FILES.fullmatch(name.rsplit("/", 1)[-1])]
    if not found:
        return None
    name = min(found, key=lambda one: (one.count("/"), one))
    return read_class_table(store.read(name), name)


def read_class_table(payload: bytes, file: str) -> ClassTable:
    """The table of classes in a file; raises `DataError` where it cannot be understood."""
    text = payload.decode("utf-8-sig", "replace")
    try:
        if file.lower().endswith(".json"):
            rows = _json_rows(json.loads(text))
        elif file.lower().endswith((".csv", ".tsv")):
            rows = _table_rows(text)
        else:
            rows = _line_rows(text)
        return _table(rows, file)
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(
            f"the table of classes cannot be understood ({error})",
            "Expected a name and an id or a colour for each class, such as a CSV with the columns name, r, g, b.",
            file=file,
        ) from error


@dataclass(frozen=True)
class _Row:
    name: str
    value: int | None = None
    colour: Colour | None = None


def _table(rows: Sequence[_Row], file: str) -> ClassTable:
    if not rows:
        raise ValueError("it names no class")
    if len({row.name for row in rows}) < len(rows):
        raise ValueError("a name stands there twice")
    void = [
        row for row in rows if row.name.lower() in _VOID_NAMES and (row.colour is not None or row.value is not None)
    ]
    kept = [row for row in rows if row not in void]
    if not 1 <= len(kept) <= 255:
        raise ValueError(f"{len(kept)} classes; from 1 to 255 are possible")
    values = [row.value for row in kept if row.value is not None]
    colours = [row.colour for row in kept if row.colour is not None]
    if 0 < len(values) < len(kept) or 0 < len(colours) < len(kept):
        raise ValueError("only some classes have an id or a colour")
    if len(set(values)) < len(values) or len(set(colours)) < len(colours):
        raise ValueError("two classes have the same id or colour")
    if not values and not colours:
        values = list(range(len(kept)))
    return ClassTable(
        file,
        tuple(row.name for row in kept),
        tuple(values) or None,
        tuple(colours) or None,
        tuple(row.value for row in void if row.value is not None),
        tuple(row.colour for row in void if row.colour is not None),
    )


def _json_rows(data: Any) -> list[_Row]:
    if isinstance(data, Mapping) and len(data) == 1 and isinstance(next(iter(data.values())), list):
        data = next(iter(data.values()))  # {"classes": [...]}
    if isinstance(data, list):
        if all(isinstance(item, str) for item in data):
            return [_Row(name, place) for place, name in enumerate(data)]
        return [_row_of({str(key).lower(): value for key, value in item.items()}) for item in data]
    if all(isinstance(value, str) for value in data.values()):
        return [_Row(value, int(key)) for key, value in data.items()]
    if all(isinstance(value, int) for value in data.values()):
        return [_Row(str(key), int(value)) for key, value in data.items()]
    return [_Row(str(key), colour=_colour(value)) for key, value in data.items()]


def _table_rows(text: str) -> list[_Row]:
    first = next(iter(text.splitlines()), "")
    delimiter = max(",;\t", key=first.count)
    lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text), delimiter=delimiter) if line]
    header = [cell.lower() for cell in lines[0]] if lines else []
    if not set(header) & set(_NAMES):
        if len(header) == 1:
            return [_Row(line[0], place) for place, line in enumerate(lines)]
        raise ValueError(f"no column {', '.join(_NAMES[:3])} among {', '.join(header)}")
    rows = [_row_of(dict(zip(header, line, strict=False))) for line in lines[1:]]
    if all(row.value is None and row.colour is None for row in rows):
        return [_Row(row.name, place) for place, row in enumerate(rows)]
    return rows


def _row_of(cells: Mapping[str, Any]) -> _Row:
    name = next((str(cells[key]) for key in _NAMES if cells.get(key) not in (None, "")), None)
    if name is None:
        raise ValueError("a row names no class")
    value = next((int(cells[key]) for key in _IDS if cells.get(key) not in (None, "")), None)
    channels = [next((cells[key] for key in keys if key in cells), None) for keys in
                (("r", "red"), ("g", "green"), ("b", "blue"))]  # fmt: skip
    if all(channel not in (None, "") for channel in channels):
        return _Row(name, value, _colour(channels))
    if any(channel not in (None, "") for channel in channels):
        raise ValueError(f"the colour of {name!r} is not complete")
    given = next((cells[key] for key in _COLOURS if cells.get(key) not in (None, "")), None)
    return _Row(name, value, None if given is None else _colour(given))


def _line_rows(text: str) -> list[_Row]:
    rows = []
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"([^:]+):(\d+,\s*\d+,\s*\d+):[^:]*:[^:]*", line):  # CVAT
            rows.append(_Row(match[1].strip(), colour=_colour(match[2])))
        elif match := re.fullmatch(r"(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\D.*)", line):  # CamVid
            rows.append(_Row(match[4].strip(), colour=_colour([match[1], match[2], match[3]])))
        elif match := re.fullmatch(r"(\d+)[\s:,]+(\D.*)", line):
            rows.append(_Row(match[2].strip(), int(match[1])))
        else:
            rows.append(_Row(line))
    return rows


def _colour(given: Any) -> Colour:
    if isinstance(given, str):
        bare = given.strip().lstrip("#")
        if re.fullmatch(r"[0-9a-fA-F]{6}", bare):
            return int(bare[:2], 16), int(bare[2:4], 16), int(bare[4:], 16)
        given = re.findall(r"\d+", given)
    red, green, blue = (int(value) for value in list(given)[:3])
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"{given} is no colour")
    return red, green, blue
