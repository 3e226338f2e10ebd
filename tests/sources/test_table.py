from __future__ import annotations

import gzip
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import DataError, SettingError
from assay.sources import table as table_module
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from assay.sources.table import read_table, read_table_inputs, recognise_table

BODY = "".join(
    f"{row / 2},{'abc'[row % 3]},2020-01-{1 + row % 28:02},{'yes' if row % 2 else 'no'}\n" for row in range(40)
)
PLAIN = "size,colour,day,target\n" + BODY


def write(folder: Path, text: str, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def read(data: Any, **options: Any) -> Records:
    return read_table(open_source(data), DataOptions(**options))


def rows(records: Records) -> list[dict[str, Any]]:
    return pa.Table.from_batches(list(records.batches())).to_pylist()


def types(records: Records) -> dict[str, str]:
    return {column["name"]: column["type"] for column in records.facts["columns"]}


def kinds(records: Records) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in records.problems}


def places(records: Records, kind: str) -> list[int | None]:
    return [place.row for problem in records.problems if problem.kind == kind for place in problem.examples]


def test_a_plain_table(tmp_path: Path) -> None:
    records = read(write(tmp_path, PLAIN))
    first = rows(records)[1]
    assert first.pop("digest")
    assert first == {"id": "rows.csv:3", "target": "yes", "x:size": 0.5, "x:colour": "b", "x:day": datetime(2020, 1, 2)}
    assert types(records) == {"size": "number", "colour": "category", "day": "date"}
    assert records.facts["target"]["chosen"] == "by its name"
    assert records.facts["class_counts"] == {"no": 20, "yes": 20}
    assert not records.problems


def test_every_container_gives_the_same_digests(tmp_path: Path) -> None:
    plain = write(tmp_path, PLAIN)
    frame = pd.read_csv(plain, parse_dates=["day"])
    (tmp_path / "z").mkdir()
    with zipfile.ZipFile(tmp_path / "z" / "rows.zip", "w") as archive:
        archive.writestr("inside/rows.csv", PLAIN)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    frame.to_parquet(tmp_path / "rows.parquet")
    german = PLAIN.replace(",", ";").replace(".", ",")
    sources = [
        plain, tmp_path / "z" / "rows.zip", tmp_path / "rows.csv.gz", tmp_path / "rows.parquet", frame,
        pa.Table.from_pandas(frame), frame.to_dict("records"), write(tmp_path, german, "german.csv"),
        write(tmp_path, PLAIN.replace(",", "\t"), "rows.tsv"), write(tmp_path, PLAIN.replace(",", "|"), "pipe.psv"),
        write(tmp_path, PLAIN, "bom.csv", "utf-8-sig"), write(tmp_path, PLAIN, "wide.csv", "utf-16"),
        write(tmp_path, PLAIN.replace("\n", "\r\n"), "windows.csv"),
    ]  # fmt: skip
    expected = [(row["digest"], row["target"]) for row in rows(read(plain))]
    for source in sources:
        assert [(row["digest"], row["target"]) for row in rows(read(source))] == expected
        assert recognise_table(open_source(source)) is not None


def test_larger_than_what_is_held_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = read(write(tmp_path, PLAIN))
    monkeypatch.setattr(table_module, "HELD_BYTES", 10)
    streamed = read(write(tmp_path, PLAIN))
    assert rows(streamed) == rows(streamed) == rows(held)
    assert streamed.fingerprint == held.fingerprint


def test_columns_that_are_left_out(tmp_path: Path) -> None:
    text = "id,code,note,same,none,size,target\n" + "".join(
        f"{row},P{row:04},the {row}th of many long notes here,1,NA,{row % 7},{row % 2}\n" for row in range(1, 41)
    )
    records = read(write(tmp_path, text))
    assert types(records) == {"id": "id", "code": "id", "note": "text", "same": "constant", "none": "missing",
                              "size": "number"}  # fmt: skip
    assert kinds(records) == {"id-column": (2, "skipped"), "text-column": (1, "skipped"),
                              "constant-column": (1, "skipped"), "empty-column": (1, "skipped")}  # fmt: skip
    assert [name for name in rows(records)[0] if name.startswith("x:")] == ["x:size"]
    assert records.facts["class_counts"] == {"0": 20, "1": 20}


