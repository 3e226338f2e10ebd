"""`assay explain` and `assay label-next`: what they print and write, and how they end on what cannot be asked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.serving.label_next import choose
from assay.serving.predictor import Prediction
from test_cli import complains

# assay explain -------------------------------------------------------------------------------------------------------


def test_explain_a_picture(command: Any, digits: Path, digits_run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    photo = sorted((digits / "3").iterdir())[0]
    told = command("explain", digits_run[0], photo)
    assert told.code == 0, told.err
    assert "faithfulness: " in told.out and "than taking parts away at random" in told.out
    written = tmp_path / f"{photo.stem}-explained.png"
    assert f"written: {written.name}" in told.out and written.read_bytes()[:4] == b"\x89PNG"
    page = tmp_path / "why.html"
    found = command("explain", digits_run[0], photo, "--out", page, "--json").json
    assert (found["format"], found["id"], found["file"]) == (1, photo.name, str(page))
    assert {"answer", "faithfulness", "parts"} <= found.keys()
    assert "<img" in page.read_text(encoding="utf-8")


def test_explain_a_row(command: Any, wine: Path, wine_run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    first = command("explain", wine_run[0], wine, "--json").json
    third = command("explain", wine_run[0], wine, "--row", 3, "--json").json
    assert first["id"] != third["id"]
    assert {"alcohol", "proline"} <= {part["name"] for part in third["parts"]}
    weights = [abs(part["weight"]) for part in third["parts"]]
    assert weights == sorted(weights, reverse=True) and weights[0] > 0
    assert Path(third["file"]).suffix == ".html" and Path(third["file"]).exists()


def test_explain_what_cannot_be_explained(command: Any, digits: Path, digits_run: Any, wine: Path, wine_run: Any,
                                          tmp_path: Path) -> None:  # fmt: skip
    photo = sorted((digits / "3").iterdir())[0]
    complains(command("explain", tmp_path, photo), "not a run")
    complains(command("explain", digits_run[0], tmp_path / "none.png"), "none.png")
    complains(command("explain", wine_run[0], wine, "--row", 9999), "9999")
    complains(command("explain", digits_run[0], photo, "--out", tmp_path / "x.txt"), ".html")
    complains(command("explain", wine_run[0], wine, "--out", tmp_path / "x.png"), ".html")


# assay label-next ----------------------------------------------------------------------------------------------------


def test_label_next(command: Any, digits: Path, digits_run: Any, tmp_path: Path) -> None:
    found = command("label-next", digits_run[0], digits / "3", "--count", 5, "--json").json
    rows = found["suggestions"]
    assert (found["format"], found["looked"], found["of"]) == (1, 14, 14)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert len({row["id"] for row in rows}) == 5 and all(0 <= row["uncertainty"] <= 1 for row in rows)
    assert "%" in rows[0]["reason"]
    out = tmp_path / "next.csv"
    assert command("label-next", digits_run[0], digits / "3", "--count", 99, "--out", out).code == 0
    with open(out, encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 14
    told = command("label-next", digits_run[0], digits, "--count", 3)
    assert len(told.out.splitlines()) == 3 and told.out.startswith("1\t")


def test_label_next_of_rows(command: Any, wine: Path, wine_run: Any) -> None:
    found = command("label-next", wine_run[0], wine, "--count", 4, "--json").json
    assert len(found["suggestions"]) == 4 and found["of"] == 178


def test_label_next_tells_what_was_passed_over(command: Any, digits: Path, digits_run: Any, tmp_path: Path) -> None:
    for number, file in enumerate(sorted((digits / "3").iterdir())[:4]):
        (tmp_path / f"{number}.png").write_bytes(file.read_bytes() if number else b"nothing")
    found = command("label-next", digits_run[0], tmp_path, "--json")
    assert found.json["of"] == 3 and "0.png" in found.err


def test_label_next_without_anything_to_say(command: Any, digits: Path, digits_run: Any, tmp_path: Path) -> None:
    complains(command("label-next", digits_run[0], tmp_path))
    complains(command("label-next", digits_run[0], digits, "--count", 0), "--count")
    complains(command("label-next", tmp_path, digits), "not a run")


def test_label_next_needs_probabilities(command: Any, tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 7},{3 * number + number % 7}\n" for number in range(60))
    (tmp_path / "numbers.csv").write_text("a,b,y\n" + rows)
    how = ("--target", "y", "--epochs", 1, "--network", "mlp", "--evidence", "none", "--out", tmp_path / "run")
    assert command("train", tmp_path / "numbers.csv", *how).code == 0
    complains(command("label-next", tmp_path / "run", tmp_path / "numbers.csv"), "how sure it is")


def test_unsure_samples_come_first_and_differ() -> None:
    random = np.random.default_rng(0)
    features = np.concatenate([random.normal(0, 0.01, (20, 2)) + place for place in ((1, 0), (0, 1), (1, 0))])
    sure, unsure = np.asarray([0.99, 0.01]), np.asarray([0.55, 0.45])
    probabilities = np.concatenate([np.tile(unsure, (40, 1)), np.tile(sure, (20, 1))])
    first, second = choose(probabilities, features, 2)
    assert first < 40 and second < 40, "what it is sure of teaches little"
    assert first // 20 != second // 20, "two of a kind teach the same"
    assert sorted(choose(probabilities, features, 99)) == list(range(60))
    assert len(set(choose(probabilities, np.ones((60, 2)), 5).tolist())) == 5, "all of one kind"


def test_suggestions_in_python(digits: Path, digits_run: Any) -> None:
    import assay

    model = assay.load(digits_run[0])
    found = model.label_next(digits / "5", count=2)
    assert len(found.chosen) == 2 and found.of == 14
    assert json.dumps([one.reason for one in found.chosen])
    (explanation,) = model.explain(sorted((digits / "5").iterdir())[0])
    assert explanation.weights.shape and explanation.words


@pytest.mark.parametrize("count", [1, 3])
def test_the_same_seed_suggests_the_same(digits: Path, digits_run: Any, count: int) -> None:
    import assay

    model = assay.load(digits_run[0])
    first, again = (model.label_next(digits / "8", count, seed=4) for _ in range(2))
    assert first.chosen == again.chosen


class Terminal(io.TextIOWrapper):
    """A terminal that knows ASCII alone."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii", newline="\n")

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Told:
    text: str


class Grower:
    """Writes its answer to one input in pieces, and answers several at once."""

    task = SimpleNamespace(traits=SimpleNamespace(private=False))

    def stream(self, inputs: str, options: dict[str, str]) -> Iterator[str] | None:
        return iter(("gro", "w\u201c")) if inputs == "one" else None

    def predictions(self, inputs: str, **how: object) -> Any:
        return [Prediction(name, Told("ready")) for name in ("first", "second")], ()


@pytest.mark.parametrize(("given", "lines"), [("one", ["grow?"]), ("many", ["first", "second"])])
def test_on_a_terminal_one_answer_grows_and_several_are_told_together(
    given: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import assay.loading
    from assay.answering import predict_and_tell

    terminal = Terminal()
    monkeypatch.setattr(assay.loading, "load", lambda path: Grower())
    monkeypatch.setattr("sys.stdout", terminal)
    predict_and_tell(tmp_path, [given], False, None, False, {})
    assert [line.split("\t")[0] for line in terminal.shown.splitlines()] == lines
