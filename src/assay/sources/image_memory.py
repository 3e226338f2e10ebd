"""Images in memory: an array, a list of arrays, of PIL images or of paths, alone or in a pair with labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._array_records import ArrayPart, array_records
from assay.sources._digest import array_digest
from assay.sources._frames import MEMORY
from assay.sources._image_files import ImageCheck, check_image
from assay.sources._image_records import image_records
from assay.sources._image_targets import read_targets
from assay.sources._listing import listing, note
from assay.sources.decode import image_array
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import unreadable

Array = np.ndarray[Any, Any]


def recognise(source: Source) -> Recognition | None:
    """How well the data looks like a pair of images and labels; None where it does not."""
    value = source.value
    if not isinstance(value, tuple) or len(value) != 2 or value[1] is None:
        return None
    images, labels = value
    if not is_images(images) or not hasattr(labels, "__len__"):
        return None
    return Recognition(0.95, f"{len(images)} images in memory, with labels")


def is_images(value: Any) -> bool:
    """Whether data in memory is images: (N, H, W), (N, H, W, C), or a list of arrays, PIL images or paths."""
    if _array_like(value):
        return np.ndim(value) in (3, 4) and np.asarray(value[:1]).dtype.kind in "biuf"
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(item, str | Path) or _is_picture(item) or np.ndim(item) in (2, 3) for item in value[:10])


def read(source: Source, options: DataOptions) -> Records:
    """Images and labels in memory; locations are `data:ROW`, rows counted from 0.

    Raises:
        DataError: the data is no such pair, or lengths differ.
    """
    if recognise(source) is None:
        raise DataError(f"{source.label} is no pair of images and labels.", "Expected (images, labels).")
    images, labels = source.value
    values = labels if isinstance(labels, list) else np.asarray(labels)
    if len(images) != len(values):
        raise DataError(f"there are {len(images)} images, but {len(values)} labels.", "Give each image a label.")
    if _array_like(images):
        given = np.asarray(values) if not _has_lists(values) else None
        part = ArrayPart(MEMORY, np.asarray(images), given, None)
        if given is not None:
            return array_records([part], options, source.label)
        images = list(np.asarray(images))
    targets, kind = read_targets(pa.array(values), options, "labels")
    return _list_records(images, targets, kind, source.label)


def read_unlabelled(source: Source) -> Records:
    """Images in memory without labels: one array (N, H, W) or (N, H, W, C), or a list. Raises `DataError`."""
    value = source.value[0] if isinstance(source.value, tuple) and len(source.value) == 2 else source.value
    if _is_picture(value) or (_array_like(value) and np.ndim(value) == 2):
        value = [value]
    if _array_like(value) and np.ndim(value) in (3, 4):
        return array_records([ArrayPart(MEMORY, np.asarray(value), None, None)], DataOptions(), source.label)
    if not isinstance(value, list | tuple) or not value:
        raise DataError(f"{source.label} holds no images.", "Expected an array, or a list of arrays, images or paths.")
    return _list_records(value, None, "none", source.label)


def _list_records(items: Sequence[Any], targets: pa.Array | None, kind: str, label: str) -> Records:
    log = ProblemLog()
    payloads = [_Payload(item, f"{MEMORY}:{row}") for row, item in enumerate(items)]
    checks = [payload.check() for payload in payloads]
    for check in checks:
        note(check, log, MEMORY)
    names = [payload.name for payload in payloads]
    by_name = {payload.name: payload for payload in payloads}
    images = listing(id=names, location=names, target=targets)
    return image_records(
        images,
        checks,
        lambda location: by_name[location].load(),
        log,
        target={"name": "labels", "kind": kind},
        label=label,
    )


class _Payload:
    """One image of a list."""

    def __init__(self, item: Any, name: str) -> None:
        self._item, self.name = item, name

    def load(self) -> bytes | Array:
        """The bytes of a file, or (H, W, C)."""
        if isinstance(self._item, str | Path):
            try:
                return Path(self._item).read_bytes()
            except OSError as error:
                raise unreadable(os.fspath(self._item), error) from error
        if _is_picture(self._item):
            from assay.sources.decode import picture_array

            return picture_array(self._item)
        return image_array(np.asarray(self._item), self.name)

    def check(self) -> ImageCheck:
        try:
            payload = self.load()
        except DataError:
            missing = isinstance(self._item, str | Path)
            return ImageCheck(self.name, (("missing-file" if missing else "unreadable-image", "skipped"),))
        if isinstance(payload, bytes):
            return check_image(payload, self.name)
        height, width, channels = payload.shape
        return ImageCheck(
            self.name,
            (),
            array_digest(payload),
            height,
            width,
            channels,
            8 * payload.dtype.itemsize,
            payload.dtype.name,
            "array",
        )


def _array_like(value: Any) -> bool:
    return hasattr(value, "ndim") and hasattr(value, "dtype") and hasattr(value, "__getitem__")


def _is_picture(value: Any) -> bool:
    return hasattr(value, "getbands") and hasattr(value, "tobytes")


def _has_lists(values: Any) -> bool:
    return isinstance(values, list) and any(isinstance(value, list | tuple | set) for value in values[:100])