def test_missing_values_and_words_among_numbers(tmp_path: Path) -> None:
    cells = [str(row * 1.5) for row in range(100)]
    cells[3], cells[5], cells[7], cells[9], cells[11] = "broken", "NA", "?", "", "-"
    text = "value,target\n" + "".join(f"{cell},{row % 2}\n" for row, cell in enumerate(cells))
    records = read(write(tmp_path, text))
    assert records.facts["columns"][0]["missing"] == 4
    assert kinds(records) == {"not-a-number": (1, "repaired")}
    assert places(records, "not-a-number") == [5]
    assert sum(row["x:value"] is None for row in rows(records)) == 5


def test_missing_targets_are_counted(tmp_path: Path) -> None:
    lines = PLAIN.splitlines()
    lines[4] = "1,a,2020-01-01,nan"
    lines[9] = "1,a,2020-01-01,"
    records = read(write(tmp_path, "\n".join(lines)))
    assert kinds(records) == {"missing-target": (2, "skipped")}
    assert places(records, "missing-target") == [5, 10]
    assert records.facts["samples"] == 38


def test_ragged_rows_with_their_lines(tmp_path: Path) -> None:
    text = '\na,b,target\n1,x,u\n\n2,y\n3,"two\nlines",v\n4,z,u,more\n5,x,v\n'
    records = read(write(tmp_path, text))
    assert kinds(records) == {"wrong-column-count": (2, "skipped")}
    assert places(records, "wrong-column-count") == [5, 8]
    assert [row["id"] for row in rows(records)] == ["rows.csv:3", "rows.csv:6", "rows.csv:9"]


