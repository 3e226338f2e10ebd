"""Texts unlike the training texts: the distance, what is stored of it, and what answers say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
from assay.errors import RunError
from assay.ngrams.counts import count_ngrams, join
from assay.ngrams.kneser_ney import build, estimated
from assay.serving._wording import _AT_ONCE, _END, Wording, fit_wording, wording_of
from assay.serving.likeness import FILE, Likeness, read_likeness
from export_examples import far_before_and_after

_THINGS = {
    "food": "soup bread butter cheese apples pears onions salt",
    "trips": "train ferry bicycle tram harbour station road bridge",
}
_DEEDS = {"food": "please cook eat buy bring", "trips": "take cross leave reach"}


def _sentences(count: int, seed: int) -> list[tuple[str, str]]:
    draws = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        kind = str(draws.choice(list(_THINGS)))
        things, deeds = _THINGS[kind].split(), _DEEDS[kind].split()
        words = [str(draws.choice(deeds)), "the", str(draws.choice(things)), "and the", str(draws.choice(things))]
        found.append((" ".join(words), kind))
    return found


def test_nats_are_those_of_a_kneser_ney_model() -> None:
    texts = [text.encode() for text, _ in _sentences(60, 0)]
    found = fit_wording(texts)
    assert found is not None
    kept = list(dict.fromkeys(texts))
    counted = count_ngrams(join([np.frombuffer(one + bytes([_END]), np.uint8) for one in kept], 256), 5)
    model = build(counted, 256, 5, estimated(counted, 5))
    asked = [b"take the soup", "naïve Ünicode".encode(), b"x" * 40, texts[0]]
    for text, nats, size in zip(asked, *found.nats(asked), strict=True):
        own = join([np.frombuffer(text + bytes([_END]), np.uint8)], 256)
        assert size == len(text) + 1
        assert nats == pytest.approx(-model.log_probabilities(own).sum(), rel=1e-3)


def test_texts_are_looked_up_in_pieces_and_none_says_nothing() -> None:
    found = fit_wording([b"abc abc abd", b"abd abc"])
    assert found is not None and fit_wording([b"", b""]) is None
    found = Wording(found.tokens, found.counts, found.followers, found.discounts, usual=2.0)
    long = b"abc " * (_AT_ONCE // 3)
    together, alone = found.nats([b"abc", long, b"xyz"])[0], [found.nats([one])[0][0] for one in (b"abc", long, b"xyz")]
    assert together == pytest.approx(alone)
    far = found.distances([[b"abc"], [b""], [b"abc", b"xyz xyz"], []])
    assert far[1] == far[3] == 2.0 and far[2] > far[0]


def test_it_is_kept_without_pickles_and_damage_is_told(tmp_path: Path) -> None:
    known = fit_wording([text.encode() for text, _ in _sentences(60, 0)])
    assert known is not None
    known = wording_of({**known.arrays(), "usual": np.float64(1.5)})
    Likeness(known, 1.7, 0.05, learned=60, judged=20).write(tmp_path)
    found = read_likeness(tmp_path)
    assert found is not None and (found.by, found.learned, found.judged) == ("wording", 60, 20)
    asked = [[b"take the tram"], [b"qqq"]]
    assert found.known.distances(asked) == pytest.approx(known.distances(asked))  # type: ignore[arg-type]
    stored = dict(np.load(tmp_path / FILE, allow_pickle=False))
    broken: list[dict[str, Any]] = [
        {"tokens_1": stored["tokens_1"][:-1]},
        {"followers_2": stored["followers_2"] * 2},
        {"followers_0": np.asarray([-1])},
        {"tokens_0": stored["tokens_0"] + 9999},
        {"usual": np.float64("nan")},
        {"discounts": np.zeros((0, 3))},
    ]
    for change in broken:
        np.savez(tmp_path / FILE, **{**stored, **change})
        with pytest.raises(RunError, match="damaged"):
            read_likeness(tmp_path)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on 300 texts of two kinds, and texts of both and of neither."""
    folder = tmp_path_factory.mktemp("texts")
    lines = ["text\tkind", *(f"{text} {number}\t{kind}" for number, (text, kind) in enumerate(_sentences(300, 1)))]
    (folder / "texts.tsv").write_text("\n".join(lines) + "\n")
    asked = ["text", "buy the onions and the salt 7", "take the tram and the ferry 12",
             "Wo bitte fährt der Zug nach Brügge?", "xq zzv wkj qqx vvz jjk"]  # fmt: skip
    (folder / "asked.csv").write_text("\n".join(asked) + "\n", encoding="utf-8")
    run = folder / "run"
    assay.train(str(folder / "texts.tsv"), task="text-classification", target="kind", out=run, epochs=2,
                evidence="none", settings={"width": 16})  # fmt: skip
    return run, folder / "asked.csv"


def test_answers_say_which_texts_are_unlike(texts: tuple[Path, Path], command: Any) -> None:
    run, asked = texts
    told = json.loads((run / "model" / "likeness.json").read_text())
    assert told["by"] == "wording" and told["train"] > 200 and told["validation"] >= 19
    rows = [json.loads(line) for line in command("predict", run, asked, "--json").out.splitlines()]
    assert [row["unlike"] for row in rows] == [False, False, True, True]


def test_an_export_tells_the_same(texts: tuple[Path, Path]) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    before, after = far_before_and_after(*texts)
    assert after == pytest.approx(before)
