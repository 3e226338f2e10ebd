from __future__ import annotations

import copy
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_examples import best, kinds, rows, scores

from assay.errors import DataError, SettingError
from assay.sources import _text_records as text_records_module
from assay.sources._answers import NEAR, place_of
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from assay.sources.squad import read_squad, read_squad_inputs

CONTEXT = "😀 The cat sat on the mat. The dog sat on the rug."
CAT, DOG = CONTEXT.index("The cat"), CONTEXT.index("The dog")
SQUAD: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {"title": "Pets", "paragraphs": [{"context": CONTEXT, "qas": [
            {"id": "1", "question": "Who sat on the mat?", "answers": [{"text": "The cat", "answer_start": CAT}]},
            {"id": "2", "question": "Who flew?", "answers": [], "is_impossible": True,
             "plausible_answers": [{"text": "The dog", "answer_start": DOG}]},
        ]}]},
        {"title": "More", "paragraphs": [{"context": "Rain is wet.", "qas": [
            {"id": "3", "question": "What is wet?", "answers": [{"text": "Rain", "answer_start": 0},
                                                              {"text": "Rain", "answer_start": 0}]},
        ]}]},
    ],
}  # fmt: skip


def read(data: Any, **options: Any) -> Records:
    return read_squad(open_source(data), DataOptions(**options))


def write(folder: Path, data: Any, name: str = "x.json", encoding: str = "utf-8") -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    content = text.encode(encoding)
    place.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return place


def changed(answers: Any, context: str = CONTEXT) -> dict[str, Any]:
    """The first question with other answers."""
    data = copy.deepcopy(SQUAD)
    data["data"][0]["paragraphs"][0]["context"] = context
    data["data"][0]["paragraphs"][0]["qas"][0]["answers"] = answers
    return data


def test_squad_of_both_versions(tmp_path: Path) -> None:
    file = write(tmp_path, SQUAD)
    assert scores(file) == {"squad": 0.96}
    records = read(file)
    first, second, third = rows(records)
    assert first == {"id": "1", "context": CONTEXT, "question": "Who sat on the mat?", "group": "Pets",
                     "target": [{"text": "The cat", "start": 2}], "digest": first["digest"]}  # fmt: skip
    assert second["target"] == []
    assert third["target"] == [{"text": "Rain", "start": 0}]
    assert records.facts == {"samples": 3, "articles": 2, "without_answer": 1, "words": records.facts["words"]}
    assert not records.problems
    for name, encoding in (("x.json.gz", "utf-8"), ("bom.json", "utf-8-sig"), ("wide.json", "utf-16")):
        other = write(tmp_path, SQUAD, name, encoding)
        assert best(other) == "squad"
        assert rows(read(other)) == rows(records)
        assert read(other).fingerprint == records.fingerprint
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(file, "inner/x.json")
    assert rows(read(tmp_path / "x.zip")) == rows(records)


def test_the_fingerprint_sees_answers(tmp_path: Path) -> None:
    plain = read(write(tmp_path, SQUAD))
    other = read(write(tmp_path, changed([{"text": "The dog", "answer_start": DOG}]), "y.json"))
    assert rows(plain)[0]["digest"] == rows(other)[0]["digest"]
    assert plain.fingerprint != other.fingerprint


