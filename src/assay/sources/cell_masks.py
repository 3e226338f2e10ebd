"""Pictures of cells with their outlines: a label image beside each (an id a cell), or a mask file for each cell.

Layouts: `images/NAME.png` with `labels/NAME.png` (or `masks`, `NAME_mask.png`, `.tif`, `.npy`); and a folder a picture
with `images/NAME.png` and `masks/*.png`, a file a cell (Data Science Bowl 2018).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import AssayError, DataError, MissingExtraError
from assay.evaluation.cells import centre_of, spans_of
from assay.sources._cell_records import NOTHING, Marked, Pictures, cell_records
from assay.sources._cell_tables import about_pictures
from assay.sources._image_files import ImageCheck, check_files
from assay.sources._image_header import is_image_name, quiet_libtiff
from assay.sources._listing import note
from assay.sources._parallel import ordered_map
from assay.sources._path_tables import resolver
from assay.sources._tiff import load_tifffile
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
_PICTURES = {"images", "image", "img", "imgs", "tissue", "tissue_images", "tissue images", "raw", "original"}
_LABELS = {"labels", "label", "masks", "mask", "instances", "instance_maps", "inst", "annotations", "gt"}
_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_instances", "-mask", "-labels", "_gt")
#: So many label images are looked at to see whether each id is a single cell.
_LOOK_AT = 4


@dataclass(frozen=True)
class Layout:
    """Which files say what: by picture, its label image, or the mask files of its cells."""

    labels: Mapping[str, Sequence[str]]
    a_file_a_cell: bool


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like pictures with a number for each cell; None where it does not."""
    if source.path is None:
        return None
    layout = layout_of(source.store.names)
    if layout is None:
        return None
    count = len(layout.labels)
    if layout.a_file_a_cell:
        return Recognition(0.97, f"{count} images, each with a mask file for every cell")
    if not _numbers_cells(source.store, layout):
        return None
    return Recognition(0.97, f"{count} images with label images, a number for each cell")


def read(source: Source, options: DataOptions) -> Records:
    """The pictures with their cells' outlines.

    Raises:
        DataError: no pictures with label images, or none that can be used.
        SettingError: an option names a column that does not exist.
    """
    store = source.store
    layout = layout_of(store.names)
    if layout is None:
        raise DataError(
            "there are no images with label images beside them.",
            "Put images into images/ and label images of the same names into labels/ or masks/.",
            file=source.label,
        )
    log = ProblemLog()
    names = list(layout.labels)
    checks = check_files(store.read, store.size, names)
    for check in checks:
        note(check, log)
    used = {name for files in layout.labels.values() for name in files}
    for name in store.names:
        if is_image_name(name) and name not in used and name not in layout.labels:
            log.add("mask-without-image" if _key_of(name)[1] else "image-without-labels", "skipped", name)

    def look(check: ImageCheck) -> tuple[Marked | None, list[tuple[str, str]]]:
        return _outlined(store, check, layout) if check.usable else (NOTHING, [])

    kept, cells, good = [], [], []
    for check, (marked, problems) in zip(checks, ordered_map(look, checks), strict=True):
        for kind, file in problems:
            log.add(kind, "skipped", file)
        if marked is None:
            continue
        if check.usable and not len(marked):
            log.add("image-without-cells", "kept", check.name)
        kept.append(check.name)
        cells.append(marked)
        good.append(check)
    about = about_pictures(store, resolver(names, "", is_image_name), options, log)
    pictures = Pictures(kept, cells, columns=about.columns(kept), outlined=True)
    return cell_records(pictures, good, store.read, log, source.label)


def layout_of(names: Sequence[str]) -> Layout | None:
    """Which files are pictures and which are labels; None where most pictures have none."""
    files = [name for name in names if is_image_name(name) or name.lower().endswith(".npy")]
    by_cell = _a_file_a_cell(files)
    if by_cell is not None:
        return by_cell
    pictures: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in files:
        key, is_label = _key_of(name)
        (labels if is_label else pictures).setdefault(key, name)
    both = sorted(pictures.keys() & labels.keys())
    if not both or len(both) < 0.5 * len(pictures):
        return None
    return Layout({pictures[key]: [labels[key]] for key in both if is_image_name(pictures[key])}, False)


def _a_file_a_cell(files: Sequence[str]) -> Layout | None:
    masks: dict[str, list[str]] = {}
    pictures: dict[str, str] = {}
    for name in files:
        parts = name.rsplit("/", 2)
        if len(parts) == 3 and parts[1].lower() == "masks":
            masks.setdefault(parts[0], []).append(name)
        elif len(parts) == 3 and parts[1].lower() in _PICTURES:
            pictures.setdefault(parts[0], name)
    both = sorted(pictures.keys() & masks.keys())
    counts = Counter(
        name.rsplit("/", 2)[0] for name in files if name.rsplit("/", 2)[-2:-1] and "/images/" in f"/{name}"
    )
    alone = both and all(counts[key] <= 1 for key in both)  # not all pictures in one folder beside all masks
    return Layout({pictures[key]: masks[key] for key in both}, True) if alone and len(both) > 1 else None


