"""Properties of the split: nothing leaks, nothing depends on the order, and shares are near what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import DataError, SettingError
from assay.samples.split import SIDES, TEST, TRAIN, VALIDATION, Split, check_sides, parse_shares, split
from assay.sources.records import ProblemLog

quick = settings(max_examples=60, deadline=None)


@st.composite
def tables(draw: Any) -> pa.Table:
    """Rows with a class, and perhaps groups and digests, some of them missing or shared."""
    count = draw(st.integers(1, 60))
    kind = draw(st.sampled_from(["class", "number", "labels", "none"]))
    some = st.one_of(st.none(), st.integers(0, max(1, count // 3)))
    targets: dict[str, Any] = {
        "class": pa.array(
            draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=count, max_size=count)), pa.string()
        ),
        "number": pa.array(np.round(np.linspace(-1, 1, count) ** 3, 3)),
        "labels": pa.array([["x", "y", "z"][: row % 4] for row in range(count)], pa.list_(pa.string())),
        "none": pa.nulls(count, pa.string()),
    }
    columns: dict[str, Any] = {"id": [f"row-{row}" for row in range(count)], "target": targets[kind]}
    for name in draw(st.sets(st.sampled_from(["group", "digest"]))):
        values = draw(st.lists(some, min_size=count, max_size=count))
        columns[name] = pa.array([None if value is None else f"{name}-{value}" for value in values], pa.string())
    return pa.table(columns)


@quick
@given(tables(), st.integers(0, 5), st.sampled_from([None, "70/20/10", "80/20/0", "50/0/50"]))
def test_no_group_and_no_duplicate_ever_crosses(table: pa.Table, seed: int, asked: str | None) -> None:
    found = split(table, asked, seed)
    for name in {"group", "digest"} & set(table.column_names):
        for value in set(table[name].to_pylist()) - {None}:
            rows = np.asarray([other == value for other in table[name].to_pylist()])
            assert len(set(found.side[rows].tolist())) == 1


@quick
@given(tables(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(table: pa.Table, seed: int, random: Any) -> None:
    order = list(range(table.num_rows))
    random.shuffle(order)
    first, shuffled = split(table, None, seed), split(table.take(pa.array(order, pa.int64())), None, seed)
    assert np.array_equal(first.side[order], shuffled.side)


@quick
@given(tables(), st.integers(0, 5))
def test_a_side_that_was_not_asked_for_stays_empty(table: pa.Table, seed: int) -> None:
    assert not (split(table, "80/20/0", seed).side == TEST).any()
    assert not (split(table, "80/0/20", seed).side == VALIDATION).any()


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_shares_are_near_what_was_asked_in_every_class(grouped: bool, chunks: int) -> None:
    random = np.random.default_rng(0)
    count = 3000
    classes = random.choice(["common", "less", "rare"], count, p=[0.8, 0.15, 0.05])
    columns: dict[str, Any] = {"id": [f"row-{row}" for row in range(count)], "target": classes.tolist()}
    if grouped:
        columns["group"] = [f"group-{number}" for number in random.integers(0, 400, count)]
    table = pa.table(columns)
    pieces = pa.concat_tables([table.slice(start, count // chunks) for start in range(0, count, count // chunks)])
    found = split(pieces, "70/20/10", 3)
    assert found.by == ("group" if grouped else "content")
    for name in ("common", "less", "rare"):
        sides = found.side[classes == name]
        for number, share in ((TRAIN, 0.7), (VALIDATION, 0.2), (TEST, 0.1)):
            near = 0.05 if grouped else 2 / len(sides)
            assert abs((sides == number).mean() - share) <= near, (name, SIDES[number])


def test_every_class_of_three_is_on_every_side() -> None:
    table = pa.table({"id": [str(row) for row in range(9)], "target": ["a", "b", "c"] * 3})
    found = split(table, None, 0)
    for name in "abc":
        assert sorted(found.side[[value == name for value in table["target"].to_pylist()]].tolist()) == [0, 1, 2]


def test_targets_that_hardly_repeat_are_no_classes() -> None:
    table = pa.table({"id": [str(row) for row in range(200)], "target": [f"sentence {row // 2}" for row in range(200)]})
    assert split(table, None, 0).counts() == {"train": 160, "validation": 20, "test": 20}


def test_sides_of_old_rows_stay_mostly_when_rows_are_added() -> None:
    def table(count: int) -> pa.Table:
        return pa.table(
            {"id": [f"row-{row}" for row in range(count)], "target": ["ab"[row % 2] for row in range(count)]}
        )

    before, after = split(table(1000), None, 0).side, split(table(1100), None, 0).side[:1000]
    assert (before != after).mean() < 0.05


def test_another_split_seed_moves_samples() -> None:
    table = pa.table({"id": [str(row) for row in range(500)], "target": ["a", "b"] * 250})
    assert (split(table, None, 0).side != split(table, None, 1).side).mean() > 0.1


def given_table(sides: list[str | None], **more: Any) -> pa.Table:
    names = [f"row-{row}" for row in range(len(sides))]
    return pa.table(
        {"id": names, "target": ["a", "b"] * (len(sides) // 2), "split": pa.array(sides, pa.string()), **more}
    )


def test_a_given_split_is_honoured() -> None:
    found = split(given_table(["train", "val", "test", "Training", "dev", "testing"]), None, 0)
    assert found.by == "given" and found.side.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_given_split_without_validation_gets_one_from_its_training_part() -> None:
    table = given_table(["train"] * 160 + ["test"] * 40)
    found = split(table, None, 0)
    assert (found.side[160:] == TEST).all()
    assert found.counts() == {"train": 144, "validation": 16, "test": 40}


def test_shares_that_were_asked_for_win_over_a_given_split() -> None:
    assert split(given_table(["train"] * 50 + ["test"] * 50), "80/10/10", 0).by == "content"


def test_duplicates_across_a_given_split_are_told() -> None:
    log = ProblemLog()
    split(given_table(["train", "test", "train", "val"], digest=["x", "x", "y", "z"]), None, 0, log)
    assert [(problem.kind, problem.count) for problem in log.problems()] == [("duplicate-across-given-split", 2)]


def test_an_unknown_side_is_an_error_with_the_row() -> None:
    with pytest.raises(DataError, match=r"row-1.*'tset'"):
        split(given_table(["train", "tset"]), None, 0)


@pytest.mark.parametrize("text", ["80/10", "80/10/20", "a/b/c", "-10/60/50", "0/50/50", "80/10/10/0"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(SettingError, match="three shares"):
        parse_shares(text)


def test_shares() -> None:
    assert parse_shares("80/10/10") == (0.8, 0.1, 0.1)
    assert parse_shares(None) is parse_shares("fold") is None
    assert Split(np.asarray([0, 0, 1, 2]), "content").counts() == {"train": 2, "validation": 1, "test": 1}


@pytest.mark.parametrize("sizes", [(6, 6, 6), (50, 3, 3), (5, 5, 5, 5), (40, 40, 1)])
def test_few_groups_leave_no_side_empty(sizes: tuple[int, ...]) -> None:
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    table = pa.table({"id": [str(row) for row in range(len(groups))], "group": groups,
                      "target": ["ab"[row % 2] for row in range(len(groups))]})  # fmt: skip
    side = split(table, None, 0).side
    assert set(side) == {0, 1, 2}
    for group in set(groups):
        assert len(set(side[np.array(groups) == group])) == 1
    assert (split(table.filter(pa.array([group == "g0" for group in groups])), None, 0).side == 0).all()


@pytest.mark.parametrize(
    ("columns", "asked", "message"),
    [
        ({}, None, "2 samples cannot be split: the validation and the test side get none"),
        ({}, "80/20/0", "2 samples cannot be split: the validation side gets none"),
        ({"group": ["a", "b"] * 5}, None, r"10 samples in 2 groups .* the validation side gets none"),
        ({"digest": ["a"] * 10}, None, r"10 samples in 1 group .* the validation and the test side get none"),
        ({"split": ["train", "train"]}, None, "2 samples cannot be split: the test side gets none"),
        ({"split": ["test", "test"]}, None, "no sample on the training side"),
    ],
)
def test_too_few_samples_for_the_sides_are_an_error(columns: dict[str, Any], asked: str | None, message: str) -> None:
    rows = len(next(iter(columns.values()), [0, 0]))
    table = pa.table({"id": [str(row) for row in range(rows)], **columns})
    with pytest.raises(DataError, match=message) as told:
        check_sides(split(table, asked, 0), table, asked)
    assert "--split" in told.value.hint


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ({}, None),
        ({}, "100/0/0"),
        ({}, "60/0/40"),
        ({"group": ["a", "b", "c"]}, None),
        ({"split": ["train", "train", "test"]}, None),
    ],
)
def test_three_samples_are_enough_for_three_sides(columns: dict[str, Any], asked: str | None) -> None:
    table = pa.table({"id": ["0", "1", "2"], **columns})
    check_sides(split(table, asked, 0), table, asked)
