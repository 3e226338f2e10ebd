"""Checks of what comes in: recognition, split, encoding, corrupt sources."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from assay._check_subject import CheckFailed, Subject, demand
from assay.arrow import pa
from assay.errors import AssayError
from assay.flow import prepare
from assay.progress import Progress
from assay.samples.draws import order
from assay.samples.near_duplicates import find_near_duplicates
from assay.samples.samples import build_samples
from assay.samples.split import TRAIN, split
from assay.sources.records import ProblemLog
from assay.sources.source import open_source
from assay.task import Batch


def check_recognised(subject: Subject) -> str:
    found = subject.task.recognise(subject.source)
    if found is None:
        raise CheckFailed("recognise gives None for its own data")
    demand(0 < found.score <= 1, f"the score is {found.score}, not above 0 and at most 1")
    demand(bool(found.why.strip()), "no reason is given")
    return f"{found.score:g}: {found.why}"


def check_split(subject: Subject) -> str:
    index, options = subject.prepared.records.index(), subject.options
    first = subject.prepared.split
    again = prepare(subject.source, options, task=subject.task).split
    demand(np.array_equal(first.side, again.side), "the same data is split another way the second time")
    places = order(np.arange(index.num_rows), "check")
    pairs = None if first.by != "content" else _copies(subject)
    moved = None if pairs is None else np.argsort(places)[pairs]
    shuffled = split(index.take(pa.array(places)), options.split, options.split_seed, copies=moved)
    demand(np.array_equal(first.side[places], shuffled.side), "the order of the rows moves samples between the sides")
    demand(len(set(index.column("id").to_pylist())) == index.num_rows, "two rows have the same id")
    if first.by != "given":
        for name in {"group", "digest"} & set(index.column_names):
            sides: dict[Any, int] = {}
            for value, side in zip(index.column(name).to_pylist(), first.side.tolist(), strict=True):
                if value is not None:
                    demand(sides.setdefault(value, side) == side, f"{name} {value!r} lies on two sides")
    demand(all(first.counts().values()), f"a side is empty: {first.counts()}")
    return f"by {first.by}: {first.counts()}"


def _copies(subject: Subject) -> np.ndarray[Any, Any] | None:
    """(P, 2) rows that are copies of one another, as the flow finds them before the split."""
    records = subject.prepared.records
    found = find_near_duplicates(subject.task, records, records.index(), ProblemLog(), Progress())
    return None if found is None else found.pairs


def check_encode(subject: Subject) -> str:
    task, records = subject.task, subject.prepared.records
    whole = next(iter(records.batches())).slice(0, 64)
    encoded = task.encode(whole, records, subject.spec, ProblemLog())
    rows = np.asarray(encoded.row)
    own = {item.name for item in dataclasses.fields(task.batch_type)} - {
        item.name for item in dataclasses.fields(Batch)
    }
    demand(set(encoded.fields) <= own, f"{task.batch_type.__name__} lacks {sorted(set(encoded.fields) - own)}")
    for name, values in encoded.fields.items():
        demand(len(values) == len(rows), f"field {name!r} has {len(values)} values for {len(rows)} windows")
    demand(bool((np.diff(rows) >= 0).all()), "the rows of the windows do not ascend")
    demand(bool(((rows >= 0) & (rows < whole.num_rows)).all()), "a window comes from a row that there is not")
    if not task.traits.several_windows:
        demand(bool((np.diff(rows) > 0).all()), "a row gives several windows, but the traits do not say so")
    batch = subject.samples.batch(subject.samples.view(TRAIN).windows[:4])
    demand(type(batch) is task.batch_type, f"the batch is a {type(batch).__name__}")
    if task.traits.variable_length:
        masks = [getattr(batch, name) for name in vars(batch) if name.endswith("mask")]
        demand(any(mask is not None for mask in masks), "the traits say variable_length, but no field is ragged")
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in vars(batch).items() if value is not None)


def check_corrupt(subject: Subject) -> str:
    demand(bool(subject.corrupt), "no corrupt source was given")
    seen = [_broken(subject, source, number) for number, source in enumerate(subject.corrupt)]
    for source in subject.corrupt:
        try:
            subject.predictor.predict(subject.task.read_inputs(open_source(source), subject.spec))
        except AssayError as error:
            seen.append(f"as input: {error}")
    return "; ".join(seen)


def _broken(subject: Subject, source: Any, number: int) -> str:
    """What reading a corrupt source says; fails where it says nothing."""
    log = ProblemLog()
    try:
        made = prepare(source, subject.options, task=subject.task)
        log.extend(made.problems)
        spec = subject.task.fit_spec(made.records, made.split.side == TRAIN, subject.options)
        folder = subject.folder / f"corrupt-{number}"
        build_samples(subject.task, made.records, spec, made.split.side, log, folder)
    except AssayError as error:
        demand(bool(error.message), f"corrupt source {number} gives an error without words")
        return f"{type(error).__name__}: {error.message}"
    demand(bool(log.problems()), f"corrupt source {number} is taken as if nothing were wrong")
    return ", ".join(f"{problem.count} {problem.kind} {problem.action}" for problem in log.problems())
