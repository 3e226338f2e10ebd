from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_reading import pairs, read, write
from text_examples import best, kinds, places, rows, scores

from assay.errors import DataError, SettingError
from assay.sources import _text_records as text_records_module
from assay.sources.sentence_pairs import (
    read_sentence_pairs_inputs,
    recognise_sentence_pairs,
)
from assay.sources.source import open_source

ENGLISH = ["A dog runs fast.", "The cat sleeps now.", "We go home early."]
GERMAN = ["Ein Hund rennt schnell.", "Die Katze schläft jetzt.", "Wir gehen früh heim."]
PAIRS = list(zip(ENGLISH, GERMAN, strict=True))


def aligned(folder: Path, stem: str, count: int = 3, end: str = "", **languages: list[str]) -> None:
    for language, lines in (languages or {"en": ENGLISH, "de": GERMAN}).items():
        write(folder, [f"{line} {stem}" for line in lines[:count]], f"{stem}.{language}{end}")


def test_aligned_files(tmp_path: Path) -> None:
    aligned(tmp_path / "d", "train")
    aligned(tmp_path / "d", "dev", 2, ".gz")
    aligned(tmp_path / "d", "test", 1, ".txt")
    write(tmp_path, "about", "d/README.txt")
    assert scores(tmp_path / "d") == {"pairs": 0.95}
    records = read(tmp_path / "d", languages="en-de")
    assert records.facts["split"] == {"test": 1, "train": 3, "validation": 2}
    assert (records.facts["languages"], records.facts["test_set"]) == ("en-de", "test")
    assert records.facts["words"]["source"] == {"mean": 5.0, "longest": 5}
    found = {row["id"]: row for row in rows(records)}
    row = found["train.en:2"]
    assert (row["source"], row["target"], row["split"]) == (
        "The cat sleeps now. train", "Die Katze schläft jetzt. train", "train",
    )  # fmt: skip
    turned = read(tmp_path / "d")
    assert turned.facts["languages"] == "de-en"
    assert "by the alphabet" in turned.facts["languages_chosen"]
    assert pairs(turned) == [(target, source) for source, target in pairs(records)]
    assert "split" not in rows(read(tmp_path / "d", split="80/10/10"))[0]
    with pytest.raises(SettingError, match="neither shares"):
        read(tmp_path / "d", split="column")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in (tmp_path / "d").iterdir():
            archive.write(file, f"inner/{file.name}")
    assert pairs(read(tmp_path / "d.zip", languages="en-de")) == pairs(records)


def test_one_test_set_of_several_is_used(tmp_path: Path) -> None:
    for stem in ("train", "val", "test_2016", "test_2017"):
        aligned(tmp_path, stem)
    records = read(tmp_path)
    assert records.facts["test_set"] == "test_2016"
    assert records.facts["other_test_sets"] == ["test_2017"]
    assert kinds(records) == {"other-test-set": (1, "skipped")}
    assert {row["id"].split(".")[0] for row in rows(records)} == {"train", "val", "test_2016"}
    assert read(tmp_path, test_set="test_2017").facts["test_set"] == "test_2017"
    with pytest.raises(SettingError) as error:
        read(tmp_path, test_set="test_2018")
    assert "test_201" in error.value.hint


def test_three_languages_need_a_choice(tmp_path: Path) -> None:
    aligned(tmp_path, "train", de=GERMAN, en=ENGLISH, fr=ENGLISH)
    aligned(tmp_path, "test", de=GERMAN, en=ENGLISH)
    with pytest.raises(SettingError, match=r"3 languages \(de, en, fr\).*The files are test, train") as error:
        read(tmp_path)
    assert error.value.hint == "Say which, source first: --languages de-en."
    assert read(tmp_path, languages="en-fr").facts == read(tmp_path, languages="en-fr").facts
    assert "split" not in read(tmp_path, languages="en-fr").facts
    for wrong in ("en-it", "en", "de-de"):
        with pytest.raises(SettingError):
            read(tmp_path, languages=wrong)


