"""Answers as files: CSV, JSON, and what an application adds, such as subtitles."""

from __future__ import annotations

import csv
import io
import json
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from assay.errors import SettingError
from assay.run import to_json, write_bytes, write_pieces, write_text

Form = Callable[[Mapping[str, Any]], str | bytes]
#: Endings that every application's answers can have; those of no meaning of their own get CSV.
_TABLES = (".csv", ".tsv", ".txt", "")
_PLAIN = (".csv", ".tsv", ".json")


class AnswerNames:
    """Names for a folder's files, after the inputs whose answers they hold; of equal names the later are numbered."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def next(self, name: str) -> str:
        """A name without ending for the answer to an input."""
        last = name.replace("\\", "/").rsplit("/", 1)[-1]
        stem = last.rpartition(".")[0] or last
        clean = "".join(sign if sign.isalnum() or sign in "-_. " else "-" for sign in stem)[:100].strip(". ")
        clean = clean or "answer"
        self._taken[clean] = self._taken.get(clean, 0) + 1
        return f"{clean}-{self._taken[clean]}" if self._taken[clean] > 1 else clean


def answer_row(answer: Any) -> dict[str, Any]:
    """An answer as JSON, but for what is made as it is read (`is_long`): that stays as it is."""
    values = {item.name: getattr(answer, item.name) for item in fields(answer)}
    return {name: value if is_long(value) else to_json(value) for name, value in values.items()}


def is_long(value: Any) -> bool:
    """Whether a value is a sequence that makes its items as they are read, since all of them would take much memory."""
    return isinstance(value, Sequence) and not isinstance(value, list | tuple | str | bytes)


def write_predictions(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    forms: Mapping[str, Form],
    parts: Collection[str] = (),
    names: AnswerNames | None = None,
) -> None:
    """Write answers in the form that the file's name asks for: JSON, one that the application knows, else CSV.

    Args:
        out: the file; or a folder, which takes a file of the application's first form for each answer, else JSON.
        rows: the answers as JSON, each with its `id`.
        forms: what the application knows, by the ending of a name (`Task.writings`); a file of it holds one answer.
        parts: what CSV does not hold (`part_names`).
        names: those that files of the folder have already.

    Raises:
        SettingError: there are several answers, and the form holds one.
    """
    form = forms.get(out.suffix.lower())
    if out.is_dir():
        _write_each(out, rows, forms, names or AnswerNames())
    elif form is not None:
        check_form(out, forms, len(rows))
        _write(out, form(rows[0]))
    elif out.suffix.lower() == ".json":
        write_json(out, rows)
    else:
        known = any(row.get("unlike") is not None for row in rows)
        left_out = set(parts) if known else {*parts, "unlike", "unlike_ratio"}
        write_answers(out, [{key: value for key, value in row.items() if key not in left_out} for row in rows])


def _write_each(folder: Path, rows: Sequence[Mapping[str, Any]], forms: Mapping[str, Form], names: AnswerNames) -> None:
    for row in rows:
        name = names.next(str(row["id"]))
        if not forms:
            write_json(folder / f"{name}.json", [row])
            continue
        ending, form = next(iter(forms.items()))
        _write(folder / f"{name}{ending}", form(row))


def _write(out: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        write_text(out, content)
    else:
        write_bytes(out, content)


def write_json(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A list with an object an answer; what is long (`is_long`) has a line an item, and is never there as a whole."""
    write_pieces(out, (piece.encode("utf-8", "backslashreplace") for piece in _list_pieces(rows)))


def _list_pieces(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "["
    for place, row in enumerate(rows):
        yield ",\n " if place else "\n "
        yield from _object_pieces(row)
    yield "\n]\n" if rows else "]\n"


def _object_pieces(row: Mapping[str, Any]) -> Iterator[str]:
    """An answer, on lines that are one space further in."""
    short = {key: value for key, value in row.items() if not is_long(value)}
    text = json.dumps({"format": 1, **short}, indent=1, ensure_ascii=False).replace("\n", "\n ")
    yield text.removesuffix("\n }")
    for key, value in row.items():
        if is_long(value):
            yield f",\n  {json.dumps(key)}: ["
            for place, item in enumerate(value):
                yield f"{',' if place else ''}\n   {json.dumps(to_json(item), ensure_ascii=False)}"
            yield "\n  ]" if len(value) else "]"
    yield "\n }"


def line_pieces(row: Mapping[str, Any], ascii_only: bool) -> Iterator[str]:
    """An answer as one line of JSON, in pieces."""

    def text(value: Any) -> str:
        return json.dumps(to_json(value), ensure_ascii=ascii_only, allow_nan=False)

    yield text({"format": 1, **{key: value for key, value in row.items() if not is_long(value)}}).removesuffix("}")
    for key, value in row.items():
        if is_long(value):
            yield f", {text(key)}: ["
            yield from (f"{', ' if place else ''}{text(item)}" for place, item in enumerate(value))
            yield "]"
    yield "}\n"


def write_answers(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with a row an answer, with tabs in a `.tsv`; mappings become a column a key."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", delimiter="\t" if out.suffix.lower() == ".tsv" else ",")
    writer.writeheader()
    writer.writerows(flat)
    write_text(out, text.getvalue())


def check_ending(out: Path, more: Collection[str]) -> None:
    """Raise `SettingError` where a file's name asks for a form that answers cannot have.

    Args:
        out: the file, or a folder.
        more: the endings that an application adds.
    """
    if not out.is_dir() and out.suffix.lower() not in {*_TABLES, *_PLAIN, *more}:
        hint = f"End its name in {', '.join(dict.fromkeys((*_PLAIN, *more)))}."
        raise SettingError(f"answers cannot be written as {out.name}", hint)


def check_form(out: Path, forms: Collection[str], answers: int) -> None:
    """Raise `SettingError` where a file's name asks for a form that holds one answer, and there are several."""
    if out.suffix.lower() in forms and answers != 1:
        count = "more than one" if answers else "none"
        raise SettingError(f"a {out.suffix} file holds one answer, not {count}", "Ask about one input at a time.")


def part_names(answer: Any) -> frozenset[str]:
    """The fields of an answer that hold parts with names of their own, such as words with times: only JSON has them.

    They follow from the answer's type, so that they are the same whether there are any or not.
    """
    try:
        hints = typing.get_type_hints(type(answer))
    except NameError:  # a type that is imported for checking alone
        return frozenset()
    return frozenset(name for name, hint in hints.items() if any(map(is_dataclass, typing.get_args(hint))))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = "|".join(map(str, value)) if isinstance(value, list) else value
    return flat
