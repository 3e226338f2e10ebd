from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_examples import best, kinds, rows, scores
from text_reading import ROWS, TEXTS, as_csv, as_json, pairs, read, write

from assay.errors import DataError, SettingError
from assay.samples.split import split
from assay.sources import _text_records as text_records_module
from assay.sources.source import DataOptions, open_source
from assay.sources.texts import read_texts


def test_every_container_gives_the_same_texts(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS)
    frame.to_parquet(tmp_path / "rows.parquet")
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("inside/rows.csv", as_csv(ROWS))
        archive.writestr("inside/README.md", "about")
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(as_json(ROWS).encode()))
    sources = [
        tmp_path / "rows.parquet", tmp_path / "rows.zip", tmp_path / "rows.jsonl.gz", frame, ROWS,
        pa.Table.from_pandas(frame), (TEXTS, [row["label"] for row in ROWS]), write(tmp_path, as_csv(ROWS)),
        write(tmp_path, as_csv(ROWS, "\t"), "rows.tsv"), write(tmp_path, as_json(ROWS), "rows.ndjson"),
        write(tmp_path, json.dumps(ROWS), "rows.json"), write(tmp_path, as_csv(ROWS), "bom.csv", "utf-8-sig"),
        write(tmp_path, as_csv(ROWS, "\t"), "wide.tsv", "utf-16"),
        write(tmp_path, as_csv(ROWS).replace("\n", "\r\n"), "windows.csv"),
        write(tmp_path, as_csv(ROWS, "\t").partition("\n")[2], "bare.txt"),
    ]  # fmt: skip
    for source in sources:
        assert best(source) == "texts", source
        records = read(source)
        assert [(row["text"], row["target"]) for row in rows(records)] == [(row["text"], row["label"]) for row in ROWS]
        assert records.facts["class_counts"] == {"c": 10, "d": 10}
        assert records.facts["words"] == {"mean": 8.0, "longest": 8}


def test_ids_digests_and_facts(tmp_path: Path) -> None:
    records = read(write(tmp_path, as_csv(ROWS)))
    assert rows(records)[1] == {
        "id": "rows.csv:3",
        "text": TEXTS[1],
        "target": "d",
        "digest": rows(records)[1]["digest"],
    }
    assert records.facts["target"] == {"name": "label", "kind": "class", "chosen": "by its name", "missing": 0}
    assert records.facts["text"] == {"columns": ["text"], "chosen": "by its words"}
    spaced = [{**row, "text": f"  {row['text']}\t "} for row in ROWS]
    other = read(write(tmp_path, as_csv(spaced), "other/rows.csv"))
    assert [row["digest"] for row in rows(other)] == [row["digest"] for row in rows(records)]
    assert other.fingerprint != records.fingerprint
    assert read(write(tmp_path, as_csv(ROWS), "third/rows.csv")).fingerprint == records.fingerprint


def test_larger_than_what_is_held_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (write(tmp_path, as_csv(ROWS)), write(tmp_path, as_json(ROWS), "rows.jsonl")):
        held = read(file)
        with monkeypatch.context() as patch:
            patch.setattr(text_records_module, "HELD_BYTES", 10)
            patch.setattr(text_records_module, "_ROWS", 7)
            streamed = read(file)
            assert len(list(streamed.batches())) == 3
            assert rows(streamed) == rows(streamed) == rows(held)
            assert streamed.fingerprint == held.fingerprint


@pytest.mark.parametrize(("lines", "header"), [
    (["ham\tHello you", "spam\tWin a prize now", "ham\tSee you later then"], False),
    (["label\ttext", "ham\tHello you there", "spam\tWin a prize now"], True),
    (["text\ttext type", "Hello you there\tham", "Win a prize now\tspam"], True),
    (["0\tHello you there", "1\tWin a prize now", "0\tSee you later then"], False),
    (["A long sentence with many words in it\tx", "Hello you there\ty", "Win a prize now\tx"], False),
    (["stimmung\tsatz", "gut\tdas ist sehr schön", "böse\tdas ist gar nicht schön"], True),
])  # fmt: skip
def test_first_rows_that_are_headers_or_not(tmp_path: Path, lines: list[str], header: bool) -> None:
    file = write(tmp_path, "\n".join(lines) + "\n", "rows.tsv")
    records = read_texts(open_source(file), DataOptions(), learnable=False)
    assert records.facts["samples"] == len(lines) - header
    assert rows(records)[0]["id"] == ("rows.tsv:2" if header else "rows.tsv:1")
    assert ("no-header" in kinds(records)) is not header


