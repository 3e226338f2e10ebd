"""From the texts that a reader finds, one sample after the other, to `Records`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.arrow import pa
from assay.errors import DataError
from assay.sources._digest import Fingerprint, text_digest
from assay.sources._held import hold
from assay.sources._text_values import LONGEST, count_words, doubtful_characters, mended
from assay.sources.records import ProblemLog, Records

#: Samples are kept in memory up to this size, and read again from the files beyond it.
HELD_BYTES = 256 * 1024 * 1024

_ROWS, _BATCH_CHARACTERS = 4096, 1 << 23
_UNIT = "\x1f"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as a reader finds it.

    Attributes:
        id: unique among all.
        texts: its payload, in the order of `Shape.payload`; None where there is none.
        file: where it stands, for problems.
        row: its line there; None for a whole file.
        target: what is to be learnt from it; None where it is missing.
        group: what never crosses a split.
        side: "train", "validation" or "test"; None where nothing says so.
    """

    id: str
    texts: tuple[str | None, ...]
    file: str
    row: int | None = None
    target: Any = None
    group: str | None = None
    side: str | None = None


@dataclass(frozen=True)
class Shape:
    """Which columns the records of a reader have, and what it takes for a sample to be used.

    Attributes:
        payload: the columns of text.
        target: the type of a target column that is no payload; None where there is none.
        group: there are groups.
        split: sides come with the data.
        labelled: a sample without target is skipped.
        empty: a sample with an empty text is "skipped" or "kept"; a missing text becomes an empty one.
        label: how messages name the source.
        noun: what messages call its samples.
    """

    payload: tuple[str, ...]
    target: pa.DataType | None = None
    group: bool = False
    split: bool = False
    labelled: bool = False
    empty: str = "skipped"
    label: str = ""
    noun: str = "texts"


Samples = Callable[[ProblemLog | None], Iterator[Sample]]


def text_records(samples: Samples, shape: Shape, log: ProblemLog, facts: Mapping[str, Any] | None = None) -> Records:
    """Records of all samples that can be used; those that cannot, and what is odd about the others, is noted.

    Args:
        samples: gives all samples from the start; notes problems where it is given a log.
        shape: their columns.
        log: the problems so far; it takes those of the samples.
        facts: what the reader adds to `samples`, `words` (mean and longest, in words), `classes`, `class_counts` and
            `split`.

    Returns:
        Records with `id`, the payload, `target`, `group` and `split` as the shape says, and `digest`: a hash of the
        payload after Unicode NFC and with all white space alike. The fingerprint is over the payload as it stands.

    Raises:
        DataError: no sample can be used.
    """
    fingerprint, tally = Fingerprint(), _Tally(shape)

    def see(batch: pa.RecordBatch) -> None:
        fingerprint.add(_exact(batch, shape))
        tally.add(batch)

    batches = hold(lambda noted: _batches(samples, shape, noted), log, HELD_BYTES, see)
    if not tally.samples:
        reasons = ", ".join(f"{item.count} {item.kind}" for item in log.problems() if item.action == "skipped")
        told = f" ({reasons})" if reasons else ""
        hint = "A sample needs text that is not white space alone; see that the file is not empty and is the right one."
        raise DataError(f"there are no {shape.noun} that can be used{told}", hint, file=shape.label)
    return Records(batches, fingerprint.value(), log.problems(), facts={**tally.facts(), **(facts or {})})


def _batches(samples: Samples, shape: Shape, log: ProblemLog | None) -> Iterator[pa.RecordBatch]:
    """Record batches of the samples that can be used, bounded in rows and characters."""
    waiting: list[Sample] = []
    size = 0
    for sample in samples(log):
        whole = _checked(sample, shape, log)
        if whole is None:
            continue
        waiting.append(whole)
        size += sum(len(text or "") for text in whole.texts)
        if len(waiting) >= _ROWS or size >= _BATCH_CHARACTERS:
            yield _batch(waiting, shape)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, shape)


