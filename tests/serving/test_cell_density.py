"""Maps of how dense cells lie: known answers, and the picture that is written."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assay.serving.cell_answers import cells_per_megapixel
from assay.serving.cell_density import density_maps, density_png
from assay.tasks.cell_detection import CellDetection


def answer(height: int, width: int, cells: list[tuple[float, float, str]], kinds: tuple[str, ...]) -> dict[str, Any]:
    told = [{"x": x, "y": y, "kind": kind, "probability": 0.9} for x, y, kind in cells]
    by_class = {kind: sum(cell[2] == kind for cell in cells) for kind in kinds}
    return {"count": len(cells), "by_class": by_class, "width": width, "height": height, "cells": told}


@pytest.mark.parametrize(("height", "width"), [(60, 90), (1000, 700), (12_000, 9_001)])
def test_the_mean_is_the_density_and_the_peak_is_where_the_cells_are(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    near = [(0.8 * width + 0.02 * width * random.normal(), 0.25 * height, "a") for _ in range(30)]
    edge = [(0.0, height - 1.0, "b")] * 10
    found = density_maps(answer(height, width, near + edge, ("a", "b", "c")))
    assert list(found) == ["all", "a", "b", "c"]
    for name, count in (("all", 40), ("a", 30), ("b", 10), ("c", 0)):
        assert found[name].mean() == pytest.approx(count * 1e6 / (height * width), abs=1e-9)
    row, column = np.unravel_index(found["a"].argmax(), found["a"].shape)
    high, wide = found["a"].shape
    assert row / high == pytest.approx(0.25, abs=0.03) and column / wide == pytest.approx(0.8, abs=0.03)
    assert np.unravel_index(found["b"].argmax(), (high, wide)) == (high - 1, 0)
    np.testing.assert_allclose(found["all"], found["a"] + found["b"] + found["c"])


def test_evenly_laid_cells_are_evenly_dense_up_to_the_edge() -> None:
    cells = [(x, y, "") for x in range(5, 400, 10) for y in range(5, 300, 10)]
    (found,) = density_maps(answer(300, 400, [(float(x), float(y), kind) for x, y, kind in cells], ())).values()
    assert found.min() > 9_000 and found.max() < 11_000


def test_it_is_written_as_a_picture_beside_what_qupath_reads() -> None:
    forms = CellDetection().writings()
    assert list(forms) == [".geojson", ".png"]
    for cells, kinds in (([(5.0, 6.0, "a"), (50.0, 9.0, "b")], ("a", "b")), ([], ())):
        picture = Image.open(io.BytesIO(forms[".png"](answer(40, 60, cells, kinds))))
        assert picture.mode == "RGB" and picture.width > 300
    assert density_png(answer(40, 60, [], ())).startswith(b"\x89PNG")


def test_a_class_called_all_is_told_apart_from_the_total() -> None:
    cells = [(5.0, 6.0, "all"), (50.0, 9.0, "b"), (20.0, 30.0, "b")]
    told = answer(40, 60, cells, ("all", "b", "all (class)"))
    found = density_maps(told)
    assert list(found) == ["all", "all (class) (class)", "b", "all (class)"]
    means = [values.mean() * 40 * 60 / 1e6 for values in found.values()]
    assert means == pytest.approx([3, 1, 2, 0])
    assert Image.open(io.BytesIO(density_png(told))).mode == "RGB"
    per_class = density_maps(answer(40, 60, cells, ("all", "b")))
    assert list(per_class) == ["all", "all (class)", "b"]


def test_counts_of_a_class_called_all_do_not_take_the_totals_place() -> None:
    assert cells_per_megapixel(3, {"all": 1, "b": 2}, 1.0) == {"all": 3.0, "all (class)": 1.0, "b": 2.0}
    assert cells_per_megapixel(3, {"a": 1, "b": 2}, 2.0) == {"all": 1.5, "a": 0.5, "b": 1.0}
