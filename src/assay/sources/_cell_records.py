"""From the cells that a reader found in each picture to `Records`.

Shapes: N cells, K spans.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.evaluation.cells import centre_of
from assay.sources._digest import fingerprint_of
from assay.sources._image_files import ImageCheck
from assay.sources._listing import usable_files
from assay.sources.records import ProblemLog, Records, records_from_table

Array = np.ndarray[Any, Any]

#: A cell: its centre in pixels (the middle of the first pixel is 0), its class or null, the radius of a disk of its
#: size or 0, and the rows that it covers as row, first column, one after the last column (see `evaluation.cells`).
#: A radius of `IGNORED` says that it is no cell, but a region in which nobody could tell what is one.
CELL = pa.struct(
    [
        ("x", pa.float32()),
        ("y", pa.float32()),
        ("label", pa.string()),
        ("radius", pa.float32()),
        ("spans", pa.list_(pa.int32())),
    ]
)
CELLS = pa.list_(CELL)
IGNORED = -1.0
#: Pictures of more pixels than this are decoded one by one.
_LARGE = 16_000_000
_ALL_LOST = "image-without-usable-cell"
#: What tables write where a cell's class is not known.
UNKNOWN = frozenset({"", "unlabelled", "unlabeled", "unknown", "unclassified", "none", "nan", "na", "n/a", "?"})


@dataclass(frozen=True)
class Marked:
    """The cells marked in one picture.

    Attributes:
        x, y: (N,) centres in pixels.
        labels: N classes, None where one is not known.
        radius: (N,) of a disk of the same size, in pixels; 0 where that is not known.
        spans: N arrays (K, 3) as `Cells.outlines`; empty where no outlines are known.
        rows: N rows of the table that they come from, for problems; empty for none.
        file: that table.
        unusable: how many more marks there were that tell no place in the picture.
        ignored: arrays (K, 3) of regions in which nobody could tell what is a cell.
    """

    x: Array
    y: Array
    labels: Sequence[str | None]
    radius: Array
    spans: Sequence[Array] = ()
    rows: Sequence[int | None] = ()
    file: str = ""
    unusable: int = 0
    ignored: Sequence[Array] = ()

    def __len__(self) -> int:
        return len(self.x)

    def within(self, height: int, width: int, name: str, log: ProblemLog) -> Marked:
        """Without the cells whose centre lies outside of the picture, which are noted."""
        inside = (self.x >= -0.5) & (self.y >= -0.5) & (self.x <= width - 0.5) & (self.y <= height - 0.5)
        if inside.all():
            return self
        for place in np.flatnonzero(~inside).tolist():
            row = self.rows[place] if self.rows else None
            log.add("cell-outside-image", "skipped", self.file or name, row)
        kept = np.flatnonzero(inside).tolist()
        return replace(
            self,
            x=self.x[kept],
            y=self.y[kept],
            radius=self.radius[kept],
            labels=[self.labels[place] for place in kept],
            spans=[self.spans[place] for place in kept] if self.spans else (),
            rows=[self.rows[place] for place in kept] if self.rows else (),
            unusable=self.unusable + len(self) - len(kept),
        )


NOTHING = Marked(np.zeros(0), np.zeros(0), (), np.zeros(0))


@dataclass(frozen=True)
class Pictures:
    """The pictures that a reader found.

    Attributes:
        names: what each is called; its `id`.
        locations: where each lies, for `load`; None for the names.
        cells: those marked in each.
        columns: `group` and `split`, where there are such.
        outlined: whether cells have outlines.
    """

    names: Sequence[str]
    cells: Sequence[Marked]
    locations: Sequence[str] | None = None
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    outlined: bool = False


def cell_records(
    found: Pictures, checks: Sequence[ImageCheck], load: Callable[[str], Any], log: ProblemLog, label: str
) -> Records:
    """Records of the usable pictures with their cells as `target`.

    Args:
        found: the pictures.
        checks: one for each picture.
        load: gives the payload at a location.
        log: all problems; cells outside of their picture are added.
        label: how messages name the source.

    Raises:
        DataError: no picture is usable, or there is no cell at all.
    """
    checks, cells = _placed(found, checks, log)
    if any(one.unusable for one in cells) and not sum(map(len, cells)):
        raise _no_cell(log, label)
    usable = [check.usable for check in checks]
    cells = [one for one, good in zip(cells, usable, strict=True) if good]
    columns = {name: pa.array(values, pa.string()) for name, values in found.columns.items()}
    names = pa.array(found.names, pa.string())
    places = names if found.locations is None else pa.array(found.locations, pa.string())
    kept = usable_files(pa.table({"id": names, "location": places, **columns}), checks, noun="images", label=label)
    if not sum(map(len, cells)):
        raise _no_cell(log, label)
    target = cells_array(cells)
    digests = pa.array([_digest(one) for one in cells], pa.string())
    print_of = fingerprint_of(kept.append_column("target", digests).to_batches())
    facts = _facts(cells, [check for check, good in zip(checks, usable, strict=True) if good], found.outlined)
    if "split" in kept.column_names:
        facts["split"] = dict(sorted(Counter(kept["split"].to_pylist()).items()))
    table = kept.append_column("target", target)
    large = max(check.height * check.width for check in checks) > _LARGE
    rows = 1 if large else 64
    return records_from_table(table, print_of, rows_per_batch=rows, problems=log.problems(), load=load, facts=facts)


def _placed(found: Pictures, checks: Sequence[ImageCheck], log: ProblemLog) -> tuple[list[ImageCheck], list[Marked]]:
    """The checks, and the cells of each picture that lie in it; none where a picture cannot be used.

    A picture whose marks are all of no use is left out: it is none without cells.
    """
    kept, cells = [], []
    for name, one, check in zip(found.names, found.cells, checks, strict=True):
        inside = one.within(check.height, check.width, name, log) if check.usable else NOTHING
        if inside.unusable and not len(inside):
            check = replace(check, problems=(*check.problems, (_ALL_LOST, "skipped")))
            log.add(_ALL_LOST, "skipped", name)
        kept.append(check)
        cells.append(inside)
    return kept, cells


def _no_cell(log: ProblemLog, label: str) -> DataError:
    """The error of pictures without a single cell, with what is wrong with the marks that there are."""
    wrong = [one for one in log.problems() if one.action == "skipped" and one.kind != _ALL_LOST]
    told = ", ".join(f"{one.count} {one.kind}" for one in wrong)
    return DataError(
        f"no cell is marked in any of the images{f' ({told})' if told else ''}.",
        "Expected x and y of each cell in pixels from the left top corner of its picture, as numbers.",
        file=label,
    )


def cells_array(pictures: Sequence[Marked]) -> pa.Array:
    """The cells of each picture, and after them its ignored regions, as an array of `CELLS`."""
    pictures = [_beside_ignored(one) for one in pictures]
    spans = [one for picture in pictures for one in (picture.spans or [np.zeros((0, 3), np.int32)] * len(picture))]
    flat = [np.asarray(one, np.int32).ravel() for one in spans]
    ends = np.cumsum([0, *(len(one) for one in flat)]).astype(np.int32)
    values = pa.array(np.concatenate(flat) if flat else np.zeros(0, np.int32))
    columns = [
        pa.array(np.concatenate([np.asarray(getattr(one, name), np.float32) for one in pictures]), pa.float32())
        for name in ("x", "y", "radius")
    ]
    labels = pa.array([label for picture in pictures for label in picture.labels], pa.string())
    rows = pa.ListArray.from_arrays(pa.array(ends), values)
    cells = pa.StructArray.from_arrays([columns[0], columns[1], labels, columns[2], rows], fields=list(CELL))
    bounds = np.cumsum([0, *map(len, pictures)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), cells)


def _beside_ignored(picture: Marked) -> Marked:
    """The cells and, as more of them, the ignored regions."""
    count = len(picture.ignored)
    if not count:
        return picture
    centres = np.asarray([centre_of(region)[:2] for region in picture.ignored])
    return Marked(
        np.concatenate([picture.x, centres[:, 0]]),
        np.concatenate([picture.y, centres[:, 1]]),
        [*picture.labels, *[None] * count],
        np.concatenate([picture.radius, np.full(count, IGNORED)]),
        [*(picture.spans or [np.zeros((0, 3), np.int32)] * len(picture)), *picture.ignored],
    )


def known_label(text: Any) -> str | None:
    """A class out of a table's cell; None where it says that the class is not known."""
    name = "" if text is None else str(text).strip()
    return None if name.lower() in UNKNOWN else name


