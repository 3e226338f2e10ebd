"""Tables of classes beside masks: the forms that are known, and those that are refused."""

from __future__ import annotations

import pytest

from assay.errors import DataError
from assay.sources._mask_classes import read_class_table


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.json", '["a", "b"]'),
        ("classes.json", '{"0": "a", "1": "b"}'),
        ("classes.json", '{"a": 0, "b": 1}'),
        ("classes.json", '{"classes": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}]}'),
        ("classes.csv", "a\nb\n"),
        ("classes.csv", "class;value\na;0\nb;1\n"),
        ("classes.txt", "a\nb\n"),
        ("classes.txt", "0: a\n1: b\n"),
    ],
)
def test_tables_of_names(file: str, text: str) -> None:
    table = read_class_table(text.encode(), file)
    assert (table.names, table.values, table.colours) == (("a", "b"), (0, 1), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,r,g,b\na,1,2\n",
        "name,id\na,0\na,1\n",
        "name,id\na,0\nb,0\n",
        "x,y\n1,2\n",
        "name,id\na,0\n,1\n",
        f"name,id\n{'a' * 200_000},0\n",
    ],
)
def test_tables_that_cannot_be_understood(text: str) -> None:
    with pytest.raises(DataError, match=r"classes\.csv: the table of classes"):
        read_class_table(text.encode(), "classes.csv")
