"""Checks of what comes out: stored networks, answers, metrics, baselines, explanations, sessions."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import torch

from assay._check_subject import NotApplicable, Subject, alike, demand, pick
from assay.run import to_json
from assay.samples.draws import Draws
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


def check_confidence(subject: Subject) -> str:
    found = subject.task.evaluate(subject.predictor, subject.samples.view(TEST))
    told = subject.task.confidences(found.outputs, found.truths, subject.spec)
    if told is None:
        raise NotApplicable("outputs do not say how good they are, or are classes or numbers")
    for name, values in zip(("confidence", "goodness"), told, strict=True):
        demand(np.shape(values) == (len(found),), f"a {name} of shape {np.shape(values)} for {len(found)} units")
        demand(bool(((np.asarray(values) >= 0) & (np.asarray(values) <= 1)).all()), f"a {name} is not from 0 to 1")
    return f"mean confidence {np.mean(told[0]):.3g}, mean goodness {np.mean(told[1]):.3g}"


def check_corruptions(subject: Subject) -> str:
    found = subject.task.corruptions(subject.spec)
    if not found:
        raise NotApplicable("the task knows no ways in which inputs get worse")
    windows = subject.samples.view(TEST).windows[:6]
    for name, corruption in found.items():
        if corruption.change is None:
            continue
        changed = 0
        for strength in (1, 5):
            first, again = (
                corruption.change(subject.samples.batch(windows), strength, Draws(3, strength, windows))
                for _ in range(2)
            )
            demand(type(first) is subject.task.batch_type, f"{name} gives a {type(first).__name__}")
            demand(alike(vars(first), vars(again)), f"{name} at strength {strength} changes inputs by chance")
            demand(np.array_equal(first.index, windows), f"{name} numbers the windows anew")
            outputs = subject.predictor.respond(first)
            demand(len(outputs) == len(windows), f"{name} leaves {len(outputs)} windows of {len(windows)}")
            changed += not alike(_inputs(first), _inputs(subject.samples.batch(windows)))
        demand(changed > 0, f"{name} changes nothing, even at strength 5")
    return ", ".join(found)


def _inputs(batch: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}


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
        one = [subject.task.merge(subject.predictor.respond(batch), subject.spec)]
        by_hand = subject.task.decided(one, subject.predictor.settled, subject.spec)[0]
        demand(alike(by_hand, merged, _CLOSE), f"{samples.id(int(unit))} is merged from other windows than its own")
        if len(batch.index) > 1:
            place = subject.task.deciding(subject.predictor.respond(batch), subject.spec)
            demand(place in range(len(batch.index)), f"window {place} of {len(batch.index)} decides")
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
