"""Cell detection as an application: the acceptance test on points and on outlines, and answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

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


def test_the_page_shows_what_was_missed(tmp_path: Path) -> None:
    from assay.evaluation.batched import evaluation_of
    from assay.flow import prepare
    from assay.report.figures import draw
    from assay.samples.samples import build_samples

    task = CellDetection()
    for source in (write_points(tmp_path / "points", count=8), write_masks(tmp_path / "masks", count=8)):
        made = prepare(source, TILES, task=task)
        spec = task.fit_spec(made.records, np.ones(8, bool), TILES)
        samples = build_samples(task, made.records, spec, np.zeros(8, np.int8), folder=tmp_path / source.name / "cache")
        view = samples.view(0)
        truths = view.truths()
        told = [truth.only(np.arange(len(truth)) > 0) for truth in truths]
        told = [replace(one, label=np.abs(one.label), shares=np.zeros((len(one), 2))) for one in told]
        drawing = task.draw_answered(samples, 0, told[0], truths[0], spec)
        assert {"found: 9", "missed (white): 1", "found for nothing (black): 0"} <= set(drawing.lines)
        assert drawing.image is not None and drawing.image.startswith("data:image")
        figures = task.figures(evaluation_of(told, view, 1.0), spec)
        assert all("<svg" in draw(figure) or "<table" in draw(figure) for figure in figures)
        counts = next(figure for figure in figures if figure.kind == "matrix").data["counts"]
        assert sum(row[-1] for row in counts) == 8
