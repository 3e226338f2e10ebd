"""Answers that are a stretch of a text: where they stand, and what becomes of an offset that does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assay.arrow import pa
from assay.sources._text_values import mended
from assay.sources.records import ProblemLog

#: A question's answers: each with the code points of the context before it. An empty list: the context has none.
ANSWERS = pa.list_(pa.struct([("text", pa.string()), ("start", pa.int64())]))

#: An answer that stands in a context several times is taken to be the one this near to its offset, in characters.
NEAR = 20


def located(
    context: str, answers: Iterable[tuple[Any, Any]], place: str, row: int | None, log: ProblemLog | None
) -> list[dict[str, Any]] | None:
    """A question's answers with their places, each once; None where none of them can be found.

    Args:
        context: the text in which they stand.
        answers: the text of each, and its offset (None where it has none).
        place: the file and question, for the log.
        row: the row there.
        log: takes what was repaired or skipped.
    """
    found: list[dict[str, Any]] = []
    lost, given = [], 0
    for text, start in answers:
        given += 1
        text = mended(text)
        where, fault = place_of(context, text, start)
        if where is None:
            lost.append(fault)
            continue
        if fault and log is not None:
            log.add(fault, "repaired", place, row)
        if (answer := {"text": text, "start": where}) not in found:
            found.append(answer)
    if log is not None:
        for fault in lost if found else lost[:1]:
            log.add("unusable-answer" if found else fault, "skipped", place, row)
    return None if given and not found else found


def whole_number(value: Any) -> int | None:
    """A number without a fraction, also as text; None for anything else."""
    try:
        return int(float(value)) if value is not None and not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        return None


def place_of(context: str, text: Any, start: Any) -> tuple[int | None, str]:
    """Where an answer stands (None where that cannot be told), and what was wrong: "" where nothing was.

    What can be wrong: `wrong-answer-offset`, `no-answer-offset`, `answer-not-in-context`, `empty-answer`.
    """
    if not isinstance(text, str) or not text or text.isspace():
        return None, "empty-answer"
    offset = whole_number(start)
    if offset is not None and offset >= 0 and context.startswith(text, offset):
        return offset, ""
    first = context.find(text)
    if first < 0:
        return None, "answer-not-in-context"
    fault = "no-answer-offset" if offset is None else "wrong-answer-offset"
    if offset is None or context.find(text, first + 1) < 0:
        return first, fault
    near = [place for place in range(max(0, offset - NEAR), offset + NEAR + 1) if context.startswith(text, place)]
    return min(near, key=lambda place: (abs(place - offset), place), default=None), fault