def test_sides_without_languages(tmp_path: Path) -> None:
    write(tmp_path, ENGLISH, "a/train.tgt")
    write(tmp_path, GERMAN, "a/train.src")
    records = read(tmp_path / "a")
    assert (records.facts["languages"], records.facts["languages_chosen"]) == ("src-tgt", "as the data says")
    assert pairs(records)[0] == (GERMAN[0], ENGLISH[0])


@pytest.mark.parametrize(("english", "german", "short", "last", "lines"), [
    (3, 2, "de", 2, 3), (1, 3, "en", 1, 3), (0, 2, "en", 0, 2),
])  # fmt: skip
def test_files_of_unequal_length(tmp_path: Path, english: int, german: int, short: str, last: int, lines: int) -> None:
    write(tmp_path, ENGLISH[:english], "train.en")
    write(tmp_path, GERMAN[:german], "train.de")
    other = "en" if short == "de" else "de"
    with pytest.raises(DataError, match=rf"train\.{short}, row {last}: it ends at line {last}, but train\.{other} has "
                                        rf"{lines} lines"):  # fmt: skip
        read(tmp_path)


def test_lines_end_at_line_feeds_alone_and_empty_ones_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "one two\r\nthree\u2028four\n\nfive\x85six\r\n  \nlast", "x.en")
    write(tmp_path, "eins zwei\ndrei\x0bvier\r\nnichts\nfünf\n sechs\nletzte\n", "x.de")
    records = read(tmp_path, languages="en-de")
    assert pairs(records) == [("one two", "eins zwei"), ("three\u2028four", "drei\x0bvier"), ("five\x85six", "fünf"),
                              ("last", "letzte")]  # fmt: skip
    assert kinds(records)["empty-text"] == (2, "skipped")
    assert places(records, "empty-text") == [3, 5]
    assert [row["id"] for row in rows(records)] == ["x.en:1", "x.en:2", "x.en:4", "x.en:6"]


LINES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\n\r\ufeff"), max_size=15)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LINES, LINES, st.sampled_from(["\n", "\r\n"])), min_size=1, max_size=12))
def test_aligned_lines_come_back(tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]]) -> None:
    folder = tmp_path_factory.mktemp("aligned")
    write(folder, "".join(left + end for left, _, end in lines), "x.en")
    write(folder, "".join(right + end for _, right, end in lines), "x.de.gz")
    expected = [(left, right) for left, right, _ in lines if left.strip() and right.strip()]
    if expected:
        records = read(folder, languages="en-de")
        assert pairs(records) == expected
        assert kinds(records).get("empty-text", (0, ""))[0] == len(lines) - len(expected)


def test_a_line_of_fifty_megabytes_is_skipped_quickly(tmp_path: Path) -> None:
    write(tmp_path, [ENGLISH[0], "word " * 10_000_000, ENGLISH[2]], "x.en")
    write(tmp_path, GERMAN, "x.de")
    begun = time.process_time()
    records = read(tmp_path, languages="en-de")
    assert time.process_time() - begun < 5
    assert pairs(records) == [PAIRS[0], PAIRS[2]]
    assert kinds(records) == {"overlong-text": (1, "skipped")}
    assert places(records, "overlong-text") == [2]


def test_other_encodings_are_refused_with_the_place(tmp_path: Path) -> None:
    write(tmp_path, ENGLISH, "x.en")
    write(tmp_path, GERMAN, "x.de", "latin-1")
    assert best(tmp_path) == "pairs"
    with pytest.raises(DataError, match=r"x\.de, row 2: byte 39 \(0xe4\) is no UTF-8 text") as error:
        read(tmp_path)
    assert "--encoding cp1252" in error.value.hint
    assert pairs(read(tmp_path, languages="en-de", encoding="latin-1")) == PAIRS
    write(tmp_path, GERMAN, "x.de", "utf-16")
    assert pairs(read(tmp_path, languages="en-de")) == PAIRS
    write(tmp_path, b"\0\0\n".decode(), "x.de")
    with pytest.raises(DataError, match="zero bytes"):
        read(tmp_path)


