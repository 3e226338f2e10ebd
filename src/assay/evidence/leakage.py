"""Is the test set really unseen?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evaluation.evaluation import Evaluation
from assay.evaluation.intervals import wilson
from assay.evidence.context import Context
from assay.evidence.finding import Figure, Finding, Number, Status
from assay.evidence.words import counted, number, spread, title, unit_of
from assay.samples.lookalikes import groups_of
from assay.samples.samples import Samples
from assay.samples.split import TRAIN, VALIDATION

QUESTION = "Is the test set really unseen?"
#: From this share of the test side on, a number measured on it is not to be relied on.
_MANY = 0.01
_SHOWN, _LISTED = 12, 200
_SHARE_OF_TRAINING, _SHARE_OF_QUICK, _LEAST_S = 0.04, 0.01, 1.0
_KINDS = {"exact": "an exact copy", "near": "nearly the same", "group": "of the same group"}
_SIDES = {TRAIN: "training", VALIDATION: "validation"}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Twins:
    """What each of T test units that were looked at has on the other sides.

    Attributes:
        places: (T,) their places on the test side.
        exact, near, group: (T,) the number of a training or validation unit that is an exact copy, a copy changed a
            little and no exact one, or of the same group; -1 for none.
        complete: whether copies that are no exact ones could be looked for.
    """

    places: Array
    exact: Array
    near: Array
    group: Array
    complete: bool

    @property
    def any(self) -> Array:
        """(T,) whether it has any."""
        return np.asarray((self.exact >= 0) | (self.near >= 0) | (self.group >= 0))


def find(context: Context) -> Finding:
    """Copies and groups that lie across the sides, and the metric without the test samples that they concern."""
    if not len(context.test):
        verdict = "No sample was set aside for testing."
        return Finding("leakage", QUESTION, "unknown", verdict, next="Train with a test side: --split 80/10/10.")
    twins = _look(context)
    if twins is None:
        verdict = "Copies cannot be told in data of this kind, and no groups are given."
        step = "Name the column of what belongs together (a person, a place, a recording): --group COLUMN."
        return Finding("leakage", QUESTION, "unknown", verdict, next=step)
    looked = context.test.only(twins.places)
    clean = looked.only(~twins.any)
    figures = (_gallery(context, looked, twins), _table(context, looked, twins)) if twins.any.any() else ()
    status, verdict, step = _judge(context, twins, clean)
    numbers, certainty = _numbers(context, twins, looked), _certainty(context, twins)
    return Finding("leakage", QUESTION, status, verdict, numbers, figures, step, certainty)


def _look(context: Context) -> _Twins | None:
    """The twins of as many test units as the time allows; None where nothing tells what belongs together."""
    samples, units = context.samples, context.test.units
    share = _SHARE_OF_TRAINING if context.thorough else _SHARE_OF_QUICK
    found = context.task.lookalikes(samples, units, max(_LEAST_S, share * context.fit_seconds))
    digests, groups = _codes(samples, "digest"), _codes(samples, "group")
    if found is None and digests is None and groups is None:
        return None
    places = np.arange(len(units)) if found is None else np.flatnonzero(np.isin(units, found.asked))
    asked = units[places]
    none = np.full(len(places), -1)
    exact = none if digests is None else _elsewhere(samples, digests, asked)
    if found is not None and found.ordinary is not None:
        exact = np.where(np.isin(asked, found.ordinary), -1, exact)
    near = none if found is None else _elsewhere(samples, groups_of(found.pairs, len(samples.side)), asked)
    group = none if groups is None else _elsewhere(samples, groups, asked)
    return _Twins(places, exact, np.where(exact >= 0, -1, near), group, found is not None)


def _codes(samples: Samples, column: str) -> Array | None:
    """(U,) a number for each value of a column, one of its own where it has none; None where all are missing."""
    from assay.arrow import pc

    index = samples.index
    if column not in index.column_names or index.column(column).null_count == index.num_rows:
        return None
    codes = pc.fill_null(pc.dictionary_encode(index.column(column)).combine_chunks().indices, -1).to_numpy()
    alone = codes.max() + 1 + np.arange(len(codes))
    return np.asarray(np.where(codes < 0, alone, codes), np.int64)


def _elsewhere(samples: Samples, codes: Array, asked: Array) -> Array:
    """(T,) a unit of the same code on the training side, else on the validation side; -1 for none."""
    found = np.full(len(asked), -1)
    for side in (VALIDATION, TRAIN):
        units = np.flatnonzero(samples.side == side)
        if len(units):
            values, first = np.unique(codes[units], return_index=True)
            place = np.minimum(np.searchsorted(values, codes[asked]), len(values) - 1)
            found = np.where(values[place] == codes[asked], units[first[place]], found)
    return found


def _judge(context: Context, twins: _Twins, clean: Evaluation) -> tuple[Status, str, str]:
    metric, count, concerned = context.metric, len(twins.places), int(twins.any.sum())
    learned = "in the data that it learned from"
    if not concerned:
        copy = "a copy" if twins.complete else "an exact copy"
        return "good", f"None of {counted(count, 'test sample')} has {copy} {learned}.", ""
    have = "has" if concerned == 1 else "have"
    share = f"{100 * concerned / count:.2g} %"
    verdict = f"{concerned:,} of {count:,} test samples ({share}) {have} {_what(twins)} {learned}"
    value = spread(metric, context.test.measure(metric))
    if len(clean):
        verdict += f": {title(metric)} {spread(metric, clean.measure(metric))} without them, {value} with them."
    else:
        verdict += f", so that its {title(metric)} of {value} says nothing about new samples."
    status: Status = "act" if concerned >= _MANY * count or (twins.group >= 0).any() else "watch"
    return status, verdict, _step(twins)


def _what(twins: _Twins) -> str:
    kinds = [(twins.exact, "an exact copy"), (twins.near, "a near copy"), (twins.group, "a sample of the same group")]
    return " or ".join(name for found, name in kinds if (found >= 0).any())


def _step(twins: _Twins) -> str:
    """What to do, by the worst that was found."""
    if (twins.group >= 0).any():
        return "Split by what belongs together: --split 80/10/10 with --group COLUMN."
    first = "Rely on the value without these copies. Then take one of each pair out (the page lists them)"
    return f"{first}, or let --split 80/10/10 or --group COLUMN keep them on one side."


def _numbers(context: Context, twins: _Twins, looked: Evaluation) -> dict[str, Number]:
    metric, concerned = context.metric, twins.any
    share = float(concerned.mean()) if len(concerned) else 0.0
    low, high = wilson(share, len(np.unique(looked.groups)))
    numbers = {
        "exact copies": Number(int((twins.exact >= 0).sum())),
        "near copies": Number(int((twins.near >= 0).sum())),
        "of a shared group": Number(int((twins.group >= 0).sum())),
        "share of the test side": Number(share, low, high, "%"),
        f"{title(metric)} on all": number(context.test.measure(metric), unit_of(metric)),
    }
    if concerned.any():
        for name, rows in (("without copies", ~concerned), ("on copies", concerned)):
            part = looked.only(rows)
            numbers[f"{title(metric)} {name}"] = number(part.measure(metric), unit_of(metric))
    return numbers


def _certainty(context: Context, twins: _Twins) -> str:
    looked, count = len(twins.places), len(context.test)
    how = f"{looked:,} of {count:,} test samples" if looked < count else f"All {count:,} test samples"
    seen = int(np.isin(context.samples.side, (TRAIN, VALIDATION)).sum())
    against = f"{how} were compared with all {seen:,} training and validation samples"
    if not twins.complete:
        return f"{against}, for equal content alone: copies that were changed cannot be told in data of this kind."
    return f"{against}. Copies that were changed by much, and people or places seen twice, look like new samples."


def _pairs(looked: Evaluation, twins: _Twins) -> list[tuple[int, int, str]]:
    """(test unit, other unit, kind) of all that are concerned, near copies first: they are the ones to judge by eye."""
    found: list[tuple[int, int, str]] = []
    for kind in ("near", "exact", "group"):
        others = getattr(twins, kind)
        known = {unit for unit, _, _ in found}
        found += [(int(looked.units[row]), int(others[row]), kind) for row in np.flatnonzero(others >= 0)
                  if int(looked.units[row]) not in known]  # fmt: skip
    return found


def _gallery(context: Context, looked: Evaluation, twins: _Twins) -> Figure:
    """Test samples beside their twins."""
    items = []
    for unit, other, kind in _pairs(looked, twins)[:_SHOWN]:
        own, twin = (context.task.draw(context.samples, one, context.spec) for one in (unit, other))
        name, *lines = own.lines or (context.samples.id(unit),)
        about = f"{_SIDES[int(context.samples.side[other])]}: {context.samples.id(other)}"
        shown = {"image": own.image, "beside": twin.image, "audio": own.audio, "audio_beside": twin.audio}
        items.append({**shown, "title": name, "lines": [about, _KINDS[kind], *lines]})
    text = "On the left the test sample, on the right what the network learned from."
    return Figure("gallery", "Test samples and their twins", {"items": items}, text)


def _table(context: Context, looked: Evaluation, twins: _Twins) -> Figure:
    pairs = _pairs(looked, twins)
    rows = [
        [context.samples.id(unit), context.samples.id(other), _SIDES[int(context.samples.side[other])], _KINDS[kind]]
        for unit, other, kind in pairs[:_LISTED]
    ]
    text = f"The first {_LISTED} of {len(pairs):,}." if len(pairs) > _LISTED else ""
    data = {"columns": ["test sample", "its twin", "on the side", "which is"], "rows": rows}
    return Figure("table", "Which samples", data, text)