def _checked(sample: Sample, shape: Shape, log: ProblemLog | None) -> Sample | None:
    """The sample with valid Unicode; None where it cannot be used. What was found is noted."""
    notes: list[tuple[str, str]] = []
    texts = tuple(map(mended, sample.texts))
    if texts != sample.texts:
        notes.append(("lone-surrogate", "repaired"))
    if shape.labelled and sample.target is None:
        notes = [("missing-target", "skipped")]
    elif any(text is not None and len(text) > LONGEST for text in texts):
        notes = [("overlong-text", "skipped")]
    elif any(text is None or not text or text.isspace() for text in texts):
        notes.append(("empty-text", shape.empty))
    else:
        kinds = dict.fromkeys(kind for text in texts if text for kind in doubtful_characters(text))
        notes += [(kind, "kept") for kind in kinds]
    if log is not None:
        for kind, action in notes:
            log.add(kind, action, sample.file, sample.row)  # type: ignore[arg-type]
    if any(action == "skipped" for _, action in notes):
        return None
    about = (sample.file, sample.row, sample.target, sample.group, sample.side)
    return Sample(sample.id, texts, *about) if texts != sample.texts else sample


def _batch(samples: list[Sample], shape: Shape) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {"id": pa.array([mended(sample.id) for sample in samples], pa.string())}
    for place, name in enumerate(shape.payload):
        columns[name] = pa.array([sample.texts[place] or "" for sample in samples], pa.string())
    if shape.target is not None:
        columns["target"] = pa.array([sample.target for sample in samples], shape.target)
    if shape.group:
        columns["group"] = pa.array([mended(sample.group) for sample in samples], pa.string())
    if shape.split:
        columns["split"] = pa.array([sample.side for sample in samples], pa.string())
    digests = [text_digest(*(text or "" for text in sample.texts)) for sample in samples]
    columns["digest"] = pa.array(digests, pa.string())
    return pa.RecordBatch.from_pydict(columns)


def _exact(batch: pa.RecordBatch, shape: Shape) -> pa.RecordBatch:
    """What the fingerprint is taken of: ids, payload as it stands, and targets."""
    texts = zip(*(batch.column(name).to_pylist() for name in shape.payload), strict=True)
    columns = {"id": batch.column("id"), "digest": pa.array([_UNIT.join(text or "" for text in row) for row in texts],
                                                            pa.large_string())}  # fmt: skip
    if shape.target is not None:
        columns["target"] = pa.array([json.dumps(value) for value in batch.column("target").to_pylist()], pa.string())
    return pa.RecordBatch.from_pydict(columns)


class _Tally:
    """Counts samples, words, classes and sides."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.samples = 0
        self._words = dict.fromkeys(shape.payload, 0)
        self._longest = dict.fromkeys(shape.payload, 0)
        self._classes: Counter[str] = Counter()
        self._sides: Counter[str] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the next samples."""
        self.samples += batch.num_rows
        for name in self._shape.payload:
            counts = [count_words(text or "") for text in batch.column(name).to_pylist()]
            self._words[name] += sum(counts)
            self._longest[name] = max(self._longest[name], *counts)
        kind = self._shape.target
        if kind is not None and (pa.types.is_string(kind) or kind == pa.list_(pa.string())):
            values = batch.column("target").drop_null()
            self._classes.update((values.flatten() if pa.types.is_list(kind) else values).to_pylist())
        if self._shape.split:
            self._sides.update(side for side in batch.column("split").to_pylist() if side is not None)

    def facts(self) -> dict[str, Any]:
        """The counts as `Records.facts` shows them."""
        words: dict[str, Any] = {
            name: {"mean": round(self._words[name] / self.samples, 2), "longest": self._longest[name]}
            for name in self._shape.payload
        }
        facts: dict[str, Any] = {"samples": self.samples, "words": words if len(words) > 1 else words.popitem()[1]}
        if self._classes:
            facts.update(classes=len(self._classes), class_counts=dict(sorted(self._classes.items())))
        if self._sides:
            facts["split"] = dict(sorted(self._sides.items()))
        return facts
