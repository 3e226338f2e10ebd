"""The floor of text generation: the entropy of single bytes, and nothing better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.baselines.byte_frequencies import ByteFrequencies
from assay.errors import DataError, RunError


def view_of(texts: list[str], tmp_path: Path) -> Any:
    from assay.samples.passage_spec import PassageSpec
    from assay.samples.samples import build_samples
    from assay.samples.tokens import characters
    from assay.sources.source import DataOptions, open_source
    from assay.tasks.text_generation import TextGeneration

    pytest.importorskip("tokenizers")
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    task = TextGeneration()
    records = task.read(open_source(folder), DataOptions())
    samples = build_samples(task, records, PassageSpec(characters(texts), 16), None, folder=tmp_path / "cache")
    return samples.view_of(np.arange(len(samples.side)))


def test_it_gives_each_byte_its_share(tmp_path: Path) -> None:
    view = view_of(["aab\n" * 100, "ab\n"], tmp_path)
    model = ByteFrequencies()
    assert "bytes" in model.fit(view, view, 1.0, 0)
    counts = {"a": 202, "b": 102, "\n": 102}
    total = 403 + 256
    nats = np.asarray(model.predict(view))
    each = {sign: -np.log(count / total) for sign, count in counts.items()}
    assert nats.sum() == pytest.approx(201 * each["a"] + 101 * (each["b"] + each["\n"]))


def test_it_is_the_same_when_loaded(tmp_path: Path) -> None:
    view = view_of(["hello hello\n" * 30], tmp_path)
    model, loaded = ByteFrequencies(), ByteFrequencies()
    model.fit(view, view, 1.0, 0)
    model.save(tmp_path)
    loaded.load(tmp_path)
    assert np.array_equal(model.predict(view), loaded.predict(view))
    np.savez(tmp_path / "bytes.npz", logs=np.zeros(3))
    with pytest.raises(RunError):
        loaded.load(tmp_path)


def test_nothing_to_learn_from_is_an_error(tmp_path: Path) -> None:
    view = view_of(["hello hello\n" * 30], tmp_path)
    with pytest.raises(DataError):
        ByteFrequencies().fit(view.samples.view_of(np.zeros(0, np.int64)), view, 1.0, 0)
