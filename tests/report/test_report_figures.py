"""Every kind of figure draws, parses as XML, keeps text inert, and bears data that is missing or not finite."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import NASTY, data_of

from assay.evidence.finding import Figure
from assay.report import _svg as art
from assay.report._svg import tick_texts
from assay.report.figures import KINDS, draw
from assay.report.kinds import matrix

SVG = "{http://www.w3.org/2000/svg}"
NAN, INF = float("nan"), float("inf")


def drawn(kind: str, data: dict[str, Any], title: str = "A title") -> ET.Element:
    return ET.fromstring(draw(Figure(kind, title, data, "How to read it.")))


def words(root: ET.Element) -> str:
    return " ".join(root.itertext())


def test_every_kind_has_an_example() -> None:
    assert all(data_of(kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_title_caption_and_label(kind: str) -> None:
    root = drawn(kind, data_of(kind))
    assert "A title" in words(root)
    assert "How to read it." in words(root)
    assert "a label" in words(root)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"gallery", "layers", "table"}))
def test_plots_tell_a_screen_reader_what_they_show(kind: str) -> None:
    plots = list(drawn(kind, data_of(kind)).iter(f"{SVG}svg"))
    assert len(plots) == 2, "one for wide and one for narrow places"
    for plot in plots:
        assert plot.get("role") == "img"
        title, description = plot.find(f"{SVG}title"), plot.find(f"{SVG}desc")
        assert title is not None and title.text == "A title"
        assert description is not None and description.text


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'pie'"):
        draw(Figure("pie", "", {}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", NASTY)
def test_text_from_outside_is_inert(kind: str, label: str) -> None:
    figure = draw(Figure(kind, label, data_of(kind, label), label))
    root = ET.fromstring(figure)
    assert not [element for element in root.iter() if element.tag.removeprefix(SVG) in ("script", "iframe", "object")]
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    figure.encode("utf-8")


@pytest.mark.parametrize("kind", KINDS)
@given(label=st.text(max_size=40))
@settings(max_examples=15, deadline=None)
def test_any_label_parses(kind: str, label: str) -> None:
    drawn(kind, data_of(kind, label), label)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [NAN, INF, -INF, None, 0.0, -1.0, 1e-300, 1e300, 10**400, "text"])
def test_odd_numbers_do_not_break_it(kind: str, value: Any) -> None:
    figure = draw(Figure(kind, "t", data_of(kind, value=value)))
    ET.fromstring(figure)
    coordinates = [part for part in figure.split('"')[1::2] if part.startswith("M")]
    assert not [part for part in coordinates if "nan" in part or "inf" in part]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_draw_says_so(kind: str) -> None:
    empty = {name: [] if isinstance(value, (list, dict)) else value for name, value in data_of(kind).items()}
    for data in ({}, empty):
        assert "There is nothing to draw" in words(drawn(kind, data))


def test_equal_values_still_have_a_scale() -> None:
    series = [{"label": "flat", "x": [5, 5], "y": [2, 2]}]
    for log in (False, True):
        root = drawn("lines", {"series": series, "x": "x", "y": "y", "log_x": log, "log_y": log})
        assert root.find(f".//{SVG}svg") is not None


def test_intervals_of_many_rows_show_the_worst() -> None:
    rows = [
        {"label": f"class {place}", "value": float(place % 100), "low": None, "high": None} for place in range(1000)
    ]
    told = words(drawn("intervals", {"rows": rows, "x": "accuracy", "unit": "%"}))
    assert "975 more rows are not drawn" in told
    assert "class 900" in told and "class 99 " not in told
    told = words(drawn("intervals", {"rows": rows, "x": "error", "unit": "%", "worst": "high"}))
    assert "class 999" in told and "class 900" not in told


@pytest.mark.parametrize(("classes", "plots", "tables"), [(10, 2, 0), (30, 2, 0), (31, 2, 2), (100, 2, 2), (101, 0, 1)])
def test_a_matrix_has_the_form_that_fits_its_classes(classes: int, plots: int, tables: int) -> None:
    names = [f"class {place}" for place in range(classes)]
    counts = [[20 if row == column else (row + column) % 3 for column in range(classes)] for row in range(classes)]
    root = drawn("matrix", {"rows": names, "columns": names, "counts": counts})
    assert len(list(root.iter(f"{SVG}svg"))) == plots
    assert len(list(root.iter("table"))) == tables


def test_names_of_classes_can_be_read_on_a_phone() -> None:
    """With few classes they get the room that there is; with many, those that are cut are written out below."""
    names = ["plasma cell of the bone marrow", "neutrophil", "eosinophil granulocyte"]
    counts = [[9, 1, 0], [2, 8, 0], [0, 1, 7]]
    few = matrix.draw({"rows": names, "columns": names, "counts": counts}, "m", art.NARROW)
    assert "…" not in few and 'class="key"' not in few
    assert all(few.count(f">{name}<") == 2 for name in names)
    names[0] += ", not yet ripe"
    long = matrix.draw({"rows": names, "columns": names, "counts": counts}, "m", art.NARROW)
    assert long.endswith('<p class="key">Names in full: 1 plasma cell of the bone marrow, not yet ripe.</p>')
    assert long.count(">1 plasma cell") == 2 and long.count(">2 neutrophil<") == 2
    counts[2][2] = 1000
    assert ">1,000</text>" in matrix.draw({"rows": names, "columns": names, "counts": counts}, "m", art.NARROW)
    many = [f"cell of the kind {place} & co" for place in range(20)]
    data = {"rows": many, "columns": many, "counts": [[int(row == one) for one in range(20)] for row in range(20)]}
    assert "; 20 cell of the kind 19 &amp; co.</p>" in matrix.draw(data, "m", art.NARROW)
    assert matrix.draw(data, "m", art.WIDE).count(">cell of the kind 19 &amp; co<") == 2


def test_a_matrix_bears_ragged_counts() -> None:
    root = drawn("matrix", {"rows": ["a", "b", "c"], "columns": ["a", "b"], "counts": [[1], [2, 3, 4]]})
    assert "1" in words(root)


def test_long_lines_keep_their_peaks_and_stay_small() -> None:
    steps = list(range(100_000))
    y = [0.0] * len(steps)
    y[51_234] = 9.0
    figure = draw(Figure("lines", "t", {"series": [{"label": "loss", "x": steps, "y": y}], "x": "x", "y": "y"}))
    assert len(figure) < 30_000
    assert "10" in [element.text for element in ET.fromstring(figure).iter(f"{SVG}text")], "the scale reaches the peak"


def test_a_gap_splits_a_line() -> None:
    series = [{"label": "a", "x": [1, 2, 3, 4, 5], "y": [1, 2, None, 2, 1]}]
    root = drawn("lines", {"series": series, "x": "x", "y": "y"})
    path = next(element.get("d", "") for element in root.iter(f"{SVG}path") if element.get("class") == "line")
    assert path.count("M") == 2


def test_scatter_draws_at_most_two_thousand_points() -> None:
    numbers = list(range(5000))
    root = drawn("scatter", {"x": numbers, "y": numbers, "x_label": "x", "y_label": "y", "diagonal": True})
    dots = next(element.get("d", "") for element in root.iter(f"{SVG}path") if "dots" in element.get("class", ""))
    assert dots.count("M") <= 2000
    assert "more points are not drawn" in words(root)


def test_pictures_from_elsewhere_are_not_shown() -> None:
    for source in ("https://example.org/a.png", "data:text/html;base64,PHA+", "javascript:alert(1)", 'x" onerror="y'):
        root = drawn("gallery", {"items": [{"image": source, "title": "t", "lines": []}]})
        assert root.find(".//img") is None


def test_a_table_writes_numbers_alike_and_small_ones_in_full() -> None:
    root = drawn("table", {"columns": ["n", "v"], "rows": [["a", 1.25], ["b", 0.00004], ["c", None], ["d", 12345.0]]})
    cells = [element.text for element in root.iter("td")]
    assert cells[2] == "\u2013"
    assert cells[1] is not None and cells[1].startswith("4")


def test_loose_points_are_marked_with_their_intervals_and_not_joined() -> None:
    points = {"label": "", "x": [1, 2, 4], "y": [1, 2, 3], "low": [0.5, None, 2], "high": [1.5, 3, 4], "loose": True}
    law = {"label": "a law", "x": [1, 2], "y": [1, 2], "series": 0}
    root = drawn("lines", {"series": [points, law]})
    classes = [node.get("class") for node in root.iter(f"{SVG}path")]
    assert classes.count("line") == 2  # the law's, once for each width of the page
    assert classes.count("whisker") == 4
    assert len(list(root.iter(f"{SVG}circle"))) == 6
    assert words(root).count("a law") >= 2


def test_a_sound_can_be_played_where_it_is_one() -> None:
    from report_examples import AUDIO, PIXEL

    items = [{"image": PIXEL, "title": "yes", "lines": [], "audio": AUDIO}]
    page = draw(Figure("gallery", "Clips", {"items": items}))
    assert (
        f'<audio controls="" preload="none" src="{AUDIO}" aria-label="yes">' in page and 'class="gallery heard"' in page
    )
    both = draw(Figure("gallery", "Twins", {"items": [{**items[0], "audio_beside": AUDIO}]}))
    assert both.count("<audio ") == 2 and 'aria-label="beside yes"' in both
    for bad in ("https://example.org/a.wav", "data:text/html;base64,AAAA", None, 3):
        other = draw(Figure("gallery", "Clips", {"items": [{**items[0], "audio": bad}]}))
        assert "<audio" not in other and "heard" not in other


def test_rows_agree_in_their_decimals_and_long_labels_take_two_lines() -> None:
    rows = [{"label": "background", "value": 0.97, "low": 0.9677, "high": 0.9717},
            {"label": "stain separation, blobs and a least-squares support vector machine", "value": 0.34,
             "low": 0.2, "high": 0.41},
            {"label": "disc", "value": 0.896, "low": 0.85, "high": 0.931}]  # fmt: skip
    shown = draw(Figure("intervals", "IoU", {"rows": rows, "x": "IoU", "unit": ""}, ""))
    assert "0.970 [0.968, 0.972]" in shown and "0.340 [0.200, 0.410]" in shown
    assert "vector machine</text>" in shown and "…" not in shown.partition('class="narrow"')[0]


def test_no_axis_of_shares_goes_beyond_one() -> None:
    rows = [{"label": label, "value": 1.0, "low": 1.0, "high": 1.0} for label in ("a", "b")]
    shown = draw(Figure("intervals", "AUC", {"rows": rows, "x": "AUC", "unit": ""}, ""))
    assert ">1.00<" in shown and ">1.05<" not in shown


def test_what_colours_mean_is_said_once() -> None:
    lines = ["true: 2 plate", "missed: 1", "colours: orange missed, blue too much"]
    items = [{"image": None, "title": name, "lines": lines} for name in "ab"]
    shown = draw(Figure("gallery", "Worst", {"items": items}, ""))
    assert shown.count("orange missed") == 1 and '<p class="key">colours: orange missed' in shown
    assert shown.count("2 plate") == 2 and shown.count("missed</dt>") == 2
    assert "key" not in draw(Figure("gallery", "Worst", {"items": items[:1]}, ""))


def test_ticks_have_all_of_their_decimals() -> None:
    assert tick_texts([0.025, 0.0275, 0.03]) == ["0.0250", "0.0275", "0.0300"]
