"""What is skipped, noted, refused or no text; inputs, and real texts."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from text_examples import best, kinds, places, rows, scores
from text_reading import ROWS, TEXTS, as_csv, as_json, pairs, read, write

from assay.errors import DataError
from assay.sources.source import open_source
from assay.sources.texts import read_texts_inputs, recognise_texts


def test_what_is_skipped_and_what_is_only_noted(tmp_path: Path) -> None:
    texts = [
        "fine words here",
        "",
        "   ",
        None,
        "bad \x07 bell",
        "lost \ufffd sign",
        "fine words here",
        "no target here",
    ]
    values = [{"text": text, "label": "ab"[row % 2] if row < 7 else None} for row, text in enumerate(texts)]
    records = read(write(tmp_path, as_json(values), "rows.jsonl"))
    assert [text for text, _ in pairs(records)] == [texts[0], texts[4], texts[5], texts[6]]
    assert kinds(records) == {"empty-text": (3, "skipped"), "control-character": (1, "kept"),
                              "replacement-character": (1, "kept"), "missing-target": (1, "skipped")}  # fmt: skip
    assert places(records, "empty-text") == [2, 3, 4]
    with pytest.raises(DataError, match=r"no texts that can be used \(2 empty-text\)"):
        read([{"text": "", "label": "a"}, {"text": " ", "label": "b"}], extra={"text": "text"})


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "folder"])
def test_a_line_of_fifty_megabytes_is_skipped_quickly(tmp_path: Path, name: str) -> None:
    long = "word " * 10_000_000
    if name == "folder":
        for place, text in enumerate([*TEXTS[:4], long]):
            write(tmp_path, text, f"folder/{'cd'[place % 2]}/{place}.txt")
    else:
        values = [*ROWS[:4], {"text": long, "label": "c"}, *ROWS[4:8]]
        write(tmp_path, as_json(values) if name.endswith("l") else as_csv(values, "\t" if "tsv" in name else ","), name)
    begun = time.process_time()
    records = read(tmp_path / name)
    assert time.process_time() - begun < 10
    assert kinds(records) == {"overlong-line" if "jsonl" in name else "overlong-text": (1, "skipped")}
    assert records.facts["samples"] == (4 if name == "folder" else 8)


def test_other_encodings_are_recognised_and_refused_with_the_place(tmp_path: Path) -> None:
    text = as_csv(ROWS).replace("quite", "schön")
    file = write(tmp_path, text, "rows.csv", "latin-1")
    assert best(file) == "texts"
    with pytest.raises(DataError, match=r"rows\.csv, row 2: byte \d+ \(0xf6\) is no UTF-8 text") as error:
        read(file)
    assert "--encoding cp1252" in error.value.hint
    assert "schön" in pairs(read(file, extra={"encoding": "cp1252"}))[0][0]
    with pytest.raises(DataError, match="zero bytes"):
        read(write(tmp_path, as_csv(ROWS), "wide.csv", "utf-16-le"))


def test_tables_of_features_stay_tables(tmp_path: Path) -> None:
    values = [{"Name": f"Mr. John Smith {row}", "Age": row % 60, "Fare": row * 1.5, "Sex": "mf"[row % 2],
               "Class": row % 3, "Survived": row % 2} for row in range(60)]  # fmt: skip
    file = write(tmp_path, as_csv(values))
    assert best(file) == "table" and best(values) == "table"
    assert scores(file)["texts"] == 0.45
    numbers = write(tmp_path, as_csv([{"a": 1.5 * row, "b": "xy"[row % 2]} for row in range(30)]), "n.csv")
    assert scores(numbers) == {"table": 0.7}
    pixels = [
        {"emotion": row % 3, "pixels": " ".join(str((row * 7 + x) % 256) for x in range(48))} for row in range(30)
    ]
    assert "texts" not in scores(write(tmp_path, as_csv(pixels), "p.csv"))
    stamps = [{"when": f"Mon Apr 06 22:19:{row:02} PDT 2009", "target": row % 2} for row in range(30)]
    assert "texts" not in scores(stamps)
    images = write(
        tmp_path, "file,label\n" + "".join(f"my cat photo {row}.jpg,{'ab'[row % 2]}\n" for row in range(9)), "i.csv"
    )
    assert "texts" not in scores(images)


def test_japanese_has_words_without_spaces(tmp_path: Path) -> None:
    values = [{"文": f"東大寺は{row}世紀に聖武天皇の発願で造立された", "label": "ab"[row % 2]} for row in range(8)]
    assert best(values) == "texts"
    assert read(values).facts["text"]["columns"] == ["文"]


def test_inputs(tmp_path: Path) -> None:
    def ids(data: Any, **options: Any) -> list[tuple[str, str]]:
        return [(row["id"], row["text"]) for row in rows(read_texts_inputs(open_source(data), **options))]

    assert ids(["half \ud83d", "\ud83d\ude00"]) == [("data:1", "half \ufffd"), ("data:2", "😀")]
    assert ids([{"text": "half \ud83d"}]) == [("data:1", "half \ufffd")]
    with pytest.raises(DataError, match="item 101 is of type int; strings are expected"):
        ids(["a"] * 100 + [5])
    assert ids(["one", "", "two"]) == [("data:1", "one"), ("data:2", ""), ("data:3", "two")]
    write(tmp_path, "a whole\ndocument\n", "d/a.txt")
    write(tmp_path, "another", "d/b.txt")
    write(tmp_path, "1,2", "d/c.bin")
    assert ids(tmp_path / "d") == [("a.txt", "a whole\ndocument\n"), ("b.txt", "another")]
    assert ids(tmp_path / "d/a.txt") == [("a.txt", "a whole\ndocument\n")]
    file = write(tmp_path, as_csv(ROWS))
    assert ids(file, text=["text"])[0] == ("rows.csv:2", TEXTS[0])
    assert ids(file)[0] == ("rows.csv:2", TEXTS[0])
    assert ids(ROWS, text=["text"])[0] == ("data:1", TEXTS[0])
    assert ids([{"any": "short"}], text=["text"]) == [("data:1", "short")]
    headless = write(tmp_path, "ham\tHello you there\nspam\tWin a prize now\nham\tSee you later\n", "sms.tsv")
    assert ids(headless, text=["column 2"])[0] == ("sms.tsv:1", "Hello you there")
    with pytest.raises(DataError, match="the column 'txt' is missing") as error:
        ids(file, text=["txt"])
    assert error.value.hint == "Did you mean 'text'?"
    assert ids(write(tmp_path, "süß", "l.txt", "latin-1"), encoding="latin-1") == [("l.txt", "süß")]
    assert ids(write(tmp_path, "", "empty.txt")) == [("empty.txt", "")]


def test_what_is_no_text(tmp_path: Path) -> None:
    for name, content, message in [
        ("empty.csv", b"", "the file is empty"), ("head.csv", b"text,label\n", "no rows"),
        ("empty.jsonl", b"", "no JSON object"), ("x.parquet", b"PAR1....", "Parquet file is damaged"),
        ("cut.csv.gz", gzip.compress(as_csv(ROWS * 50).encode())[:-9], "damaged"),
    ]:  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read(tmp_path / name)
        assert recognise_texts(open_source(tmp_path / name)) is None


@pytest.mark.data
def test_sms(data_set: Any) -> None:
    folder = data_set("sms_spam")
    for place in (folder, folder / "sms.tsv"):
        assert best(place) == "texts"
    records = read(folder / "sms.tsv")
    assert records.facts["class_counts"] == {"ham": 4827, "spam": 747}
    lines = (folder / "sms.tsv").read_text().split("\n")[:-1]
    assert len(lines) == 5574
    assert [f"{target}\t{text}" for text, target in pairs(records)] == lines


@pytest.mark.data
def test_sentence_classification(data_set: Any, tmp_path: Path) -> None:
    folder = data_set("sentence_classification")
    for name, count, classes in (("TREC.train.all", 5452, 6), ("TREC.test.all", 500, 6), ("rt-polarity.all", 10662, 2)):
        assert best(folder / name) == "texts"
        records = read(folder / name, extra={"encoding": "latin-1"})
        assert (records.facts["samples"], records.facts["classes"]) == (count, classes)
    for side in ("train", "dev", "test"):
        (tmp_path / f"stsa.binary.{side}").write_bytes((folder / f"stsa.binary.{side}").read_bytes())
    assert read(tmp_path).facts["split"] == {"train": 6920, "validation": 872, "test": 1821}


def test_large_tables_in_memory_are_recognised_by_some_of_their_rows() -> None:
    values = [{"words": f"the text number {row} is here", "kind": "ab"[row % 2]} for row in range(60_000)]
    in_order = sorted(values, key=lambda row: row["kind"])
    frame = pd.DataFrame(values)
    arrays = (np.zeros((200_000, 20)), np.arange(200_000) % 2)
    for data, expected in (
        (values, "texts"), (in_order, "texts"), (frame, "texts"), (pa.Table.from_pandas(frame), "texts"),
        ((frame, frame["kind"]), "texts"), ((frame["words"].tolist(), frame["kind"].tolist()), "texts"),
        (arrays, "table"),
    ):  # fmt: skip
        begun = time.process_time()
        assert best(data) == expected
        assert time.process_time() - begun < 3


def test_lists_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text("".join(json.dumps({"tokens": ["a", "b"], "label": kind}) + "\n" for kind in "xyxyxy"))
    with pytest.raises(DataError, match="'tokens' holds list"):
        rows(read(file, target="label", extra={"text": "tokens"}))