def test_larger_than_what_is_held_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aligned(tmp_path, "x")
    held = read(tmp_path)
    monkeypatch.setattr(text_records_module, "HELD_BYTES", 10)
    monkeypatch.setattr(text_records_module, "_ROWS", 2)
    streamed = read(tmp_path)
    assert rows(streamed) == rows(streamed) == rows(held)
    assert streamed.fingerprint == held.fingerprint


@pytest.mark.parametrize("header", ["", "en\tde\n", "source\ttarget\n", "English\tGerman\n"])
def test_tables_of_two_columns(tmp_path: Path, header: str) -> None:
    for name in ("x.tsv", "x.txt"):
        file = write(tmp_path, header + "".join(f"{left}\t{right}\n" for left, right in PAIRS), name)
        assert best(file) == "pairs"
        records = read(file)
        assert pairs(records) == PAIRS
        assert rows(records)[0]["id"] == f"{name}:{2 if header else 1}"
    if header.startswith("en"):
        assert records.facts["languages"] == "en-de"
        assert pairs(read(file, languages="de-en")) == [(right, left) for left, right in PAIRS]
        with pytest.raises(SettingError, match="no column for the language 'fr'"):
            read(file, languages="en-fr")


def test_tables_of_every_kind(tmp_path: Path) -> None:
    values = [{"en": left, "de": right} for left, right in PAIRS]
    frame = pd.DataFrame(values)
    frame.to_parquet(tmp_path / "x.parquet")
    nested = [{"id": place, "translation": row} for place, row in enumerate(values)]
    pd.DataFrame(nested).to_parquet(tmp_path / "nested.parquet")
    sources = [
        tmp_path / "x.parquet", tmp_path / "nested.parquet", frame, values, nested, PAIRS, (ENGLISH, GERMAN),
        [list(pair) for pair in PAIRS],
        write(tmp_path, "".join(json.dumps(row) + "\n" for row in nested), "nested.jsonl"),
        write(tmp_path, "".join(json.dumps({"text": a, "sentence": b}) + "\n" for a, b in PAIRS), "x.jsonl.gz"),
        write(tmp_path, 'en,de\n' + "".join(f'"{left}","{right}"\n' for left, right in PAIRS), "x.csv"),
    ]  # fmt: skip
    for source in sources:
        assert best(source) == "pairs", source
        assert pairs(read(source)) == PAIRS


def test_which_columns_are_meant(tmp_path: Path) -> None:
    lines = [f"{left}\t{right}\tCC-BY the person number {place}\n" for place, (left, right) in enumerate(PAIRS)]
    file = write(tmp_path, "".join(lines), "deu.txt")
    with pytest.raises(DataError, match="not clear which columns are the pairs") as error:
        read(file)
    assert "--text SOURCE --target TARGET" in error.value.hint
    assert pairs(read(file, text="column 1", target="column 2")) == PAIRS
    with pytest.raises(SettingError) as wrong:
        read(file, text="column 1", target="colum 2")
    assert wrong.value.hint == "Did you mean 'column 2'?"
    values = [{"doc": f"d{place // 2}", "en": left, "de": right, "split": ("train", "dev", "test")[place]}
              for place, (left, right) in enumerate(PAIRS)]  # fmt: skip
    records = read(values, group="doc")
    assert [(row["group"], row["split"]) for row in rows(records)] == [
        ("d0", "train"),
        ("d0", "validation"),
        ("d1", "test"),
    ]
    with pytest.raises(SettingError, match="no column 'docs'"):
        read(values, group="docs")


def test_a_table_for_each_side(tmp_path: Path) -> None:
    for side in ("train", "valid", "test"):
        write(tmp_path, "".join(f"{left} {side}\t{right}\n" for left, right in PAIRS), f"{side}.tsv")
    records = read(tmp_path)
    assert records.facts["split"] == {"test": 3, "train": 3, "validation": 3}


