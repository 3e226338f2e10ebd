"""YOLO: a text file a picture, a line a box: class number, centre, width and height in shares of the picture's sides.

A line of more numbers is the outline of an object (class number, then points); its box is the one around it. An
empty file says that a picture shows no object.
"""

from __future__ import annotations

from assay.errors import AssayError
from assay.sources._box_pictures import (
    Pictures,
    is_side_list,
    listed_sides,
    note_unlabelled,
    put_on_sides,
    side_of_folders,
    stem_of,
)
from assay.sources._boxes import Found, LabelledPicture, RawBox, around, number
from assay.sources._image_header import suffix_of
from assay.sources._lines import is_about, lines_of
from assay.sources._yolo_names import YoloNames, is_names_file, yolo_names
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_LOOK_AT = 20
_LONGEST_LINE = 1 << 16


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like YOLO's labels; None where it does not."""
    store = source.store
    pictures = Pictures(store.names)
    files = _label_files(store.names, pictures)
    paired = [name for name in files if pictures.beside(name) is not None] if pictures.names else []
    looked = [_looks_right(store, name) for name in paired[:: max(1, len(paired) // _LOOK_AT)]]
    right, wrong = looked.count(True), looked.count(False)
    if not right or wrong > right:
        return None
    names = yolo_names(store)
    named = f", classes in {names.files[0]}" if names.files else ""
    return Recognition(0.97 if names.classes else 0.96, f"boxes in {len(paired)} YOLO text files{named}")


def find(source: Source, options: DataOptions, log: ProblemLog) -> Found:
    """The pictures that have a label file."""
    store = source.store
    names, pictures = yolo_names(store), Pictures(store.names)
    found = []
    for name in _label_files(store.names, pictures):
        place = pictures.beside(name)
        try:
            boxes = _read(store, name, names, log)
        except AssayError:
            log.add("unreadable-labels", "skipped", name)
            continue
        if place is None:
            log.add("labels-without-picture" if boxes is not None else "stray-file", "skipped", name)
        elif boxes is not None:
            found.append(LabelledPicture(place, name, boxes, shares=True))
        else:
            log.add("unreadable-labels", "skipped", name)
    note_unlabelled(pictures, [picture.location for picture in found], log)
    _give_sides(found, store, names, options)
    return Found(store, found, "YOLO")


def _label_files(names: list[str], pictures: Pictures) -> list[str]:
    """The text files that may hold labels; a list of a side is none, unless a picture is called so."""
    texts = [name for name in names if suffix_of(name) == ".txt" and not is_names_file(name) and not is_about(name)]
    return [name for name in texts if not is_side_list(name) or pictures.beside(name) is not None]


def _looks_right(store: Store, name: str) -> bool | None:
    """Whether the lines of a file are boxes; None where it is empty."""
    try:
        lines = [line.split() for line in lines_of(store, name, None, _LONGEST_LINE) if line and line.strip()]
    except AssayError:
        return False
    return all(map(_is_line, lines)) if lines else None


def _is_line(words: list[str]) -> bool:
    """Whether words are a class number and four numbers or more, the NaN of a broken box among them."""
    return (
        len(words) >= 5 and words[0].lstrip("-").split(".")[0].isdecimal() and all(_is_number(word) for word in words)
    )


def _is_number(word: str) -> bool:
    return word.lower() in ("nan", "inf", "-nan", "-inf") or number(word) == number(word)


def _read(store: Store, name: str, names: YoloNames, log: ProblemLog) -> list[RawBox] | None:
    """The boxes of a file; None where hardly a line of it is one. Lines that are none are noted."""
    boxes: list[RawBox] = []
    strange: list[int] = []
    for row, line in enumerate(lines_of(store, name, None, _LONGEST_LINE), 1):
        words = (line or "").split()
        if line is not None and not words:
            continue
        if not _is_line(words):
            strange.append(row)
        else:
            boxes.append(_box(words, names, row))
    if len(strange) > len(boxes):
        return None
    for row in strange:
        log.add("line-without-box", "skipped", name, row)
    return boxes


def _box(words: list[str], names: YoloNames, row: int) -> RawBox:
    """A line's box; a class number without a name has none, unless no class has."""
    kind = number(words[0])
    known = kind.is_integer() and kind >= 0  # a number of very many digits is infinite
    label = "" if not known else names.classes.get(int(kind), "") if names.classes else str(int(kind))
    values = [number(word) for word in words[1:]]
    if len(values) >= 6 and len(values) % 2 == 0 and not names.points:
        corners = around(zip(values[::2], values[1::2], strict=True))
    else:  # a sixth number is the confidence of a machine's label
        x, y, width, height = values[:4]
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return RawBox(label, corners, row=row)


def _give_sides(found: list[LabelledPicture], store: Store, names: YoloNames, options: DataOptions) -> None:
    """The sides that lists, `data.yaml` or folders give, whichever tells a whole split first."""
    lists = [name for name in store.names if is_side_list(name)]
    listed = listed_sides(store, lists, stem_of)
    for of in (lambda name: listed.get(stem_of(name)), names.side_of, side_of_folders):
        if put_on_sides(found, [of(picture.location) for picture in found], options):
            return
