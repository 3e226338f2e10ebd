"""PanNuke (Gamper et al. 2019, 2020): tiles of tissue as npy arrays, five classes of nuclei outlined in layers.

`images.npy` (N, 256, 256, 3) pixel values, `masks.npy` (N, 256, 256, 6): a layer of instance numbers for each class,
the last being all that is no nucleus; `types.npy` the N tissues. Its three folds are given as training, validation and
test, in this order, where all are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import DataError
from assay.evaluation.cells import spans_of
from assay.sources._cell_records import Marked, Pictures, cell_records
from assay.sources._digest import array_digest
from assay.sources._image_files import ImageCheck
from assay.sources._splits import asks_for_shares
from assay.sources.cell_masks import marked_by
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
CLASSES = ("neoplastic", "inflammatory", "connective", "dead", "epithelial")
_SIDES = ("train", "validation", "test")


@dataclass(frozen=True)
class Fold:
    """The files of one fold."""

    name: str
    images: str
    masks: str
    types: str | None


def folds_of(names: list[str]) -> list[Fold]:
    """The folds among some files, by name: those that have images and masks."""
    known: dict[str, dict[str, str]] = {}
    for name in names:
        base = name.rsplit("/", 1)[-1].lower()
        if base in ("images.npy", "masks.npy", "types.npy"):
            numbers = re.findall(r"fold[ _-]?(\d+)", name.lower())
            known.setdefault(f"fold{numbers[-1]}" if numbers else "fold1", {})[base.split(".")[0]] = name
    return [Fold(name, files["images"], files["masks"], files.get("types"))
            for name, files in sorted(known.items()) if {"images", "masks"} <= files.keys()]  # fmt: skip


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like PanNuke; None where it does not."""
    if source.path is None:
        return None
    folds = folds_of(source.store.names)
    return Recognition(0.98, f"{len(folds)} folds in the layout of PanNuke") if folds else None


def read(source: Source, options: DataOptions) -> Records:
    """The tiles with their outlined nuclei; `--group types` keeps a tissue on one side.

    Raises:
        DataError: arrays that are damaged, or do not fit together.
    """
    log = ProblemLog()
    names: list[str] = []
    cells: list[Marked] = []
    checks: list[ImageCheck] = []
    columns: dict[str, list[str | None]] = {"group": [], "split": []}
    arrays: dict[str, Array] = {}
    folds = folds_of(source.store.names)
    for number, fold in enumerate(folds):
        images, masks = (array_of(source.store, name) for name in (fold.images, fold.masks))
        types = array_of(source.store, fold.types) if fold.types is not None else None
        _check(images, masks, types, fold)
        arrays[fold.name] = images
        for row in range(len(images)):
            names.append(f"{fold.name}/{row}")
            checks.append(_checked(names[-1], images[row]))
            cells.append(cells_of_layers(np.asarray(masks[row])))
            if not len(cells[-1]):
                log.add("image-without-cells", "kept", names[-1])
            columns["group"].append(None if types is None else str(types[row]))
            columns["split"].append(_SIDES[number] if number < len(_SIDES) else "test")

    def load(location: str) -> Array:
        fold_name, _, row = location.partition("/")
        return _pixels(arrays[fold_name][int(row)])

    return cell_records(
        Pictures(names, cells, columns=_kept(columns, folds, options), outlined=True), checks, load, log, source.label
    )


def _kept(
    columns: Mapping[str, list[str | None]], folds: list[Fold], options: DataOptions
) -> dict[str, list[str | None]]:
    given = len(folds) >= 3 and not asks_for_shares(options)
    wanted = {"group": options.group is not None, "split": given}
    return {name: values for name, values in columns.items() if wanted[name]}


def cells_of_layers(layers: Array) -> Marked:
    """The nuclei of one tile (H, W, 6): numbers are those of one layer alone."""
    spans: list[Array] = []
    labels: list[str | None] = []
    for place, label in enumerate(CLASSES):
        found = spans_of(np.asarray(layers[:, :, place], np.int64))[1]
        spans += found
        labels += [label] * len(found)
    return marked_by(spans, labels)


def array_of(store: Store, name: str) -> Array:
    """An npy array, mapped where it lies in a folder; objects are never unpickled.

    Raises:
        DataError: it is damaged, or holds objects.
    """
    import io

    path = store.path / name
    try:
        if path.is_file():
            return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
        return np.asarray(np.load(io.BytesIO(store.read(name)), allow_pickle=False))
    except DataError:
        raise
    except Exception as error:  # a damaged header raises almost anything
        raise DataError(f"the array is damaged ({error})", "Download it again.", file=name) from error


def _check(images: Array, masks: Array, types: Array | None, fold: Fold) -> None:
    if images.ndim != 4 or images.shape[3] != 3:
        raise DataError(
            f"images are (N, H, W, 3), not {images.shape}",
            "Download the fold again: images.npy, masks.npy and types.npy.",
            file=fold.images,
        )
    if masks.shape != (*images.shape[:3], len(CLASSES) + 1):
        raise DataError(
            f"masks are {(*images.shape[:3], len(CLASSES) + 1)} like the images, not {masks.shape}",
            "Download the fold again: images.npy, masks.npy and types.npy.",
            file=fold.masks,
        )
    if types is not None and types.shape[:1] != images.shape[:1]:
        raise DataError(
            f"there are {len(images)} images and {types.shape} tissues",
            "Download the fold again: images.npy, masks.npy and types.npy.",
            file=str(fold.types),
        )


def _pixels(values: Array) -> Array:
    return np.clip(np.asarray(values, np.float64), 0, 255).astype(np.uint8)


def _checked(name: str, values: Array) -> ImageCheck:
    pixels = _pixels(values)
    return ImageCheck(name, (), array_digest(pixels), pixels.shape[0], pixels.shape[1], 3, 8, "RGB", "npy")
