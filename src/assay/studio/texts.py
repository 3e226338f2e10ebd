"""Texts with a class each, in one table, `texts.csv`, with the columns text and label."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from assay.errors import DataError
from assay.run import reading
from assay.serving.http.kinds import ending_of
from assay.sources._table_target import TARGET_NAMES
from assay.sources._text_columns import TEXT_NAMES
from assay.studio.files import Taken, class_name
from assay.studio.workspace import Project, write_lines

Row = tuple[str, str]
_LONGEST = 100_000
_TABLES = {".csv": ",", ".tsv": "\t"}


def file_of(project: Project) -> Path:
    """The table of a project."""
    return project.data / "texts.csv"


def rows(file: Path) -> list[Row]:
    """All texts with their labels, in order; raises `RunError` where somebody damaged the table."""
    if not file.is_file():
        return []
    csv.field_size_limit(10 * _LONGEST)
    with reading(file), open(file, encoding="utf-8", newline="") as stream:
        found = [(row[0], row[1] if len(row) > 1 else "") for row in csv.reader(stream) if row]
    return found[1:]


def write(file: Path, found: Iterable[Row]) -> None:
    """Write all texts."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows(found)
    write_lines(file, out.getvalue())


def name_of(text: str) -> str:
    """What a text is called: a digest of it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def add(file: Path, found: Iterable[Row]) -> Taken:
    """Add texts with their labels; one that is there already is left as it is."""
    taken, known = Taken(), rows(file)
    names = {name_of(text) for text, _ in known}
    for text, label in found:
        text = text.strip().replace("\0", "")[:_LONGEST]
        if not text:
            taken.leave("an empty text")
        elif name_of(text) in names:
            taken.there += 1
        else:
            names.add(name_of(text))
            known.append((text, label))
            taken.added += 1
    write(file, known)
    return taken


def add_files(file: Path, files: Iterable[tuple[str, bytes]], label: str | None) -> Taken:
    """Add texts out of files: a text each, or tables with the columns text and label.

    Args:
        file: the table that is added to.
        files: paths as they were sent, and contents.
        label: the class of all of them; None where folders or columns tell it.
    """
    found: list[Row] = []
    left: list[str] = []
    for name, content in files:
        parts = name.replace("\\", "/").split("/")
        own = label if label is not None else parts[-2] if len(parts) > 1 else None
        text = content.decode("utf-8-sig", "replace")
        if ending_of(name) in _TABLES:
            found += _of_table(name, text, _TABLES[ending_of(name)], label)
        elif ending_of(name) in (".txt", ".md", ".text") and own is not None:
            found.append((text, class_name(own)))
        else:
            left.append(name)
    taken = add(file, found)
    for name in left:
        taken.leave(name)
    return taken


def _of_table(name: str, text: str, comma: str, label: str | None) -> list[Row]:
    csv.field_size_limit(10 * _LONGEST)
    try:
        lines = [row for row in csv.reader(io.StringIO(text), delimiter=comma) if row]
    except csv.Error as error:
        raise DataError(f"is no table ({error})", "Save it as CSV in UTF-8.", file=name) from error
    head = [cell.strip().lower() for cell in lines[0]] if lines else []
    place = next((number for number, cell in enumerate(head) if cell in TEXT_NAMES), None)
    target = next((number for number, cell in enumerate(head) if cell in TARGET_NAMES), None)
    if place is None or (target is None and label is None):
        raise DataError("has no columns text and label", "Name them so in its first row.", file=name)
    found = []
    for number, row in enumerate(lines[1:], 2):
        if len(row) <= max(place, target or 0):
            raise DataError("has too few cells", "Give each row as many as the first.", file=name, row=number)
        own = label if label is not None else row[target] if target is not None else ""
        found.append((row[place], class_name(own)))
    return found


def counts(project: Project) -> dict[str, int]:
    """How many texts each class has; classes that were only named have none."""
    found = Counter(label for _, label in rows(file_of(project)))
    return {**dict.fromkeys(project.facts.get("classes", ()), 0), **dict(sorted(found.items()))}


def relabel(file: Path, names: Sequence[str], label: str) -> int:
    """Give texts another class."""
    wanted, tidy = set(names), class_name(label)
    write(file, [(text, tidy if name_of(text) in wanted else old) for text, old in rows(file)])
    return len(names)


def remove(file: Path, names: Sequence[str]) -> int:
    """Delete texts."""
    wanted = set(names)
    write(file, [(text, label) for text, label in rows(file) if name_of(text) not in wanted])
    return len(names)


def rename_class(project: Project, name: str, to: str | None) -> None:
    """Call a class otherwise; None deletes it with its texts."""
    file, new = file_of(project), None if to is None else class_name(to)
    found = [(text, new if label == name and new is not None else label) for text, label in rows(file)
             if label != name or new is not None]  # fmt: skip
    write(file, found)
    named = [new if one == name else one for one in project.facts.get("classes", ())]
    project.write(classes=sorted({one for one in named if one is not None}))
