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


def test_a_confused_cell_is_shown_by_itself(tmp_path: Path) -> None:
    """The places of a confusion are those of its cells, and the drawing is a square around one, not the picture."""
    from assay.evidence.cell_figures import cell_confusions
    from assay.flow import prepare
    from assay.samples.samples import build_samples

    task = CellDetection()
    source = write_points(tmp_path / "points", count=8)
    made = prepare(source, TILES, task=task)
    spec = task.fit_spec(made.records, np.ones(8, bool), TILES)
    samples = build_samples(task, made.records, spec, np.zeros(8, np.int8), folder=tmp_path / "cache")
    truth = samples.view(0).truths()[0]
    truth = truth.only(truth.label >= 0)
    wrong = np.arange(len(truth)) == 0
    told = replace(truth, label=np.where(wrong, 1 - truth.label, truth.label))
    (one,) = cell_confusions([told], [truth], spec)
    assert one.rows == (0,) and len(one.places) == 1
    x, y = truth.places[0].tolist()
    assert one.places[0] == (x - spec.size, y - spec.size, x + spec.size, y + spec.size)
    drawing = task.draw_confused(samples, 0, told, truth, one.places[0], spec)
    assert drawing.image is not None and "dashed: the cell" in drawing.lines
    assert drawing.image != task.draw_answered(samples, 0, told, truth, spec).image


def test_one_cell_is_explained_by_what_is_near(tmp_path: Path) -> None:
    """Integrated gradients of a single middle lie around it, and hiding them takes the cell away."""
    import torch

    from assay.evidence.cell_attribution import explain_cells, surest_left
    from assay.networks.cell_decoding import Deciding, tile_cells
    from assay.samples.cell_spec import CellSpec
    from assay.samples.cell_tiles import tiles_of
    from cell_examples import Darkness

    spec = CellSpec(64, 16, (220.0,) * 3, (50.0,) * 3, ("dark",), False, 6.0, 5.0, 1e-3, 16, True)
    image = torch.full((1, 3, 64, 64), 220, dtype=torch.uint8)
    for x, y in ((20, 20), (44, 40)):
        image[0, :, y - 4 : y + 5, x - 4 : x + 5] = 40
    network, place = Darkness(), torch.from_numpy(next(tiles_of(64, 64, 64, 16)).numbers)[None]
    whole = tile_cells(network, image, place, spec, Deciding(0.5, 1))
    assert len(whole[0]) == 2
    weights = explain_cells(network, image, place, spec, only=0)[0]
    x, y = (round(float(axis[0])) for axis in (whole[0].x, whole[0].y))
    near = np.zeros((64, 64), bool)
    near[y - 10 : y + 11, x - 10 : x + 11] = True
    assert np.abs(weights[near]).sum() > 0.99 * np.abs(weights).sum() > 0
    both = explain_cells(network, image, place, spec)[0]
    assert np.abs(both[~near]).sum() > 0.3 * np.abs(both).sum()
    assert surest_left(whole, whole, 6.0).tolist() == [whole[0].probability.max()]
    hidden = torch.where(torch.from_numpy(near), torch.tensor(220, dtype=torch.uint8), image)
    assert surest_left(tile_cells(network, hidden, place, spec, Deciding(0.5, 1)), whole, 6.0).tolist() == [0.0]
    assert surest_left(whole, [whole[0].only(np.zeros(0, int))], 6.0).tolist() == [0.0]
