"""Whether what was read can be learnt from at all: enough classes, and enough samples of each; or be judged."""

from __future__ import annotations

from collections.abc import Sequence

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError
from assay.sources.records import Records

#: With fewer samples, one side of a three-way split has none of the class.
_FEWEST = 3


def check_classes(index: pa.Table, split_given: bool, *, noun: str = "samples") -> None:
    """Raise where a class is alone or too small; the flow calls this before it splits.

    Args:
        index: the columns about the samples; `target` as text (a class), lists of text (labels) or numbers.
        split_given: the data says which sample is on which side, or fewer than three sides are asked for.
        noun: what the message calls samples ("photos", "rows").

    Raises:
        DataError: no samples, one class only, one number only, or, where a three-way split is to be made, a class with
            fewer than three samples.
    """
    if index.num_rows == 0 or "target" not in index.column_names:
        raise DataError(
            f"there are no {noun} with a target to learn from.",
            "Add labels, or name the column that holds them with --target.",
        )
    target = pc.drop_null(index["target"])
    if pa.types.is_floating(target.type):
        if pc.count_distinct(target).as_py() < 2:
            raise DataError(
                "every sample has the same target, so there is nothing to learn.",
                "Choose another column with --target.",
            )
        return
    if pa.types.is_list(target.type):
        _check_labels(pc.list_flatten(target), index.num_rows, noun)
        return
    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(target).to_pylist()}
    if len(counts) < 2:
        only = next(iter(counts), "")
        raise DataError(
            f"all {index.num_rows} {noun} are of one class, {only!r}; at least two classes are needed.",
            "Add another class, or choose another column with --target.",
        )
    small = min(counts, key=lambda name: (counts[name], name))
    if not split_given and counts[small] < _FEWEST:
        shown = noun if counts[small] != 1 else noun.removesuffix("s")
        raise DataError(
            f"class {small!r} has {counts[small]} {shown}; a three-way split needs at least 10.",
            f"Add {noun}, or pass --split 80/20/0.",
        )


def _check_labels(labels: pa.ChunkedArray, rows: int, noun: str) -> None:
    counts = [pair["counts"] for pair in pc.value_counts(labels).to_pylist()]
    if not counts or (len(counts) == 1 and counts[0] == rows):
        raise DataError(
            f"all {rows} {noun} have the same labels, so there is nothing to learn.", "Add samples with other labels."
        )


def check_known(records: Records, known: Sequence[str], label: str) -> None:
    """Raise `DataError` where none of the classes of labelled data is one that a trained network knows.

    Args:
        records: whose facts count the classes (`class_counts`), where there are any.
        known: the classes that the network learned; empty where its answers are no classes.
        label: how messages name the source.
    """
    counts = {str(name) for name in records.facts.get("class_counts", {})}
    if known and counts and not counts & set(known):
        raise DataError(
            f"the labels are of other classes ({', '.join(sorted(counts)[:5])}) than the network learned.",
            f"It knows {', '.join(known[:10])}{', …' if len(known) > 10 else ''}; give them these names.",
            file=label,
        )


def refuse_column(option: str, column: str | None, reason: str, hint: str) -> None:
    """Raise `SettingError` where a user names a column of data that has none, which else would do nothing."""
    if column is not None:
        raise SettingError(f"--{option} {column} is not possible: {reason}.", hint)