@pytest.mark.parametrize(("text", "start", "expected", "problem"), [
    ("The cat", CAT, CAT, ""), ("The cat", 0, CAT, "wrong-answer-offset"), ("The cat", -5, CAT, "wrong-answer-offset"),
    ("The cat", 10_000, CAT, "wrong-answer-offset"), ("The cat", CAT + 1, CAT, "wrong-answer-offset"),
    ("sat on the", 7, 10, "wrong-answer-offset"), ("sat on the", 35, 34, "wrong-answer-offset"),
    ("sat on the", 10_000, None, "wrong-answer-offset"), ("sat on the", 34 + NEAR, 34, "wrong-answer-offset"),
    ("sat on the", 35 + NEAR, None, "wrong-answer-offset"), ("the bird", 5, None, "answer-not-in-context"),
    ("The cat", None, CAT, "no-answer-offset"), ("sat on the", None, 10, "no-answer-offset"),
    ("", 0, None, "empty-answer"), (" ", 1, None, "empty-answer"), (None, 1, None, "empty-answer"),
    ("The cat", True, CAT, "no-answer-offset"), ("The cat", "2", CAT, ""), ("The cat", "two", CAT, "no-answer-offset"),
])  # fmt: skip
def test_offsets_that_do_not_fit(tmp_path: Path, text: Any, start: Any, expected: int | None, problem: str) -> None:
    assert CONTEXT.index("sat on the") == 10 and CONTEXT.rindex("sat on the") == 34
    assert place_of(CONTEXT, text, start) == (expected, problem)
    records = read(write(tmp_path, changed([{"text": text, "answer_start": start}])))
    found = {row["id"]: row["target"] for row in rows(records)}
    assert found.get("1") == (None if expected is None else [{"text": text, "start": expected}])
    action = "skipped" if expected is None else "repaired"
    assert kinds(records) == ({problem: (1, action)} if problem else {})
    if problem:
        assert records.problems[0].examples[0].file == "x.json, question 1"


def test_a_question_keeps_the_answers_that_stand(tmp_path: Path) -> None:
    answers = [{"text": "The bird", "answer_start": 0}, {"text": "The cat", "answer_start": CAT}, {"answer_start": 1}]
    records = read(write(tmp_path, changed(answers)))
    assert rows(records)[0]["target"] == [{"text": "The cat", "start": CAT}]
    assert kinds(records) == {"unusable-answer": (2, "skipped")}


@settings(max_examples=200, deadline=None)
@given(st.text("ab 😀é", max_size=40), st.text("ab 😀", min_size=1, max_size=4), st.integers(-30, 60))
def test_a_place_is_always_that_of_the_answer(context: str, text: str, start: int) -> None:
    place, problem = place_of(context, text, start)
    if place is not None:
        assert context[place : place + len(text)] == text
        assert (problem == "") == (place == start)
        assert problem == "" or context.count(text) == 1 or abs(place - start) <= NEAR or context.find(
            text, context.find(text) + 1) < 0  # fmt: skip
    elif not text.isspace():
        occurrences = [at for at in range(len(context)) if context.startswith(text, at)]
        assert len(occurrences) != 1 and all(abs(at - start) > NEAR for at in occurrences)


def test_sides_and_unique_ids(tmp_path: Path) -> None:
    write(tmp_path, SQUAD, "train/a.json")
    write(tmp_path, SQUAD, "train/b.json")
    write(tmp_path, SQUAD, "dev/a.json")
    write(tmp_path, "about", "LICENSE")
    records = read(tmp_path)
    assert [row["id"] for row in rows(records)] == ["1", "2", "3", "1#2", "2#2", "3#2", "1#3", "2#3", "3#3"]
    assert records.facts["split"] == {"train": 6, "validation": 3}
    assert "split" not in rows(read(tmp_path, split="80/10/10"))[0]
    assert "split" not in rows(read(tmp_path / "train"))[0]
    with pytest.raises(SettingError, match="neither shares"):
        read(tmp_path, split="column")


def test_a_single_article_goes_by_paragraph(tmp_path: Path) -> None:
    pets = copy.deepcopy(SQUAD["data"][0])
    pets["paragraphs"].append(SQUAD["data"][1]["paragraphs"][0])
    groups = read(write(tmp_path, {"version": "1.1", "data": [pets]})).index().column("group").to_pylist()
    assert groups == ["Pets, paragraph 1", "Pets, paragraph 1", "Pets, paragraph 2"]
    assert set(read(write(tmp_path, SQUAD)).index().column("group").to_pylist()) == {"Pets", "More"}


@pytest.mark.parametrize(("path", "value", "message"), [
    (("data",), None, "data is no list of objects, but missing"),
    (("data",), [1], r"data is no list of objects, but \[1\]"),
    (("data", 0, "paragraphs"), {}, r"data\[0\]\.paragraphs is no list"),
    (("data", 1, "paragraphs", 0, "qas"), None, r"data\[1\]\.paragraphs\[0\]\.qas is no list of objects, but missing"),
    (("data", 0, "paragraphs", 0, "context"), 5, r"data\[0\]\.paragraphs\[0\]\.context is no text"),
])  # fmt: skip
def test_other_layouts_are_named(tmp_path: Path, path: tuple[Any, ...], value: Any, message: str) -> None:
    data = copy.deepcopy(SQUAD)
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    text = json.dumps({**data, "note": '"paragraphs" "qas"'})
    file = write(
        tmp_path, text.replace('\\"', '"').replace('"note": ""paragraphs" "qas""', '"paragraphs": 1, "qas": 2')
    )
    with pytest.raises(DataError, match=message):
        read(file)


