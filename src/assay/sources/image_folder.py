"""Images in a folder for each class, also below train/, validation/ and test/; in a folder, a zip or a tar archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.errors import DataError
from assay.sources._image_header import is_image_name
from assay.sources._image_records import listing, records_of_files
from assay.sources._splits import asks_for_shares, split_of
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source


@dataclass
class _Layout:
    """Which images are of which class and side, and what is neither."""

    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)  # empty, or one for each name
    stray: list[str] = field(default_factory=list)


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like folders of images, one per class; None where it does not."""
    if source.path is None:
        return None
    layout = _layout(source.store.names)
    classes = len(set(layout.classes))
    if not classes:
        return None
    sides = sorted(set(layout.sides), key=("train", "validation", "test").index)
    below = f", below {', '.join(sides)}" if sides else ""
    if classes == 1:
        return Recognition(0.3, f"1 folder of images, {layout.classes[0]!r}{below}")
    score = 0.9 if len(layout.names) >= len(layout.stray) else 0.5
    return Recognition(score, f"{classes} folders of images, one per class{below}")


def read(source: Source, options: DataOptions) -> Records:
    """The images of every class folder; what lies elsewhere is noted as `stray-file`.

    Raises:
        DataError: no images in class folders, or none that can be used.
    """
    layout = _layout(source.store.names)
    if not layout.names:
        raise DataError("there are no folders of images, one per class.", file=source.label)
    log = ProblemLog()
    for name in layout.stray:
        log.add("stray-file", "skipped", name)
    sides = layout.sides if layout.sides and not asks_for_shares(options) else None
    images = listing(id=layout.names, location=layout.names, target=layout.classes, split=sides)
    return records_of_files(images, source.store, log, target={"name": "folder", "kind": "class"}, label=source.label)


def _layout(names: list[str]) -> _Layout:
    """Sort the files of a store into classes and sides."""
    paths = {name: tuple(name.split("/")) for name in names}
    images = {name: parts for name, parts in paths.items() if is_image_name(name)}
    skip = _wrapping(list(images.values()))
    by_side = _has_sides([parts[skip:] for parts in images.values()])
    layout = _Layout()
    for name in names:
        parts = images.get(name, ())[skip:]
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


def _wrapping(images: list[tuple[str, ...]]) -> int:
    """1 where one folder wraps all class folders, as zip archives often have it, else 0."""
    first = {parts[0] for parts in images}
    if len(first) == 1 and all(len(parts) > 2 for parts in images) and split_of(next(iter(first))) is None:
        return 1
    return 0


def _has_sides(images: list[tuple[str, ...]]) -> bool:
    """Whether the first folders are train, validation and test, and hold the class folders."""
    deep = {parts[0] for parts in images if len(parts) > 2}
    folders = {parts[0] for parts in images if len(parts) > 1}
    sides = {split_of(folder) for folder in deep} - {None}
    return "train" in sides or (bool(sides) and all(split_of(folder) is not None for folder in folders))
