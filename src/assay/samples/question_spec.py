"""What a question about a text is, learned from the training questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.samples.tokens import Tokenizer
from assay.task_export import Preparation

if TYPE_CHECKING:
    from assay.sources.records import Records

Array = np.ndarray[Any, Any]
#: Training questions that are looked at, at most.
_MOST = 100_000
#: The share of the training answers that are no longer than an answer may be, and how long it may be at least.
_COVERED, _LEAST = 0.995, 8


@dataclass(frozen=True)
class QuestionSpec:
    """The form in which every question and its text reach the network.

    Attributes:
        tokenizer: how text becomes tokens.
        longest: the most tokens of a question and a text, marks among them; a longer text is cut into several windows.
        question: the most tokens of a question; what follows in a longer one is left out.
        answer: the most tokens of an answer.
        may_lack: texts may hold no answer.
    """

    tokenizer: Tokenizer
    longest: int
    question: int
    answer: int
    may_lack: bool

    def preparation(self) -> Preparation:
        """See `TaskExport.preparation`."""
        outside = f"cut question and text into tokens, windows of {self.longest} at most"
        return Preparation(("embed tokens",), (outside, "after it: the span that shares most with what may be right"))

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        return {**vars(self), "tokenizer": self.tokenizer.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> QuestionSpec:
        """The inverse of `to_json`."""
        return QuestionSpec(**{**data, "tokenizer": Tokenizer.from_json(data["tokenizer"])})


@dataclass(frozen=True)
class TrainingTexts:
    """What a spec is learned from.

    Attributes:
        texts: questions, and the texts that they are about, each once.
        answers: the answers.
        may_lack: a question has no answer in its text.
    """

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    may_lack: bool

    def longest_answer(self, tokenizer: Tokenizer, most: int) -> int:
        """The tokens that nearly all answers keep to, at most `most`."""
        counts = [len(ids) for ids in tokenizer.encode_batch(self.answers)]
        covered = int(np.ceil(np.quantile(counts, _COVERED))) if counts else _LEAST
        return min(max(_LEAST, covered), most)


def training_texts(records: Records, train: Array) -> TrainingTexts:
    """The questions of the training side, evenly spread where there are very many.

    Args:
        records: all questions.
        train: (rows,) bool, True for a row of the training side.

    Raises:
        DataError: there are none.
    """
    chosen = np.flatnonzero(train)
    chosen = chosen[:: max(1, -(-len(chosen) // _MOST))]
    if not len(chosen):
        raise DataError("no training question is left", "See the problems that assay inspect lists.")
    texts: dict[str, None] = {}
    answers: list[str] = []
    may_lack = False
    first = 0
    for batch in records.batches():
        low, high = np.searchsorted(chosen, [first, first + batch.num_rows])
        rows = batch.select(["question", "context", "target"]).take(chosen[low:high] - first)
        first += batch.num_rows
        for row in rows.to_pylist():
            texts.update({row["context"]: None, row["question"]: None})
            answers += [answer["text"] for answer in row["target"] or ()]
            may_lack = may_lack or row["target"] == []
    return TrainingTexts(tuple(texts), tuple(answers), may_lack)
