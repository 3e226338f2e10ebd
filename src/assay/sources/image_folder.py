"""Images in a folder for each class, also below train/, validation/ and test/; in a folder, a zip or a tar archive."""

from __future__ import annotations

from assay.errors import DataError
from assay.sources._class_folders import class_folders
from assay.sources._image_header import is_image_name
from assay.sources._image_records import records_of_files
from assay.sources._listing import listing
from assay.sources._splits import asks_for_shares
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like folders of images, one per class; None where it does not."""
    if source.path is None:
        return None
    layout = class_folders(source.store.names, is_image_name)
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
    layout = class_folders(source.store.names, is_image_name)
    if not layout.names:
        raise DataError(
            "there are no folders of images, one per class.",
            "Put the images of each class into a folder of its name.",
            file=source.label,
        )
    log = ProblemLog()
    for name in layout.stray:
        log.add("stray-file", "skipped", name)
    sides = layout.sides if layout.sides and not asks_for_shares(options) else None
    images = listing(id=layout.names, location=layout.names, target=layout.classes, split=sides)
    return records_of_files(images, source.store, log, target={"name": "folder", "kind": "class"}, label=source.label)
