"""Requests that mean harm: a few hundred here, thousands in `benchmarks/security.py`."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_servers import Running

FOLDER = Path(__file__).parents[3] / "benchmarks"
_KNOWN = {200, 400, 404, 413, 415, 422}


@pytest.fixture
def mutations(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import _mutations

    yield _mutations
    sys.modules.pop("_mutations", None)


def test_harmful_requests_do_no_harm(
    served: Running, wine: Path, mutations: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open(wine, encoding="utf-8") as file:
        row = {name: float(value) for name, value in next(csv.DictReader(file)).items() if name != "cultivar"}
    root = served.app._inner.state.service.root.path
    found: Counter[int] = Counter()
    for attack in mutations.attacks(240, 0, {"picture": "digits", "row": "wine"}, row):
        answer = httpx.post(
            f"{served.url}{attack.path}", content=attack.body, headers={"content-type": attack.media}, timeout=120
        )
        assert answer.status_code in _KNOWN, (attack.name, answer.status_code, served.log()[-1])
        assert "Traceback" not in answer.text and str(root) not in answer.text and "/src/assay" not in answer.text
        assert set(answer.json()) >= {"format"}
        found[answer.status_code] += 1
    assert found[200] > 10 and found[422] > 50
    assert not list(tmp_path.iterdir()) and not Path("/tmp/escaped.png").exists()
    assert not [line for line in served.log() if "unexpected" in line]


def test_the_same_seed_makes_the_same_requests(mutations: Any) -> None:
    first, again, other = (list(mutations.attacks(8, seed, {"text": "x"})) for seed in (1, 1, 2))
    assert first == again != other
