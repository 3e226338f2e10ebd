"""A folder for each class, also below train/, validation/ and test/: which file is of which class and side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from assay.sources._splits import split_of


@dataclass
class ClassFolders:
    """Which files are of which class and side, and what is neither."""

    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)  # empty, or one for each name
    stray: list[str] = field(default_factory=list)


def class_folders(names: list[str], is_sample: Callable[[str], bool]) -> ClassFolders:
    """Sort the files of a store into classes and sides.

    Args:
        names: all files.
        is_sample: whether a file is a sample by its name; others are stray.
    """
    paths = {name: tuple(name.split("/")) for name in names}
    samples = {name: parts for name, parts in paths.items() if is_sample(name)}
    skip = _wrapping(list(samples.values()))
    by_side = _has_sides([parts[skip:] for parts in samples.values()])
    layout = ClassFolders()
    for name in names:
        parts = samples.get(name, ())[skip:]
        side = split_of(parts[0]) if by_side and parts else None
        inside = parts[1:] if by_side else parts
        if len(inside) < 2 or (by_side and side is None):
            layout.stray.append(name)
            continue
        layout.names.append(name)
        layout.classes.append(inside[0])
        if side is not None:
            layout.sides.append(side)
    return layout


def _wrapping(samples: list[tuple[str, ...]]) -> int:
    """1 where one folder wraps all class folders, as zip archives often have it, else 0."""
    first = {parts[0] for parts in samples}
    if len(first) == 1 and all(len(parts) > 2 for parts in samples) and split_of(next(iter(first))) is None:
        return 1
    return 0


def _has_sides(samples: list[tuple[str, ...]]) -> bool:
    """Whether the first folders are train, validation and test, and hold the class folders."""
    deep = {parts[0] for parts in samples if len(parts) > 2}
    folders = {parts[0] for parts in samples if len(parts) > 1}
    sides = {split_of(folder) for folder in deep} - {None}
    return "train" in sides or (bool(sides) and all(split_of(folder) is not None for folder in folders))
