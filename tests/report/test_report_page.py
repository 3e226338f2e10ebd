"""The page: its verdict in words, its sections, and that it is one inert file of a bounded size."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from report_examples import NASTY, data_of

from assay.evidence.finding import Figure, Finding, Number
from assay.report.figures import KINDS
from assay.report.images import thumbnail
from assay.report.page import render


def summary_of(**changes: Any) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "format": 1,
        "task": "image-classification",
        "run": "runs/a",
        "seconds": 61.2,
        "seed": 0,
        "network": {"name": "resnet-small", "parameters": 463584},
        "samples": {"train": 1437, "validation": 180, "test": 180, "skipped": 2},
        "metric": {"name": "accuracy", "value": 0.981, "low": 0.97, "high": 0.989, "higher_is_better": True},
        "metrics": {"accuracy": 0.981, "macro_f1": 0.98},
        "baseline": {"name": "HOG + SVM", "value": 0.95, "low": 0.932, "high": 0.964, "seconds": 3.1},
        "verdict": "network",
        "findings": {},
    }
    return summary | changes


def finding_of(**changes: Any) -> Finding:
    values: dict[str, Any] = {"name": "accuracy", "question": "How good is it?", "status": "good", "verdict": "Good."}
    return Finding(**(values | changes))


class Parsed(HTMLParser):
    """What of a page matters here: its text, its tags and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.words += "" if tag == "code" else " "

    def handle_data(self, data: str) -> None:
        self.words += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def text_of(html: str) -> str:
    return " ".join(re.sub("[\u00a0\u202f]", " ", Parsed(html).words).split())


@pytest.mark.parametrize(
    ("verdict", "headline", "sentence"),
    [
        ("network", "The network is better.", "Accuracy 98.1 % [97.0, 98.9] against 95.0 % [93.2, 96.4] for HOG + SVM"),
        ("baseline", "Classical machine learning is better.", "95.0 % [93.2, 96.4] for HOG + SVM against 98.1 %"),
        ("tie", "No difference between network and baseline can be shown.", "the difference is within chance"),
        (None, "It is not known which is better.", "98.1 % [97.0, 98.9] for the network"),
    ],
)
def test_the_headline_says_who_is_better(verdict: str | None, headline: str, sentence: str) -> None:
    told = text_of(render(summary_of(verdict=verdict), [], title="t"))
    assert headline in told
    assert sentence in told


def test_error_rates_are_told_in_per_cent_by_their_unit() -> None:
    metric = {"name": "wer", "value": 0.0512, "low": 0.04, "high": 0.0601, "unit": "%", "higher_is_better": False}
    told = Parsed(render(summary_of(metric=metric, baseline=None), [], title="t")).words
    assert "The network reaches 5.1\u00a0% WER." in told
    assert "WER (lower is better) 5.1\u00a0% [4.0, 6.0]" in told


def test_without_a_baseline_the_headline_says_so() -> None:
    told = text_of(render(summary_of(baseline=None, verdict=None), [], title="t"))
    assert "The network reaches 98.1 % accuracy." in told
    assert "It was not compared with classical machine learning." in told


def test_without_test_samples_the_headline_says_so() -> None:
    metric = {"name": "accuracy", "value": None, "low": None, "high": None, "higher_is_better": True}
    told = text_of(render(summary_of(metric=metric, samples={"train": 9, "test": 0}, verdict=None), [], title="t"))
    assert "It is not known how good the network is. No sample was set aside for testing." in told


def test_a_metric_of_which_less_is_better_says_so() -> None:
    metric = {"name": "mean_absolute_error", "value": 0.412, "low": 0.4, "high": 0.43, "higher_is_better": False}
    told = text_of(render(summary_of(metric=metric, baseline=None), [], title="t"))
    assert "Mean absolute error (lower is better) 0.412 [0.400, 0.430]" in told


def test_a_finding_shows_all_that_it_holds() -> None:
    finding = finding_of(
        status="act",
        numbers={"accuracy": Number(0.981, 0.97, 0.989), "latency": Number(0.0009, unit="s")},
        figures=tuple(Figure(kind, f"Figure {kind}", data_of(kind)) for kind in KINDS),
        next="Collect more; see `assay label-next`.",
        certainty="Rather sure.",
        seconds=1.8,
    )
    page = render(summary_of(), [finding], title="t")
    told = text_of(page)
    for words in (
        "How good is it?",
        "Good.",
        "98.1 % [97.0, 98.9]",
        "900 µs",
        "see assay label-next.",
        "Rather sure.",
        "1.8 s",
    ):
        assert words in told
    assert all(f"Figure {kind}" in told for kind in KINDS)
    assert "1 finding: 1 to act on" in told and "Do this first" in told


def test_the_overview_links_to_every_section() -> None:
    names = ["accuracy", "accuracy", "Ünï code", "///", "b c"]
    parsed = Parsed(render(summary_of(), [finding_of(name=name) for name in names], title="t"))
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in parsed.values("href")]
    assert set(targets) <= set(ids)
    assert len([target for target in set(targets) if target.startswith("finding-")]) == len(names)


