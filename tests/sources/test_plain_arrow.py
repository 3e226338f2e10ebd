"""Inputs are read without Arrow as with it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.arrow import plain, plain_compute
from assay.errors import MissingExtraError

COLUMNS = [
    {"name": "size", "type": "number", "format": "plain"},
    {"name": "price", "type": "number", "format": "decimal-comma"},
    {"name": "people", "type": "number", "format": "thousands"},
    {"name": "kind", "type": "category", "format": ""},
    {"name": "day", "type": "date", "format": "%d.%m.%Y"},
]
#: Reads each table of a folder, and prints what comes of it; with Arrow kept away where "plain" is asked for.
_READ = """
import json, sys
if sys.argv[1] == "plain":
    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "pyarrow":
                raise ImportError(name)
    sys.meta_path.insert(0, Blocked())
from pathlib import Path
from assay.errors import AssayError
from assay.sources.source import open_source
from assay.sources.table import read_table_inputs

def told(value):
    try:
        records = read_table_inputs(open_source(value), json.loads(sys.argv[3]))
    except AssayError as error:
        return [type(error).__name__, error.message, error.hint]
    rows = [{name: batch.column(name).to_pylist() for name in batch.schema.names} for batch in records.batches()]
    kinds = [[str(field.type) for field in batch.schema] for batch in records.batches()]
    return [records.fingerprint, rows, kinds, [repr(problem) for problem in records.problems]]

found = {path.name: told(path) for path in sorted(Path(sys.argv[2]).iterdir())}
row = {"size": 1.5, "price": "1,5", "people": 7, "kind": 3.0, "day": "1.2.2024"}
found["rows"] = told([row, {**row, "size": None, "kind": "a", "people": float("nan")}])
found["texts"] = told([{name: str(value) for name, value in row.items()}])
print(json.dumps([found, "pyarrow" in sys.modules], default=str))
"""


def _read(how: str, folder: Path) -> tuple[dict[str, Any], bool]:
    program = [sys.executable, "-c", _READ, how, str(folder), json.dumps(COLUMNS)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    found, arrow = json.loads(done.stdout)
    return found, arrow


def _write(folder: Path) -> None:
    header = "size,price,people,kind,day\n"
    files = {
        "usual.csv": header + '1,"1.234,5","1,234",red,31.12.2023\n2.5,"7,25",12,blue,1.1.2024\n',
        "odd.csv": header + '\n+1e3,x,,NA,31.2.2024\n" 2 ",-,"1,2",  a  ,32.1.2024\nnan,inf,1,"b\nc",2024-01-01\n',
        "ragged.csv": header + '1,2,3,a,1.1.2024\n1,2\n"x\ny",2\n1,2,3,4,5,6\n4,5,6,"say ""hi""",2.1.2024 10:30\n',
        "quotes.csv": header + '1,2,3,"a"b,1.1.2024\n1,2,3,c"d"e,1.1.2024\n\n\n1,2,3,,\n',
        "tabs.tsv": header.replace(",", "\t") + '1\t2,5\t3\tit"s\t1.1.2024\n',
        "ends.csv": header.replace("\n", "\r\n") + "1,2,3,a,1.1.2024\r\n\r\n5,6,7,b,2.1.2024",
        "mark.csv": "\ufeff" + header + "1,2,3,Ä,1.1.2024\n",
        "missing.csv": "size,price\n1,2\n",
        "empty.csv": "",
        "bare.csv": header,
        "rows.jsonl": '{"size": 1, "price": 2.5, "people": 3, "kind": true, "day": "1.1.2024"}\n{"size": null}\nx\n',
        "lists.jsonl": '{"size": [1], "price": "2,5", "people": "1,000", "kind": "a", "day": null}\n',
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    (folder / "latin.csv").write_bytes((header + "1,2,3,Ä,1.1.2024\n").encode("cp1252"))
    (folder / "wide.csv").write_bytes((header + "1,2,3,Ä,1.1.2024\n").encode("utf-16"))
    many = [f"{row},{row},3,{row % 7},1.1.2024\n" for row in range(9000)]
    (folder / "many.csv").write_text(header + "".join(many), encoding="utf-8")


def test_tables_are_read_alike(tmp_path: Path) -> None:
    _write(tmp_path)
    wanted, with_arrow = _read("arrow", tmp_path)
    found, without = _read("plain", tmp_path)
    assert with_arrow and not without
    joined = {name: _joined(told) for name, told in wanted.items()}
    for name, told in found.items():
        assert _joined(told) == joined[name], name


def _joined(told: list[Any]) -> Any:
    """What was told, however the rows were cut into batches."""
    if len(told) != 4:
        return told
    rows = {name: list(itertools.chain(*(batch[name] for batch in told[1]))) for name in told[1][0]}
    return json.dumps([told[0], rows, told[2][0], told[3]])  # as text, since NaN is not NaN


def test_parquet_says_what_to_install(tmp_path: Path) -> None:
    pq.write_table(pa.table({"size": [1.0]}), tmp_path / "rows.parquet")
    kind, message, hint = _read("plain", tmp_path)[0]["rows.parquet"]
    assert kind == "MissingExtraError" and "Parquet" in message and hint == 'pip install "assay[arrow]"'