def test_a_broken_file_says_where(tmp_path: Path) -> None:
    file = write(tmp_path, '{"data": [')
    with pytest.raises(DataError, match=r"row 1: this is no JSON.*column 11") as failed:
        read(file)
    assert failed.value.hint


def test_questions_that_cannot_be_used(tmp_path: Path) -> None:
    data = copy.deepcopy(SQUAD)
    questions = data["data"][0]["paragraphs"][0]["qas"]
    questions += [{"id": "4", "question": "Nothing known?"}, {"id": "5", "question": " ", "answers": []},
                  {"id": "6", "question": 7, "answers": []}, {"question": "No id?", "answers": []}]  # fmt: skip
    del data["data"][1]["title"]
    records = read(write(tmp_path, data))
    assert [row["id"] for row in rows(records)] == ["1", "2", "x.json:0.0.5", "3"]
    assert rows(records)[-1]["group"] == "x.json, article 2"
    assert kinds(records) == {"missing-target": (1, "skipped"), "empty-text": (2, "skipped")}
    for text, message in [
        (json.dumps(SQUAD)[:-4], r"x\.json, row 1: this is no JSON"),
        ("", "there is no table|no JSON"),
        ('{"data": [{"paragraphs": [{"context": "a", "qas": []}]}]}', "no questions that can be used"),
    ]:
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, text))


def test_characters_of_other_encodings(tmp_path: Path) -> None:
    data = changed([{"text": "süß", "answer_start": 4}], "Das süße Tier.")
    file = write(tmp_path, data, "x.json", "latin-1")
    assert best(file) == "squad"
    with pytest.raises(DataError, match=r"x\.json, row 1: byte \d+ \(0xfc\) is no UTF-8 text"):
        read(file)
    assert rows(read(file, extra={"encoding": "latin-1"}))[0]["target"] == [{"text": "süß", "start": 4}]
    half = write(tmp_path, json.dumps(changed([{"text": "The cat", "answer_start": 2}], "\ud83d The cat.")), "y.json")
    assert rows(read(half))[0]["context"] == "\ufffd The cat."


def test_tables_of_questions(tmp_path: Path) -> None:
    flat = [{"id": "1", "title": "Pets", "context": CONTEXT, "question": "Who sat on the mat?",
             "answers": {"text": ["The cat"], "answer_start": [CAT]}},
            {"id": "2", "title": "Pets", "context": CONTEXT, "question": "Who flew?",
             "answers": {"text": [], "answer_start": []}}]  # fmt: skip
    simple = [{"context": CONTEXT, "question": "Who sat on the mat?", "answer": "The cat", "answer_start": CAT},
              {"context": CONTEXT, "question": "Who flew?", "answer": None, "answer_start": None}]  # fmt: skip
    lists = [{**row, "answers": [{"text": "The cat", "answer_start": CAT}] if row["id"] == "1" else []} for row in flat]
    pd.DataFrame(flat).to_parquet(tmp_path / "flat.parquet")
    pd.DataFrame(simple).to_csv(tmp_path / "simple.csv", index=False)
    pd.DataFrame(simple).to_csv(tmp_path / "simple.tsv", index=False, sep="\t")
    for source in (
        flat, simple, lists, tmp_path / "flat.parquet", tmp_path / "simple.csv", tmp_path / "simple.tsv",
        pd.DataFrame(simple),
        write(tmp_path, "".join(json.dumps(row) + "\n" for row in flat), "flat.jsonl"),
        write(tmp_path, "".join(json.dumps(row) + "\n" for row in lists), "lists.jsonl"),
    ):  # fmt: skip
        assert best(source) == "squad", source
        records = read(source)
        assert [row["target"] for row in rows(records)] == [[{"text": "The cat", "start": CAT}], []]
        assert not records.problems
    found = rows(read(tmp_path / "simple.csv"))
    assert [row["id"] for row in found] == ["simple.csv:2", "simple.csv:3"]
    assert len({row["group"] for row in found}) == 1
    assert rows(read(flat))[0]["group"] == "Pets"