def _digest(picture: Marked) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for values in (picture.x, picture.y, picture.radius, *picture.spans):
        hashed.update(np.ascontiguousarray(values, np.float32).tobytes())
    for region in picture.ignored:
        hashed.update(b"ignored" + np.ascontiguousarray(region, np.int32).tobytes())
    hashed.update("\x1f".join(label or "\x00" for label in picture.labels).encode())
    return hashed.hexdigest()


def _facts(cells: Sequence[Marked], checks: Sequence[ImageCheck], outlined: bool) -> dict[str, Any]:
    counts = Counter(label for one in cells for label in one.labels)
    without = counts.pop(None, 0)
    facts: dict[str, Any] = {
        "samples": len(cells),
        "cells": sum(map(len, cells)),
        "images_without_cells": sum(not len(one) for one in cells),
        "marked_by": "outlines" if outlined else "points",
        "classes": len(counts),
        "class_counts": dict(sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))),
        "cells_without_class": without if counts else 0,
    }
    if ignored := sum(len(one.ignored) for one in cells):
        facts["ignored_regions"] = ignored
    for side in ("height", "width"):
        values = np.array([getattr(check, side) for check in checks])
        facts[side] = {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}
    return facts


def cell_labels(target: pa.ChunkedArray | pa.Array) -> list[str]:
    """The classes that occur in a column of `CELLS`, the commonest first."""
    cells = target.combine_chunks() if isinstance(target, pa.ChunkedArray) else target
    labels = pc.struct_field(cells.flatten(), "label").drop_null()
    counts = pc.value_counts(labels).to_pylist()
    return [one["values"] for one in sorted(counts, key=lambda one: (-one["counts"], one["values"]))]
