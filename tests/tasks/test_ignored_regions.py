"""Regions in which nobody could tell what is a cell are ignored by tiles, changes, the loss and all judging."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from assay.check import check_task
from assay.evaluation.cell_matching import judged_cells
from assay.evaluation.cell_metrics import cell_metrics, picture_scores
from assay.evaluation.cells import Cells, covers, painted, spans_of
from assay.networks.cell_loss import cell_losses
from assay.networks.cell_network import CellMaps
from assay.samples.cell_augment import Seen, moved
from assay.samples.cell_encoding import fitted_cell_spec
from assay.samples.cell_spec import target_cells
from assay.samples.draws import Draws
from assay.samples.samples import Samples, build_samples
from assay.sources.cells import read_cells
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from assay.tasks.cell_detection import CellDetection
from cell_examples import Darkness, example

Array = np.ndarray
SIDE = 160
TILES = DataOptions(extra={"tile": "64"})
#: x0, y0, x1, y1 of the region that is ambiguous in the first pictures.
REGION = (20, 30, 100, 90)


def polygons(labels: Array) -> list[list[tuple[int, int]]]:
    """A box around the middle of each cell."""
    boxes = [np.argwhere(labels == number) for number in range(1, int(labels.max()) + 1)]
    corners = [(*(box.min(axis=0) + 1), *(box.max(axis=0) - 1)) for box in boxes]
    return [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for y0, x0, y1, x1 in corners]


def annotation(kind: str, regions: list[list[tuple[int, int]]]) -> str:
    drawn = "".join(
        "<Region><Vertices>" + "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in region) + "</Vertices></Region>"
        for region in regions
    )
    return f'<Annotation><Attributes><Attribute Name="{kind}"/></Attributes><Regions>{drawn}</Regions></Annotation>'


def monusac(folder: Path, count: int = 4, ambiguous: int = 2) -> Path:
    """Pictures with Aperio's XML; of the first ones one region is ambiguous, whose cells are outlined in part."""
    x0, y0, x1, y1 = REGION
    folder.mkdir(parents=True)
    for number in range(count):
        one = example(number, SIDE, 24)
        every = polygons(one.labels)
        inside = [x0 <= x < x1 and y0 <= y < y1 for x, y, _ in one.places]
        kept = [region for at, region in enumerate(every) if number >= ambiguous or not inside[at] or at % 2]
        drawn = annotation("Epithelial", kept[::2]) + annotation("Lymphocyte", kept[1::2])
        if number < ambiguous:
            drawn += annotation("Ambiguous", [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]])
        name = f"TCGA-5P-A9K{number}-01Z-00-DX1_1"
        Image.fromarray(one.picture).save(folder / f"{name}.png")
        (folder / f"{name}.xml").write_text(f"<Annotations>{drawn}</Annotations>")
    return folder


def read(folder: Path) -> Records:
    return read_cells(open_source(folder), DataOptions())


def truths_of(records: Records) -> list[Cells]:
    return target_cells(records.index()["target"], ("Epithelial", "Lymphocyte"), True)


def sampled(folder: Path, cache: Path) -> Samples:
    records = read(folder)
    spec = fitted_cell_spec(records, np.ones(records.index().num_rows, bool), TILES)
    return build_samples(CellDetection(), records, spec, np.zeros(records.index().num_rows, np.int8), folder=cache)


def test_ambiguous_regions_are_read_as_such_but_for_the_nuclei_in_them(tmp_path: Path) -> None:
    records, plain = read(monusac(tmp_path / "some")), read(monusac(tmp_path / "none", ambiguous=0))
    assert records.facts["ignored_regions"] == 2 and "ignored_regions" not in plain.facts
    assert [(one.kind, one.count, one.action) for one in records.problems] == [("ambiguous-region", 2, "kept")]
    truths = truths_of(records)
    assert [len(true.ignored) for true in truths] == [1, 1, 0, 0]
    assert sum(map(len, truths)) == records.facts["cells"] and records.facts["cells_without_class"] == 0
    for true in truths[:2]:
        ignored, cells = painted(true.ignored, SIDE, SIDE) > 0, painted(true.outlines, SIDE, SIDE) > 0
        region = np.zeros((SIDE, SIDE), bool)
        region[REGION[1] : REGION[3] + 1, REGION[0] : REGION[2] + 1] = True
        assert (cells & region).any()
        np.testing.assert_array_equal(ignored, region & ~cells)
    assert records.fingerprint != read(monusac(tmp_path / "one", ambiguous=1)).fingerprint


def test_inspect_tells_how_many_regions_are_ignored(tmp_path: Path, command: Any) -> None:
    for ambiguous in (0, 3):
        folder = monusac(tmp_path / str(ambiguous), count=10, ambiguous=ambiguous)
        found = command("inspect", folder, "--json")
        assert found.json["counts"].get("ignored_regions", 0) == ambiguous


