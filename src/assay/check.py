"""The acceptance test of an application: what the rest of Assay relies on, checked on real data of the task.

    from assay.check import check_task

    def test_bird_songs(songs):
        results = check_task(BirdSongs(), songs, corrupt=[empty_folder])
        bad = [result for result in results if not result.ok]
        assert not bad, bad

Each check is a small function in `CHECKS`, in the order in which data flows. A task that cannot fulfil one passes its
name and the reason in `exceptions`; a check that is excepted and yet passes fails, since its reason is stale.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from assay._check_subject import CheckFailed, NotApplicable, Subject, Trained, alike, demand, pick
from assay.errors import AssayError, SettingError
from assay.flow import prepare
from assay.model import read_network, write_network
from assay.run import to_json
from assay.samples.draws import Draws, order
from assay.samples.samples import Samples, build_samples
from assay.samples.split import TEST, TRAIN, VALIDATION, split
from assay.serving.predictor import Classical, Predictor
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, open_source
from assay.task import Batch, Task
from assay.training.loop import Interrupted

_OVERFIT_STEPS = 200
_CLOSE = 1e-4


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    Attributes:
        name: the check's.
        outcome: `excepted` is a failure that the caller gave a reason for; `inapplicable` one that the traits rule out.
        detail: what was found, or what is wrong, or the reason.
    """

    name: str
    outcome: Literal["passed", "failed", "excepted", "inapplicable"]
    detail: str

    @property
    def ok(self) -> bool:
        """Whether nothing needs mending."""
        return self.outcome != "failed"


