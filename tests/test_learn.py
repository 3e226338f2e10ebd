"""The programs in `docs/learn/` do what the pages say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LEARN = Path(__file__).parent.parent / "docs" / "learn"


@pytest.mark.parametrize(("arguments", "count"), [([], 1797), (["--per-class", "15"], 150)])
def test_digits_as_folders(tmp_path: Path, arguments: list[str], count: int) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    folder = tmp_path / "digits"
    subprocess.run([sys.executable, str(LEARN / "digits.py"), str(folder), *arguments], check=True)
    assert sorted(path.name for path in folder.iterdir()) == list("0123456789")
    assert len(list(folder.rglob("*.png"))) == count


def test_every_page_is_listed() -> None:
    contents = (LEARN / "README.md").read_text(encoding="utf-8")
    for page in LEARN.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in contents
