"""Questions about texts in tables: CSV, JSON lines, Parquet (also as Hugging Face lays SQuAD out), or in memory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from assay.arrow import pa
from assay.errors import DataError, SettingError, did_you_mean
from assay.sources._answers import located
from assay.sources._questions import Question, question_records
from assay.sources._splits import as_sides, side_column
from assay.sources._text_columns import names_columns
from assay.sources._text_tables import Part, first_rows, open_parts, strings
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source

_CONTEXT = ("context", "passage", "paragraph", "document")
_QUESTION = ("question", "query")
_ANSWER = ("answers.text", "answers", "answer", "answer_text", "answer.text")
_START = ("answers.answer_start", "answer_start", "answers.start", "answer.answer_start", "start")
_TITLE = ("title", "article")


class _Columns(NamedTuple):
    """The columns of a table of questions; "" for what it does not have."""

    context: str
    question: str
    answer: str
    start: str
    title: str
    id: str


def recognise(source: Source) -> Recognition | None:
    """0.93 (0.99 in memory) for a table with columns of question, context and answer; None for anything else."""
    rows = first_rows(_in_columns(source), names_columns)
    found = _find(rows.names) if rows is not None else None
    if rows is None or found is None or not all(found[:3]):
        return None
    where = "in memory" if source.path is None else rows.file
    told = f"a table, {where}, with {found.question!r}, {found.context!r} and {found.answer!r}"
    return Recognition(0.99 if source.path is None else 0.93, told)


def read(source: Source, options: DataOptions, labelled: bool) -> Records:
    """The questions of a table; see `read_squad` and `read_squad_inputs`."""
    parts = open_parts(_in_columns(source), options, names_columns)
    rows = parts[0].rows
    for name in (options.target, options.group):
        if name is not None and name not in rows.names:
            raise SettingError(f"{rows.file} has no column {name!r}.", did_you_mean(name, rows.names))
    found = _find(rows.names)
    if options.target is not None:
        found = found._replace(answer=options.target)
    if options.group is not None:
        found = found._replace(title=options.group)
    missing = [kind for kind in ("context", "question", *(["answer"] if labelled else [])) if not getattr(found, kind)]
    if missing:
        raise DataError(
            f"there is no column of the {missing[0]} among {', '.join(map(repr, rows.names))}.",
            "Expected columns called context, question and answer, or SQuAD's JSON.",
            file=rows.file,
        )
    for part in parts:
        absent = [name for name in found[: 3 if labelled else 2] if name not in part.rows.names]
        if absent:
            raise DataError(f"the column {absent[0]!r} is missing.", did_you_mean(absent[0], part.rows.names),
                            file=part.rows.file)  # fmt: skip
    side = side_column(rows, options)[0] if labelled and len(parts) == 1 else None

    def questions(log: ProblemLog | None) -> Iterator[Question]:
        for part in parts:
            yield from _questions(part, found, side, labelled, log)

    split = side is not None or (labelled and parts[0].side is not None)
    return question_records(questions, ProblemLog(), source.label, split=split, labelled=labelled)


def _questions(
    part: Part, found: _Columns, side: str | None, labelled: bool, log: ProblemLog | None
) -> Iterator[Question]:
    file = part.rows.file
    for batch, numbers in part.rows.batches(log):
        columns = {kind: _values(batch, name) for kind, name in found._asdict().items()}
        sides = [part.side] * batch.num_rows if side is None else as_sides(batch.column(side), file).to_pylist()
        for place, number in enumerate(numbers.tolist()):
            row = {kind: values[place] for kind, values in columns.items()}
            context, where = row["context"], f"{file}:{number}"
            target = None
            if labelled:
                given = list(_given(row["answer"], row["start"]))
                target = located(str(context or ""), given, file, number, log)
                if target is None:
                    continue  # the log has the reason
            name, title = str(row["id"] or where), str(row["title"] or context)
            context, question = (value if isinstance(value, str) else None for value in (context, row["question"]))
            yield Question(name, context, question, title, file, number, target, sides[place])


def _given(answer: Any, start: Any) -> Iterator[tuple[Any, Any]]:
    """The answers of a cell with their offsets: a text, lists of both, or SQuAD's objects as JSON; none if empty."""
    if isinstance(answer, str) and answer.lstrip()[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            answer = json.loads(answer)
    if isinstance(answer, dict):
        answer, start = answer.get("text"), answer.get("answer_start")
    if answer is None or answer == "":
        return
    if not isinstance(answer, list):
        yield answer, start[0] if isinstance(start, list) and start else start
        return
    starts = start if isinstance(start, list) else [start] * len(answer)
    for place, one in enumerate(answer):
        if isinstance(one, dict):
            yield one.get("text"), one.get("answer_start", one.get("start"))
        else:
            yield one, starts[place] if place < len(starts) else None


def _find(names: Sequence[str]) -> _Columns:
    """The columns by their usual names."""
    lower = {name.lower(): name for name in reversed(names)}
    usual = (_CONTEXT, _QUESTION, _ANSWER, _START, _TITLE, ("id",))
    return _Columns(*(next((lower[word] for word in words if word in lower), "") for words in usual))


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    values: list[Any] = batch.column(name).to_pylist()
    return values


def _in_columns(source: Source) -> Source:
    """A list of pairs (question, context) in memory as a table; any other source as it is."""
    value = source.value
    if source.path is not None or not isinstance(value, list) or not value:
        return source
    if not all(isinstance(item, tuple) and len(item) == 2 and all(isinstance(x, str) for x in item) for item in value):
        return source
    questions, contexts = zip(*value, strict=True)
    table = pa.table({"question": strings(questions), "context": strings(contexts)})
    return Source(value=table)
