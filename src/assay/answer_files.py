"""Answers as files: CSV, JSON, and what an application adds, such as subtitles."""

from __future__ import annotations

import csv
import io
import json
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from assay.errors import SettingError
from assay.run import write_bytes, write_text


def write_predictions(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    forms: Mapping[str, Callable[[Mapping[str, Any]], str | bytes]],
    parts: Collection[str] = (),
) -> None:
    """Write answers in the form that the file's name asks for: JSON, one that the application knows, else CSV.

    Args:
        out: the file; or a folder, which takes a file of the application's first form for each answer.
        rows: the answers as JSON, each with its `id`.
        forms: what the application knows, by the ending of a name (`Task.writings`); a file of it holds one answer.
        parts: what CSV does not hold (`part_names`).

    Raises:
        SettingError: there are several answers, and the form holds one.
    """
    form = forms.get(out.suffix.lower())
    if out.is_dir():
        _write_each(out, rows, forms)
    elif form is not None:
        check_form(out, forms, len(rows))
        _write(out, form(rows[0]))
    elif out.suffix.lower() == ".json":
        write_text(out, json.dumps([{"format": 1, **row} for row in rows], indent=1, ensure_ascii=False) + "\n")
    else:
        write_answers(out, [{key: value for key, value in row.items() if key not in parts} for row in rows])


def _write_each(
    folder: Path, rows: Sequence[Mapping[str, Any]], forms: Mapping[str, Callable[[Mapping[str, Any]], str | bytes]]
) -> None:
    """A file for each answer, named after its input; of equal names the later ones are numbered."""
    ending, form = next(iter(forms.items()))
    taken: dict[str, int] = {}
    for row in rows:
        last = str(row["id"]).replace("\\", "/").rsplit("/", 1)[-1]
        stem = last.rpartition(".")[0] or last
        name = "".join(sign if sign.isalnum() or sign in "-_. " else "-" for sign in stem)[:100].strip(". ") or "answer"
        taken[name] = taken.get(name, 0) + 1
        number = f"-{taken[name]}" if taken[name] > 1 else ""
        _write(folder / f"{name}{number}{ending}", form(row))


def _write(out: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        write_text(out, content)
    else:
        write_bytes(out, content)


def write_answers(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with a row an answer; mappings become a column a key."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_text(out, text.getvalue())


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