def test_an_unknown_status_is_unknown() -> None:
    finding = Finding.from_json(finding_of().to_json() | {"status": '"><script>'})
    assert "1 finding: 1 unknown" in text_of(render(summary_of(), [finding], title="t"))


def test_problems_and_how_it_was_made() -> None:
    problems = [
        {"kind": "truncated-image", "count": 7, "action": "skipped", "examples": [{"file": "a/1.png", "row": None}]},
        {"kind": "empty-cell", "count": 1, "action": "kept", "examples": [{"file": "t.csv", "row": 12}]},
    ]
    summary = summary_of(plan={"optimiser": {"learning_rate": 0.002}}, versions={"torch": "2.9"}, source="photos")
    told = text_of(render(summary, [], problems, title="t"))
    for words in ("Truncated image 7 skipped a/1.png and 6 more", "t.csv, row 12", "optimiser.learning_rate 0.002"):
        assert words in told
    assert "463,584 parameters" in told and "torch 2.9" in told and "photos" in told


@pytest.mark.parametrize("nasty", NASTY)
def test_text_from_outside_is_inert(nasty: str) -> None:
    figures = tuple(Figure(kind, nasty, data_of(kind, nasty), nasty) for kind in KINDS)
    finding = Finding(nasty, nasty, "act", nasty, {nasty: Number(1.0, unit=nasty)}, figures, nasty, nasty)
    metric = {"name": nasty, "value": 0.5, "low": 0.4, "high": 0.6, "higher_is_better": True}
    problem = {"kind": nasty, "count": 1, "action": nasty, "examples": [{"file": nasty, "row": nasty}]}
    summary = summary_of(
        task=nasty, run=nasty, source=nasty, created=nasty, plan={nasty: {nasty: nasty}}, metric=metric
    )
    summary |= {"versions": {nasty: nasty}, "baseline": {"name": nasty, "value": 0.3}, "network": {"name": nasty}}
    page = render(summary, [finding], [problem], title=nasty)
    parsed = Parsed(page)
    assert [tag for tag, _ in parsed.tags].count("script") == 1
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    page.encode("utf-8")


def test_the_page_loads_nothing_from_elsewhere() -> None:
    figures = tuple(Figure(kind, kind, data_of(kind)) for kind in KINDS)
    page = render(summary_of(), [finding_of(figures=figures)], title="t")
    rest = page.replace("http://www.w3.org/2000/svg", "")
    assert "http://" not in rest and "https://" not in rest and "@import" not in rest and "url(" not in rest
    parsed = Parsed(page)
    assert all(value.startswith(("data:image/", "data:audio/")) for value in parsed.values("src"))
    assert not [tag for tag, _ in parsed.tags if tag in ("link", "iframe", "object", "embed", "base")]


def test_missing_and_odd_numbers_do_not_break_the_page() -> None:
    nan = float("nan")
    metric = {"name": "accuracy", "value": nan, "low": None, "high": float("inf"), "higher_is_better": True}
    finding = finding_of(numbers={"a": Number(None), "b": Number(nan, nan, nan)}, seconds=nan)
    page = render(summary_of(metric=metric, samples={}, seconds=nan), [finding], title="t")
    assert "not known" in text_of(page)
    assert "nan" not in text_of(page).lower().split()


def test_a_figure_of_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="'pie'"):
        render(summary_of(), [finding_of(figures=(Figure("pie", "", {}),))], title="t")


def test_the_page_of_a_large_run_stays_small() -> None:
    rng = np.random.default_rng(0)
    noise = [thumbnail(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)) for _ in range(60)]
    names = [f"class {place}" for place in range(100)]
    many = [float(value) for value in rng.normal(size=10_000)]
    figures = (
        Figure("gallery", "g", {"items": [{"image": image, "title": "t", "lines": ["a: b"]} for image in noise] * 10}),
        Figure("matrix", "m", {"rows": names, "columns": names, "counts": rng.integers(1, 99, (100, 100)).tolist()}),
        Figure("scatter", "s", {"x": many, "y": many, "x_label": "x", "y_label": "y", "diagonal": True}),
        Figure("lines", "l", {"series": [{"label": n, "x": list(range(10_000)), "y": many} for n in names[:12]]}),
        Figure("heat", "h", {"rows": names, "x": list(range(10_000)), "values": [many] * 100, "log": False}),
        Figure("table", "t", {"columns": ["a", "b"], "rows": [[str(value), value] for value in many]}),
        Figure("intervals", "i", {"rows": [{"label": str(value), "value": value} for value in many]}),
        Figure("bars", "b", {"rows": [{"label": str(value), "value": value} for value in many]}),
    )
    page = render(summary_of(), [finding_of(figures=figures)], title="t")
    assert len(page.encode("utf-8")) < 3_000_000


def test_importing_the_page_loads_no_template_engine() -> None:
    code = "import sys, assay.report.page, assay.report.images; print({'jinja2', 'PIL', 'numpy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
