from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_examples import kinds, rows, scores

from assay.errors import DataError, SettingError
from assay.samples.split import split
from assay.sources import _decoding as decoding
from assay.sources import _text_records as text_records_module
from assay.sources.plain_text import (
    MANY_FILES,
    PASSAGE_BYTES,
    read_plain_text,
    read_plain_text_inputs,
    recognise_plain_text,
)
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source

SIDES = ("train", "validation", "test")
PROSE = "".join(f"The line with the number {row} says that süß is sweet.\n" for row in range(4000))


def read(data: Any, **options: Any) -> Records:
    return read_plain_text(open_source(data), DataOptions(**options))


def write(folder: Path, text: str, name: str = "book.txt", encoding: str = "utf-8") -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode(encoding)
    place.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return place


def whole(records: Records, name: str) -> str:
    """A file put together again out of its passages, whose ids must name consecutive stretches of it."""
    text = ""
    for row in rows(records):
        file, _, place = row["id"].rpartition(":")
        if file == name:
            start, end = map(int, place.split("-"))
            assert (start, end) == (len(text), len(text) + len(row["text"]))
            text += row["text"]
    return text


def shares(records: Records) -> dict[str, float]:
    total = sum(row["target"]["bytes"] for row in rows(records))
    return {
        side: sum(row["target"]["bytes"] for row in rows(records) if row["split"] == side) / total for side in SIDES
    }


def test_one_file_is_cut_into_passages_in_order(tmp_path: Path) -> None:
    records = read(write(tmp_path, PROSE))
    assert scores(tmp_path / "book.txt") == {"plain": 0.5}
    assert whole(records, "book.txt") == PROSE
    assert all(row["target"]["bytes"] == len(row["text"].encode()) <= PASSAGE_BYTES for row in rows(records))
    assert all(row["text"].endswith(".\n") for row in rows(records))
    assert all(row["target"]["bytes"] > 0.95 * PASSAGE_BYTES for row in rows(records)[:-1])
    assert records.facts["bytes"] == len(PROSE.encode())
    assert records.facts["characters"] == len(PROSE)
    assert records.index()["target"].type == pa.struct([("bytes", pa.int64()), ("characters", pa.int64())])
    assert not records.problems


def test_the_sides_are_stretches_in_order(tmp_path: Path) -> None:
    file = write(tmp_path, PROSE)
    for asked, expected in ((None, (0.8, 0.1, 0.1)), ("70/20/10", (0.7, 0.2, 0.1)), ("90/10/0", (0.9, 0.1, 0.0))):
        records = read(file, split=asked)
        order = [SIDES.index(row["split"]) for row in rows(records)]
        assert order == sorted(order)
        assert list(shares(records).values()) == pytest.approx(expected, abs=PASSAGE_BYTES / len(PROSE))
    sides = split(read(file).index(), None, 0)
    assert sides.by == "given"
    assert [SIDES[side] for side in sides.side] == [row["split"] for row in rows(read(file))]
    for wrong in ("column", "80/20"):
        with pytest.raises(SettingError):
            read(file, split=wrong)


def test_a_short_text_has_every_side(tmp_path: Path) -> None:
    records = read(write(tmp_path, PROSE[:12_000]))
    assert records.facts["samples"] >= 38
    assert min(shares(records).values()) > 0.05


def test_files_named_after_the_sides(tmp_path: Path) -> None:
    for name in ("train.txt", "val.txt", "test.txt"):
        write(tmp_path / "all", f"{name}\n{PROSE}", name)
    write(tmp_path / "all", "about", "README.md")
    records = read(tmp_path / "all")
    assert {row["id"].split(":")[0]: row["split"] for row in rows(records)} == {
        "train.txt": "train", "val.txt": "validation", "test.txt": "test",
    }  # fmt: skip
    for name in ("train.txt", "val.txt"):
        write(tmp_path / "two", PROSE, name)
    records = read(tmp_path / "two")
    order = [row["split"] for row in rows(records) if row["id"].startswith("train")]
    assert set(order) == {"train", "test"} and order == sorted(order, reverse=True)
    assert order.count("test") / len(order) == pytest.approx(0.1, abs=0.03)
    assert {row["split"] for row in rows(records) if row["id"].startswith("val")} == {"validation"}
    assert set(shares(read(tmp_path / "two", split="50/25/25")).values()) != {0.0}


def test_a_folder_of_a_few_files_or_of_many(tmp_path: Path) -> None:
    for count in (3, MANY_FILES):
        folder = tmp_path / str(count)
        for place in range(count):
            write(folder, f"{place}\n{PROSE[:60_000]}", f"books/{place}.txt")
        assert scores(folder)["plain"] == 0.5
        records = read(folder)
        for place in range(count):
            assert whole(records, f"books/{place}.txt") == f"{place}\n{PROSE[:60_000]}"
        first = rows(records)[0]
        assert ("group" in first, "split" in first) == (count == MANY_FILES, count != MANY_FILES)
    assert first["group"] == "books/0.txt"
    sides = split(records.index(), None, 0).side
    groups = records.index()["group"].to_pylist()
    assert all(len({side for side, name in zip(sides, groups, strict=True) if name == group}) == 1 for group in groups)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"), min_size=1, max_size=400),
       st.integers(1, 40), st.integers(1, 40))  # fmt: skip
def test_nothing_of_any_text_is_lost(
    tmp_path_factory: pytest.TempPathFactory, text: str, times: int, block: int
) -> None:
    file = write(tmp_path_factory.mktemp("any"), text * times)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_BLOCK_BYTES", 16 * block)
        records = read(file)
    assert whole(records, "book.txt") == text * times
    assert sum(row["target"]["bytes"] for row in rows(records)) == len((text * times).encode())
    assert all(0 < row["target"]["bytes"] <= PASSAGE_BYTES for row in rows(records))


