"""Checks of explanations: their shape, what they leave out, the names of their parts, and what masking does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from assay._check_subject import NotApplicable, Subject, alike, demand
from assay.errors import SettingError
from assay.samples.split import TEST

_CLOSE = 1e-4
#: How far the weights of an input may differ alone and beside longer ones, as a share of the largest.
_LIKE = 1e-2

Array = np.ndarray[Any, Any]


def check_explanation(subject: Subject) -> str:
    windows = subject.samples.view(TEST).windows[:3]
    batch = subject.samples.batch(windows)
    try:
        weights = np.asarray(subject.task.explain(subject.predictor, batch))
    except SettingError as error:
        return f"the task says that it cannot: {error.message}"
    demand(not np.isinf(weights).any(), "an explanation holds what is not finite")
    if subject.task.traits.variable_length and weights.ndim == 2:
        return _check_ragged(subject, batch, weights, windows)
    if subject.task.traits.variable_length and weights.ndim == 3:
        return _check_grids(subject, batch, weights, windows)
    demand(bool(np.isfinite(weights).all()), "an explanation holds what is no number")
    parts = subject.task.parts(subject.spec)
    if parts:
        _check_parts(subject, batch, weights.shape, {part.shape for part in parts.values()})
        return f"shape {weights.shape}, {len(parts)} named parts"
    shapes = _shapes(batch)
    fits = {shape[:axis] + shape[axis + 1 :] for shape in shapes for axis in range(1, len(shape))} | set(shapes)
    demand(weights.ndim > 1 and weights.shape in fits, f"an explanation has shape {weights.shape}, the input {shapes}")
    return f"shape {weights.shape}"


def check_things(subject: Subject) -> str:
    """Labelled things lie where an explanation has weights, one name each, and are found where answers say so."""
    task, spec = subject.task, subject.spec
    things = task.things(spec)
    if things is None:
        raise NotApplicable("labels are of whole inputs")
    batch = subject.samples.batch(subject.samples.view(TEST).windows[:3])
    places, names = things.places(batch), things.names(batch)
    weights = np.asarray(task.explain(subject.predictor, batch))
    demand(places.shape == weights.shape, f"things have the shape {places.shape}, an explanation {weights.shape}")
    most = places.reshape(len(places), -1).max(axis=1)
    fits = all(0 <= last <= len(each) for last, each in zip(most, names, strict=True))
    demand(fits, "a place belongs to a thing that has no name")
    demand(len(things.sizes(batch)) == len(names), "not every input has a size")
    kept = task.masked(batch, torch.from_numpy(places > 0), spec)
    for asked in (batch, kept):
        found = things.found(batch, subject.predictor.respond(asked))
        demand([len(hits) for hits in found] == [len(each) for each in names], "not every thing is found or missed")
    return f"{sum(map(len, names))} things in {len(names)} inputs"


def _shapes(batch: Any) -> list[tuple[int, ...]]:
    return [
        tuple(value.shape)
        for name, value in vars(batch).items()
        if isinstance(value, torch.Tensor) and value.dim() > 1 and not name.endswith("mask")
    ]


def _check_grids(subject: Subject, batch: Any, weights: Array, windows: Array) -> str:
    """Cells (B, R, S) over inputs of different lengths: NaN behind an input's own, the same alone, named one by one."""
    task, spec = subject.task, subject.spec
    there = ~np.isnan(weights)
    own = there.any(axis=1).sum(axis=1)
    behind = np.arange(weights.shape[2]) < own[:, None, None]
    demand(np.array_equal(there, np.broadcast_to(behind, there.shape)), "an explanation has gaps")
    demand(bool((own > 0).all()), "an explanation weighs no part of an input")
    kept = subject.predictor.respond(task.masked(batch, torch.ones(weights.shape, dtype=torch.bool), spec))
    demand(alike(kept, subject.predictor.respond(batch), _CLOSE), "keeping every part changes the answers")
    nothing = task.masked(batch, torch.from_numpy(~there), spec)
    other = task.masked(nothing, torch.from_numpy(~there), spec)
    same = alike(subject.predictor.respond(nothing), subject.predictor.respond(other), _CLOSE)
    demand(same, "hiding everything leaves something to hide")
    for row, window in enumerate(windows.tolist()):
        alone = np.asarray(task.explain(subject.predictor, subject.samples.batch(windows[[row]])))[0]
        beside = weights[row, :, : own[row]]
        same = alone.shape == beside.shape and bool(
            np.abs(alone - beside).max() <= _LIKE * np.abs(alone).max() + _CLOSE
        )
        demand(same, f"window {window} is explained otherwise alone than beside others")
        names = task.part_names(subject.samples, window, spec)
        demand(names is None or len(names) == alone.size, f"{len(names or ())} names for {alone.size} parts")
    return f"{weights.shape[1]} by {own.min()} to {own.max()} parts"


def _check_ragged(subject: Subject, batch: Any, weights: Array, windows: Array) -> str:
    """Weights are as long as a ragged field, NaN where that is padded, the same alone, and named one by one."""
    masks = [value.numpy() for name, value in vars(batch).items()
             if name.endswith("mask") and value is not None and tuple(value.shape) == weights.shape]  # fmt: skip
    demand(bool(masks), f"an explanation has shape {weights.shape}, the input {_shapes(batch)}")
    there = ~np.isnan(weights)
    fitting = [mask for mask in masks if not (there & ~mask).any()]
    demand(bool(fitting), "an explanation weighs padding; it should be NaN there")
    demand(bool(there.any(axis=1).all()), "an explanation weighs no part of an input")
    mask, task, spec = fitting[0], subject.task, subject.spec
    kept = subject.predictor.respond(task.masked(batch, torch.ones(weights.shape, dtype=torch.bool), spec))
    demand(alike(kept, subject.predictor.respond(batch), _CLOSE), "keeping every part changes the answers")
    task.masked(batch, torch.from_numpy(~there), spec)
    for row, window in enumerate(windows.tolist()):
        size = int(mask[row].sum())
        alone = np.asarray(task.explain(subject.predictor, subject.samples.batch(windows[[row]])))[0, :size]
        off = np.abs(np.nan_to_num(alone) - np.nan_to_num(weights[row, :size])).max(initial=0.0)
        most = np.abs(np.nan_to_num(alone)).max(initial=0.0)
        same = np.array_equal(np.isnan(alone), ~there[row, :size]) and off <= _LIKE * most + _CLOSE
        demand(same, f"window {window} is explained otherwise alone than beside others")
        names = task.part_names(subject.samples, window, spec)
        demand(names is None or len(names) == size, f"{len(names or ())} names for {size} parts of window {window}")
    return f"{there.sum(axis=1).min()} to {there.sum(axis=1).max()} parts"


def _check_parts(subject: Subject, batch: Any, found: tuple[int, ...], shapes: set[tuple[int, ...]]) -> None:
    """Weights are shaped as the parts; where all is kept, masking changes nothing, and where nothing is, all alike."""
    demand(shapes == {found[1:]}, f"an explanation has shape {found}, the parts {shapes}")
    task, spec = subject.task, subject.spec
    for kept in (torch.ones(found, dtype=torch.bool), torch.ones(found[1:], dtype=torch.bool)):
        outputs = subject.predictor.respond(task.masked(batch, kept, spec))
        demand(alike(outputs, subject.predictor.respond(batch), _CLOSE), "keeping every part changes the answers")
        nothing = subject.predictor.respond(task.masked(batch, ~kept, spec))
        same = all(alike(nothing[0], other, _CLOSE) for other in nothing)
        demand(same, "inputs of which nothing is kept are answered differently")
