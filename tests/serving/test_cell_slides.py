"""Slides: read in parts, answered row by row as they would be as a whole, and written for QuPath."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assay.errors import AssayError, DataError
from assay.evaluation.cell_matching import matched
from assay.evaluation.cells import Cells, painted, spans_of
from assay.networks.cell_decoding import cells_of
from assay.run import to_json
from assay.samples.cell_spec import CellSpec
from assay.serving.cell_answers import cell_count, geojson, polygon_of
from assay.serving.cell_session import CellSession, gathered_cells
from assay.serving.predictor import Predictor, predict
from assay.sources.cells import read_cell_pictures
from assay.sources.slides import Slide
from assay.sources.source import open_source
from assay.tasks.cell_detection import CellDetection
from cell_examples import Darkness, example

tifffile = pytest.importorskip("tifffile")
SPEC = CellSpec(256, 32, (128.0,) * 3, (50.0,) * 3, ("dark",), False, 6.0, 5.0, 1e-3, 64, True)


def mosaic(side: int) -> np.ndarray[Any, Any]:
    """Pictures of cells side by side, the rest light."""
    canvas = np.full((side, side, 3), 220, np.uint8)
    pieces = [example(number, 125, 14).picture for number in range(9)]
    for number, (top, left) in enumerate(np.ndindex(side // 125, side // 125)):
        canvas[top * 125 : top * 125 + 125, left * 125 : left * 125 + 125] = pieces[(number * 5) % 9]
    return canvas


def predictor() -> Predictor:
    return Predictor(CellDetection(), SPEC, Darkness())


def test_a_mosaic_gives_the_cells_that_it_gives_as_a_whole() -> None:
    side = 4000
    picture = mosaic(side)
    session = CellSession(predictor())
    answers = [one for top in range(0, side, 700) for one in session.push(picture[top : top + 700])]
    answers += session.close()
    told = gathered_cells(answers, SPEC)
    assert (told.width, told.height) == (side, side)
    assert [one.first_row for one in answers[1:]] == [one.last_row for one in answers[:-1]]
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]
    whole = cells_of(Darkness().maps(image), 0.5, SPEC.apart, SPEC.size)[0].places
    found = np.asarray([(cell.x, cell.y) for cell in told.cells])
    inner, own = (one[((one > 20) & (one < side - 20)).all(1)] for one in (whole, found))
    assert len(inner) == len(own) > 5000
    pairs = matched(own, inner, 0.1)
    assert len(pairs) == len(inner)
    assert told.by_class == {"dark": told.count} and told.per_megapixel["all"] == pytest.approx(
        told.count / 16, rel=1e-4
    )


def test_rows_of_another_length_are_refused() -> None:
    session = CellSession(predictor())
    session.push(np.zeros((3, 20, 3), np.uint8))
    with pytest.raises(DataError, match="20 pixels wide"):
        session.push(np.zeros((3, 21, 3), np.uint8))
    assert CellSession(predictor()).close() == []


@pytest.mark.parametrize("form", [{}, {"tile": (256, 256)}, {"tile": (128, 256), "compression": "zlib"},
                                  {"rowsperstrip": 64, "compression": "zlib"}])  # fmt: skip
def test_every_part_of_a_slide_is_read(tmp_path: Path, form: dict[str, Any]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    tifffile.imwrite(tmp_path / "s.tif", picture, photometric="rgb", **form)
    slide = Slide(tmp_path / "s.tif")
    assert (slide.height, slide.width) == (700, 900)
    np.testing.assert_array_equal(np.concatenate(list(slide.rows(200))), picture)
    np.testing.assert_array_equal(slide.read(130, 240, 300, 400), picture[130:430, 240:640])
    slide.close()


def test_the_finest_level_of_a_pyramid_in_jpeg(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    picture = np.repeat(np.linspace(20, 230, 600).astype(np.uint8)[None, :, None], 512, 0) * np.ones(3, np.uint8)
    picture[:, :, 1] //= 2
    with tifffile.TiffWriter(tmp_path / "s.svs") as out:
        how = {"tile": (256, 256), "photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 95}}
        out.write(picture, **how)
        out.write(picture[::4, ::4], **how)
    slide = Slide(tmp_path / "s.svs")
    assert (slide.height, slide.width) == (512, 600)
    assert np.abs(slide.read(0, 0, 512, 600).astype(int) - picture).mean() < 2


def test_a_slide_is_answered_in_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.sources._cell_pictures.LEAST_PIXELS", 1000)
    tifffile.imwrite(tmp_path / "big.tif", mosaic(500), photometric="rgb", tile=(256, 256))
    (tmp_path / "empty.svs").write_bytes(b"")
    (tmp_path / "broken.svs").write_bytes(b"II*\0 nothing")
    records = read_cell_pictures(open_source(tmp_path))
    assert {problem.kind for problem in records.problems} == {"empty-file", "unreadable-slide"}
    answers, _ = predict(predictor(), records)
    assert [one.id for one in answers] == ["big.tif"]
    assert answers[0].answer.count > 100 and answers[0].answer.width == 500


@pytest.mark.parametrize("content", [b"", b"II*\0\x08\0\0\0", b"no slide at all"])
def test_a_broken_slide_alone_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.svs").write_bytes(content)
    with pytest.raises(AssayError, match=r"s\.svs"):
        read_cell_pictures(open_source(tmp_path / "s.svs"))


def test_a_cut_off_slide_is_no_slide(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", mosaic(500), photometric="rgb", tile=(256, 256))
    whole = (tmp_path / "s.tif").read_bytes()
    (tmp_path / "s.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"s\.tif"):
        Slide(tmp_path / "s.tif")


@pytest.mark.parametrize("form", [{}, {"tile": (64, 64)}, {"tile": (64, 64), "compression": "zlib"}])
@pytest.mark.parametrize("tag", ["ImageWidth", "ImageLength", "SamplesPerPixel", "RowsPerStrip", "TileWidth"])
def test_a_slide_whose_tags_are_wrong_ends_in_an_error_or_in_pixels(
    tmp_path: Path, form: dict[str, Any], tag: str
) -> None:
    file = tmp_path / "s.svs"
    tifffile.imwrite(file, np.zeros((150, 170, 3), np.uint8), photometric="rgb", **form)
    with tifffile.TiffFile(file) as tiff:
        found = tiff.pages[0].tags.get(tag)
        place = None if found is None else found.valueoffset
    whole = file.read_bytes()
    for value in (b"\xff\xff", b"\0\0", b"\x07\x07") if place is not None else ():
        file.write_bytes(whole[:place] + value + whole[place + 2 :])
        try:
            slide = Slide(file)
            assert sum(len(rows) for rows in slide.rows()) == slide.height < 10_000
            slide.close()
        except DataError as error:
            assert error.hint and error.file == "s.svs"


def test_what_qupath_reads() -> None:
    labels = np.zeros((30, 40), int)
    labels[5:15, 10:22], labels[20:26, 3:9] = 1, 2
    spans = spans_of(labels)[1]
    sure, shares = np.asarray([0.9, 0.8], np.float32), np.asarray([[0.7, 0.3], [0.2, 0.8]], np.float32)
    places = np.asarray([[15.5, 9.5], [5.5, 22.5]], np.float32)
    found = Cells(places[:, 0], places[:, 1], np.asarray([0, 1]), sure, shares, spans, True, 40, 30)
    spec = CellSpec(64, 16, (1.0,) * 3, (1.0,) * 3, ("a", "b"), True, 6.0, 5.0, 1e-3, 8, True)
    answer = cell_count(found, spec)
    assert (answer.count, answer.by_class) == (2, {"a": 1, "b": 1})
    written = json.loads(geojson(to_json(answer)))
    first = written["features"][0]
    assert written["type"] == "FeatureCollection" and first["properties"]["objectType"] == "detection"
    assert (
        first["properties"]["classification"]["name"] == "a"
        and len(first["properties"]["classification"]["color"]) == 3
    )
    ring = np.asarray(first["geometry"]["coordinates"][0])
    assert ring[0].tolist() == ring[-1].tolist()
    assert ring.min(axis=0) == pytest.approx([10, 5], abs=0.6) and ring.max(axis=0) == pytest.approx([22, 15], abs=0.6)
    points = Cells(*(np.asarray(one) for one in (places[:, 0], places[:, 1], [0, 1], sure, shares)), ((),) * 2)
    bare = json.loads(geojson(to_json(cell_count(points, spec))))
    assert bare["features"][0]["geometry"] == {"type": "Point", "coordinates": [16.0, 10.0]}


def test_a_polygon_covers_what_its_rows_cover() -> None:
    from skimage.draw import polygon2mask

    rows, columns = np.mgrid[:30, :30]
    inside = ((rows - 14) / 9) ** 2 + ((columns - 15) / 6) ** 2 <= 1
    polygon = polygon_of(spans_of(inside.astype(int))[1][0])
    assert polygon is not None
    drawn = polygon2mask((30, 30), np.asarray(polygon)[:, ::-1])
    both = (drawn & inside).sum() / (drawn | inside).sum()
    assert both > 0.9
    assert painted(spans_of(inside.astype(int))[1], 30, 30).sum() == inside.sum()
    assert polygon_of(np.zeros((0, 3), np.int32)) is None


def test_slides_with_points_are_cut_into_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.samples.samples import build_samples
    from assay.sources.source import DataOptions

    monkeypatch.setattr("assay.sources._cell_pictures.LEAST_PIXELS", 1000)
    picture = mosaic(500)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", tile=(128, 128))
    tifffile.imwrite(tmp_path / "b.svs", picture[:300], photometric="rgb", tile=(128, 128))
    (tmp_path / "cells.csv").write_text("image,x,y\na.tif,40,50\na.tif,480,470\nb,7,9\nb,480,470\n")
    task = CellDetection()
    records = task.read(open_source(tmp_path), DataOptions())
    assert [(one.kind, one.count) for one in records.problems] == [("cell-outside-image", 1)]
    spec = task.fit_spec(records, np.ones(2, bool), DataOptions(extra={"tile": "256"}))
    samples = build_samples(task, records, spec, np.zeros(2, np.int8), folder=tmp_path / "cache")
    assert len(samples.unit) == 9 + 6
    for window, place in enumerate(np.asarray(samples.field("place", np.arange(9)))):
        image = np.asarray(samples.field("image", np.asarray([window])))[0].transpose(1, 2, 0)
        left, top, wide, high = place[:4]
        np.testing.assert_array_equal(image[:high, :wide], picture[top : top + high, left : left + wide])