@pytest.mark.parametrize("row", ["1,gr\xfcn,u,more", "gr\xfcn", "1,gr\xfcn,u"], ids=["long", "short", "whole"])
def test_bytes_that_are_no_text_are_told_once(tmp_path: Path, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow decodes a ragged row before it asks what to do with it, and prints what that raises."""
    beside: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", beside.append)
    write(tmp_path, "a,b,target\n" + "1,x,u\n" * 20_000 + row + "\n", encoding="latin-1")  # far behind the first look
    with pytest.raises(DataError, match=r"rows\.csv, row 20002: byte \d+ \(0xfc\) is no UTF-8 text"):
        read(tmp_path / "rows.csv")
    assert beside == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["row", "blank", "short", "long", "lines"]), min_size=1, max_size=30))
def test_rows_are_counted_as_an_editor_counts(tmp_path: Path, shapes: list[str]) -> None:
    forms = {"row": "{0},r{0}", "blank": "", "short": "{0}", "long": "{0},r,more", "lines": '{0},"r\n{0}\n"'}
    lines, expected, ragged = ["number,target"], {}, []
    for shape in shapes:
        line = 1 + "\n".join(lines).count("\n") + 1
        lines.append(forms[shape].format(line))
        if shape in ("row", "lines"):
            expected[f"rows.csv:{line}"] = float(line)
        elif shape != "blank":
            ragged.append(line)
    from assay.sources._rows import open_rows
    from assay.sources.records import ProblemLog

    log = ProblemLog(keep=1000)
    found = {}
    for batch, numbers in open_rows(open_source(write(tmp_path, "\n".join(lines) + "\n"))).batches(log):
        found.update(
            {f"rows.csv:{number}": float(value.as_py()) for number, value in zip(numbers, batch[0], strict=True)}
        )
    assert found == expected
    assert [place.row for problem in log.problems() for place in problem.examples] == ragged


def test_header_is_repaired(tmp_path: Path) -> None:
    records = read(write(tmp_path, "a,a,,target\n" + "1.5,2.5,x,u\n2.5,1.5,y,v\n"))
    assert list(types(records)) == ["a", "a (2)", "column 3"]
    assert kinds(records) == {"empty-column-name": (1, "repaired"), "duplicate-column-name": (1, "repaired")}


def test_no_header(tmp_path: Path) -> None:
    records = read(write(tmp_path, "".join(f"{row / 3},{row % 2}\n" for row in range(30))))
    assert kinds(records) == {"no-header": (1, "repaired")}
    assert records.facts["samples"] == 30
    assert rows(records)[0]["id"] == "rows.csv:1"


@pytest.mark.parametrize(("cells", "delimiter", "first", "kind"), [
    (["1.234,5", "2,25", "1.000.000"], ";", 1234.5, "number"), (["1,234.5", "1,000,000", "7"], ";", 1234.5, "number"),
    (["1,234", "2,345", "3,456"], ";", 1.234, "number"), (["1,234", "2,345", "3,456"], "\t", None, "ambiguous"),
    (["1e3", "-2.5", "+.5"], ",", 1000.0, "number"),
])  # fmt: skip
def test_number_styles(tmp_path: Path, cells: list[str], delimiter: str, first: float | None, kind: str) -> None:
    lines = [f"{cell}{delimiter}k{row % 2}{delimiter}{'uv'[row % 2]}" for row, cell in enumerate(cells * 4)]
    text = "\n".join([delimiter.join(("amount", "kind", "target")), *lines])
    records = read(write(tmp_path, text))
    assert types(records)["amount"] == kind
    assert rows(records)[0].get("x:amount") == first


@pytest.mark.parametrize(("cells", "expected"), [
    (["31.12.2020", "01.02.2021"], datetime(2020, 12, 31)), (["12/31/2020", "01/02/2021"], datetime(2020, 12, 31)),
    (["2020-12-31T10:30:05.25Z", "2020-12-31 10:30"], datetime(2020, 12, 31, 10, 30, 5)),
])  # fmt: skip
def test_dates(tmp_path: Path, cells: list[str], expected: datetime) -> None:
    text = "when,target\n" + "".join(f"{cell},{'uv'[row % 2]}\n" for row, cell in enumerate(cells * 5))
    records = read(write(tmp_path, text))
    assert types(records) == {"when": "date"}
    assert rows(records)[0]["x:when"] == expected


def test_encodings(tmp_path: Path) -> None:
    text = "wert,ziel\n" + "1.5,süß\n2.5,bitter\n" * 3
    file = write(tmp_path, text, encoding="latin-1")
    with pytest.raises(DataError, match=r"rows\.csv, row 2: byte 16 \(0xfc\) is no UTF-8 text"):
        read(file)
    assert read(file, extra={"encoding": "latin-1"}).facts["class_counts"] == {"bitter": 3, "süß": 3}
    far = "a,target\n" + "1,x\n" * 30000
    (tmp_path / "far.csv").write_bytes(far.encode() + b"1,\xff\n")
    with pytest.raises(DataError, match=rf"far\.csv, row 30002: byte {len(far) + 3} \(0xff\)"):
        read(tmp_path / "far.csv")


def test_the_target(tmp_path: Path) -> None:
    file = write(tmp_path, PLAIN.replace("target", "taste"))
    assert read(file).facts["target"] == {"name": "taste", "kind": "class", "chosen": "the last column", "missing": 0}
    assert read(file, target="size").facts["target"]["kind"] == "number"
    with pytest.raises(SettingError) as error:
        read(file, target="colur")
    assert error.value.hint == "Did you mean 'colour'?"
    with pytest.raises(DataError, match="holds dates"):
        read(file, target="day")
    with pytest.raises(SettingError, match="does not hold numbers"):
        read(file, target="colour", extra={"target_kind": "number"})


def test_targets_from_which_nothing_is_learnt(tmp_path: Path) -> None:
    text = "size,name,same,none\n" + "".join(f"{row % 7},P{row},1,\n" for row in range(40))
    file = write(tmp_path, text)
    with pytest.raises(DataError, match="40 different values in 40 rows; it looks like a row id"):
        read(file, target="name")
    with pytest.raises(DataError, match="the same value in every row"):
        read(file, target="same")
    with pytest.raises(DataError, match="has no values"):
        read(file, target="none")


@pytest.mark.parametrize(("values", "kind", "first"), [
    ([0, 1, 2], "class", "0"), ([0.5, 1.0, 2.0], "number", 0.5), (list(range(0, 60, 2)), "number", 0.0),
    ([1.0, 2.0, None], "class", "1"), ([True, False, True], "class", "true"),
])  # fmt: skip
def test_target_kinds(values: list[Any], kind: str, first: Any) -> None:
    frame = pd.DataFrame({"x": np.arange(2 * len(values)) % 5 / 2, "target": values * 2})
    records = read(frame)
    assert records.facts["target"]["kind"] == kind
    assert rows(records)[0]["target"] == first


def test_group_and_split_columns(tmp_path: Path) -> None:
    text = "patient,split,size,target\n" + "".join(
        f"{row // 4},{('training', 'dev', 'test')[row % 3]},{row % 7 / 2},{'uv'[row % 2]}\n" for row in range(30)
    )
    file = write(tmp_path, text)
    records = read(file, group="patient")
    assert types(records) == {"size": "number"}
    assert {row["split"] for row in rows(records)} == {"train", "validation", "test"}
    assert rows(records)[5]["group"] == "1"
    assert "split" not in rows(read(file, split="70/15/15"))[0]
    with pytest.raises(SettingError, match="neither shares"):
        read(file, split="patiend")
    with pytest.raises(DataError, match="the split column holds"):
        read(file, split="size")
    with pytest.raises(SettingError) as error:
        read(file, group="patent")
    assert "patient" in error.value.hint


def test_arrays_keep_every_column() -> None:
    inputs = np.column_stack([np.arange(30), np.ones(30), np.linspace(0, 1, 30)])
    records = read((inputs, np.arange(30) % 3))
    assert types(records) == {"x0": "number", "x1": "number", "x2": "number"}
    assert records.facts["target"]["kind"] == "class"
    frame = pd.DataFrame({"class": ["a", "b", "c"] * 10, "v": range(30)})
    assert read((frame, pd.Series(np.arange(30) % 2, name="y"))).facts["target"]["name"] == "y"
    with pytest.raises(DataError, match="X has 30 rows, but y has 2"):
        read((inputs, np.zeros(2)))


def test_mixed_types_in_a_data_frame() -> None:
    frame = pd.DataFrame({"a": [1, "x", None] * 10, "b": np.arange(30) / 7, "target": ["u", "v"] * 15})
    assert types(read(frame)) == {"a": "category", "b": "number"}


def test_inputs_for_prediction(tmp_path: Path) -> None:
    records = read(write(tmp_path, PLAIN))
    columns = records.facts["columns"]
    given = write(tmp_path, "colour,more,day,size\nunseen,1,2020-01-05,word\na,1,,2.5\n", "new.csv")
    inputs = read_table_inputs(open_source(given), columns)
    found = rows(inputs)
    assert [row["id"] for row in found] == ["new.csv:2", "new.csv:3"]
    assert [row["x:colour"] for row in found] == ["unseen", "a"]
    assert [row["x:size"] for row in found] == [None, 2.5]
    assert kinds(inputs) == {"not-a-number": (1, "repaired")}
    same = read_table_inputs(open_source(write(tmp_path, PLAIN)), columns)
    assert [row["digest"] for row in rows(same)] == [row["digest"] for row in rows(records)]
    with pytest.raises(DataError, match=r"few\.csv: the column 'colour' is missing, and 1 more\."):
        read_table_inputs(open_source(write(tmp_path, "size,x\n1.5,2\n", "few.csv")), columns)


def test_what_is_no_table(tmp_path: Path) -> None:
    for name, content, message in [
        ("empty.csv", b"", "the file is empty"), ("head.csv", b"a,target\n", "has no rows"),
        ("book.csv", b"PK\x03\x04....", "a spreadsheet"), ("zero.csv", b"a,b\n\0\0,1\n", "zero bytes"),
        ("cut.parquet", b"PAR1....", "Parquet file is damaged"), 
        ("cut.csv.gz", gzip.compress(b"a,b\n" * 99)[:-9], "damaged"),
    ]:  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read(tmp_path / name)
    (tmp_path / "two").mkdir()
    write(tmp_path / "two", PLAIN, "a.csv")
    write(tmp_path / "two", PLAIN, "b.csv")
    assert recognise_table(open_source(tmp_path / "two")) is None
    with pytest.raises(DataError, match="2 tables"):
        read(tmp_path / "two")


def test_a_table_of_image_paths_is_rather_images(tmp_path: Path) -> None:
    found = recognise_table(open_source(write(tmp_path, "file,label\na.jpg,x\nb.jpg,y\n")))
    assert found is not None
    assert found.score < 0.5


def test_nested_parquet_columns_are_left_out(tmp_path: Path) -> None:
    given = pa.table({"list": [[1], [2]] * 10, "size": np.arange(20) % 3 / 2, "target": ["u", "v"] * 10})
    pq.write_table(given, tmp_path / "x.parquet")
    assert kinds(read(tmp_path / "x.parquet")) == {"nested-column": (1, "skipped")}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=8)), min_size=2, max_size=40))
def test_any_column_is_read_or_refused(values: list[Any]) -> None:
    frame = [{"a": value, "b": place % 3, "target": "uv"[place % 2]} for place, value in enumerate(values)]
    records = read(frame)
    assert records.facts["samples"] == len(values)
    digests = {
        tuple(sorted((k, str(v)) for k, v in row.items() if k.startswith("x:"))): row["digest"] for row in rows(records)
    }
    assert len(set(digests.values())) == len(digests)
