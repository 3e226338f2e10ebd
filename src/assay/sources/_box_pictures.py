"""Which picture a label file belongs to, by its name and the folders around it, and on which side of the split."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from assay.sources._boxes import LabelledPicture
from assay.sources._image_header import is_image_name
from assay.sources._lines import lines_of
from assay.sources._splits import asks_for_shares, side_of_name, split_column_name, split_of
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions
from assay.sources.store import Store

#: Words of folders that hold pictures or labels and tell nothing else.
_PLAIN = {"images", "image", "imgs", "img", "jpegimages", "labels", "annotations", "annotation", "xmls", "data",
          "obj_train_data", "json"}  # fmt: skip


class Pictures:
    """The pictures of a store, to be found by the name of a label file or by what a label file says.

    Args:
        names: all files of the store.
        resolve: finds a file by a path, where the files are not listed.
    """

    def __init__(self, names: Sequence[str], resolve: Callable[[str], str | None] | None = None) -> None:
        self._resolve = resolve
        self.names = [name for name in names if is_image_name(name)]
        self._known = set(self.names)
        self._by_stem: dict[str, list[str]] = {}
        self._by_base: dict[str, list[str]] = {}
        for name in self.names:
            self._by_stem.setdefault(stem_of(name), []).append(name)
            self._by_base.setdefault(name.rsplit("/", 1)[-1], []).append(name)

    def beside(self, label_file: str) -> str | None:
        """The picture that a label file is named after: the one in the folder most like its own; None for none."""
        return _nearest(self._by_stem.get(stem_of(label_file), ()), label_file)

    def named(self, value: str, label_file: str) -> str | None:
        """The picture that a path in a label file means, from its folder, from the top, or by its last parts."""
        if not is_image_name(value):
            return None
        if self._resolve is not None:
            return self._resolve(value)
        tidy = os.path.normpath(value.strip().replace("\\", "/")).replace("\\", "/")
        folder = label_file.rpartition("/")[0]
        for place in (os.path.normpath(f"{folder}/{tidy}").replace("\\", "/") if folder else tidy, tidy):
            if place in self._known:
                return place
        fitting = self._by_base.get(tidy.rsplit("/", 1)[-1], [])
        if len(fitting) > 1:
            long = [name for name in fitting if f"/{name}".endswith(f"/{tidy.lstrip('./')}")]
            fitting = long or fitting
        return _nearest(fitting, label_file)


def stem_of(name: str) -> str:
    """A file's name without folders and ending."""
    base = name.rsplit("/", 1)[-1]
    return base.rsplit(".", 1)[0] if "." in base[1:] else base


def _nearest(names: Sequence[str], label_file: str) -> str | None:
    """The name in the folder most like that of a label file; None where several are as near on other sides."""
    if len(names) <= 1:
        return names[0] if names else None
    folders = _folders(label_file)
    side = side_of_name(label_file)

    def likeness(name: str) -> tuple[int, int, bool]:
        mine = _folders(name)
        shared = _equal(mine, folders) + _equal(mine[::-1], folders[::-1])
        return side is not None and side_of_folders(name) == side, shared, mine == folders

    ranked = sorted(names, key=likeness, reverse=True)
    tied = likeness(ranked[0]) == likeness(ranked[1]) and ranked[0].rpartition("/")[0] != ranked[1].rpartition("/")[0]
    return None if tied else ranked[0]


def _equal(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts are the same from the beginning on."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _folders(name: str) -> list[str]:
    """The folders of a path, without those that only say whether pictures or labels lie there."""
    return [part for part in name.split("/")[:-1] if part.lower() not in _PLAIN]


def side_of_folders(name: str) -> str | None:
    """The side that the folders of a path speak of, the innermost first; a picture's own name says nothing."""
    return side_of_name(name.rpartition("/")[0])


def given_by(sides: Iterable[str | None], options: DataOptions) -> bool:
    """Whether sides that pictures were found on are a split; not where shares are asked for, or all are on one.

    Raises:
        SettingError: `--split` names a column; pictures have none.
    """
    split_column_name(options, ())
    told = set(sides) - {None}
    return not asks_for_shares(options) and len(told) >= 2 and "train" in told


def put_on_sides(pictures: Sequence[LabelledPicture], sides: Sequence[str | None], options: DataOptions) -> bool:
    """Put pictures on the sides that were told of each, training where none was; on none where that is no split.

    Returns:
        Whether it is a split, see `given_by`.
    """
    given = given_by(sides, options)
    for picture, side in zip(pictures, sides, strict=True):
        picture.side = (side or "train") if given else None
    return given


def listed_sides(store: Store, names: Iterable[str], key: Callable[[str], str]) -> dict[str, str]:
    """The side of each picture by lists such as `ImageSets/Main/train.txt`: by `key` of each line's first word.

    `trainval.txt` stands for training only where there is no `train.txt`.
    """
    lists = {name: word for name in names if (word := _list_word(name)) is not None}
    if "train" in lists.values():
        lists = {name: word for name, word in lists.items() if word != "trainval"}
    sides: dict[str, str] = {}
    for name, word in lists.items():
        side = "train" if word == "trainval" else split_of(word)
        for line in lines_of(store, name):
            if line and line.strip() and side is not None:
                sides.setdefault(key(line.strip()), side)
    return sides


def _list_word(name: str) -> str | None:
    path = PurePosixPath(name)
    word = path.stem.lower()
    known = path.suffix.lower() == ".txt" and (split_of(word) is not None or word == "trainval")
    return word if known else None


def is_side_list(name: str) -> bool:
    """Whether a file is called as a list of the pictures on one side is."""
    return _list_word(name) is not None


def note_unlabelled(pictures: Pictures, labelled: Iterable[str], log: ProblemLog) -> None:
    """Note the pictures about which no label file says anything."""
    done = set(labelled)
    for name in pictures.names:
        if name not in done:
            log.add("picture-without-labels", "skipped", name)
