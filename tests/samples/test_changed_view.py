"""A view whose windows come changed: batches, fields and arrays all show the change, the samples stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.flow import TrainOptions, prepare
from assay.planning import choose
from assay.progress import Progress
from assay.run import RunFolder
from assay.samples.samples import View
from assay.samples.split import TEST
from assay.sources.source import DataOptions


@pytest.fixture
def view(digits: Path, tmp_path: Path) -> View:
    options = DataOptions()
    prepared = prepare(digits, options)
    run = RunFolder.create(tmp_path / "run")
    made = choose(prepared, options, TrainOptions(None, 1.0, "mlp", {}, 0, "none"), run, Progress())
    return made.samples.view(TEST)


def inverted(batch: Any) -> Any:
    return replace(batch, image=255 - batch.image)


def test_all_ways_to_look_show_the_change(view: View) -> None:
    changed = view.changed(inverted)
    before = view.array("image").copy()
    assert np.array_equal(changed.array("image"), 255 - before)
    assert np.array_equal(np.concatenate([batch.image.numpy() for batch in changed.batches(5)]), 255 - before)
    assert np.array_equal(np.concatenate(list(changed.field("image"))), 255 - before)
    assert np.array_equal(view.array("image"), before)


def test_what_is_known_of_the_units_stays(view: View) -> None:
    changed = view.changed(inverted)
    assert changed.ids() == view.ids() and np.array_equal(changed.truths(), view.truths())
    assert np.array_equal(changed.groups(), view.groups()) and len(changed) == len(view)
    some = changed.sample(3)
    assert np.array_equal(some.array("image"), 255 - view.sample(3).array("image"))