def check_task(
    task: Task,
    source: Any,
    options: DataOptions | None = None,
    *,
    corrupt: Any = None,
    network: str | None = None,
    exceptions: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """Run every check on an application; takes seconds to a minute.

    Args:
        task: the application.
        source: a path or data in memory that the task takes; some hundred units are enough, a few dozen the least.
        options: how the data is read and split.
        corrupt: a broken source, or a list of them.
        network: the network to train; None for the task's first.
        exceptions: the reason, by the name of each check that this task cannot pass.

    Returns:
        One result a check, in the order of `CHECKS`. Nothing is raised for what a check finds.

    Raises:
        SettingError: an exception names a check that there is not.
    """
    reasons = exceptions or {}
    unknown = reasons.keys() - CHECKS.keys()
    if unknown:
        raise SettingError(f"there is no check {sorted(unknown)[0]!r}", f"Known: {', '.join(CHECKS)}.")
    broken = tuple(corrupt) if isinstance(corrupt, list | tuple) else () if corrupt is None else (corrupt,)
    with tempfile.TemporaryDirectory(prefix="assay-check-", ignore_cleanup_errors=True) as folder:
        subject = Subject(task, open_source(source), options or DataOptions(), broken, network, Path(folder))
        return [_run(name, check, subject, reasons.get(name)) for name, check in CHECKS.items()]


def _run(name: str, check: Callable[[Subject], str], subject: Subject, reason: str | None) -> CheckResult:
    try:
        detail = check(subject)
    except NotApplicable as why:
        return CheckResult(name, "inapplicable", str(why))
    except CheckFailed as failure:
        wrong = str(failure)
    except Exception as error:  # whatever a third party's task raises is a finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    else:
        if reason is None:
            return CheckResult(name, "passed", detail)
        return CheckResult(name, "failed", f"it passes ({detail}), so the exception is stale: {reason}")
    return (
        CheckResult(name, "failed", wrong) if reason is None else CheckResult(name, "excepted", f"{reason} [{wrong}]")
    )


# Data ----------------------------------------------------------------------------------------------------------------


def _recognised(subject: Subject) -> str:
    found = subject.task.recognise(subject.source)
    if found is None:
        raise CheckFailed("recognise gives None for its own data")
    demand(0 < found.score <= 1, f"the score is {found.score}, not above 0 and at most 1")
    demand(bool(found.why.strip()), "no reason is given")
    return f"{found.score:g}: {found.why}"


def _split(subject: Subject) -> str:
    index, options = subject.prepared.records.index(), subject.options
    first = subject.prepared.split
    again = split(index, options.split, options.split_seed)
    demand(np.array_equal(first.side, again.side), "the same data is split another way the second time")
    places = order(np.arange(index.num_rows), "check")
    shuffled = split(index.take(pa.array(places)), options.split, options.split_seed)
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


def _encode(subject: Subject) -> str:
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


def _corrupt(subject: Subject) -> str:
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


# Training ------------------------------------------------------------------------------------------------------------


def _randomness(subject: Subject) -> str:
    plan = replace(subject.chosen[2], mixup=0.0, cutmix=0.0)
    windows = subject.samples.view(TRAIN).windows[:6]
    together = _augmented(subject, windows, plan)
    backwards = _augmented(subject, windows[::-1], plan)
    for place, window in enumerate(windows):
        alone = _augmented(subject, np.asarray([window]), plan)
        for name, value in alone.items():
            for other, row in ((together, place), (backwards, len(windows) - 1 - place)):
                size = tuple(slice(0, length) for length in value.shape[1:])  # padding depends on the batch
                same = torch.allclose(value[0].double(), other[name][row][size].double(), rtol=1e-5, atol=1e-4)
                demand(same, f"augmenting window {window} gives another {name!r} alone than in a batch")
    return f"{len(windows)} windows, alone, together and backwards"


def _augmented(subject: Subject, windows: Any, plan: Any) -> dict[str, torch.Tensor]:
    batch = subject.samples.batch(np.ascontiguousarray(windows))
    changed = subject.task.augment(batch, Draws(plan.seed, 3, windows), plan, subject.spec)
    return {name: value for name, value in vars(changed).items() if isinstance(value, torch.Tensor)}


def _overfit(subject: Subject) -> str:
    samples = subject.samples
    units = samples.view(TRAIN).sample(8).units
    side = np.full(len(samples.side), -1, np.int8)
    side[units] = TRAIN
    few = samples.with_side(side)
    size = min(64, len(few.view(TRAIN).windows))
    plan = replace(subject.chosen[2], steps=_OVERFIT_STEPS, batch_size=size, checks=1, averaging=0.0, early_stopping=0)
    plan = replace(plan, augment={}, label_smoothing=0.0, mixup=0.0, cutmix=0.0, l1=0.0, weight_decay=0.0, keep="last")
    losses = subject.train(plan, None, samples=few).losses
    first, last = losses[0], float(np.mean(losses[-5:]))
    demand(last < 0.25 * first, f"the loss of eight units fell from {first:.4g} to {last:.4g} only")
    return f"from {first:.4g} to {last:.4g} in {_OVERFIT_STEPS} steps"


def _seed(subject: Subject) -> str:
    plan = subject.short_plan
    first, again = subject.trained, subject.train(plan, subject.folder / "again")
    other = subject.train(replace(plan, seed=plan.seed + 1), subject.folder / "other")
    demand(first.losses == again.losses, f"the same seed gives other losses: {first.losses} and {again.losses}")
    demand(first.losses != other.losses, "another seed gives the same losses")
    return f"{len(first.losses)} losses"


def _saved(subject: Subject) -> str:
    task, spec, folder = subject.task, subject.spec, subject.folder / "model"
    kind, settings, _ = subject.chosen
    name = subject.network or kind.name
    write_network(folder, task, spec, name, kind.portable(settings), subject.trained.network)
    _, read_spec, network, _ = read_network(folder, task)
    demand(to_json(read_spec.to_json()) == to_json(spec.to_json()), "the spec that is read is not the one written")
    view = subject.samples.view(TEST)
    before, after = subject.predictor.outputs(view), Predictor(task, read_spec, network).outputs(view)
    demand(alike(before, after), "the loaded network answers otherwise than the saved one")
    return f"{len(view)} outputs"


def _resumed(subject: Subject) -> str:
    plan, folder = subject.short_plan, subject.folder / "resumed"
    whole = subject.trained
    step = plan.steps // 2 + 2
    resumed = _interrupted(subject, folder, step)
    for part in ("average", "best"):
        kept = [getattr(trained.state, part) or {} for trained in (whole, resumed)]
        _demand_same(kept[0], kept[1], f"{part} weights")
    _demand_same(whole.network.state_dict(), resumed.network.state_dict(), "weights")
    demand(whole.losses[-2:] == resumed.losses[-2:], "the losses after the interruption differ")
    return f"stopped after {step} of {plan.steps} steps"


def _interrupted(subject: Subject, folder: Path, step: int) -> Trained:
    """A training that was stopped after a step and resumed."""
    try:
        subject.train(subject.short_plan, folder, stop_after=step)
    except Interrupted:
        return subject.train(subject.short_plan, folder)
    raise CheckFailed("the training cannot be stopped")


def _demand_same(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], what: str) -> None:
    demand(first.keys() == second.keys(), f"other {what} are there after an interruption")
    for name, value in first.items():
        demand(torch.equal(value, second[name]), f"{what} of {name} differ after an interruption")


