"""Whole evidence of runs that are odd in one way: every finding answers, or says why it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import assay
from assay.evidence.evidence import FINDINGS


def rows(count: int = 240, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(random.normal(0, 1, (count, 4)).round(3), columns=list("abcd"))
    table["kind"] = random.choice(["red", "green", "blue"], count)
    return table


def sides(count: int, test: int) -> list[str]:
    return ["test"] * test + ["validation"] * 40 + ["train"] * (count - test - 40)


def learnable(table: pd.DataFrame) -> pd.Series:
    return pd.Series(np.where(table["a"] + 0.5 * table["b"] > 0, "high", "low"))


def found_in(table: pd.DataFrame, tmp_path: Path, **how: Any) -> dict[str, Any]:
    model = assay.train(table, task="table", target="target", epochs=how.pop("epochs", 6), out=tmp_path / "run", **how)
    found = {finding.name: finding for finding in model.evidence}
    assert list(found) == [name for name in FINDINGS if name != "tuning"]
    for finding in found.values():
        assert finding.status in ("good", "watch", "act", "unknown") and finding.verdict.endswith(".")
        assert not any(word in finding.verdict.lower() for word in ("nan", "none,", "inf "))
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    return found


def test_five_test_samples(tmp_path: Path) -> None:
    table = rows()
    found = found_in(table.assign(target=learnable(table), split=sides(len(table), 5)), tmp_path, split="split")
    for name in ("data", "explanation", "shortcuts", "robustness", "calibration"):
        assert found[name].status == "unknown", name
    accuracy = found["accuracy"].numbers["accuracy"]
    assert accuracy.high - accuracy.low > 0.3


def test_a_class_that_the_test_side_does_not_have(tmp_path: Path) -> None:
    table = rows(300)
    target = pd.Series(np.select([table["a"] > 0.8, table["a"] > -0.2], ["high", "middle"], "low"))
    order = np.argsort(target == "high", kind="stable")
    table = table.assign(target=target).iloc[order].reset_index(drop=True)
    found = found_in(table.assign(split=sides(len(table), 80)), tmp_path, split="split")
    assert found["accuracy"].status != "unknown" and "high" not in set(table["target"][:80])


def test_a_number(tmp_path: Path) -> None:
    table = rows(400)
    noise = np.random.default_rng(1).normal(0, 0.1, len(table))
    found = found_in(table.assign(target=(3 * table["a"] - table["b"] + noise).round(3)), tmp_path)
    assert found["labels"].status == "unknown" and "R²" in found["accuracy"].verdict


def test_labels_drawn_by_lot(tmp_path: Path) -> None:
    table = rows(300)
    table["target"] = np.random.default_rng(2).choice(["x", "y"], len(table))
    found = found_in(table, tmp_path)
    assert found["labels"].status == found["robustness"].status == "unknown"
    assert found["accuracy"].status != "good"


def test_a_target_that_a_column_gives_away(tmp_path: Path) -> None:
    table = rows(400)
    found = found_in(table.assign(target=np.where(table["kind"] == "red", "yes", "no")), tmp_path, epochs=20)
    assert found["accuracy"].numbers["accuracy"].value > 0.97
    assert found["baseline"].status in ("watch", "good")


@pytest.mark.parametrize("split", ["90/10/0", "90/0/10"])
def test_a_side_that_is_empty(tmp_path: Path, split: str) -> None:
    table = rows(300)
    found = found_in(table.assign(target=learnable(table)), tmp_path, split=split)
    assert (found["accuracy"].status == "unknown") == split.endswith("/0")
