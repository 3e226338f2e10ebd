"""Tables about pictures of cells: which columns hold what, and what further tables say about each picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError, did_you_mean
from assay.sources._audio_header import is_audio_name
from assay.sources._cell_pictures import is_picture_name
from assay.sources._path_tables import Resolve, path_column, whole_table
from assay.sources._rows import Rows, open_file, table_names
from assay.sources._splits import are_sides, as_sides, asks_for_shares, split_column_name
from assay.sources._values import as_category
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions
from assay.sources.store import Store

Array = np.ndarray[Any, Any]
_X = ("x", "cx", "x_center", "center_x", "x_centre", "centre_x", "centroid_x", "x_px", "centroid x px")
_Y = (*tuple(name.replace("x", "y") if name != "x_px" else "y_px" for name in _X[:-1]), "centroid y px")
_CLASS = ("class", "label", "classification", "cell_type", "celltype", "cell type", "kind", "type", "category")
_LOOK_AT = 200


@dataclass(frozen=True)
class PointColumns:
    """The columns of a table of points, by name; `image` and `label` are None where there is none."""

    image: str | None
    x: str
    y: str
    label: str | None


def point_columns(rows: Rows, resolve: Resolve, target: str | None = None) -> PointColumns | None:
    """Which columns hold the picture, x, y and the class; None where it is no table of points.

    Args:
        rows: the table.
        resolve: gives the file that a path means.
        target: the class's column, as the user named it.

    Raises:
        SettingError: there is no column of the name that the user gave.
    """
    x, y = _named(rows.names, _X), _named(rows.names, _Y)
    if x is None or y is None:
        return None
    if target is not None and target not in rows.names:
        raise SettingError(f"{rows.file} has no column {target!r}.", did_you_mean(target, rows.names))
    return PointColumns(image_column(rows, resolve), x, y, target or _named(rows.names, _CLASS))


def image_column(rows: Rows, resolve: Resolve) -> str | None:
    """The column that says which picture a row is about; None where there is none."""
    try:
        head = next((batch.slice(0, _LOOK_AT) for batch, _ in rows.batches(None) if batch.num_rows), None)
    except AssayError:  # such as a table that has a header alone
        return None
    return None if head is None else path_column(head, resolve, is_picture_name, is_audio_name)


def _named(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    known = {name.strip().lower(): name for name in reversed(names)}
    return next((known[name] for name in wanted if name in known), None)


def points_table(store: Store, resolve: Resolve) -> str | None:
    """The first table of a store that holds points with the picture that each lies in; None where there is none."""
    for name in table_names(store.names):
        try:
            found = point_columns(open_file(store, name), resolve)
        except AssayError:
            continue
        if found is not None and found.image is not None:
            return name
    return None


def numbers_of(values: pa.Array) -> Array:
    """(rows,) float64 of a column of numbers or of text; NaN where that is none."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return np.asarray([_number(text) for text in values.to_pylist()], np.float64)
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        return float("nan")


@dataclass(frozen=True)
class AboutPictures:
    """What tables say about each picture, by its file.

    Attributes:
        group: what it belongs to; None where `--group` was not asked for.
        split: its side; None where no table says.
        listed: the pictures that a table of one row a picture names.
    """

    group: Mapping[str, str | None] | None
    split: Mapping[str, str | None] | None
    listed: frozenset[str]

    def columns(self, names: Iterable[str]) -> dict[str, list[str | None]]:
        """The columns `group` and `split` of some pictures."""
        names = list(names)
        known = {"group": self.group, "split": self.split}
        return {column: [of.get(name) for name in names] for column, of in known.items() if of is not None}


def about_pictures(store: Store, resolve: Resolve, options: DataOptions, log: ProblemLog) -> AboutPictures:
    """What all tables of a store say about its pictures: `--group COLUMN`, `--split COLUMN` or a column `split`.

    Raises:
        SettingError: no table has the column that `--group` or `--split` names.
        DataError: a picture has two groups, or a split column holds other words.
    """
    group: dict[str, str | None] | None = None
    split: dict[str, str | None] | None = None
    listed: set[str] = set()
    seen: list[str] = []
    for table in table_names(store.names):
        rows = open_file(store, table, options.extra.get("encoding"))
        image = image_column(rows, resolve)
        if image is None:
            continue
        seen += [name for name in rows.names if name not in seen]
        batch, _ = whole_table(rows, log)
        places = [resolve(value) if value else None for value in as_category(batch[image]).to_pylist()]
        if len(set(places)) == len(places):
            listed |= {place for place in places if place is not None}
        if options.group is not None and options.group in rows.names:
            group = _of_pictures(places, as_category(batch[options.group]).to_pylist(), rows.file, options.group)
        side = _split_column(batch, options)
        if side is not None:
            split = _of_pictures(places, as_sides(batch[side], rows.file).to_pylist(), rows.file, side)
    _require_asked(options, seen, group, split)
    return AboutPictures(group, split, frozenset(listed))


def _split_column(batch: pa.RecordBatch, options: DataOptions) -> str | None:
    names = batch.schema.names
    if asks_for_shares(options) or (options.split is not None and options.split not in names):
        return None
    side = split_column_name(options, names)
    return side if side is None or side == options.split or are_sides(batch[side]) else None


def _require_asked(options: DataOptions, seen: Sequence[str], group: Any, split: Any) -> None:
    if options.group is not None and group is None:
        raise SettingError(
            f"no table about the images has a column {options.group!r}.", did_you_mean(options.group, seen)
        )
    if options.split is not None and not asks_for_shares(options) and split is None:
        raise SettingError(
            f"--split {options.split!r} is neither shares such as 80/10/10 nor a column of the data.",
            did_you_mean(options.split, seen),
        )


def _of_pictures(
    places: Sequence[str | None], values: Sequence[str | None], file: str, column: str
) -> dict[str, str | None]:
    """The value of each picture; raises `DataError` where a picture has two."""
    found: dict[str, str | None] = {}
    for row, (place, value) in enumerate(zip(places, values, strict=True), 2):
        if place is not None and found.setdefault(place, value) != value:
            raise DataError(
                f"{place} has two values in the column {column!r}: {found[place]!r} and {value!r}.",
                "Give each image one.",
                file=file,
                row=row,
            )
    return found
