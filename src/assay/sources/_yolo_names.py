"""The classes and sides of a YOLO data set: `data.yaml`, `classes.txt`, `obj.names`, and lists of pictures.

Of YAML only what such files hold is read: a key, a text, a list or a numbered map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from assay.errors import AssayError
from assay.sources._image_header import suffix_of
from assay.sources._lines import lines_of
from assay.sources._splits import split_of
from assay.sources.store import Store

_NAME_FILES = ("classes.txt", "obj.names", "labels.names", "predefined_classes.txt", "_darknet.labels")
_KEY = re.compile(r"^(\w+)\s*:\s*(.*)$")
_ITEM = re.compile(r"^\s*(?:-|(\d+)\s*:)\s*(.*)$")


@dataclass
class YoloNames:
    """What the files around the labels tell.

    Attributes:
        classes: the name of each class by its number; empty where no file says.
        folders: the ends of the paths of folders (or lists) of pictures, by side.
        files: the files that this was taken from.
        points: a box is followed by points of the body (`kpt_shape`), which are no outline.
    """

    classes: dict[int, str] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    points: bool = False

    def side_of(self, name: str) -> str | None:
        """The side whose folder a picture lies in, as `data.yaml` says; None where it does not tell."""
        inside = f"/{name.rpartition('/')[0]}/"
        told = [(len(end), side) for side, ends in self.folders.items() for end in ends if f"/{end}/" in inside]
        sides = {side for length, side in told if length == max(told)[0]}  # the most exact path
        return sides.pop() if len(sides) == 1 else None


def yolo_names(store: Store) -> YoloNames:
    """What a store tells about its classes and sides; a file that cannot be read tells nothing."""
    got = YoloNames()
    for name in store.names:
        base = name.rsplit("/", 1)[-1].lower()
        try:
            if suffix_of(name) in (".yaml", ".yml"):
                _take_yaml(got, store, name)
            elif (base in _NAME_FILES or suffix_of(name) == ".names") and not got.classes:
                names = [line.strip() for line in lines_of(store, name) if line is not None]
                while names and not names[-1]:
                    names.pop()
                got.classes = dict(enumerate(names))
                got.files.append(name)
        except AssayError:
            continue
    return got


def is_names_file(name: str) -> bool:
    """Whether a file holds names of classes, one a line."""
    return name.rsplit("/", 1)[-1].lower() in _NAME_FILES or suffix_of(name) == ".names"


def _take_yaml(got: YoloNames, store: Store, name: str) -> None:
    """Take over `names`, `train`, `val` and `test` of a YAML file that has names."""
    values = _yaml([line or "" for line in lines_of(store, name)])
    names = values.get("names")
    if not names:
        return
    got.classes = {int(key): text for key, text in names.items()}
    got.files.append(name)
    got.points = "kpt_shape" in values
    for key, value in values.items():
        if (side := split_of(key)) is not None:
            got.folders.setdefault(side, []).extend(_end(path) for path in value.values() if _end(path))


def _end(path: str) -> str:
    """A path without what leads out of its folder."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _yaml(lines: list[str]) -> dict[str, dict[str, str]]:
    """The keys at the top of a YAML file, each with its values by number; a plain text has number 0."""
    values: dict[str, dict[str, str]] = {}
    key, open_list = "", ""
    for line in map(_without_comment, lines):
        if open_list:  # a list in brackets goes on over several lines
            open_list += " " + line.strip()
        elif (found := _KEY.match(line)) is not None:
            key, text = found[1], found[2].strip()
            values[key] = {}
            if text[:1] in ("[", "{"):
                open_list = text
            elif text:
                values[key]["0"] = _unquoted(text)
        elif key and (item := _ITEM.match(line)) is not None and item[2].strip():
            values[key][item[1] or str(len(values[key]))] = _unquoted(item[2])
        if open_list and open_list.count("[") + open_list.count("{") <= open_list.count("]") + open_list.count("}"):
            values[key], open_list = _flow(open_list), ""
    return values


def _flow(text: str) -> dict[str, str]:
    """The values of a list or map in brackets."""
    inner = text.strip()[1:].rstrip("]} ")
    parts = [part.strip() for part in re.findall(r"(?:\"[^\"]*\"|'[^']*'|[^,])+", inner)]
    values: dict[str, str] = {}
    for place, part in enumerate(part for part in parts if part):
        numbered = re.match(r"^(\d+)\s*:\s*(.*)$", part) if text.startswith("{") else None
        values[numbered[1] if numbered else str(place)] = _unquoted(numbered[2] if numbered else part)
    return values


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text
