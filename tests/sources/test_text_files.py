"""The helpers beneath all readers of text: bytes to text, lines, quotation marks, JSON lines, labelled lines, words."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import DataError, SettingError
from assay.sources import _csv as csv_module
from assay.sources import _decoding as decoding
from assay.sources._digest import text_digest
from assay.sources._json_lines import json_rows
from assay.sources._labelled_lines import labelled_rows
from assay.sources._languages import choose_languages, find_language, is_language
from assay.sources._lines import is_about, lines_of, whole_text
from assay.sources._quotes import quotes_are_literal
from assay.sources._rows import open_rows
from assay.sources._splits import given_sides, side_of_name
from assay.sources._text_values import count_words, doubtful_characters, mended
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, open_source
from assay.sources.store import Store

LETTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\n")


def store(folder: Path, content: bytes, name: str = "x.txt") -> Store:
    (folder / name).write_bytes(content)
    return open_source(folder / name).store


def kinds(log: ProblemLog) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in log.problems()}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(LETTERS, max_size=12).filter(lambda line: not line.endswith("\r")), max_size=12),
    st.lists(st.sampled_from(["\n", "\r\n"]), min_size=12, max_size=12),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.integers(1, 9),
)
def test_lines_come_back_whatever_their_ends_encoding_and_blocks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: list[str], encoding: str, block: int
) -> None:
    lines = [line.replace("\ufeff", "") for line in lines]
    text = "".join(line + end for line, end in zip(lines, ends, strict=False))
    held = store(tmp_path_factory.mktemp("lines"), text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_BLOCK_BYTES", block + 3)
        assert list(lines_of(held, "x.txt")) == lines
        assert whole_text(held, "x.txt") == text


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g\rh\r\nsecond\nlast"
    assert list(lines_of(store(tmp_path, text.encode()), "x.txt")) == ["a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g\rh",
                                                                       "second", "last"]  # fmt: skip
    assert list(lines_of(store(tmp_path, b""), "x.txt")) == []
    assert list(lines_of(store(tmp_path, b"\n\na\n"), "x.txt")) == ["", "", "a"]


def test_lines_that_are_too_long_leave_their_place(tmp_path: Path) -> None:
    text = "short\n" + "x" * 3_000_000 + "\nlast\n" + "y" * 11
    assert list(lines_of(store(tmp_path, text.encode()), "x.txt", longest=10)) == ["short", None, "last", None]
    assert whole_text(store(tmp_path, b"eleven char"), "x.txt", longest=10) is None


@pytest.mark.parametrize(("content", "message"), [
    ("grün\nschön".encode("latin-1"), r"x\.txt, row 1: byte 3 \(0xfc\) is no UTF-8 text"),
    (b"one\ntwo\nthr\x80ee", r"x\.txt, row 3: byte 12 \(0x80\)"),
    (b"abc\n" * 300_000 + b"\xe9t\xe9", r"x\.txt, row 300001: byte 1200001 \(0xe9\)"),
    ("naïv".encode()[:4], r"x\.txt: the text is not UTF-8|x\.txt, row 1: byte 3 \(0xc3\)"),
    (b"a\xc3", r"x\.txt, row 1: byte 2 \(0xc3\)"),
    ("ab".encode("utf-16") + b"\x00", r"x\.txt, row 1: byte 7 \(0x00\) is no UTF-16"),
    (b"\x7fELF\0\0", "it holds zero bytes"), ("hello".encode("utf-16-le"), "utf-16-le"),
])  # fmt: skip
def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    if content == "naïv".encode()[:4]:
        content = content[:3]
    with pytest.raises(DataError) as error:
        list(lines_of(store(tmp_path, content), "x.txt"))
    assert re.search(message, f"{error.value} {error.value.hint}")
    if "zero bytes" not in str(error.value):
        assert "--encoding cp1252" in error.value.hint


def test_encodings_by_name(tmp_path: Path) -> None:
    held = store(tmp_path, "grün €".encode("cp1252"))
    assert list(lines_of(held, "x.txt", "cp1252")) == ["grün €"]
    for unknown in ("utf-9", "hex"):
        with pytest.raises(SettingError, match="there is no encoding"):
            list(lines_of(held, "x.txt", unknown))
    packed = gzip.compress("süß\n".encode() * 1000)
    assert list(lines_of(store(tmp_path, packed, "x.gz"), "x.gz")) == ["süß"] * 1000
    for broken in (packed[:-9], packed[:20] + b"\xff" * 20 + packed[40:]):
        with pytest.raises(DataError, match="compressed file is damaged"):
            list(lines_of(store(tmp_path, broken, "x.gz"), "x.gz"))


@pytest.mark.parametrize(("lines", "literal"), [
    (['a\t"whole cell"', 'b\t"with ""marks"" in"'], False), (['a\tsays "hi"', "b\tplain"], True),
    (['a\t"open', "b\tplain", 'c\tmore"'], True), (['a\t"first line', 'second line"', "b\tx"], False),
    (['a\t"never closed', "b\tx", "c\ty"], True), (['a\t"said" he', "b\tx"], True), (["a\tb", "c\td"], False),
    (['text\tn', '"one\ttwo"\t1', '"x"\t2'], False),
])  # fmt: skip
def test_quotation_marks_in_tab_separated_files(lines: list[str], literal: bool) -> None:
    assert quotes_are_literal(iter(lines)) is literal


def test_rows_larger_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_module, "_BLOCK_BYTES", 64)
    lines = ["label,text", *(f"a,row {row}" for row in range(20)), "b," + "x" * 500, "ragged,1,2", "c,last",
             'd,"two\nlines"', "e,end"]  # fmt: skip
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    log = ProblemLog()
    found = [
        (number, row["label"])
        for batch, numbers in open_rows(open_source(tmp_path / "x.csv")).batches(log)
        for number, row in zip(numbers.tolist(), batch.to_pylist(), strict=True)
    ]
    assert found == [*((row + 2, "a") for row in range(20)), (22, "b"), (24, "c"), (25, "d"), (27, "e")]
    assert kinds(log) == {"wrong-column-count": (1, "skipped")}
    assert [place.row for problem in log.problems() for place in problem.examples] == [23]


def json_table(folder: Path, content: str) -> tuple[pa.Table, ProblemLog, list[int]]:
    rows, log = json_rows(store(folder, content.encode(), "x.jsonl"), "x.jsonl"), ProblemLog()
    parts = list(rows.batches(log))
    assert rows.names == tuple(parts[0][0].schema.names)
    return pa.Table.from_batches([batch for batch, _ in parts]), log, [n for _, numbers in parts for n in numbers]


def test_json_lines(tmp_path: Path) -> None:
    values = [
        {"text": "süß\u2028", "n": 1, "x": 1, "mixed": 1, "tags": ["a"], "at": [1], "deep": {"a": {"b": 1}, "c": "d"}},
        {"text": "", "n": None, "x": 0.5, "mixed": "one", "tags": [], "at": [], "late": True, "big": 2**70},
        {"text": None, "n": 3, "mixed": {"k": [1]}, "tags": None, "at": [2, 3], "odd": [{"a": 1}]},
    ]
    table, log, numbers = json_table(tmp_path, "\n\n".join(map(json.dumps, values)))
    assert numbers == [1, 3, 5]
    assert not log.problems()
    assert [table[name].to_pylist() for name in ("text", "n", "x", "late", "tags", "at")] == [
        ["süß\u2028", "", None], [1, None, 3], [1.0, 0.5, None], [None, True, None], [["a"], [], None],
        [[1], [], [2, 3]],
    ]  # fmt: skip
    assert table["mixed"].to_pylist() == ["1", "one", None]
    assert table["mixed.k"].to_pylist() == [None, None, [1]]
    assert (table["deep.a"][0].as_py(), table["deep.c"][0].as_py()) == ('{"b": 1}', "d")
    assert table["odd"].to_pylist() == [None, None, '[{"a": 1}]']
    assert table["big"].to_pylist() == [None, str(2**70), None]


def test_an_array_of_objects_is_a_table_too(tmp_path: Path) -> None:
    table, _, numbers = json_table(tmp_path, json.dumps([{"a": "x"}, {"a": "y"}], indent=2))
    assert (table["a"].to_pylist(), numbers) == (["x", "y"], [1, 2])
    with pytest.raises(DataError, match=r"x\.jsonl, row 2: this is no JSON"):
        json_table(tmp_path, '[{"a": 1},\n{"a": }]')


def test_lines_that_are_no_json_are_counted(tmp_path: Path) -> None:
    deep = "[" * 200_000
    lines = ['{"a": 1}', "{broken", "[1]", '"text"', "", '{"a": 2', deep, "1" * 5000, '{"a": 3}']
    table, log, numbers = json_table(tmp_path, "\n".join(lines))
    assert (table["a"].to_pylist(), numbers) == ([1, 3], [1, 9])
    assert kinds(log) == {"broken-json-line": (4, "skipped"), "not-an-object": (2, "skipped")}
    with pytest.raises(DataError, match=r"no JSON object in any line \(line 1: "):
        json_table(tmp_path, "nothing\nhere")


def test_halves_of_surrogate_pairs(tmp_path: Path) -> None:
    table, log, _ = json_table(tmp_path, '{"a": "\\ud83d\\ude00 and \\ud83d"}\n{"a": "fine", "\\ud800": 1}\n')
    assert table["a"].to_pylist() == ["😀 and \ufffd", "fine"]
    assert kinds(log) == {"lone-surrogate": (1, "repaired")}
    assert mended("\ud83d\ude00") == "😀"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON_VALUES, min_size=1), min_size=1, max_size=6))
def test_any_json_becomes_a_table(tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]]) -> None:
    text = "\n".join(map(json.dumps, values))
    if all(value == {} for row in values for value in row.values()):
        return
    table, _, numbers = json_table(tmp_path_factory.mktemp("json"), text)
    assert numbers == list(range(1, len(values) + 1))
    for place, row in enumerate(values):
        for key, value in row.items():
            if isinstance(value, str) and table[key].type == pa.string():
                assert table[key][place].as_py() == mended(value)


def test_labelled_lines(tmp_path: Path) -> None:
    for content, expected in [
        ("1 a good film\n0 a bad one\n1 fine\n0 so  so\n", [("1", "a good film"), ("0", "a bad one")]),
        ("LOC:city Where ?\nNUM:date When ?\nLOC:city Here ?\nNUM:date Then ?\n", [("LOC:city", "Where ?"),
                                                                                  ("NUM:date", "When ?")]),
        ("__label__a __label__b both\n__label__a one\n__label__a __label__b x\n__label__a y\n", [("a|b", "both"),
                                                                                               ("a", "one")]),
    ]:  # fmt: skip
        rows = labelled_rows(store(tmp_path, content.encode()), "x.txt", None)
        assert rows is not None
        batch, numbers = next(rows.batches(None))
        assert [tuple(row.values()) for row in batch.to_pylist()[:2]] == expected
        assert numbers.tolist() == [1, 2, 3, 4]
    for prose in ("It was the best of times,\nit was the worst of times,\n", "1 one\n2 two\n3 three\n", "", "7 x\n"):
        assert labelled_rows(store(tmp_path, prose.encode()), "x.txt", None) is None
    log = ProblemLog()
    rows = labelled_rows(store(tmp_path, b"1 a\n0 b\n" * 300 + b"no label\n\n1 c\n"), "x.txt", None)
    assert rows is not None
    assert sum(batch.num_rows for batch, _ in rows.batches(log)) == 601
    assert kinds(log) == {"no-label": (1, "skipped")}


def test_words_and_doubtful_characters() -> None:
    assert count_words("") == 0
    assert count_words("a fine  day\n") == 3
    assert count_words("東大寺は仏教") == 4
    assert doubtful_characters("plain\ttext\r\n é ·") == ()
    assert doubtful_characters("a\x92b") == ("control-character",)
    assert doubtful_characters("\ufffd\x00") == ("replacement-character", "control-character")


def test_digests_see_words_not_their_spacing_or_composition() -> None:
    assert text_digest("caf\u00e9  au lait\n") == text_digest("cafe\u0301 au\tlait")
    assert text_digest("a", "b") != text_digest("a b")
    assert text_digest("A") != text_digest("a")


@pytest.mark.parametrize(("name", "side"), [
    ("train.en", "train"), ("test_2016_flickr.en.gz", "test"), ("newstest2014.de", "test"),
    ("newsdev2013.de", "validation"),
    ("train/jaquad_0001.json", "train"), ("stsa.binary.dev", "validation"), ("flores.devtest", "test"),
    ("test/train-1.json", "train"), ("TREC.train.all", "train"), ("detest.txt", None), ("contest.txt", None),
    ("validity.txt", None), ("dev-v2.0.json", "validation"),
])  # fmt: skip
def test_sides_by_the_names_of_files(name: str, side: str | None) -> None:
    assert side_of_name(name) == side


def test_names_give_a_split_only_where_it_is_whole() -> None:
    options = DataOptions()
    assert given_sides(["train.txt", "dev.txt"], options) == {"train.txt": "train", "dev.txt": "validation"}
    assert given_sides(["corpus.txt", "test.txt"], options) == {"corpus.txt": "train", "test.txt": "test"}
    assert given_sides(["dev.txt", "test.txt"], options) is None
    assert given_sides(["train.txt"], options) is None
    assert given_sides(["train.txt", "dev.txt"], DataOptions(split="80/10/10")) is None
    assert is_about("a/README.md") and is_about("LICENSE") and not is_about("reader.txt")


def test_languages() -> None:
    for word in ("en", "pt_BR", "zh-Hans", "deu", "English", "sr_Latn", "es-419"):
        assert is_language(word)
    for word in ("csv", "txt", "md", "gz", "xx", "en_", "label", "tmx"):
        assert not is_language(word)
    assert find_language("en", ["en-US", "de"]) == "en-US"
    assert find_language("en", ["en-US", "en-GB"]) is None
    assert choose_languages(["de", "en"], None, "x") == ("de", "en", "by the alphabet")
    assert choose_languages(["de", "en"], "en-de", "x") == ("en", "de", "as asked")
    assert choose_languages(["de", "en"], None, "x", first="en") == ("en", "de", "as the data says")
    assert choose_languages(["tgt", "src"], None, "x") == ("src", "tgt", "as the data says")
    with pytest.raises(SettingError, match=r"x has 3 languages \(de, en, fr\)"):
        choose_languages(["de", "en", "fr"], None, "x")
    with pytest.raises(SettingError, match="no language 'it'; there is de, en"):
        choose_languages(["de", "en"], "it-en", "x")
    for wrong in ("en", "en-de-fr", "-en", "de-de"):
        with pytest.raises(SettingError):
            choose_languages(["de", "en"], wrong, "x")
