"""Samples of text held in memory, with real views over them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.samples._encoding import Segment
from assay.samples.cache import Ragged
from assay.samples.samples import Samples, View
from assay.task import Batch
from real_data import DATA


def needs(name: str) -> Any:
    """Skips a test where a data set is missing."""
    return pytest.mark.skipif(not (DATA / name).exists(), reason=f"the data set {name} is not here")


@dataclass(frozen=True, kw_only=True)
class TextBatch(Batch):
    text: Any = None


@dataclass(frozen=True, kw_only=True)
class QuestionBatch(Batch):
    context: Any = None
    context_mask: Any = None
    question: Any = None
    question_mask: Any = None


@dataclass(frozen=True)
class MemoryCache:
    fields: Mapping[str, Any]
    rows: int


@dataclass(frozen=True)
class MemoryTask:
    batch_type: type[Any]
    given: Any

    def truths(self, places: Any, spec: Any) -> Any:
        rows = np.asarray(places.to_numpy(), np.int64)
        return self.given[rows] if isinstance(self.given, np.ndarray) else [self.given[row] for row in rows]


def ragged(texts: Sequence[str]) -> Ragged:
    data = [np.frombuffer(text.encode(), np.uint8) for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in data])]).astype(np.int64)
    return Ragged(np.concatenate([np.zeros(0, np.uint8), *data]), offsets)


def samples_of(truths: Any, batch_type: type[Any] = TextBatch, windows: int = 1, **texts: Sequence[str]) -> Samples:
    """A unit a text; where there are several windows, the first holds the whole text and the others nothing."""
    units = len(next(iter(texts.values())))
    spread = {name: [part for text in given for part in (text, *[""] * (windows - 1))] for name, given in texts.items()}
    cache: Any = MemoryCache({name: ragged(given) for name, given in spread.items()}, units * windows)
    index = pa.table({"id": [str(unit) for unit in range(units)], "target": np.arange(units)})
    segment = Segment(cache, np.repeat(np.arange(units), windows), index)
    given = truths if isinstance(truths, np.ndarray) else list(truths)
    task: Any = MemoryTask(batch_type, given)
    return Samples(task, None, segment, np.zeros(units, np.int8), ())


def sides(samples: Samples, *shares: float, seed: int = 0) -> list[View]:
    """Views of the first shares of the shuffled units, and of the rest."""
    units = np.random.default_rng(seed).permutation(len(samples.side))
    ends = [0, *np.round(np.cumsum(shares) * len(units)).astype(int), len(units)]
    return [samples.view_of(units[low:high]) for low, high in pairwise(ends)]


def view(samples: Samples, low: int = 0, high: int | None = None) -> View:
    return samples.view_of(np.arange(len(samples.side))[low:high])


def squad(path: Path) -> tuple[list[str], list[str], list[tuple[tuple[str, int], ...]], list[str]]:
    """Contexts, questions, truths and titles of a file like SQuAD's."""
    rows = [
        (paragraph["context"], asked["question"], answers(asked), article["title"])
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]
    contexts, questions, truths, titles = zip(*rows, strict=True)
    return list(contexts), list(questions), list(truths), list(titles)


def answers(asked: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((answer["text"], int(answer["answer_start"])) for answer in asked["answers"])


class Timer:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begun
