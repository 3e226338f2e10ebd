"""What an error says of how to mend it."""

from __future__ import annotations

import pytest

from assay.errors import DataError, did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("widht", ["width", "depth"], "Did you mean 'width'?"),
        ("zzz", ["width", "depth"], "Known: depth, width."),
        (True, ["full", "none"], "Known: full, none."),
        ("zzz", [], ""),
    ],
)
def test_the_nearest_word_or_all_that_there_are(word: object, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint


def test_very_many_words_are_not_all_listed() -> None:
    hint = did_you_mean("zzz", [f"network-{number:04d}" for number in range(1000)])
    assert hint.startswith("Known: network-0000, ") and hint.endswith(", and 970 more.")


def test_an_error_names_file_and_row() -> None:
    assert DataError("is empty").message == "is empty"
    assert DataError("is empty", file="a.csv").message == "a.csv: is empty"
    assert DataError("is empty", file="a.csv", row=3).message == "a.csv, row 3: is empty"
