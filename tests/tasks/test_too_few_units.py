"""Too few pictures or patients for the three sides: an error before anything is trained, in every application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.errors import DataError
from assay.flow import prepare
from assay.sources.source import DataOptions
from box_scenes import write_voc
from cell_examples import write_points
from mask_examples import write_pairs
from scan_examples import slices_folder


@pytest.mark.parametrize(
    ("task", "write"),
    [
        ("object-detection", lambda folder: write_voc(folder, count=2)),
        ("segmentation", lambda folder: write_pairs(folder, count=2)),
        ("cell-detection", lambda folder: write_points(folder, count=2)),
        ("scan-diagnosis", lambda folder: slices_folder(folder, patients=2, views=3)),
    ],
)
def test_two_units_are_an_error(task: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    source = write(tmp_path / "data")
    with pytest.raises(DataError) as told:
        prepare(source, DataOptions(task=task))
    assert told.value.hint and "\n" not in told.value.message + told.value.hint
    made = prepare(source, DataOptions(task=task, split="100/0/0"))
    assert set(made.split.side) == {0}
