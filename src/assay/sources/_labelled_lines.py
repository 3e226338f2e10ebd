"""Text files with a label before each line: `1 a good film`, `LOC:city Where is it ?`, `__label__spam win a prize`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from assay.arrow import pa
from assay.sources._lines import lines_of
from assay.sources._rows import Numbered, Rows
from assay.sources._text_values import LONGEST
from assay.sources.records import ProblemLog
from assay.sources.store import Store

_LOOK_AT, _ROWS = 20_000, 4096
_LABELS = (
    re.compile(r"((?:__label__\S+\s+)+)(.*)", re.DOTALL),  # fastText
    re.compile(r"([+-]?\d{1,3}) +(.*)", re.DOTALL),
    re.compile(r"([A-Z]+:\w+) +(.*)", re.DOTALL),  # TREC's questions
)


def labelled_rows(store: Store, name: str, encoding: str | None) -> Rows | None:
    """A file of labelled lines as a table with the columns `label` (several are joined by `|`) and `text`.

    None where not nearly all of its first lines begin with a label of one kind, or where labels hardly repeat.
    """
    for pattern in _LABELS:
        labels = _labels(islice(lines_of(store, name, encoding, LONGEST), _LOOK_AT), pattern)
        if labels is not None and 2 <= len(labels) <= max(2, labels.total() // 2) and labels.total() > 2:
            return _rows(store, name, encoding, pattern)
    return None


def _labels(lines: Iterable[str | None], pattern: re.Pattern[str]) -> Counter[str] | None:
    """How often each label stands before a line; None where more than one line in fifty has none."""
    labels: Counter[str] = Counter()
    without = 0
    for line in lines:
        if line and not line.isspace():
            match = pattern.fullmatch(line)
            if match is not None:
                labels[match[1]] += 1
            else:
                without += 1
                if 50 * without > labels.total() + without:
                    return None
    return labels


def _rows(store: Store, name: str, encoding: str | None, pattern: re.Pattern[str]) -> Rows:
    def batches(log: ProblemLog | None) -> Iterator[Numbered]:
        numbered = enumerate(lines_of(store, name, encoding, LONGEST), 1)
        while chunk := list(islice(numbered, _ROWS)):
            rows = []
            for number, line in chunk:
                match = None if line is None else pattern.fullmatch(line)
                if match is not None:
                    label = "|".join(match[1].replace("__label__", "").split())
                    rows.append((label, match[2], number))
                elif log is not None and (line is None or line.strip()):
                    log.add("overlong-line" if line is None else "no-label", "skipped", name, number)
            if rows:
                labels, texts, numbers = zip(*rows, strict=True)
                arrays = [pa.array(labels, pa.string()), pa.array(texts, pa.string())]
                yield pa.RecordBatch.from_arrays(arrays, names=["label", "text"]), np.asarray(numbers)

    return Rows(name, ("label", "text"), batches, typed=False)
