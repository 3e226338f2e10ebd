"""The words of transcripts that go wrong most, as figures.

Shapes: U recordings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import Estimate, estimate
from assay.evaluation.metrics import Additive, Values
from assay.evaluation.word_errors import WordErrors, word_errors
from assay.evidence.finding import Figure
from assay.report.kinds.intervals import MOST_ROWS
from assay.report.kinds.table import MOST_ROWS as MOST_LISTED

Array = np.ndarray[Any, Any]
#: Words that a word was taken for, as the table names them.
_NAMED = 3


def word_figures(evaluation: Evaluation, language: str = "") -> Sequence[Figure]:
    """The words that cost most: how often each goes wrong with its interval, and what becomes of it; none without any.

    An interval goes by recordings in which the word was said, or by their groups, as words of one go wrong together.
    """
    found = word_errors(evaluation.outputs, evaluation.truths, language)
    worst = sorted((word for word in found if found[word].errors), key=lambda word: (-found[word].errors, word))
    if not worst:
        return ()
    rows = []
    for word in [word for word in worst if found[word].wrong][:MOST_ROWS]:
        told = _share_wrong(found[word], evaluation)
        rows.append({"label": f"{word} ({found[word].said:,})", **vars(told)})
    table = [
        [word, one.said, one.instead.total(), one.missing, one.added, _named(one.instead)]
        for word, one in ((word, found[word]) for word in worst[:MOST_LISTED])
    ]
    columns = ["word", "times said", "taken for another", "missing", "added", "taken for"]
    listed = Figure(
        "table",
        "What becomes of which word",
        {"columns": columns, "rows": table},
        f"Of {len(found):,} words those that are wrong in any recording, the most errors first; `added` is told where "
        "nothing was said.",
    )
    if not rows:
        return (listed,)
    share = Figure(
        "intervals",
        "Words that cost most",
        {"rows": rows, "x": "share of the times it is said that it is not told", "unit": "%"},
        "The words with most errors, with how often each is said; 95 % intervals over recordings.",
    )
    return (share, listed)


class _Wrong(Additive):
    """The share of the times that a word is said that it is not told: truths (U, 2) are its counts in a recording."""

    name = "wrong"
    higher_is_better = False
    unit = "share"

    def statistics(self, outputs: Values, truths: Values) -> Array:
        """(U, 2): how often it is wrong, and said."""
        return np.asarray(truths, float)

    def from_sums(self, sums: Array) -> Array:
        """See `Additive.from_sums`."""
        return np.asarray(sums[:, 0] / sums[:, 1])


def _share_wrong(word: WordErrors, evaluation: Evaluation) -> Estimate:
    recordings = np.asarray(sorted(word.said_in), np.int64)
    counts = np.asarray([(word.wrong_in[row], word.said_in[row]) for row in recordings.tolist()], float)
    return estimate(_Wrong(), counts, counts, np.asarray(evaluation.groups)[recordings])


def _named(instead: Counter[str]) -> str:
    """The words that a word was taken for, the commonest first: "one (3), won"."""
    common = sorted(instead.items(), key=lambda item: (-item[1], item[0]))
    told = [word if count == 1 else f"{word} ({count:,})" for word, count in common[:_NAMED]]
    return ", ".join([*told, *(["…"] if len(common) > _NAMED else [])])