def _key_of(name: str) -> tuple[str, bool]:
    """What a picture and its label image have in common, and whether this is the label image."""
    folder, _, base = name.rpartition("/")
    stem = base.rpartition(".")[0].lower()
    parts = folder.lower().split("/") if folder else []
    is_label = any(part in _LABELS for part in parts)
    for ending in _ENDINGS:
        if stem.endswith(ending):
            stem, is_label = stem.removesuffix(ending), True
    rest = "/".join(part for part in parts if part not in _LABELS and part not in _PICTURES)
    return f"{rest}/{stem}", is_label


def _numbers_cells(store: Store, layout: Layout) -> bool:
    """Whether label images number cells, rather than classes: most ids of most of them are a single connected patch."""
    from scipy.ndimage import find_objects
    from scipy.ndimage import label as connected

    votes = []
    for files in list(layout.labels.values())[:: max(1, len(layout.labels) // _LOOK_AT)]:
        try:
            numbers = read_labels(store.read(files[0]), files[0])
        except AssayError:
            continue
        ids = np.unique(numbers[numbers > 0])
        if not len(ids):
            continue
        boxes = find_objects(numbers.astype(np.int32))
        single = sum(connected(numbers[boxes[one - 1]] == one)[1] == 1 for one in ids[:200].tolist() if boxes[one - 1])
        votes.append(len(ids) >= 3 and single >= 0.8 * min(len(ids), 200))
    return bool(votes) and sum(votes) > len(votes) / 2


def read_labels(payload: bytes, name: str) -> Array:
    """(H, W) integers of a label image: PNG, TIFF of any integers, or npy; colours become numbers.

    Raises:
        DataError: damaged bytes, or values that are no whole numbers.
        MissingExtraError: it is a TIFF, and tifffile is not installed.
    """
    if name.lower().endswith(".npy"):
        try:
            values = np.load(io.BytesIO(payload), allow_pickle=False)
        except Exception as error:  # a damaged header raises almost anything
            raise DataError(f"the array is damaged ({error})", "Save or download it again.", file=name) from error
        if values.ndim != 2 or values.dtype.kind not in "iub":
            raise DataError(
                f"a label image is (H, W) of whole numbers, not {values.dtype} {values.shape}",
                "Save one whole number a pixel: 0 for none, else the cell's number.",
                file=name,
            )
        return np.asarray(values)
    return _decoded(payload, name)


def _decoded(payload: bytes, name: str) -> Array:
    """A picture's values as they are: decoding for the eye would scale or repeat them."""
    from PIL import Image

    try:
        if name.lower().endswith((".tif", ".tiff")):
            values = np.asarray(load_tifffile("label images as TIFF").imread(io.BytesIO(payload)))
        else:
            quiet_libtiff()  # a TIFF may have another's name
            image = Image.open(io.BytesIO(payload))
            values = np.asarray(image if image.mode != "P" else image.convert("P"))
    except MissingExtraError:
        raise
    except Exception as error:  # Pillow and tifffile fail on damaged data in every way that Python knows
        raise DataError(
            f"the label image is damaged ({error or type(error).__name__})",
            "Check that it opens in another program, and save it again.",
            file=name,
        ) from error
    if values.ndim == 3:
        weights = np.asarray([1, 256, 65536])[: values.shape[2]]
        values = values[:, :, : len(weights)].astype(np.int64) @ weights if values.shape[2] > 1 else values[:, :, 0]
        values = np.unique(values, return_inverse=True)[1].reshape(values.shape) if values.max() > 65535 else values
    if values.ndim != 2 or values.dtype.kind not in "iub":
        raise DataError(
            f"a label image is (H, W) of whole numbers, not {values.dtype} {values.shape}",
            "Save one whole number a pixel: 0 for none, else the cell's number.",
            file=name,
        )
    return values


def _outlined(store: Store, check: ImageCheck, layout: Layout) -> tuple[Marked | None, list[tuple[str, str]]]:
    """The cells of a picture, None where its labels are of no use; what was found on the way."""
    problems: list[tuple[str, str]] = []
    spans: list[Array] = []
    files = layout.labels[check.name]
    for file in files:
        try:
            numbers = read_labels(store.read(file), file)
        except DataError:
            problems.append(("undecodable-mask", file))
            continue
        if numbers.shape != (check.height, check.width):
            problems.append(("mask-of-another-size", file))
            continue
        if layout.a_file_a_cell:
            numbers = (numbers > 0).astype(np.int32)
        spans += spans_of(np.asarray(numbers, np.int64))[1]
    if len(problems) == len(files) or (problems and not layout.a_file_a_cell):
        return None, problems
    return marked_by(spans), problems


def marked_by(spans: Sequence[Array], labels: Sequence[str | None] | None = None) -> Marked:
    """Cells out of the rows (K, 3) that each covers, with their classes where these are known."""
    if not spans:
        return NOTHING
    about = np.asarray([centre_of(one) for one in spans])
    return Marked(about[:, 0], about[:, 1], labels or [None] * len(spans), about[:, 2], list(spans))
