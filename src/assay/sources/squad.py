"""Questions about a text that are answered by a stretch of it: SQuAD's JSON, versions 1.1 and 2.0, and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from assay.errors import AssayError, DataError
from assay.sources import squad_table
from assay.sources._answers import located
from assay.sources._decoding import text_blocks
from assay.sources._json_lines import parse_json
from assay.sources._lines import is_about, whole_text
from assay.sources._questions import Question, question_records
from assay.sources._splits import given_sides
from assay.sources._text_values import mended
from assay.sources.records import ProblemLog, Records
from assay.sources.source import DataOptions, Recognition, Source
from assay.sources.store import Store

_HEAD = 1 << 16


def recognise_squad(source: Source) -> Recognition | None:
    """How well the source looks like questions about texts, and why; None where it does not.

    0.96 for SQuAD's JSON; 0.93 (0.99 in memory) for a table with columns of question, context and answer.
    """
    if source.path is None:
        return squad_table.recognise(source)
    names = _files(source)
    if names:
        return Recognition(0.96, f"SQuAD questions, {names[0]}" if len(names) == 1 else f"{len(names)} SQuAD files")
    return squad_table.recognise(source)


def read_squad(source: Source, options: DataOptions) -> Records:
    """The questions of a source with their answers.

    Args:
        source: one JSON file or several, in a folder or archive; a table; a list of dicts.
        options: `split`; in `extra`: `encoding`; for tables `group` and `target` (the column of answers).

    Returns:
        Records with `id` (the question's, made unique), `context`, `question`, `target` (list of structs `text` and
        `start`, in code points of the context; empty where the context has no answer), `group` (the article's title;
        where there is one article alone, its paragraph), where files say so `split`, and `digest`. An offset that does
        not fit is repaired where the answer stands in the context once, or within 20 characters; else the question is
        skipped; both are counted.

    Raises:
        DataError: no questions, or JSON that is broken or of another layout.
    """
    return _read(source, options, True)


def read_squad_inputs(source: Source, encoding: str | None = None) -> Records:
    """Questions to be answered, as `read_squad` takes them, or a list of pairs (question, context).

    Returns:
        Records with `id`, `context`, `question`, `target` (null), `group` and `digest`.

    Raises:
        DataError: there is no question.
    """
    return _read(source, DataOptions(extra={} if encoding is None else {"encoding": encoding}), False)


def _read(source: Source, options: DataOptions, labelled: bool) -> Records:
    names, encoding = _files(source), options.extra.get("encoding")
    if source.path is None or not names:
        try:
            return squad_table.read(source, options, labelled)
        except DataError:
            _check_json(source, encoding)  # what is broken is the better reason
            raise
    sides = given_sides(names, options) if labelled else None

    def questions(log: ProblemLog | None) -> Iterator[Question]:
        for name in names:
            yield from _questions(
                source.store, name, encoding, sides[name] if sides else None, labelled, log, len(names) == 1
            )

    return question_records(questions, ProblemLog(), source.label, split=sides is not None, labelled=labelled)


def _questions(
    store: Store,
    name: str,
    encoding: str | None,
    side: str | None,
    labelled: bool,
    log: ProblemLog | None,
    alone: bool,
) -> Iterator[Question]:
    """The questions of one file in their order; those without a usable answer are noted.

    They go by article; where the only file holds a single one, by paragraph, or no side but one would have any.
    """
    data = parse_json(whole_text(store, name, encoding) or "", name)
    articles = _items(data, "data", "", name)
    for first, article in enumerate(articles):
        where = f"data[{first}]"
        title = mended(article.get("title")) or f"{name}, article {first + 1}"
        for second, paragraph in enumerate(_items(article, "paragraphs", where, name)):
            inside = f"{where}.paragraphs[{second}]"
            context = mended(paragraph.get("context"))
            if not isinstance(context, str):
                raise DataError(f"{inside}.context is no text.", "Expected the layout of SQuAD 1.1 or 2.0.", file=name)
            for third, item in enumerate(_items(paragraph, "qas", inside, name)):
                identity = item.get("id")
                told = f"{inside}.qas[{third}]" if identity in (None, "") else str(identity)
                place = f"{name}, question {told}"
                target = _answers(item, context, place, log) if labelled else None
                if labelled and target is None and _has_answers(item):
                    continue  # the log has the reason
                text = item.get("question")
                group = f"{title}, paragraph {second + 1}" if alone and len(articles) == 1 else str(title)
                yield Question(told if identity not in (None, "") else f"{name}:{first}.{second}.{third}",
                               context, text if isinstance(text, str) else None, group, place, None, target,
                               side)  # fmt: skip


def _answers(item: dict[str, Any], context: str, place: str, log: ProblemLog | None) -> list[dict[str, Any]] | None:
    """The answers of a question; None where it has no field of answers, or none that can be found."""
    if item.get("is_impossible") is True:
        return []
    if not _has_answers(item):
        return None
    answers = [answer if isinstance(answer, dict) else {} for answer in item["answers"]]
    return located(context, [(answer.get("text"), answer.get("answer_start")) for answer in answers], place, None, log)


def _has_answers(item: dict[str, Any]) -> bool:
    return isinstance(item.get("answers"), list)


def _items(value: Any, key: str, where: str, file: str) -> list[dict[str, Any]]:
    """The objects of a list in a JSON object; raises `DataError` where it is none."""
    items = value.get(key) if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        path = f"{where}.{key}" if where else key
        found = "missing" if items is None else f"{json.dumps(items, default=str)[:40]}…"
        raise DataError(
            f"{path} is no list of objects, but {found}.", "Expected the layout of SQuAD 1.1 or 2.0.", file=file
        )
    return items


def _check_json(source: Source, encoding: str | None) -> None:
    """Raise `DataError` where the source is one JSON file and that is broken."""
    names = source.store.names if source.path is not None else []
    if len(names) == 1 and names[0].lower().removesuffix(".gz").endswith(".json"):
        parse_json(whole_text(source.store, names[0], encoding) or "", names[0])


def _files(source: Source) -> list[str]:
    """The JSON files in SQuAD's layout, where hardly anything else is there."""
    if source.path is None:
        return []
    names = [name for name in source.store.names if not is_about(name)]
    found = [name for name in names if name.lower().removesuffix(".gz").endswith(".json")]
    if not found or len(found) < 0.5 * len(names) or not _is_squad(source.store, found[0]):
        return []
    return found


def _is_squad(store: Store, name: str) -> bool:
    """Whether a file begins as SQuAD's do; in no matter which encoding."""
    for encoding in (None, "latin-1"):
        try:
            head = next(text_blocks(store, name, encoding), "")[:_HEAD]
        except AssayError:
            continue
        return head.lstrip().startswith("{") and '"paragraphs"' in head and ('"qas"' in head or '"context"' in head)
    return False
