"""Images as arrays in files: npz (MedMNIST, Keras and plain key names) and IDX (MNIST), compressed or not."""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.sources._array_records import ArrayPart, array_records
from assay.sources._splits import split_of
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
_IMAGE_KEY = re.compile(r"(images?|imgs?|pictures?|x|data|arr_0)", re.IGNORECASE)
_LABEL_KEY = {
    "images": "labels",
    "image": "label",
    "imgs": "labels",
    "img": "label",
    "pictures": "labels",
    "picture": "label",
    "x": "y",
    "data": "labels",
    "arr_0": "arr_1",
}
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IDX_NAME = re.compile(r"(?P<side>[^/]*?)[-_.]?(?P<what>images?|labels?)[-_.]idx(?P<axes>\d)[-_]ubyte(\.gz)?$")


@dataclass(frozen=True)
class _Names:
    """The arrays of one side: where its images and its labels lie."""

    side: str | None
    images: str
    labels: str | None


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like arrays of images; None where it does not. Only headers are read."""
    if source.path is None:
        return None
    store = source.store
    pairs = _idx_pairs(store.names)
    if pairs:
        return Recognition(0.95, f"IDX files of images ({', '.join(pair.side or 'all' for pair in pairs)})")
    archive = _npz_name(store)
    if archive is None:
        return None
    try:
        shapes = _npz_shapes(store, archive)
    except DataError:
        return None
    found = _npz_pairs(shapes)
    if not found or any(pair.labels is None for pair in found):
        return None
    return Recognition(0.95, f"arrays of images in {archive} ({', '.join(pair.images for pair in found)})")


def read(source: Source, options: DataOptions) -> Records:
    """The images of an npz or of IDX files; locations are `KEY:ROW`, rows counted from 0, and load as (H, W, C).

    Raises:
        DataError: no arrays of images, arrays of unequal length, objects instead of numbers, damaged files.
    """
    return array_records(_parts(source), options, source.label)


def read_unlabelled(source: Source) -> Records:
    """The same without the labels."""
    parts = [ArrayPart(part.name, part.images, None, None) for part in _parts(source)]
    return array_records(parts, DataOptions(), source.label)


def _parts(source: Source) -> list[ArrayPart]:
    store = source.store
    pairs = _idx_pairs(store.names)
    if pairs:
        return [
            ArrayPart(
                pair.images.rsplit("/", 1)[-1],
                _read_idx(store, pair.images),
                None if pair.labels is None else _read_idx(store, pair.labels),
                pair.side,
            )
            for pair in pairs
        ]
    name = _npz_name(store)
    if name is None:
        raise DataError(
            "there is no npz file and there are no IDX files.",
            "Give arrays as images and labels in an npz file.",
            file=source.label,
        )
    shapes = _npz_shapes(store, name)
    pairs = _npz_pairs(shapes)
    if not pairs:
        told = ", ".join(f"{key} {shape}" for key, shape in list(shapes.items())[:8])
        raise DataError(
            f"no arrays of images and labels among {told or 'no arrays'}.",
            "Expected keys: images and labels, X and y, or train_images and train_labels.",
            file=name,
        )
    arrays = _read_npz(store, name, [key for pair in pairs for key in (pair.images, pair.labels) if key is not None])
    return [
        ArrayPart(pair.images, arrays[pair.images], None if pair.labels is None else arrays[pair.labels], pair.side)
        for pair in pairs
    ]


def _npz_name(store: Store) -> str | None:
    names = [name for name in store.names if name.lower().endswith(".npz")]
    return names[0] if len(names) == 1 else None


def _npz_shapes(store: Store, name: str) -> dict[str, tuple[int, ...]]:
    """The shape of every array, from the headers."""
    shapes = {}
    try:
        with zipfile.ZipFile(store.open(name)) as archive:
            for member in archive.namelist():
                with archive.open(member) as stream:
                    version = np.lib.format.read_magic(stream)
                    header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else (np.lib.format.read_array_header_2_0)
                    )
                    shapes[member.removesuffix(".npy")] = header(stream)[0]
    except DataError:
        raise
    except Exception as error:  # a damaged archive, and the header of an array in it, raise almost anything
        raise DataError(f"the npz file is damaged ({error})", "Download or write it again.", file=name) from error
    return shapes


def _read_npz(store: Store, name: str, keys: list[str]) -> dict[str, Array]:
    try:
        with np.load(store.open(name), allow_pickle=False) as archive:
            return {key: archive[key] for key in keys}
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(
            f"the npz file cannot be read ({error})", "Write it again without Python objects.", file=name
        ) from error


def _npz_pairs(shapes: dict[str, tuple[int, ...]]) -> list[_Names]:
    """Images and labels by their keys, with a word for the side before or behind."""
    lower = {key.lower(): key for key in shapes}
    found = []
    for key, shape in shapes.items():
        side, kind, form = _parse_key(key)
        if kind is None or len(shape) not in (3, 4):
            continue
        label = lower.get(form.format(_LABEL_KEY[kind])) or lower.get(form.format(_LABEL_KEY[kind].removesuffix("s")))
        found.append(_Names(side, key, label))
    order = ("train", "validation", "test", None)
    return sorted(found, key=lambda pair: order.index(pair.side))


def _parse_key(key: str) -> tuple[str | None, str | None, str]:
    """The side and kind of an image key, and a form for its label's key; the kind is None for other keys."""
    parts = key.lower().rsplit("_", 1)
    if _IMAGE_KEY.fullmatch(key):
        return None, key.lower(), "{}"
    if len(parts) == 2 and split_of(parts[0]) and _IMAGE_KEY.fullmatch(parts[1]):
        return split_of(parts[0]), parts[1], parts[0] + "_{}"
    if len(parts) == 2 and split_of(parts[1]) and _IMAGE_KEY.fullmatch(parts[0]):
        return split_of(parts[1]), parts[0], "{}_" + parts[1]
    return None, None, ""


def _idx_pairs(names: list[str]) -> list[_Names]:
    """IDX files of images with those of their labels."""
    files: dict[tuple[str, str], str] = {}
    for name in names:
        if match := _IDX_NAME.search(name):
            files.setdefault((match["side"], match["what"].rstrip("s")), name)
    pairs = []
    for (side, what), name in files.items():
        if what == "image":
            pairs.append(_Names("test" if side == "t10k" else split_of(side), name, files.get((side, "label"))))
    return sorted(pairs, key=lambda pair: ("train", "validation", "test", None).index(pair.side))


def _read_idx(store: Store, name: str) -> Array:
    """The array of an IDX file; one that is not compressed is memory-mapped where it lies in a folder."""
    path = store.path / name if store.path.is_dir() else None
    try:
        with store.open(name) as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        if packed:
            content = gzip.decompress(store.read(name))
        elif path is not None:
            content = path.open("rb").read(64)
        else:
            content = store.read(name)
        zero, code, axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{axes}I", content, 4)
        kind = np.dtype(_IDX_TYPES[code])
        if zero or axes < 1:
            raise ValueError("wrong magic number")
        start = 4 + 4 * axes
        if path is not None and not packed:
            return np.memmap(path, kind, "r", start, shape)
        count = int(np.prod(shape))
        return np.frombuffer(content, kind, count, start).reshape(shape)
    except (OSError, EOFError, ValueError, KeyError, struct.error, zlib.error) as error:
        raise DataError(f"the IDX file is damaged ({error})", "Download it again.", file=name) from error
