"""Answers to a user's inputs, and what to label next: told to a person or a program, or written to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.answer_files import (
    answer_row,
    check_ending,
    check_form,
    is_long,
    line_pieces,
    part_names,
    write_answers,
    write_predictions,
)
from assay.errors import DataError, RunError, SettingError
from assay.evidence.words import counted
from assay.run import to_json
from assay.shell import print_json, say, say_on, tell_names, warn_of

if TYPE_CHECKING:
    from assay.answer_recordings import Recordings
    from assay.model import Model

#: Numbers of a list that are shown; files and JSON hold all of any list.
_MOST_NUMBERS = 12


def predict_and_tell(
    path: Path, inputs: list[str], baseline: bool, out: Path | None, as_json: bool, options: Mapping[str, Any]
) -> None:
    """Answers, one a line: for a person, as JSON, or into a CSV file.

    On a terminal an answer that grows is told while it does.
    """
    from assay.answer_recordings import Recordings
    from assay.loading import load_to_answer

    if out is not None and not out.is_dir():
        _check_place(out)
    model = load_to_answer(path)
    forms, recorders = (model.task.writings(), model.task.recorders()) if out is not None else ({}, {})
    if out is not None:
        _check_form(model, inputs, out, forms, recorders)
    rows: list[dict[str, Any]] = []
    parts: frozenset[str] = frozenset()
    alone = len(inputs) == 1 and out is None and not (as_json or baseline) and sys.stdout.isatty()
    if alone and (pieces := model.stream(inputs[0], options)) is not None:
        for piece in pieces:
            say_on(piece)
            sys.stdout.flush()
        say("")
        return
    recordings = Recordings(out, recorders)
    for row, parts in _answers(model, inputs, baseline, options, recordings):
        if out is not None:
            rows.append(row)
        if as_json:
            print_answer(row)
        elif out is None:
            hidden = {"probabilities", "unlike", "unlike_ratio", *parts}
            cells = [_cell(value) for key, value in row.items() if key not in hidden]
            say("\t".join([*cells, "unlike the training data"] if row["unlike"] else cells))
    if out is not None:
        others = [row for row in rows if row["id"] not in recordings.written]
        if others or not recordings.written:
            write_predictions(out, others, forms, parts, recordings.names)
        sys.stderr.write(f"{counted(len(rows), 'answer')} in {out}\n")
    tell_names(model.task, [item for item in inputs if Path(item).exists()])


def _check_form(
    model: Model, inputs: list[str], out: Path, forms: Mapping[str, Any], recorders: Mapping[str, Any]
) -> None:
    """Say before the work that answers cannot be written so."""
    if not forms and not recorders:
        _check_place(out)
    check_ending(out, (*forms, *recorders))
    ending = out.suffix.lower()
    if not out.is_dir() and ending in (*forms, *recorders):
        check_form(out, (ending,), 2 if len(inputs) > 1 or model.are_several(inputs[0]) else 1)
        if ending in recorders and not model.comes_in_chunks(inputs[0]):
            raise SettingError(f"{inputs[0]} is nothing that a {ending} file can hold", "Name a .json or .csv file.")


def print_answer(row: Mapping[str, Any]) -> None:
    """An answer as a line of JSON on standard output; one that is long is never there as a whole."""
    if not any(map(is_long, row.values())):
        print_json({"format": 1, **row}, one_line=True)
        return
    encoding = (sys.stdout.encoding or "utf-8").lower().replace("-", "")
    for piece in line_pieces(row, ascii_only=encoding != "utf8"):
        sys.stdout.write(piece)


def suggest_and_tell(path: Path, folder: str, count: int, seed: int, out: Path | None, as_json: bool) -> None:
    """What to label next, one sample a line: for a person, as JSON, or into a CSV file."""
    from assay.loading import load_to_answer

    if out is not None:
        _check_place(out)
    model = load_to_answer(path)
    found = model.label_next(folder, count, seed)
    warn_of(found.problems)
    tell_names(model.task, [folder])
    if found.looked < found.of:
        sys.stderr.write(f"looked at {found.looked:,} of {found.of:,} samples, drawn at random\n")
    rows = [{"rank": rank, **to_json(one)} for rank, one in enumerate(found.chosen, 1)]
    if out is not None:
        write_answers(out, rows)
        sys.stderr.write(f"{counted(len(rows), 'suggestion')} in {out}\n")
    if as_json:
        print_json({"format": 1, "suggestions": rows, "looked": found.looked, "of": found.of})
    elif out is None:
        for row in rows:
            say(f"{row['rank']}\t{row['id']}\t{row['reason']}")


def _answers(
    model: Model, inputs: Sequence[str], baseline: bool, options: Mapping[str, Any], recordings: Recordings
) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """The answers for all inputs, each with its `part_names`.

    One that cannot be used is told and passed over, unless none can be.
    """
    first_error: DataError | None = None
    count = 0
    for item in inputs:
        recordings.named = partial(_row_name, item, alone=len(inputs) == 1)
        try:
            predictions, problems = model.predictions(item, baseline=baseline, options=options, following=recordings)
        except DataError as error:
            first_error = first_error or error
            if len(inputs) > 1:
                sys.stderr.write(f"skipped: {' '.join(error.message.split())}\n")
            continue
        finally:
            recordings.progress.close()
        warn_of(problems)
        for prediction in predictions:
            count += 1
            yield (
                {"id": recordings.named(prediction.id), **answer_row(prediction.answer), **prediction.likeness()},
                part_names(prediction.answer),
            )
    if not count:
        raise first_error or DataError("no input could be read", "See above what was skipped and why.")


def _row_name(item: str, name: str, alone: bool) -> str:
    """A row's name among several inputs begins with its input, as the user wrote it."""
    path = Path(item)
    if alone:
        return name
    if path.is_dir():
        return (path / name).as_posix()
    own = name == path.name or name.startswith(f"{path.name}:")
    return item + name.removeprefix(path.name) if own else f"{item}:{name}"


def _check_place(out: Path) -> None:
    """Say before the work that a file cannot stand there."""
    if out.is_dir():
        raise RunError(f"{out} is a folder, not a file", "Name the file with --out, such as answers.csv.")
    if not out.parent.is_dir():
        raise RunError(f"{out.parent} is not a folder", "Make it first, or choose another --out.")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    if isinstance(value, list):
        several = list(map(str, value))
        if len(several) > _MOST_NUMBERS and all(isinstance(one, int | float) for one in value):
            several = [*several[:3], "…", f"{several[-1]} ({len(value):,} values)"]
        return ", ".join(several)
    return str(value)
