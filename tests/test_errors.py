"""What an error says of how to mend it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import assay
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


def calls_without_hint() -> list[str]:
    """Where the program raises an error that a user can mend and does not say how."""
    root = Path(assay.__file__).parent
    found = []
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            if named in ("DataError", "SettingError", "RunError", "TrainingError"):
                hinted = len(node.args) > 1 or any(keyword.arg == "hint" for keyword in node.keywords)
                if not hinted:
                    found.append(f"{file.relative_to(root)}:{node.lineno}")
    return found


def test_every_error_says_how_to_mend_it() -> None:
    assert calls_without_hint() == []
