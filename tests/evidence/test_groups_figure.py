"""How good it is for each group: known values, the worst first, and nothing where no groups are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from evidence_examples import context, evaluation

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import wilson
from assay.evaluation.metrics import LogLoss
from assay.evidence.accuracy import find
from assay.evidence.groups import by_group, named_groups


def answered(right: dict[str, tuple[int, int]]) -> tuple[Evaluation, Any]:
    """For each group so many right of so many answers, the groups' units mixed; and samples that know the groups."""
    names = [name for name, (_, count) in right.items() for _ in range(count)]
    hits = [place < hit for hit, count in right.values() for place in range(count)]
    order = np.random.default_rng(0).permutation(len(names))
    truths = np.arange(len(names)) % 2
    chosen = np.where(np.asarray(hits)[order], truths, 1 - truths)
    groups = np.unique(names, return_inverse=True)[1][order]
    index = pa.table({"group": pa.array([None if names[place] == "-" else names[place] for place in order])})
    return evaluation(np.eye(2)[chosen], truths, groups), SimpleNamespace(index=index)


def made(right: dict[str, tuple[int, int]], **more: Any) -> Any:
    test, samples = answered(right)
    return context(test, test, test, samples=samples, **more)


RIGHT = {"anna": (19, 20), "ben": (8, 20), "cleo": (4, 4), "-": (6, 6), "dora": (30, 40)}


def test_each_group_has_its_value_the_worst_first() -> None:
    (figure,) = by_group(made(RIGHT))
    rows = figure.data["rows"]
    assert [row["label"] for row in rows] == ["ben (20)", "dora (40)", "anna (20)"]
    assert [row["value"] for row in rows] == [0.4, 0.75, 0.95]
    for row, count in zip(rows, (20, 40, 20), strict=True):
        assert (row["low"], row["high"]) == wilson(row["value"], count)
    assert figure.data["unit"] == "%" and figure.title == "Accuracy by group"
    assert figure.data["reference"]["value"] == sum(hit for hit, _ in RIGHT.values()) / 90
    assert "1 with fewer than 5" in figure.caption
    assert "Accuracy by group" in [one.title for one in find(made(RIGHT)).figures]


def test_of_an_error_the_largest_comes_first() -> None:
    (figure,) = by_group(made(RIGHT, metric=LogLoss()))
    assert [row["label"] for row in figure.data["rows"]] == ["ben (20)", "dora (40)", "anna (20)"]
    values = [row["value"] for row in figure.data["rows"]]
    assert values == sorted(values, reverse=True) and figure.data["unit"] == "nats"


def test_of_many_groups_the_worst_are_shown() -> None:
    (figure,) = by_group(made({f"g{number:02}": (number, 40) for number in range(1, 41)}))
    assert [row["label"] for row in figure.data["rows"]] == [f"g{number:02} (40)" for number in range(1, 26)]
    assert "the 25 worst of 40 groups" in figure.caption


def test_there_is_nothing_to_compare() -> None:
    assert by_group(made({"anna": (9, 10), "ben": (3, 4), "-": (9, 9)})) == ()
    assert by_group(made({"-": (9, 19)})) == ()
    side, _ = answered(RIGHT)
    assert by_group(context(side, side, side)) == ()


def test_positions_are_those_on_the_test_side() -> None:
    index = pa.table({"group": ["a", "b", "a", None, "b"]})
    test = Evaluation(np.asarray([4, 2, 3]), [0, 0, 0], [0, 0, 0], np.arange(3), np.zeros(3), 0.0)
    found = named_groups(test, SimpleNamespace(index=index))  # type: ignore[arg-type]
    assert {name: rows.tolist() for name, rows in found.items()} == {"b": [0], "a": [1]}


def test_speakers_are_groups_where_the_split_goes_by_none() -> None:
    test = Evaluation(np.asarray([1, 2, 3]), [0, 0, 0], [0, 0, 0], np.arange(3), np.zeros(3), 0.0)
    speakers = pa.array(["x", "ann", "bob", "ann"])
    for columns in ({"speaker": speakers}, {"group": pa.nulls(4, pa.string()), "speaker": speakers}):
        found = named_groups(test, SimpleNamespace(index=pa.table(columns)))  # type: ignore[arg-type]
        assert {name: rows.tolist() for name, rows in found.items()} == {"ann": [0, 2], "bob": [1]}
    both = pa.table({"group": ["r", "r", "s", "s"], "speaker": speakers})
    assert set(named_groups(test, SimpleNamespace(index=both))) == {"r", "s"}  # type: ignore[arg-type]
