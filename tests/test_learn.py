"""The pages in `docs/learn/`: the commands that they print work, and the programs do what the pages say.

The lines of a fenced block marked `sh` are commands. Those of a page are run one after the other in an empty folder, so
that a page says which data it uses by the command that makes it: `python docs/learn/digits.py …`, `assay demo …`, or
`assay data get NAME …`, in whose place a few rows of the same form are put. Data and trainings are cut short.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay import datasets, demo
from programs import run_file

ROOT = Path(__file__).parent.parent
LEARN = ROOT / "docs" / "learn"
PAGES = sorted(LEARN.glob("*.md"))


def commands(page: Path) -> list[list[str]]:
    """The words of each command that a page prints."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def cut_short(program: str, words: list[str]) -> list[str]:
    """A command with few digits, or with one pass over the samples and quick evidence, instead of its own."""
    text = re.sub(r" --(epochs|budget|evidence|per-class) \S+", "", shlex.join(words))
    more = {"python": "--per-class 30", "train": "--epochs 1 --evidence quick"}
    return shlex.split(f"{text} {more.get(program) or more.get(words[0], '')}")


def wine_quality(file: Path) -> None:
    names = ("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
             "total sulfur dioxide", "density", "pH", "sulphates", "alcohol")  # fmt: skip
    random = np.random.default_rng(0)
    rows = random.normal(5, 1, (300, len(names))).round(2)
    marks = np.clip(rows[:, -1].round(), 4, 6).astype(int)
    lines = [";".join(f'"{name}"' for name in (*names, "quality"))]
    lines += [";".join([*map(str, row), str(mark)]) for row, mark in zip(rows.tolist(), marks, strict=True)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


STAND_INS = {"wine-quality": wine_quality}


def get_stand_in(name: str, folder: Path | None = None, **_: Any) -> Path:
    """In the place of `assay.datasets.get`, which asks the network."""
    file = Path(folder or name) / datasets.DATASETS[name].source
    file.parent.mkdir(parents=True)
    STAND_INS[name](file)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(page: Path, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "get", get_stand_in)
    for name, (task, _) in demo.DEMOS.items():
        monkeypatch.setitem(demo.DEMOS, name, (task, 0.5))
    for program, *given in commands(page):
        words = cut_short(program, given)
        if program == "python":
            assert run_file(ROOT / words[0], *words[1:]).code == 0
            continue
        assert program == "assay"
        result = command(*words)
        assert result.code == 0, (words, result.err)
        if words[0] in ("train", "demo"):
            assert (Path(words[words.index("--out") + 1]) / "report.html").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_its_commands_where_they_are_tested(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert commands(page)
    assert not re.search(r"^ {4}\S", text, re.MULTILINE), "a block of commands is fenced and marked `sh`"
    assert set(re.findall(r"^```(.*)$", text, re.MULTILINE)) == {"sh", ""}


@pytest.mark.parametrize(("arguments", "count"), [([], 1797), (["--per-class", "15"], 150)])
def test_digits_as_folders(tmp_path: Path, arguments: list[str], count: int) -> None:
    folder = tmp_path / "digits"
    subprocess.run([sys.executable, str(LEARN / "digits.py"), str(folder), *arguments], check=True)
    assert sorted(path.name for path in folder.iterdir()) == list("0123456789")
    assert len(list(folder.rglob("*.png"))) == count


def test_digits_with_labels_drawn_by_lot(tmp_path: Path) -> None:
    assert run_file(LEARN / "digits.py", tmp_path / "right").code == 0
    assert run_file(LEARN / "digits.py", tmp_path / "wrong", "--per-class", "60", "--wrong", "0.3").code == 0
    right = {path.name: path.parent.name for path in (tmp_path / "right").rglob("*.png")}
    given = {path.name: path.parent.name for path in (tmp_path / "wrong").rglob("*.png")}
    assert len(given) == 600
    assert 0.2 < sum(right[name] != label for name, label in given.items()) / 600 < 0.34  # a tenth is right by luck


def test_every_page_is_listed() -> None:
    contents = (LEARN / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.name == "README.md" or f"({page.name})" in contents
