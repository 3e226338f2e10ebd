"""Answers as files: CSV, JSON, and what an application adds, such as subtitles."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import SettingError
from assay.run import write_text


def write_predictions(
    out: Path, rows: Sequence[Mapping[str, Any]], forms: Mapping[str, Callable[[Mapping[str, Any]], str]]
) -> None:
    """Write answers in the form that the file's name asks for: JSON, one that the application knows, else CSV.

    Args:
        out: the file.
        rows: the answers as JSON, each with its `id`.
        forms: what the application knows, by the ending of a name (`Task.writings`); a file of it holds one answer.

    Raises:
        SettingError: there are several answers, and the form holds one.
    """
    form = forms.get(out.suffix.lower())
    if form is not None:
        if len(rows) != 1:
            hint = "Ask about one input at a time."
            raise SettingError(f"a {out.suffix} file holds one answer, not {len(rows)}", hint)
        write_text(out, form(rows[0]))
    elif out.suffix.lower() == ".json":
        write_text(out, json.dumps([{"format": 1, **row} for row in rows], indent=1, ensure_ascii=False) + "\n")
    else:
        write_answers(out, [{key: value for key, value in row.items() if not are_parts(value)} for row in rows])


def write_answers(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with a row an answer; mappings become a column a key."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    write_text(out, text.getvalue())


def are_parts(value: Any) -> bool:
    """Whether a value is a list of parts with names of their own, such as words with times: only JSON holds those."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = "|".join(map(str, value)) if isinstance(value, list) else value
    return flat
