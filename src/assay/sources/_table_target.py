"""Which column of a table is to be predicted, and whether it names a class or is a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._columns import FEWEST, Column
from assay.sources.source import DataOptions

#: What data sets call the column to predict, the surest first.
TARGET_NAMES = (
    "target",
    "label",
    "labels",
    "class",
    "y",
    "outcome",
    "species",
    "category",
    "diagnosis",
    "quality",
    "survived",
    "churn",
    "default",
    "price",
    "income",
    "response",
    "result",
)

#: A number with more different values than this is a quantity, with fewer it may name classes.
MOST_CLASSES = 20


@dataclass(frozen=True)
class Target:
    """The column to predict: its name, its kind ("class" or "number"), and how it was chosen."""

    column: Column
    kind: str
    chosen: str


def choose_target(
    columns: Sequence[Column], options: DataOptions, others: set[str], file: str, learnable: bool = True
) -> Target:
    """The column to predict.

    Args:
        columns: all columns of the table.
        options: `target` names it; `extra["target_kind"]` ("class" or "number") overrides what its values say.
        others: columns that cannot be it (the group and the split).
        file: for messages.
        learnable: whether something is to be learnt from it.

    Raises:
        SettingError: the named column does not exist, or the kind is unknown or impossible.
        DataError: nothing can be learnt from the column: constant, all missing, or different in every row.
    """
    name, chosen = _choose_name([column.name for column in columns], options, others, file)
    column = next(column for column in columns if column.name == name)
    if learnable:
        check_learnable(column, file)
    kind = options.extra.get("target_kind")
    if kind is None:
        numeric = column.type == "number" and (column.fractions or column.distinct > MOST_CLASSES)
        kind = "number" if numeric else "class"
    if kind not in ("class", "number"):
        raise SettingError(
            f"a table's target is of the kind 'class' or 'number', not {kind!r}.",
            "Leave it out to have it told from the values.",
        )
    if kind == "number" and column.type != "number":
        raise SettingError(f"column {name!r} does not hold numbers.", "Choose another column with --target.")
    return Target(column, kind, chosen)


def choose_name(names: Sequence[str], wanted: str | None, file: str) -> str | None:
    """The target column by the user's wish or by a usual name; None where no name is usual. Raises `SettingError`."""
    if wanted is not None:
        if wanted not in names:
            raise SettingError(
                f"{file} has no column {wanted!r}; its columns are {_told(names)}.", did_you_mean(wanted, names)
            )
        return wanted
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[usual] for usual in TARGET_NAMES if usual in lower), None)


def _choose_name(names: list[str], options: DataOptions, others: set[str], file: str) -> tuple[str, str]:
    free = [name for name in names if name not in others]
    name = choose_name(names if options.target is not None else free, options.target, file)
    if name is not None:
        return name, "as asked" if options.target is not None else "by its name"
    if not free:
        raise DataError(
            "the table has no column to predict.",
            "Add a column with what is to be predicted, or name it with --target.",
            file=file,
        )
    return free[-1], "the last column"


def check_learnable(column: Column, file: str) -> None:
    """Raise `DataError` where nothing can be learnt from a target column: constant, all missing, a row id, dates."""
    hint = "Choose another column with --target."
    name = column.name
    if column.type in ("missing", "nested"):
        what = "has no values" if column.type == "missing" else "does not hold single values"
        raise DataError(f"the target column {name!r} {what}.", hint, file=file)
    if column.type == "constant" or column.distinct == 1:
        raise DataError(
            f"the target column {name!r} has the same value in every row; there is nothing to learn.", hint, file=file
        )
    if column.type == "id" or (column.type == "text" and column.unique):
        raise DataError(
            f"the target column {name!r} has {column.distinct} different values in {column.rows} rows; "
            "it looks like a row id.",
            hint,
            file=file,
        )
    if column.type == "date":
        raise DataError(f"the target column {name!r} holds dates; a class or a number is expected.", hint, file=file)
    if column.type == "ambiguous":
        raise DataError(
            f"the commas in the target column {name!r} can be decimal commas or thousands separators.",
            "Write its numbers with a decimal point.",
            file=file,
        )
    if column.type == "category" and column.unique and column.rows >= FEWEST:
        raise DataError(
            f"the target column {name!r} differs in nearly every row; it looks like a row id.", hint, file=file
        )


def _told(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown}, … ({len(names)} in all)"
