"""What applications say of their inputs fits what the server and the readers make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.registry import load_tasks
from assay.serving.http.asking import _values
from assay.serving.http.kinds import _ENDINGS, VALUES, endings, in_json, is_video
from assay.serving.http.limits import Limits
from assay.serving.joined_records import form, joined, part_of
from assay.sources.records import Records
from assay.sources.source import Source


def test_every_application_says_what_it_takes() -> None:
    for task in load_tasks():
        assert task.traits.takes and set(task.traits.takes) <= set(_ENDINGS), task.name
        assert ".zip" in endings(task.traits.takes)
    assert endings(()) == () and in_json(()) is None
    assert [in_json((kind,)) for kind in VALUES] == list(VALUES)


def _rows(records: Records) -> list[dict[str, Any]]:
    return [row for batch in records.batches() for row in batch.to_pylist()]


def test_values_in_json_are_what_readers_take_and_never_paths(tmp_path: Path) -> None:
    from assay.sources.plain_text import read_plain_text_inputs
    from assay.sources.sentence_pairs import read_sentence_pairs_inputs
    from assay.sources.squad import read_squad_inputs
    from assay.sources.texts import read_texts_inputs

    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    texts = Source(value=_values([str(secret), "simulator:CarRacing-v3"], "text", Limits()))
    for read in (read_texts_inputs, read_plain_text_inputs, read_sentence_pairs_inputs):
        rows = _rows(read(texts))
        assert len(rows) == 2 and str(secret) in rows[0].values(), read
    asked = [{"question": "who?", "context": str(secret)}]
    (row,) = _rows(read_squad_inputs(Source(value=_values(asked, "question", Limits()))))
    assert row["question"] == "who?" and row["context"] == str(secret)


def _records(*names: str, load: bool = True) -> Records:
    import pyarrow as pa

    from assay.sources.records import records_from_table

    table = pa.table({"id": list(names), "location": list(names)})
    return records_from_table(
        table, "x", load=(lambda place: f"<{place}>") if load else None, facts={"samples": len(names)}
    )


def test_joined_records_keep_whose_they_are() -> None:
    parts = [_records("a.png", "sub/b.png"), _records("a.png")]
    together = joined(parts)
    rows = _rows(together)
    assert [row["id"] for row in rows] == ["0/a.png", "0/sub/b.png", "1/a.png"] == [row["location"] for row in rows]
    assert [together.loader(row["location"]) for row in rows] == ["<a.png>", "<sub/b.png>", "<a.png>"]
    assert [part_of(row["id"]) for row in rows] == [(0, "a.png"), (0, "sub/b.png"), (1, "a.png")]
    assert _rows(together) == rows and together.index().num_rows == 3
    assert [batch.num_rows for batch in together.batches()] == [3]  # decoded together, on all cores
    assert form(parts[0]) == form(parts[1]) != form(_records("a.png", load=False))


def test_what_is_joined_with_no_others() -> None:
    import pyarrow as pa

    from assay.sources.records import records_from_table

    several = pa.table({"id": ["drive"], "frames": [["a.png", "b.png"]]})
    assert form(records_from_table(several, "x", load=str)) is None
    assert form(records_from_table(several, "x")) is not None
    assert form(records_from_table(pa.table({"id": ["a.mp4"]}), "x", load=str, facts={"videos": 1})) is None
    assert form(_records()) is None


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXT-X-STREAM\nfile:///etc/passwd", b"ffconcat version 1.0\nfile x", b"", b"<html>"]
)
def test_playlists_are_no_videos(content: bytes) -> None:
    assert not is_video(content)