def test_tiles_carry_the_region_where_it_lies(tmp_path: Path) -> None:
    samples = sampled(monusac(tmp_path / "some"), tmp_path / "cache")
    truths, met = samples.view(0).truths(), 0
    for window, unit in enumerate(samples.unit):
        batch = samples.batch(np.asarray([window]))
        left, top = batch.place[0, :2].tolist()
        whole = np.pad(painted(truths[int(unit)].ignored, SIDE, SIDE) > 0, 64, mode="symmetric")[64:, 64:]
        np.testing.assert_array_equal(batch.ignored[0].numpy(), whole[top : top + 64, left : left + 64])
        met += bool(batch.ignored.any())
    assert met > 4


def test_where_no_region_is_ignored_there_is_no_field(tmp_path: Path) -> None:
    samples = sampled(monusac(tmp_path / "none", ambiguous=0), tmp_path / "cache")
    assert not samples.holds("ignored") and samples.batch(np.arange(2)).ignored is None


@pytest.mark.parametrize("strength", [{"flip": 1.0}, {"flip": 1.0, "scale": 0.3}, {"crop": 32.0, "flip": 1.0}])
def test_the_region_moves_with_its_picture(strength: dict[str, float]) -> None:
    random = np.random.default_rng(0)
    image, ignored = torch.zeros(8, 3, 48, 48), torch.zeros(8, 48, 48, dtype=torch.bool)
    for row in range(8):
        x, y = random.integers(4, 28, 2).tolist()
        image[row, :, y : y + 14, x : x + 8] = 255
        ignored[row, y : y + 14, x : x + 8] = True
    valid = torch.ones(8, 48, 48, dtype=torch.bool)
    after = moved(Seen(image, torch.full((8, 2, 4), -2.0), None, valid, ignored), strength, Draws(1, 2, np.arange(8)))
    assert after.ignored is not None and after.ignored.any()
    inside = after.valid  # beyond the picture light is mirrored, and nothing is ignored
    sure = inside & ((after.image[:, 0] < 1) | (after.image[:, 0] > 254))
    assert torch.equal((after.image[:, 0] > 127)[sure], after.ignored[sure])
    assert not after.ignored[~inside].any()


