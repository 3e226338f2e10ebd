"""Pictures of cells whose centres are marked: a table with a row a cell, or a table beside each picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.arrow import pa
from assay.errors import AssayError, DataError, SettingError
from assay.sources._cell_pictures import check_pictures, is_picture_name, loader
from assay.sources._cell_records import NOTHING, Marked, Pictures, cell_records, known_label
from assay.sources._cell_tables import PointColumns, about_pictures, numbers_of, point_columns, points_table
from assay.sources._image_header import SUFFIXES
from assay.sources._listing import note
from assay.sources._path_tables import Resolve, table_store, whole_table
from assay.sources._rows import Rows, open_file, table_names
from assay.sources._values import as_category
from assay.sources.records import ProblemLog, Records
from assay.sources.slides import SUFFIXES as SLIDES
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store


def recognise(source: Source) -> Recognition | None:
    """How well the source looks like pictures with marked points; None where it does not."""
    if source.path is None:
        return None
    found = _tables(source)
    if found is None:
        return None
    tables, columns = found.tables, point_columns(open_file(source.store, found.tables[0]), found.resolve)
    if columns is not None and columns.image is not None:
        return Recognition(0.97, f"a table of points in images, {tables[0]}")
    return Recognition(0.9, f"{len(tables)} tables of points, each beside its image")


def read(source: Source, options: DataOptions) -> Records:
    """The pictures with their points.

    Options: `target` (the class's column), `group` and `split` (columns of any table that names the pictures),
    `extra["first_pixel"]` (0 or 1: the coordinates of the middle of the first pixel).

    Raises:
        DataError: no points, no pictures, or none that can be used.
        SettingError: an option names a column that does not exist.
    """
    found = _tables(source)
    if found is None:
        raise DataError(
            "there is no table of points: columns image, x, y.",
            "Add a table with the columns image, x and y, and maybe class, a row a cell.",
            file=source.label,
        )
    store, resolve = found.store, found.resolve
    log = ProblemLog()
    first = _first_pixel(options)
    marked: dict[str, Marked] = {}
    for table in found.tables:
        rows = open_file(source.store, table, options.extra.get("encoding"))
        columns = point_columns(rows, resolve, options.target)
        if columns is not None:
            beside = None if columns.image is not None else _picture_beside(table, resolve)
            marked.update(_read_points(rows, columns, resolve, beside, first, log))
    about = about_pictures(source.store, resolve, options, log)
    names = _pictures(store, marked, about.listed, log)
    checks, slides = check_pictures(store, names)
    for check in checks:
        note(check, log)
    pictures = Pictures(names, [marked.get(name, NOTHING) for name in names], columns=about.columns(names))
    return cell_records(pictures, checks, loader(store, slides), log, source.label)


@dataclass(frozen=True)
class _Found:
    """Tables of points: the store of their pictures, how a path is found there, and their names in the source's."""

    store: Store
    resolve: Resolve
    tables: list[str]


def _tables(source: Source) -> _Found | None:
    """The tables of points of a source; None where there are none."""
    names = table_names(source.store.names)
    if not names or (len(source.store.names) > 1 and not any(map(is_picture_name, source.store.names))):
        return None
    store, resolve = table_store(source, names[0], is_picture_name, (*SUFFIXES, *SLIDES))
    table = points_table(source.store, resolve)
    if table is not None:
        return _Found(store, resolve, [table])
    beside = [name for name in names
              if _picture_beside(name, resolve) is not None and _has_points(source.store, name, resolve)]  # fmt: skip
    return _Found(store, resolve, beside) if beside else None


def _has_points(store: Store, name: str, resolve: Resolve) -> bool:
    try:
        return point_columns(open_file(store, name), resolve) is not None
    except AssayError:
        return False


def _picture_beside(table: str, resolve: Resolve) -> str | None:
    """The picture of the same name as a table, without its ending."""
    stem = table.rsplit("/", 1)[-1]
    for ending in (".gz", ".csv", ".tsv", ".tab", ".psv", ".parquet", ".pq"):
        stem = stem.removesuffix(ending)
    found = resolve(stem)
    return found if found is not None and is_picture_name(found) else None


def _read_points(
    rows: Rows, columns: PointColumns, resolve: Resolve, beside: str | None, first: int, log: ProblemLog
) -> dict[str, Marked]:
    """The points of each picture; rows that are of no use are noted."""
    try:
        batch, numbers = whole_table(rows, log)
    except DataError:
        if beside is None:
            raise
        return {beside: NOTHING}  # a table without rows says that its picture holds no cell
    if columns.image is None:
        places: Sequence[str | None] = [beside] * batch.num_rows
    else:
        places = [resolve(value) if value else None for value in as_category(batch[columns.image]).to_pylist()]
    x, y = numbers_of(batch[columns.x]) - first, numbers_of(batch[columns.y]) - first
    labels = [None] * batch.num_rows if columns.label is None else as_category(batch[columns.label]).to_pylist()
    kept: dict[str, list[int]] = {}
    lost: Counter[str] = Counter()
    seen: set[tuple[str, float, float]] = set()
    for row, place in enumerate(places):
        number = int(numbers[row])
        if place is None:
            log.add("missing-file", "skipped", rows.file, number)
            continue
        of = kept.setdefault(place, [])
        if np.isnan(x[row]) or np.isnan(y[row]):
            if not _is_empty(batch, columns, row):
                log.add("no-coordinates", "skipped", rows.file, number)
                lost[place] += 1
        elif (key := (place, float(x[row]), float(y[row]))) in seen:
            log.add("repeated-point", "skipped", rows.file, number)
        else:
            seen.add(key)
            of.append(row)
            if columns.label is not None and known_label(labels[row]) is None:
                log.add("cell-without-class", "kept", rows.file, number)
    return {
        place: Marked(
            x[of], y[of], [known_label(labels[row]) if columns.label else None for row in of], np.zeros(len(of)),
            rows=[int(numbers[row]) for row in of], file=rows.file, unusable=lost[place],
        )
        for place, of in kept.items()
    }  # fmt: skip


def _is_empty(batch: pa.RecordBatch, columns: PointColumns, row: int) -> bool:
    """Whether a row names a picture and nothing else: a picture without cells."""
    values = [batch[name][row].as_py() for name in (columns.x, columns.y)]
    return all(value is None or value == "" for value in values)


def _pictures(store: Store, marked: dict[str, Marked], listed: frozenset[str], log: ProblemLog) -> list[str]:
    """The pictures with points, and those that a table names without any; others are not known to hold no cell."""
    images = [name for name in store.names if is_picture_name(name)]
    known = set(marked) | (listed & set(images) if images else listed)
    for name in images:
        if name not in known:
            log.add("image-without-points", "skipped", name)
    for name in sorted(known):
        one = marked.get(name, NOTHING)
        if not len(one) and not one.unusable:
            log.add("image-without-cells", "kept", name)
    return sorted(known)


def _first_pixel(options: DataOptions) -> int:
    given = str(options.extra.get("first_pixel", "0"))
    if given not in ("0", "1"):
        raise SettingError(
            f"--first-pixel {given} is not 0 or 1", "1 is for coordinates that MATLAB or ImageJ counted."
        )
    return int(given)
