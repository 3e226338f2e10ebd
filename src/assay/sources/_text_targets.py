"""The column to predict from texts: which it is, and whether it names a class, several labels, or a number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from assay.arrow import pa, pc
from assay.errors import DataError
from assay.sources._columns import Column
from assay.sources._image_targets import read_targets
from assay.sources._table_target import MOST_CLASSES, check_learnable, choose_name
from assay.sources._values import MISSING, all_numbers, is_text
from assay.sources.source import DataOptions

#: Whole numbers from 0 or 1 without a gap name classes up to this many, where each stands in some rows.
_MOST_NUMBERED, _ROWS_EACH = 200, 5


def choose_text_target(columns: Sequence[Column], taken: Collection[str], file: str) -> tuple[str, str]:
    """The column to predict where the user names none, and how it was chosen.

    Args:
        columns: all columns that are no text.
        taken: columns that cannot be it (group and split).
        file: for messages.

    Raises:
        DataError: there is none.
    """
    free = [column for column in columns if column.name not in taken]
    if (name := choose_name([column.name for column in free], None, file)) is not None:
        return name, "by its name"
    usable = [column for column in free if column.used or column.type == "nested"]
    most = [min(column.rows // 2, max(MOST_CLASSES, column.rows // 10)) for column in usable]
    classes = [column for column, limit in zip(usable, most, strict=True) if 2 <= column.distinct <= limit]
    if len(classes) == 1:
        return classes[0].name, "the only column of classes"
    if not (usable or free):
        raise DataError("there is no column to predict beside the text.", "Name it with --target.", file=file)
    return (usable or free)[-1].name, "the last column"


def text_targets(
    column: pa.Array, profiled: Column | None, options: DataOptions, file: str, learnable: bool
) -> tuple[pa.Array, str]:
    """A raw target column as Assay's, and its kind.

    Other than in a table of features, a word such as "none" is a class; only an empty cell is missing.

    Args:
        column: (rows,) the whole column.
        profiled: what a pass over it found.
        options: `extra["target_kind"]` ("class", "labels" or "number") overrides what the values say.
        file: for messages.
        learnable: whether something is to be learnt from it.

    Returns:
        (rows,) text ("class"), lists of text ("labels") or doubles ("number"), null where missing; the kind.

    Raises:
        SettingError: an unknown or impossible kind.
        DataError: nothing can be learnt from the column.
    """
    name = profiled.name if profiled is not None else "target"
    if "target_kind" not in options.extra and profiled is not None and _numbers_classes(column, profiled):
        options = replace(options, extra={**options.extra, "target_kind": "class"})
    targets, kind = read_targets(column, options, name)
    if learnable and profiled is not None and kind != "labels":
        check_learnable(profiled, file)
    if kind == "class" and is_text(column.type) and not _all_numbers(column):
        words = pc.utf8_trim_whitespace(column.cast(pa.string()))
        targets = pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)
    return targets, kind


def _all_numbers(column: pa.Array) -> bool:
    """Whether all values that are there are numbers."""
    values = pc.unique(pc.utf8_trim_whitespace(column.cast(pa.string()))).drop_null()
    present = values.filter(pc.invert(pc.is_in(pc.utf8_lower(values), value_set=pa.array(MISSING))))
    return len(present) > 0 and all_numbers(present) is not None


def _numbers_classes(column: pa.Array, profiled: Column) -> bool:
    """Whether whole numbers count classes: from 0 or 1 on, without a gap, each in several rows."""
    if profiled.type != "number" or profiled.fractions or profiled.words:
        return False
    distinct = profiled.distinct
    if not MOST_CLASSES < distinct <= _MOST_NUMBERED or profiled.rows < _ROWS_EACH * distinct:
        return False
    try:
        values = pc.unique(column.cast(pa.float64())).drop_null().to_pylist()
    except pa.ArrowException:
        return False
    return min(values) in (0.0, 1.0) and max(values) - min(values) == distinct - 1