def maps_of(side: int, stride: int, seed: int = 0) -> tuple[CellMaps, list[torch.Tensor]]:
    torch.manual_seed(seed)
    size = side // stride
    values = [torch.randn(2, size, size, requires_grad=True) for _ in range(3)]
    kind = torch.randn(2, 2, size, size, requires_grad=True)
    return CellMaps(values[0], kind, values[1], values[2], stride), [*values, kind]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_loss_leaves_ignored_pixels_out(stride: int) -> None:
    cells = torch.full((2, 3, 4), -2.0)
    cells[:, 0] = torch.tensor([8.0, 9.0, 1.0, 4.0])
    cells[:, 1] = torch.tensor([50.0, 50.0, 0.0, 4.0])
    depth = torch.randint(0, 255, (2, 64, 64), dtype=torch.uint8)
    valid = torch.ones(2, 64, 64, dtype=torch.bool)
    ignored = torch.zeros(2, 64, 64, dtype=torch.bool)
    ignored[0, 21:40, 15:38] = True
    maps, values = maps_of(64, stride)
    loss = cell_losses(maps, cells, depth, valid, 5.0, 1e-3, 0.0, ignored)
    other = torch.where(ignored, 255 - depth, depth)
    assert torch.equal(cell_losses(maps, cells, other, valid, 5.0, 1e-3, 0.0, ignored), loss)
    assert not torch.equal(cell_losses(maps, cells, other, valid, 5.0, 1e-3, 0.0), loss)
    loss.sum().backward()
    blocks = ignored.view(2, 64 // stride, stride, 64 // stride, stride).any(4).any(2)
    for value in values[:3]:
        assert value.grad is not None and not value.grad[blocks].any() and value.grad[~blocks].all()
    alone = cell_losses(maps, cells, depth, valid, 5.0, 1e-3, 0.0)
    assert torch.equal(loss[1], alone[1]) and loss[0] != alone[0]
    nowhere = torch.zeros_like(ignored)
    assert torch.equal(cell_losses(maps, cells, depth, valid, 5.0, 1e-3, 0.0, nowhere), alone)


def disks(places: list[tuple[int, int]], radius: int = 4, side: int = 80) -> Cells:
    rows, columns = np.mgrid[:side, :side]
    outlines = tuple(
        spans_of(((columns - x) ** 2 + (rows - y) ** 2 <= radius**2).astype(np.uint8))[1][0] for x, y in places
    )
    x, y = np.asarray(places, np.float32).reshape(-1, 2).T
    count = len(places)
    return Cells(x, y, np.arange(count) % 2, np.ones(count, np.float32), np.full((count, 2), 0.5, np.float32),
                 outlines, True)  # fmt: skip


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Array:
    rows = np.arange(y0, y1)
    return np.stack([rows, np.full(len(rows), x0), np.full(len(rows), x1)], axis=1).astype(np.int32)


def test_what_is_found_in_a_region_counts_neither_for_nor_against() -> None:
    region = rectangle(40, 0, 80, 40)
    truth = replace(disks([(10, 10), (30, 60)]), ignored=(region,))
    told = disks([(11, 10), (60, 20), (50, 30), (60, 60)])
    values = {metric.name: metric.value([told], [truth]) for metric in cell_metrics(6.0, ("a", "b"), True)}
    # Of four finds two lie in the region: one of the others is right, one for nothing, and one true cell is missed.
    assert values["instance_f1"] == values["detection_f1"] == pytest.approx(2 * 1 / (2 + 2))
    assert values["count_error"] == 0
    without = told.only(np.asarray([0, 3]))
    for metric in cell_metrics(6.0, ("a", "b"), True):
        clear = metric.value([without], [replace(truth, ignored=())])
        assert values[metric.name] == pytest.approx(clear, nan_ok=True), metric.name
    assert picture_scores([told], [truth], 6.0, True).tolist() == [0.5]


def test_of_an_outline_that_reaches_into_a_region_what_lies_outside_counts() -> None:
    """The find covers the cell and as much of the region: with the region it is right, without it shares too little."""
    truth = disks([(20, 20)])
    told = replace(truth, outlines=(rectangle(16, 16, 60, 25),))
    within = replace(truth, ignored=(rectangle(26, 0, 80, 80),))
    metrics = {metric.name: metric for metric in cell_metrics(6.0, (), True)}
    assert metrics["instance_f1"].value([told], [truth]) == 0
    assert metrics["instance_f1"].value([told], [within]) == 1
    own, true = 10 * 9, int((truth.outlines[0][:, 2] - truth.outlines[0][:, 1]).sum())
    assert metrics["foreground_dice"].value([told], [within]) == pytest.approx(2 * true / (own + true))


@settings(deadline=None, max_examples=40)
@given(some.lists(some.tuples(some.integers(0, 79), some.integers(0, 79)), max_size=12), some.integers(0, 5))
def test_what_is_judged_lies_outside_of_all_regions(places: list[tuple[int, int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    regions = tuple(rectangle(*np.sort(random.integers(0, 80, (2, 2)), axis=0).ravel().tolist()) for _ in range(3))
    truth, told = replace(disks([(40, 40)]), ignored=regions), disks(places)
    kept = judged_cells(told, truth)
    mask = painted(regions, 80, 80) > 0
    assert kept.places.tolist() == [place for place in told.places.tolist() if not mask[int(place[1]), int(place[0])]]
    before, after = (painted(one.outlines, 80, 80) for one in (told.only(~covers(mask, told.x, told.y)), kept))
    np.testing.assert_array_equal(after, np.where(mask, 0, before))
    assert judged_cells(told, replace(truth, ignored=())) is told


def test_thresholds_are_chosen_without_finds_in_a_region(tmp_path: Path) -> None:
    from assay.networks.cell_networks import _judged

    samples = sampled(monusac(tmp_path / "some"), tmp_path / "cache")
    batch = samples.batch(np.arange(len(samples.unit)), exact=True)
    left_out = 0
    for (own, _, seen), ignored in zip(_judged(Darkness(), batch, samples.spec), batch.ignored.numpy(), strict=True):
        assert not covers(ignored, own.x, own.y).any()
        left_out += int(covers(ignored, seen.x, seen.y).sum())
    assert left_out > 5


def test_the_baseline_learns_nothing_in_a_region(tmp_path: Path) -> None:
    from assay.baselines._fitting import Clock
    from assay.baselines.cell_classical import StainBlobs

    samples = sampled(monusac(tmp_path / "some"), tmp_path / "cache")
    baseline, view = StainBlobs(samples.spec), samples.view(0)
    without = replace_field_with_nothing(samples)
    (_, labels, _), (_, every, _) = (
        baseline._described(one, view.windows, Clock(60.0)) for one in (view, without.view(0))
    )
    assert (labels > -2).sum() == (every > -2).sum() and (every == -2).sum() - (labels == -2).sum() > 5


def replace_field_with_nothing(samples: Samples) -> Samples:
    """The same samples, of which nobody knows where anything is ignored."""
    import copy

    other = copy.copy(samples)
    other.holds = lambda name: name != "ignored" and samples.holds(name)  # type: ignore[method-assign]
    return other


@pytest.mark.slow
def test_ambiguous_regions_pass_the_acceptance_test(tmp_path: Path) -> None:
    source = monusac(tmp_path / "some", count=16, ambiguous=8)
    (tmp_path / "empty").mkdir()
    small = {"width": "8", "levels": "3"}
    results = check_task(CellDetection(), source, TILES, corrupt=[tmp_path / "empty"], settings=small)
    assert all(result.ok for result in results), [result for result in results if not result.ok]