def test_quotation_marks_are_kept_where_they_enclose_nothing(tmp_path: Path) -> None:
    lines = [
        'ham\t"Hello there, she said',
        'spam\tWin "a" prize now',
        "ham\tSee you later then",
        'spam\tit is 5" long',
    ] * 3
    records = read(write(tmp_path, "\n".join(lines), "rows.tsv"))
    assert [f"{target}\t{text}" for text, target in pairs(records)] == lines
    assert "wrong-column-count" not in kinds(records)


FREE = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(st.lists(FREE.filter(lambda text: not text.isspace()), min_size=1, max_size=12), st.booleans())
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str], tabs: bool) -> None:
    texts = [text.replace("\r", " ") + "!" for text in texts]  # a lone carriage return ends a row of a table
    values = [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate([*texts, "one more for two"])]
    folder = tmp_path_factory.mktemp("back")
    expected = [(row["text"], row["label"]) for row in values]
    options = DataOptions(target="label", extra={"text": "text"})
    for file in (write(folder, as_json(values), "rows.jsonl"),
                 write(folder, as_csv(values, "\t" if tabs else ","), "rows.tsv" if tabs else "rows.csv")):  # fmt: skip
        assert pairs(read_texts(open_source(file), options, learnable=False)) == expected


def test_folders_of_texts(tmp_path: Path) -> None:
    for side in ("train", "test"):
        for kind in ("pos", "neg"):
            for place in range(2):
                write(tmp_path, f"{side} {kind} number {place}\n", f"r/{side}/{kind}/{place}.txt")
    write(tmp_path, "no class", "r/train/unsup/0.txt")
    write(tmp_path, "about", "r/README.txt")
    write(tmp_path, "", "r/train/pos/empty.txt")
    write(tmp_path, " \n", "r/train/neg/blank.txt")
    assert scores(tmp_path / "r") == {"texts": 0.9, "plain": 0.5}
    records = read(tmp_path / "r")
    assert rows(records)[0] == {**rows(records)[0], "id": "test/neg/0.txt", "text": "test neg number 0\n",
                                "target": "neg", "split": "test"}  # fmt: skip
    assert records.facts["class_counts"] == {"neg": 4, "pos": 4}
    assert records.facts["split"] == {"test": 4, "train": 4}
    assert kinds(records) == {"empty-text": (2, "skipped"), "stray-file": (1, "skipped"),
                              "text-without-class": (1, "skipped")}  # fmt: skip
    assert "split" not in rows(read(tmp_path / "r", split="80/10/10"))[0]
    (tmp_path / "r/train/pos/bad.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"train/pos/bad\.txt, row 1: byte 4 \(0xe9\) is no UTF-8 text") as error:
        read(tmp_path / "r")
    assert "--encoding cp1252" in error.value.hint
    assert pairs(read(tmp_path / "r", extra={"encoding": "cp1252"}))[-1] == ("café", "pos")


def test_newsgroups_without_endings(tmp_path: Path) -> None:
    for kind in ("alt.atheism", "sci.space"):
        for place in range(2):
            write(tmp_path, f"From: me\n\n{kind} {place}", f"news/{kind}/{50000 + place}")
    assert best(tmp_path / "news") == "texts"
    assert read(tmp_path / "news").facts["class_counts"] == {"alt.atheism": 2, "sci.space": 2}


def test_a_file_for_each_side(tmp_path: Path) -> None:
    write(tmp_path, as_csv(ROWS[:12]), "d/train.csv")
    write(tmp_path, as_csv(ROWS[12:16]), "d/dev.csv")
    write(tmp_path, as_csv([{"text": row["text"]} for row in ROWS[16:]]), "d/test.csv")
    records = read(tmp_path / "d")
    assert records.facts["split"] == {"train": 12, "validation": 4}
    assert rows(records)[0]["id"] == "train.csv:2"
    assert kinds(records) == {"file-without-target": (1, "skipped")}
    write(tmp_path, as_csv(ROWS[16:]), "d/test.csv")
    records = read(tmp_path / "d")
    assert records.facts["split"] == {"test": 4, "train": 12, "validation": 4}
    assert scores(tmp_path / "d") == {"texts": 0.8}
    assert "split" not in rows(read(tmp_path / "d", split="80/10/10"))[0]
    write(tmp_path, "phrase,label\nsome words to read,c\n", "d/dev.csv")
    with pytest.raises(DataError, match=r"dev\.csv: the column 'text' is missing"):
        read(tmp_path / "d")
    write(tmp_path, as_csv(ROWS), "two/a.csv")
    write(tmp_path, as_csv(ROWS), "two/b.csv")
    with pytest.raises(DataError, match="there is no table, or several"):
        read(tmp_path / "two")


def test_several_columns_of_text(tmp_path: Path) -> None:
    values = [{"title": f"news of the day {row}", "body": f"what happened is {row} in the end", "label": "ab"[row % 2]}
              for row in range(20)]  # fmt: skip
    file = write(tmp_path, as_csv(values))
    assert scores(file) == {"texts": 0.75, "table": 0.7}
    assert scores(values) == {"texts": 0.93, "table": 0.9}
    with pytest.raises(DataError, match="several columns of text: 'title', 'body'") as error:
        read(file)
    assert "--text title,body" in error.value.hint
    assert rows(read(file, extra={"text": "body"}))[0]["text"] == "what happened is 0 in the end"
    joined = read(file, extra={"text": "title, body"})
    assert rows(joined)[0]["text"] == "news of the day 0\nwhat happened is 0 in the end"
    assert joined.facts["text"] == {"columns": ["title", "body"], "chosen": "as asked"}
    with pytest.raises(SettingError) as wrong:
        read(file, extra={"text": "bodi"})
    assert wrong.value.hint == "Did you mean 'body'?"
    with pytest.raises(DataError, match="'title' has 20 different values in 20 rows; it looks like a row id"):
        read(file, target="title")


def test_kinds_of_targets(tmp_path: Path) -> None:
    def kind(values: list[Any], **extra: Any) -> tuple[str, Any]:
        data = [{"text": f"a text of some words {row}", "target": value} for row, value in enumerate(values)]
        records = read_texts(open_source(data), DataOptions(extra=extra), learnable=False)
        return records.facts["target"]["kind"], rows(records)[0]["target"]

    assert kind(["a", "b"] * 5) == ("class", "a")
    assert kind([0, 1] * 5) == ("class", "0")
    assert kind([0.25, 1.5] * 5) == ("number", 0.25)
    assert kind([["a", "b"], ["a"]] * 5) == ("labels", ["a", "b"])
    assert kind(["a|b", "a"] * 5) == ("labels", ["a", "b"])
    assert kind(["NONE", "FAVOR"] * 5) == ("class", "NONE")
    assert kind(["1", "2"] * 5, target_kind="number") == ("number", 1.0)
    assert kind([row % 77 for row in range(770)]) == ("class", "0")
    assert kind([80 + row % 40 for row in range(770)]) == ("number", 80.0)
    with pytest.raises(SettingError, match="does not hold numbers"):
        kind(["a", "b"], target_kind="number")


def test_which_column_is_the_target(tmp_path: Path) -> None:
    values = [{"when": f"2020-01-{row % 28 + 1:02}", "note": TEXTS[row], "mood": "ab"[row % 2], "nr": row * 3.5}
              for row in range(20)]  # fmt: skip
    records = read(write(tmp_path, as_csv(values)))
    assert (records.facts["target"]["name"], records.facts["target"]["chosen"]) == (
        "mood",
        "the only column of classes",
    )
    assert read(tmp_path / "rows.csv", target="nr").facts["target"]["kind"] == "number"
    with pytest.raises(SettingError) as error:
        read(tmp_path / "rows.csv", target="moods")
    assert error.value.hint == "Did you mean 'mood'?"
    with pytest.raises(DataError, match="the same value in every row"):
        read([{"text": text, "label": "x"} for text in TEXTS])
    with pytest.raises(DataError, match="no column to predict"):
        read([{"text": text} for text in TEXTS])
    with pytest.raises(DataError, match="no column of text among 'a', 'b'"):
        read([{"a": 1, "b": 2}] * 5)


def test_groups_and_sides(tmp_path: Path) -> None:
    values = [{**row, "author": f"w{place % 5}", "split": ("train", "dev", "test")[place % 3]}
              for place, row in enumerate(ROWS)]  # fmt: skip
    file = write(tmp_path, as_csv(values))
    first = rows(read(file, group="author"))[1]
    assert (first["group"], first["split"]) == ("w1", "validation")
    assert "split" not in rows(read(file, split="80/10/10"))[0]
    with pytest.raises(SettingError) as error:
        read(file, group="writer")
    assert "author" in error.value.hint


def test_sides_by_files_reach_the_split(tmp_path: Path) -> None:
    write(tmp_path, as_csv(ROWS[:14]), "train.csv")
    write(tmp_path, as_csv(ROWS[14:]), "test.csv")
    found = split(read(tmp_path).index(), None, 0)
    assert found.by == "given"
    assert found.counts()["test"] == 6 and found.counts()["validation"] >= 1


def test_shares_take_the_columns_of_the_training_file(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(
        "sentence\tlabel\n" + "".join(f"some words {n}\t{'ab'[n % 2]}\n" for n in range(9))
    )
    (tmp_path / "test.tsv").write_text("index\tsentence\n" + "".join(f"{n}\tother words {n}\n" for n in range(9)))
    assert {row["target"] for row in rows(read(tmp_path, split="80/10/10", target="label"))} == {"a", "b"}
