"""Cell detection as an application: the acceptance test on points and on outlines, and answers."""

from __future__ import annotations

from pathlib import Path

from assay.check import check_task
from assay.sources.source import DataOptions
from assay.tasks.cell_detection import CellDetection
from cell_examples import write_masks, write_points

TILES = DataOptions(extra={"tile": "64"})
SMALL = {"width": "8", "levels": "3"}


def broken(folder: Path) -> list[Path]:
    (folder / "empty").mkdir()
    (folder / "slide").mkdir()
    (folder / "slide" / "a.tif").write_bytes(b"")
    (folder / "slide" / "cells.csv").write_text("image,x,y\na.tif,3,4\n")
    outside = write_points(folder / "outside", count=3)
    table = outside / "cells.csv"
    table.write_text(table.read_text() + "p00,500,3,round\np01,oops,3,round\nnowhere,1,1,round\n")
    return [folder / "empty", folder / "slide", outside]


def test_points_pass_the_acceptance_test(tmp_path: Path) -> None:
    source = write_points(tmp_path / "points")
    results = check_task(CellDetection(), source, TILES, corrupt=broken(tmp_path), settings=SMALL)
    assert all(result.ok for result in results), [result for result in results if not result.ok]


def test_outlines_pass_the_acceptance_test(tmp_path: Path) -> None:
    source = write_masks(tmp_path / "masks")
    results = check_task(CellDetection(), source, TILES, corrupt=broken(tmp_path), settings=SMALL)
    assert all(result.ok for result in results), [result for result in results if not result.ok]