@pytest.mark.parametrize("piece", ["word ", "wordwithoutend", "語"])
def test_a_line_of_fifty_megabytes_is_cut(tmp_path: Path, piece: str) -> None:
    text = piece * (50_000_000 // len(piece.encode()))
    file = write(tmp_path, text)
    begun = time.process_time()
    records = read(file)
    assert time.process_time() - begun < 15
    assert (
        records.facts["bytes"]
        == sum(length["bytes"] for length in records.index()["target"].to_pylist())
        == len(text.encode())
    )


def test_line_ends_encodings_and_odd_characters(tmp_path: Path) -> None:
    text = "one\r\ntwo\rthree\u2028four\n\n \n" * 50
    assert whole(read(write(tmp_path, text)), "book.txt") == text
    assert rows(read(write(tmp_path, text, "b/book.txt", "utf-16"))) == rows(read(write(tmp_path, text, "c/book.txt")))
    assert rows(read(write(tmp_path, text, "d/book.txt", "utf-8-sig"))) == rows(read(tmp_path / "c/book.txt"))
    assert whole(read(write(tmp_path, text, "book.md.gz")), "book.md.gz") == text
    latin = write(tmp_path, "Ein schöner Tag\n" * 100, "latin.txt", "latin-1")
    assert recognise_plain_text(open_source(latin)) is not None
    with pytest.raises(DataError, match=r"latin\.txt, row 1: byte 8 \(0xf6\) is no UTF-8 text") as error:
        read(latin)
    assert "--encoding cp1252" in error.value.hint
    assert read(latin, extra={"encoding": "cp1252"}).facts["characters"] == 1600
    with pytest.raises(DataError, match="zero bytes"):
        read(write(tmp_path, "binary\0\n", "x.txt"))
    odd = read(write(tmp_path, "bell \x07 and \ufffd\n" * 10, "odd.txt"))
    assert set(kinds(odd)) == {"control-character", "replacement-character"}


def test_larger_than_what_is_held_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = read(write(tmp_path, PROSE))
    monkeypatch.setattr(text_records_module, "HELD_BYTES", 10)
    monkeypatch.setattr(text_records_module, "_ROWS", 7)
    streamed = read(tmp_path / "book.txt")
    assert rows(streamed) == rows(streamed) == rows(held)
    assert streamed.fingerprint == held.fingerprint
    assert read(write(tmp_path, PROSE.replace("sweet", "swe3t"))).fingerprint != held.fingerprint


def test_what_is_no_plain_text(tmp_path: Path) -> None:
    assert recognise_plain_text(open_source(write(tmp_path, "1.0 2.0 3.0\n" * 20, "poses.txt"))) is None
    assert recognise_plain_text(open_source(write(tmp_path, "a,b\n", "x.csv"))) is None
    assert recognise_plain_text(open_source(["a text"])) is None
    for place in range(5):
        write(tmp_path, "0 0.5 0.5\n", f"yolo/labels/{place}.txt")
        write(tmp_path, "x", f"yolo/images/{place}.jpg")
    assert recognise_plain_text(open_source(tmp_path / "yolo")) is None
    with pytest.raises(DataError, match="no passages that can be used"):
        read(write(tmp_path, "", "empty.txt"))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="there is no text file"):
        read(tmp_path / "none")


def test_inputs_are_prompts(tmp_path: Path) -> None:
    def prompts(data: Any) -> list[tuple[str, str]]:
        return [(row["id"], row["text"]) for row in rows(read_plain_text_inputs(open_source(data)))]

    assert prompts(["", "ROMEO:"]) == [("data:1", ""), ("data:2", "ROMEO:")]
    write(tmp_path, "Once upon\na time\n", "a.txt")
    write(tmp_path, "", "b.txt")
    assert prompts(tmp_path) == [("a.txt", "Once upon\na time\n"), ("b.txt", "")]
    assert prompts(write(tmp_path, '{"prompt": "Once upon"}\n', "p.jsonl")) == [("p.jsonl:1", "Once upon")]


@pytest.mark.data
def test_tiny_shakespeare(data_set: Any) -> None:
    folder = data_set("tiny_shakespeare")
    for place in (folder, folder / "input.txt"):
        assert scores(place) == {"plain": 0.5}
        records = read(place, split="90/10/0")
        assert (
            sum(length["bytes"] for length in records.index()["target"].to_pylist())
            == records.facts["bytes"]
            == 1_115_394
        )
        assert whole(records, "input.txt") == (folder / "input.txt").read_text()
        first = next(row["id"] for row in rows(records) if row["split"] == "validation")
        assert int(first.split(":")[1].split("-")[0]) == pytest.approx(int(0.9 * 1_115_394), abs=PASSAGE_BYTES / 2)


def test_the_shares_that_are_asked_for_stay_stretches(tmp_path: Path) -> None:
    """The flow does not shuffle what the reader has cut."""
    pytest.importorskip("tokenizers")
    from assay.flow import prepare
    from assay.samples.split import TRAIN, VALIDATION

    file = tmp_path / "text.txt"
    file.write_text("".join(f"line {number}\n" for number in range(4000)), encoding="utf-8")
    prepared = prepare(file, DataOptions(task="text-generation", split="70/30/0"))
    sides = prepared.split.side.tolist()
    assert prepared.split.by == "given"
    assert sides == sorted(sides) and set(sides) == {TRAIN, VALIDATION}
    assert 0.65 < sides.count(TRAIN) / len(sides) < 0.75
