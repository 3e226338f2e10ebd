"""Texts with a class, several labels or a number: in tables, in folders, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from assay.sources import text_folder, text_table
from assay.sources._text_tables import has_tables
from assay.sources.records import Records
from assay.sources.source import DataOptions, Recognition, Source


def recognise_texts(source: Source) -> Recognition | None:
    """How well the source looks like texts with something to predict, and why; None where it does not.

    The scores: 0.9 for folders of texts; for tables 0.8 (0.97 in memory), 0.75 (0.93) with several text columns, and
    0.45 where there are so many other columns that it is rather a table, which `recognise_table` gives 0.7 (0.9).
    """
    found = [found for found in (text_folder.recognise(source), text_table.recognise(source)) if found is not None]
    return max(found, key=lambda item: item.score) if found else None


def read_texts(source: Source, options: DataOptions, learnable: bool = True) -> Records:
    """The texts of a source with their targets.

    Args:
        source: a table (CSV, TSV, JSON lines, Parquet; a file for each side, too), lines with a label before each,
            folders of text files, one per class, a data frame, a list of dicts, or a pair (texts, targets).
        options: `target`, `group`, `split`, and in `extra`: `text` (the column of text; several with commas between are
            joined), `target_kind` ("class", "labels" or "number"), `encoding`.
        learnable: whether something is to be learnt from the target; else one value alone is as good as any.

    Returns:
        Records with `id` ("FILE:ROW" or the file's path), `text`, `target` (string, list of strings or double), where
        there are such `group` and `split`, and `digest`. Empty texts and those without target are skipped and counted.

    Raises:
        DataError: no text, several columns of text and none named, or a target from which nothing can be learnt.
        SettingError: an option names a column that does not exist.
    """
    folders, tables = text_folder.recognise(source), text_table.recognise(source)
    if folders is not None and (tables is None or folders.score > tables.score):
        return text_folder.read(source, options)
    return text_table.read(source, options, learnable)


def read_texts_inputs(source: Source, text: Sequence[str] | None = None, encoding: str | None = None) -> Records:
    """The texts of a source without targets: text files (one text each), a table, a list of strings.

    Args:
        source: files or data in memory.
        text: the columns of text in the training data (`facts["text"]["columns"]`); None to find them.
        encoding: of the files.

    Returns:
        Records with `id`, `text` and `digest`; an empty text is kept, so that every input has its answer.

    Raises:
        DataError: there is no text, or the column of the training is missing.
    """
    if source.path is None:
        return text_table.read_inputs(source, text, encoding)
    names = source.store.names
    if has_tables(names):
        return text_table.read_inputs(source, text, encoding)
    return text_folder.read_inputs(source, encoding)