def test_tables_of_another_kind(tmp_path: Path) -> None:
    values = [{"passage": CONTEXT, "query": "Who?", "gold": "The dog", "doc": "d1", "split": side}
              for side in ("train", "dev", "test")]  # fmt: skip
    with pytest.raises(DataError, match="no column of the answer among"):
        read(values)
    records = read(values, target="gold", group="doc")
    assert {(row["group"], row["split"]) for row in rows(records)} == {
        ("d1", s) for s in ("train", "validation", "test")
    }
    assert kinds(records) == {"no-answer-offset": (3, "repaired")}
    for wrong in ({"target": "golt"}, {"target": "gold", "group": "docs"}):
        with pytest.raises(SettingError):
            read(values, **wrong)


def test_inputs(tmp_path: Path) -> None:
    def asked(data: Any) -> list[tuple[Any, ...]]:
        records = read_squad_inputs(open_source(data))
        assert records.index()["target"].null_count == records.index().num_rows
        return [(row["id"], row["question"], row["context"]) for row in rows(records)]

    assert asked([("Who?", CONTEXT), ("Where?", "Here.")]) == [
        ("data:1", "Who?", CONTEXT),
        ("data:2", "Where?", "Here."),
    ]
    assert asked([{"question": "Who?", "context": CONTEXT}]) == [("data:1", "Who?", CONTEXT)]
    assert [row[0] for row in asked(write(tmp_path, SQUAD))] == ["1", "2", "3"]
    bare = changed(None)
    del bare["data"][0]["paragraphs"][0]["qas"][0]["answers"]
    assert [row[0] for row in asked(write(tmp_path, bare))] == ["1", "2", "3"]
    assert asked(write(tmp_path, "question,context\nWho?,Rain.\n", "x.csv")) == [("x.csv:2", "Who?", "Rain.")]
    with pytest.raises(DataError, match="no column of the context"):
        asked([{"question": "Who?", "text": CONTEXT}])


def test_larger_than_what_is_held_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = read(write(tmp_path, SQUAD))
    monkeypatch.setattr(text_records_module, "HELD_BYTES", 10)
    monkeypatch.setattr(text_records_module, "_ROWS", 2)
    streamed = read(tmp_path / "x.json")
    assert rows(streamed) == rows(streamed) == rows(held)
    assert (streamed.fingerprint, streamed.facts) == (held.fingerprint, held.facts)


def test_a_context_of_fifty_megabytes_is_skipped(tmp_path: Path) -> None:
    records = read(
        write(tmp_path, changed([{"text": "The cat", "answer_start": 0}], "The cat. " + "word " * 10_000_000))
    )
    assert [row["id"] for row in rows(records)] == ["3"]
    assert kinds(records)["overlong-text"] == (2, "skipped")


@pytest.mark.data
def test_xquad(data_set: Any) -> None:
    folder = data_set("xquad")
    for language in ("en", "de", "es"):
        assert scores(folder / f"xquad.{language}.json") == {"squad": 0.96}
        records = read(folder / f"xquad.{language}.json")
        assert (records.facts["samples"], records.facts["articles"]) == (1190, 48)
        assert not records.problems
        for row in rows(records):
            assert all(row["context"].startswith(one["text"], one["start"]) for one in row["target"])


@pytest.mark.data
def test_jaquad(data_set: Any) -> None:
    archive = data_set("jaquad") / "jaquad.zip"
    assert scores(archive) == {"squad": 0.96}
    records = read(archive)
    assert records.facts["split"] == {"train": 31_748, "validation": 3_939}
    assert records.facts["articles"] == 691 + 101
    assert not records.problems
    row = next(row for row in rows(records) if row["id"] == "de-000-00-000")
    assert (row["target"], row["split"]) == ([{"text": "奈良", "start": 65}], "validation")