def test_what_is_not_there_says_so() -> None:
    column = plain.array([1, 2])
    assert not hasattr(column, "iloc")
    for ask in (lambda: column.dictionary_encode(), lambda: plain.ipc, lambda: plain_compute.quantile(column)):
        with pytest.raises(MissingExtraError):
            ask()


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_alike(value: float) -> None:
    assert plain.array([value]).cast(plain.string()).to_pylist() == pa.array([value]).cast(pa.string()).to_pylist()


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789+-.eE naif_", max_size=8))
def test_numbers_are_read_alike(text: str) -> None:
    def told(library: Any) -> Any:
        try:
            return library.array([text]).cast(library.float64()).to_pylist()
        except library.ArrowInvalid:
            return None

    np.testing.assert_equal(told(plain), told(pa))


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r" ?[0-9]{0,5}[-./] ?[0-9]{1,3}[-./][0-9]{1,4}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?", fullmatch=True)
)
def test_dates_are_read_alike(text: str) -> None:
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M:%S"):
        wanted = pc.strptime(pa.array([text]), form, "us", error_is_null=True).cast(pa.int64()).to_pylist()
        found = plain_compute.strptime(plain.array([text]), form, "us", error_is_null=True)
        assert found.cast(plain.int64()).to_pylist() == wanted, (text, form)


def test_arrays_are_typed_alike() -> None:
    for values in ([], [None], [1, None], [1, 2.5], ["a"], [True], [[1], []], [["a"], None], [{"a": 1}], [b"x"]):
        ours, theirs = plain.array(values), pa.array(values)
        assert ours.to_pylist() == theirs.to_pylist()
        assert ours.type.name == str(theirs.type).partition("<")[0]
    for values in ([1, "a"], [[1], 2], [object()]):
        for library in (plain, pa):
            with pytest.raises((library.ArrowException, TypeError)):
                library.array(values)
    numbers = np.asarray([1.5, np.nan])
    assert plain.array(numbers, from_pandas=True).null_count == pa.array(numbers, from_pandas=True).null_count == 1
    assert plain.array([2, None]).to_numpy(False).dtype == pa.array([2, None]).to_numpy(False).dtype


@settings(max_examples=200, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_of_32_bits_are_kept_and_written_alike(value: float) -> None:
    ours, theirs = (library.array([value, 0.1], library.float32()) for library in (plain, pa))
    assert ours.to_pylist() == theirs.to_pylist()
    assert ours.cast(plain.string()).to_pylist() == theirs.cast(pa.string()).to_pylist()


@pytest.mark.parametrize("values", [[float("nan")], [float("inf")], [1e300], [300], [-1], [1 << 40], ["300"], ["+5"],
                                    ["99999999999999999999"], ["1.0"], ["9" * 5000]])  # fmt: skip
@pytest.mark.parametrize("kind", ["uint8", "int32", "int64"])
def test_whole_numbers_fit_or_are_refused_alike(values: list[Any], kind: str) -> None:
    def told(library: Any) -> Any:
        try:
            return library.array(values).cast(getattr(library, kind)()).to_pylist()
        except library.ArrowInvalid:
            return "refused"

    assert told(plain) == told(pa)


def test_what_is_no_list_or_object_is_refused_alike() -> None:
    for library in (plain, pa):
        for value, kind in ((5, library.list_(library.int64())), ({}, library.list_(library.int64())),
                            (5, library.struct([("a", library.int64())])), ([1], library.float64())):  # fmt: skip
            with pytest.raises(library.ArrowException):
                library.array([value], kind)


def test_tables_are_joined_alike() -> None:
    def told(library: Any, rows: list[dict[str, Any]], how: str) -> Any:
        try:
            joined = library.concat_tables([library.table(row) for row in rows], promote_options=how)
        except (library.ArrowInvalid, library.ArrowTypeError) as error:
            return type(error).__name__
        return [str(field.type) for field in joined.schema], joined.to_pylist()

    for rows in ([{"a": [None]}, {"a": ["x"]}], [{"b": [1]}, {"a": ["x"]}, {"a": [None]}], [{"a": [1]}, {"a": [1.5]}]):
        assert told(plain, rows, "default") == told(pa, rows, "default")
    assert told(plain, [{"b": [1]}, {"a": ["x"]}], "none") == told(pa, [{"b": [1]}, {"a": ["x"]}], "none")


def test_moments_quotients_and_sums_are_alike() -> None:
    for library, compute in ((plain, plain_compute), (pa, pc)):
        moment = library.array([np.datetime64("2020-01-01T00:00:00")]).cast(library.timestamp("us"))
        assert moment.cast(library.string()).to_pylist() == ["2020-01-01 00:00:00.000000"]
        quotients = compute.divide(library.array([1.0, 0.0, None, 3.0]), 0.0).to_pylist()
        np.testing.assert_equal(quotients, [np.inf, np.nan, None, np.inf])
        assert compute.sum(library.array([7, None, 2])).as_py() == 9
    with pytest.raises(MissingExtraError):
        plain_compute.divide(plain.array([7]), 2)