def _closed_loop(subject: Subject) -> str:
    if not subject.task.traits.closed_loop:
        raise NotApplicable("the task is not closed-loop")
    whole = subject.trained.samples
    demand(whole.appended > 0, "collect brought up no sample in three epochs")
    added = len(whole.side) - len(subject.samples.side)
    demand(bool((whole.side[-added:] == TRAIN).all()), "collected samples are not on the training side")
    resumed = _interrupted(subject, subject.folder / "closed-loop", subject.short_plan.steps - 1).samples
    demand(whole.index.equals(resumed.index), "a resumed training sees other collected samples")
    _demand_same(_tensors(whole, added), _tensors(resumed, added), "collected samples")
    return f"{added} samples in {whole.appended} collections"


def _tensors(samples: Samples, last: int) -> dict[str, torch.Tensor]:
    units = np.arange(len(samples.side) - last, len(samples.side))
    batch = samples.batch(samples.view_of(units).windows)
    return {name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}


# Answers -------------------------------------------------------------------------------------------------------------


def _alone(subject: Subject) -> str:
    view = subject.samples.view(TEST)
    outputs = subject.predictor.outputs(view)
    demand(len(outputs) == len(view), f"{len(outputs)} outputs for {len(view)} units")
    for place in range(min(4, len(view))):
        single = subject.predictor.outputs(subject.samples.view_of(view.units[[place]]))
        demand(alike(single[0], outputs[place], _CLOSE), f"unit {view.ids()[place]} alone is answered otherwise")
    return f"{len(view)} units"


def _served(subject: Subject) -> str:
    predictions, _ = subject.predictor.predict(subject.task.read_inputs(subject.source, subject.spec))
    view = subject.samples.view(TEST)
    known = dict(zip(view.ids(), subject.predictor.outputs(view), strict=True))
    shared = [prediction for prediction in predictions if prediction.id in known]
    demand(bool(shared), "read_inputs gives none of the ids that read gives")
    for prediction in shared:
        expected = subject.task.answer(known[prediction.id], subject.spec)
        demand(alike(to_json(prediction.answer), to_json(expected), _CLOSE), f"{prediction.id} is answered otherwise")
    return f"{len(shared)} units answered alike from inputs and from samples"


def _answers(subject: Subject) -> str:
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


def _metrics(subject: Subject) -> str:
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


def _baseline(subject: Subject) -> str:
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


def _explanation(subject: Subject) -> str:
    batch = subject.samples.batch(subject.samples.view(TEST).windows[:3])
    try:
        weights = np.asarray(subject.task.explain(subject.predictor, batch))
    except SettingError as error:
        return f"the task says that it cannot: {error.message}"
    shapes = [tuple(value.shape) for name, value in vars(batch).items()
              if isinstance(value, torch.Tensor) and value.dim() > 1 and not name.endswith("mask")]  # fmt: skip
    fits = {shape[:axis] + shape[axis + 1 :] for shape in shapes for axis in range(1, len(shape))} | set(shapes)
    demand(weights.ndim > 1 and weights.shape in fits, f"an explanation has shape {weights.shape}, the input {shapes}")
    demand(bool(np.isfinite(weights).all()), "an explanation holds what is no number")
    return f"shape {weights.shape}"


def _merge(subject: Subject) -> str:
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


def _streams(subject: Subject) -> str:
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


#: Every check by its name, in the order in which data flows.
CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "recognised": _recognised,
    "split": _split,
    "encode": _encode,
    "randomness": _randomness,
    "overfit": _overfit,
    "seed": _seed,
    "resumed": _resumed,
    "closed_loop": _closed_loop,
    "saved": _saved,
    "alone": _alone,
    "served": _served,
    "merge": _merge,
    "streams": _streams,
    "answers": _answers,
    "metrics": _metrics,
    "baseline": _baseline,
    "explanation": _explanation,
    "corrupt": _corrupt,
}
