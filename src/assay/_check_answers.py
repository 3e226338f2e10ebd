"""Checks of what comes out: stored networks, answers, metrics, baselines, explanations, sessions."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import torch

from assay._check_subject import NotApplicable, Subject, alike, demand, pick
from assay.errors import SettingError
from assay.run import to_json
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.serving.predictor import Classical

_CLOSE = 1e-4


def check_alone(subject: Subject) -> str:
    view = subject.samples.view(TEST)
    outputs = subject.predictor.outputs(view)
    demand(len(outputs) == len(view), f"{len(outputs)} outputs for {len(view)} units")
    nothing = subject.predictor.outputs(subject.samples.view_of(view.units[:0]))
    demand(len(nothing) == 0, f"{len(nothing)} outputs for no unit")
    for place in range(min(4, len(view))):
        single = subject.predictor.outputs(subject.samples.view_of(view.units[[place]]))
        demand(alike(single[0], outputs[place], _CLOSE), f"unit {view.ids()[place]} alone is answered otherwise")
    return f"{len(view)} units"


def check_served(subject: Subject) -> str:
    predictions, _ = subject.predictor.predict(subject.task.read_inputs(subject.source, subject.spec))
    view = subject.samples.view(TEST)
    known = dict(zip(view.ids(), subject.predictor.outputs(view), strict=True))
    shared = [prediction for prediction in predictions if prediction.id in known]
    demand(bool(shared), "read_inputs gives none of the ids that read gives")
    for prediction in shared:
        expected = subject.task.answer(known[prediction.id], subject.spec)
        demand(alike(to_json(prediction.answer), to_json(expected), _CLOSE), f"{prediction.id} is answered otherwise")
    return f"{len(shared)} units answered alike from inputs and from samples"


def check_answers(subject: Subject) -> str:
    task, spec, view = subject.task, subject.spec, subject.samples.view(TEST)
    evaluation = task.evaluate(subject.predictor, view)
    outputs = [*pick(subject.predictor.outputs(view), range(min(8, len(view)))), *pick(evaluation.outputs, [0])]
    for output in outputs:
        answer = task.answer(output, spec)
        demand(dataclasses.is_dataclass(answer), f"an answer is a {type(answer).__name__}, not a dataclass")
        demand(type(answer).__dataclass_params__.frozen, f"{type(answer).__name__} is not frozen")
        json.dumps(to_json(answer), allow_nan=False)
        demand(bool(task.words(output, spec)), "an output has no words")
    demand(all(task.truth_words(truth, spec) for truth in evaluation.truths), "a truth has no words")
    drawing = task.draw(subject.samples, int(view.units[0]), spec)
    demand(bool(drawing.image or drawing.lines), "a unit is drawn as nothing")
    return task.words(outputs[0], spec)


def check_metrics(subject: Subject) -> str:
    found = subject.task.evaluate(subject.predictor, subject.samples.view(TEST))
    count = len(found)
    demand(count > 1 and len(found.outputs) == len(found.truths) == len(found.groups) == count, "lengths differ")
    demand(len(found.losses) == count, f"{len(found.losses)} losses for {count} units")
    seen = []
    for metric in subject.task.metrics(subject.spec):
        kept = metric.statistics(found.outputs, found.truths)
        demand(len(kept) == count, f"{metric.name} keeps {len(kept)} statistics for {count} units")
        value = metric.value(found.outputs, found.truths)
        demand(
            alike(metric.aggregate(kept, np.ones(count)), value, 1e-9),
            f"{metric.name} of unit weights is not its value",
        )
        twice = [*range(count), count // 2]
        weights = np.bincount(twice, minlength=count).astype(float)
        repeated = metric.value(pick(found.outputs, twice), pick(found.truths, twice))
        demand(
            alike(metric.aggregate(kept, weights), repeated, 1e-6), f"{metric.name}: weight 2 is not the unit repeated"
        )
        seen.append(f"{metric.name} {value:.4g}")
    return ", ".join(seen)


def check_baseline(subject: Subject) -> str:
    models = subject.task.baselines(subject.spec)
    demand(len(models) >= 2 and models[-1].floor, "a classical baseline and the dummy floor, last, are wanted")
    demand(not models[0].floor, "the first baseline is a floor")
    metric = subject.task.metrics(subject.spec)[0]
    train, validation, test = (subject.samples.view(side) for side in (TRAIN, VALIDATION, TEST))
    values = []
    for number, model in enumerate((models[0], models[-1])):
        note = model.fit(train, validation, 10.0, 0)
        demand(bool(note), f"{model.name} does not say how it was fitted")
        found = subject.task.evaluate(Classical(subject.task, subject.spec, model), test)
        demand(np.array_equal(found.units, test.units), f"{model.name} was scored on other units")
        folder = subject.folder / f"baseline-{number}"
        folder.mkdir()
        model.save(folder)
        loaded = subject.task.baselines(subject.spec)[0 if number == 0 else -1]
        loaded.load(folder)
        demand(alike(model.predict(test), loaded.predict(test)), f"{model.name} answers otherwise when loaded")
        values.append(metric.value(found.outputs, found.truths) * (1 if metric.higher_is_better else -1))
    demand(
        values[0] > values[1],
        f"{models[0].name} ({metric.name} {values[0]:.4g}) is no better than the floor ({values[1]:.4g})",
    )
    return f"{models[0].name}: {metric.name} {abs(values[0]):.4g}, floor {abs(values[1]):.4g}"


def check_explanation(subject: Subject) -> str:
    batch = subject.samples.batch(subject.samples.view(TEST).windows[:3])
    try:
        weights = np.asarray(subject.task.explain(subject.predictor, batch))
    except SettingError as error:
        return f"the task says that it cannot: {error.message}"
    demand(bool(np.isfinite(weights).all()), "an explanation holds what is no number")
    parts = subject.task.parts(subject.spec)
    if parts:
        _check_parts(subject, batch, weights.shape, {part.shape for part in parts.values()})
        return f"shape {weights.shape}, {len(parts)} named parts"
    shapes = [tuple(value.shape) for name, value in vars(batch).items()
              if isinstance(value, torch.Tensor) and value.dim() > 1 and not name.endswith("mask")]  # fmt: skip
    fits = {shape[:axis] + shape[axis + 1 :] for shape in shapes for axis in range(1, len(shape))} | set(shapes)
    demand(weights.ndim > 1 and weights.shape in fits, f"an explanation has shape {weights.shape}, the input {shapes}")
    return f"shape {weights.shape}"


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


def check_merge(subject: Subject) -> str:
    if not subject.task.traits.several_windows:
        raise NotApplicable("a unit is one window")
    samples, view = subject.samples, subject.samples.view(TEST)
    counts = np.bincount(samples.unit[view.windows], minlength=len(samples.side))[view.units]
    demand(int(counts.max()) > 1, "no unit of the test side has several windows")
    units = view.units[np.argsort(-counts, kind="stable")[:3]]
    outputs = subject.predictor.outputs(samples.view_of(units))
    for unit, merged in zip(units, outputs, strict=True):
        batch = samples.batch(samples.view_of(np.asarray([unit])).windows)
        by_hand = subject.task.merge(subject.predictor.respond(batch), subject.spec)
        demand(alike(by_hand, merged, _CLOSE), f"{samples.id(int(unit))} is merged from other windows than its own")
    return f"up to {counts.max()} windows a unit"


def check_streams(subject: Subject) -> str:
    task, spec, samples = subject.task, subject.spec, subject.samples
    if not task.traits.streams:
        raise NotApplicable("the task does not answer while input arrives")
    count = 0
    for unit in samples.view(TEST).units[:3]:
        whole = task.stream(samples, int(unit), spec)
        expected = _session(subject, whole, (len(whole),))
        demand(bool(expected), f"the session says nothing about {samples.id(int(unit))}")
        for sizes in ((1,), (7, 1, 30), (max(1, len(whole) // 2),)):
            given = _session(subject, whole, sizes)
            demand(alike(given, expected, _CLOSE), f"chunks of {sizes} give other answers than the whole at once")
        count += len(expected)
    return f"{count} answers"


def _session(subject: Subject, whole: Any, sizes: tuple[int, ...]) -> list[Any]:
    """All answers of a new session to a stream cut into chunks of these sizes, again and again."""
    session = subject.task.session(subject.predictor)
    answers: list[Any] = []
    start = turn = 0
    while start < len(whole):
        size = sizes[turn % len(sizes)]
        answers += session.push(whole[start : start + size])
        start, turn = start + size, turn + 1
    answers += session.close()
    return [to_json(answer) for answer in answers]
