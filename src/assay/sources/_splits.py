"""The words by which data says on which side of the split a sample lies."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from assay.arrow import pa, pc
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._rows import Rows
from assay.sources.source import DataOptions

#: What data sets call the three sides.
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
}

_SHARES = re.compile(r"\d+(\.\d+)?(/\d+(\.\d+)?){1,2}")


def split_of(word: str) -> str | None:
    """One of "train", "validation" and "test" for a word that means it, else None."""
    return SPLIT_WORDS.get(word.strip().lower())


def side_of_name(name: str) -> str | None:
    """The side that a file's path speaks of: `train/x.json`, `dev.tsv`, `test_2016_flickr.en.gz`, `newstest2014.de`.

    The file's own name decides before its folders; None where no word of it means a side.
    """
    for part in reversed(name.split("/")):
        for word in re.split(r"[\W_]+", part):
            bare = re.sub(r"^news(?=test|dev)|^dev(?=test$)|\d+$", "", word.lower())
            if (side := split_of(bare)) is not None:
                return side
    return None


def given_sides(names: Sequence[str], options: DataOptions) -> dict[str, str] | None:
    """The side of each file by its name; None where the user asks for shares, or where names tell no whole split.

    A name without such a word is on the training side.

    Raises:
        SettingError: `--split` is no shares; files have no column that it could name.
    """
    split_column_name(options, ())
    sides = {name: side_of_name(name) or "train" for name in names}
    told = set(sides.values())
    return None if asks_for_shares(options) or len(told) < 2 or "train" not in told else sides


def asks_for_shares(options: DataOptions) -> bool:
    """Whether `--split` gives shares such as 80/10/10: then a split that the data gives is left aside."""
    return options.split is not None and _SHARES.fullmatch(options.split.strip()) is not None


def split_column_name(options: DataOptions, names: Collection[str]) -> str | None:
    """The column that gives the sides: what `--split` names, or one that is called `split`; else None.

    Raises:
        SettingError: `--split` is neither shares nor one of the columns.
    """
    if options.split is None or asks_for_shares(options):
        return next((name for name in names if name.lower() == "split"), None)
    if options.split not in names:
        raise SettingError(
            f"--split {options.split!r} is neither shares such as 80/10/10 nor a column of the data.",
            did_you_mean(options.split, names),
        )
    return options.split


def side_column(rows: Rows, options: DataOptions) -> tuple[str | None, str | None]:
    """The column that gives the sides; and one that would, but that the user overrides with shares.

    Raises:
        SettingError: `--split` is neither shares nor one of the columns.
    """
    name = split_column_name(options, rows.names)
    if name is None:
        return None, None
    if name != options.split:
        known = all(are_sides(batch.column(name)) for batch, _ in rows.batches(None) if batch.num_rows)
        if not known:
            return None, None
        if asks_for_shares(options):
            return None, name
    return name, None


def are_sides(values: pa.Array | pa.ChunkedArray) -> bool:
    """Whether every value is one of the words for train, validation and test."""
    words = [word for word in pc.unique(values.cast(pa.string())).to_pylist() if word is not None]
    return bool(words) and all(split_of(word) is not None for word in words)


def as_sides(values: pa.Array, file: str) -> pa.Array:
    """A column of words as "train", "validation", "test"; raises `DataError` for any other word."""
    encoded = pc.dictionary_encode(values.cast(pa.string()), null_encoding="encode")
    sides = [split_of(word) if word is not None else None for word in encoded.dictionary.to_pylist()]
    if None in sides:
        wrong = encoded.dictionary[sides.index(None)].as_py()
        shown = "an empty value" if wrong is None else repr(wrong)
        raise DataError(
            f"the split column holds {shown}; expected train, validation or test.",
            "Correct it, or pass --split 80/10/10.",
            file=file,
        )
    return pa.array(sides, pa.string()).take(encoded.indices)
