"""From questions, however they are written down, to `Records`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from assay.sources._answers import ANSWERS
from assay.sources._text_records import Sample, Shape, text_records
from assay.sources.records import ProblemLog, Records


class Question(NamedTuple):
    """One question.

    Attributes:
        id: as the data has it; it need not be unique.
        context: the text that holds the answer.
        text: the question.
        article: what the context is a part of.
        place: where it stands, for problems.
        row: the row there.
        answers: as `located` gives them; None where it is not labelled.
        side: of the split.
    """

    id: str
    context: str | None
    text: str | None
    article: str
    place: str
    row: int | None
    answers: list[dict[str, Any]] | None
    side: str | None


def question_records(
    questions: Callable[[ProblemLog | None], Iterator[Question]],
    log: ProblemLog,
    label: str,
    *,
    split: bool,
    labelled: bool,
) -> Records:
    """Records of questions; see `read_squad`.

    Args:
        questions: gives them from the start, and notes problems where it is given a log.
        log: the problems so far.
        label: how messages name the source.
        split: sides come with the data.
        labelled: a question without answers in its data is skipped.
    """
    articles: set[str] = set()
    facts = {"articles": 0, "without_answer": 0}

    def samples(noted: ProblemLog | None) -> Iterator[Sample]:
        seen: dict[str, int] = {}
        for question in questions(noted):
            seen[question.id] = seen.get(question.id, 0) + 1
            count = seen[question.id]
            name = question.id if count == 1 else f"{question.id}#{count}"
            if noted is not None:  # the first pass, which counts
                articles.add(question.article)
                facts["articles"] = len(articles)
                facts["without_answer"] += question.answers == []
            texts = (question.context, question.text)
            yield Sample(name, texts, question.place, question.row, question.answers, question.article, question.side)

    shape = Shape(("context", "question"), ANSWERS, True, split, labelled, "skipped", label, "questions")
    return text_records(samples, shape, log, facts)