def test_inputs_keep_their_lines(tmp_path: Path) -> None:
    def given_back(data: Any, **options: Any) -> list[tuple[str, str]]:
        return [(row["id"], row["source"]) for row in rows(read_sentence_pairs_inputs(open_source(data), **options))]

    file = write(tmp_path, "one\r\n\nthree\u2028more\n", "x.txt")
    assert given_back(file) == [("x.txt:1", "one"), ("x.txt:2", ""), ("x.txt:3", "three\u2028more")]
    assert given_back(["one", "", "two"]) == [("data:1", "one"), ("data:2", ""), ("data:3", "two")]
    assert given_back(write(tmp_path, ["a b c"], "x.en.gz")) == [("x.en.gz:1", "a b c")]
    assert given_back(write(tmp_path, "id,en\n1,a fine day today\n2,and so on it goes\n", "x.csv"))[0] == (
        "x.csv:2", "a fine day today",
    )  # fmt: skip
    assert given_back([{"en": "a", "de": "b"}], text=["en"]) == [("data:1", "a")]
    assert given_back(write(tmp_path, "süß", "l.txt", "latin-1"), encoding="latin-1") == [("l.txt:1", "süß")]
    with pytest.raises(DataError, match="no texts"):
        given_back(write(tmp_path, "", "empty.txt"))


def test_what_holds_no_pairs(tmp_path: Path) -> None:
    write(tmp_path, "just a text", "a/x.txt")
    with pytest.raises(DataError, match="no sentence pairs") as error:
        read(tmp_path / "a")
    assert "train.en and train.de" in error.value.hint
    write(tmp_path, "x", "b/data.csv")
    write(tmp_path, "x", "b/data.tsv")
    assert recognise_sentence_pairs(open_source(tmp_path / "b")) is None
    assert "pairs" not in scores([{"text": f"some words to read {row}", "label": "ab"[row % 2]} for row in range(9)])


@pytest.mark.data
def test_multi30k(data_set: Any) -> None:
    folder = data_set("multi30k")
    assert scores(folder) == {"pairs": 0.95}
    with pytest.raises(SettingError, match=r"3 languages \(de, en, fr\)"):
        read(folder)
    records = read(folder, languages="en-de")
    assert records.facts["split"] == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert records.facts["test_set"] == "test_2016_flickr"
    assert records.facts["other_test_sets"] == ["test_2017_flickr", "test_2017_mscoco"]
    row = next(row for row in rows(records) if row["id"] == "train.en.gz:1")
    assert row["source"] == "Two young, White males are outside near many bushes."
    assert row["target"] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert read(folder, languages="en-fr", test_set="test_2017_mscoco").facts["split"]["test"] == 461


def test_the_table_that_taught_can_be_asked(tmp_path: Path) -> None:
    table = write(tmp_path, [f"{one}\t{other}" for one, other in [("en_GB", "de"), *PAIRS]], "p.tsv")
    found = read_sentence_pairs_inputs(open_source(table), language="en_GB")
    assert [row["source"] for row in rows(found)] == ENGLISH
    with pytest.raises(DataError, match="several columns of text"):
        read_sentence_pairs_inputs(open_source(table))


@pytest.mark.parametrize("languages", [("en-US", "de-DE"), ("pt_BR", "zh-CN"), ("source-text", "target-text")])
def test_regions_in_languages_can_be_asked_for_again(tmp_path: Path, languages: tuple[str, str]) -> None:
    lines = ["\t".join(languages), *(f"{one}\t{other}" for one, other in PAIRS)]
    table = write(tmp_path, lines, "p.tsv")
    told = read(table).facts["languages"]
    assert read(table, languages=told).facts["languages"] == told


def test_an_encoding_that_no_parser_reads_is_told(tmp_path: Path) -> None:
    body = "<tmx><header srclang='ja'/><body/></tmx>"
    file = write(tmp_path, f"<?xml version='1.0' encoding='Shift_JIS'?>{body}", "m.tmx", "shift_jis")
    with pytest.raises(DataError, match=r"cannot be read .*encoding"):
        read(file)


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for stem in ("en", "de"):
            archive.writestr(f"train.{stem}", "a line of text that is long enough\n" * 50)
    data = bytearray(place.read_bytes())
    data[100] ^= 1
    place.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        read(place, languages="en-de")
