"""From prepared data to a finished run: each step leaves a file behind, and is skipped where that file is there."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evaluation.evaluation import Evaluation
from assay.evidence.context import Context, FittedBaseline
from assay.evidence.side import Side
from assay.evidence.tuned import Tuned
from assay.fitting_baselines import fit_baselines, fit_seconds, folder_bytes, last_known
from assay.logs import logged
from assay.memory import watched
from assay.planning import Made
from assay.progress import Progress
from assay.run import RunFolder, writing
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.serving.likeness import write_facts
from assay.serving.likeness_learning import LikenessLearner
from assay.serving.predictor import Predictor
from assay.stopping import Stop
from assay.training.collecting import Collector
from assay.training.loop import fit
from assay.work import Mapper
from assay.workforce import ThisMachine, Workforce

if TYPE_CHECKING:
    from torch import nn

    from assay.training.loop import Job
    from assay.training.state import Position

#: Training units that are evaluated at least and at most, and the share of the training's time (and the least seconds)
#: that this may take where the test side takes less.
_LEAST_EVALUATED, _MOST_EVALUATED = 200, 5000
_EVALUATED_SHARE, _EVALUATED_LEAST_S = 0.1, 5.0


def finish(
    made: Made,
    run: RunFolder,
    progress: Progress,
    stop: threading.Event,
    tuned: Callable[[Evaluation, int], Tuned] | None = None,
    force: Workforce | None = None,
) -> RunFolder:
    """Fit, compare, find out and tell, each unless it is done already.

    Args:
        made: the training as planned.
        run: its folder.
        progress: is told how far it is.
        stop: see `train`.
        tuned: of a search's best trial: makes what the search left behind out of the answers on the test side and the
            number of steps.
        force: who does the work; this machine by default.
    """
    force = force or ThisMachine()
    mapper = force.mapper(made)
    with logged(made, run, progress) as log:
        predictor = fitted(made, run, progress, stop, log, force)
        baseline = floor = None
        if made.options.evidence != "none":
            baseline, floor = fit_baselines(made, run, progress, mapper)
        _conclude(made, run, predictor, baseline, floor, progress, tuned, mapper)
        run.finish()
    return run


def fitted(
    made: Made,
    run: RunFolder,
    progress: Progress,
    stop: threading.Event,
    log: Callable[[Mapping[str, Any]], None] = lambda line: None,
    force: Workforce | None = None,
) -> Predictor:
    """The trained network with its confidence scaled, from `model/` where it is there already."""
    from assay.stored_network import read_network, write_network

    collect = _collector(made, run)
    if (run.model / "model.json").exists():
        if collect is not None:
            collect.restore(None)
        _, _, network, facts = read_network(run.model, made.task)
        return Predictor(made.task, made.spec, network, temperature=facts["temperature"], settled=facts["settled"],
                         likeness=facts["likeness"])  # fmt: skip
    progress.stage(f"Training {made.network}", made.plan.steps)
    begun = time.perf_counter()
    network = made.build()
    if made.kind.prepare is not None and not (run.checkpoint / "state.safetensors").exists():
        made.kind.prepare(network, made.samples, made.plan)
    run.forget_after(_checkpoint_step(run))
    job = made.job(run)
    record = job.record

    def told(line: dict[str, Any]) -> None:
        record(line)
        log(line)

    job.record = told
    job.spent, job.stop, job.progress, job.collect = time.perf_counter() - begun, stop, progress, collect
    with writing(run.checkpoint), stop.awaited() if isinstance(stop, Stop) else nullcontext():
        position, memory_bytes = _fit(network, made, run, job, log, force or ThisMachine())
    begun = time.perf_counter()
    if made.kind.conclude is not None:
        progress.stage("Concluding the training")
        made.kind.conclude(network, made.samples, made.plan)
    seconds = position.seconds + time.perf_counter() - begun
    run.record({"step": position.step, "fit_seconds": seconds, "fit_memory_bytes": memory_bytes})
    portable = made.kind.portable(made.settings)
    predictor = Predictor(made.task, made.spec, network)
    predictor.temperature = _temperature(predictor, made)
    progress.stage("Settling what the validation side teaches")
    predictor.settled = made.task.settled(predictor, made.samples)
    learned = (network, predictor.temperature, predictor.settled)
    with writing(run.model):
        write_network(run.model, made.task, made.spec, made.network, portable, *learned)
    return predictor


def _fit(
    network: nn.Module, made: Made, run: RunFolder, job: Job, log: Callable[[Mapping[str, Any]], None], force: Workforce
) -> tuple[Position, int | None]:
    """Train in this process or in several others; gives where that ended, and the bytes that it took."""
    if force.trains_elsewhere(made.options):
        from assay.devices import fit_on_devices

        known = len(run.history())
        found = fit_on_devices(network, made, run, job, force.launcher)
        for line in run.history()[known:]:  # written by another process
            log(line)
        if job.collect is not None:
            job.collect.restore(None)
        return found
    from assay.cluster.copies import checkpoints_sent

    job.written = checkpoints_sent(run.path, job.ranks)
    with watched() as memory:
        state = fit(network, job)
    return state.position, memory.most


def _temperature(predictor: Predictor, made: Made) -> float:
    """At which its probabilities suit the validation side best; 1 for answers without probabilities."""
    from assay.evaluation.calibration import fit_temperature

    view = made.samples.view(VALIDATION)
    if not len(view) or made.task.in_loop(made.spec):
        return 1.0
    first = predictor.outputs(view.sample(1))
    try:
        made.task.sharpened(first, 2.0, made.spec)
    except SettingError:
        return 1.0
    if made.task.probabilities(first, made.spec) is None:
        return 1.0
    probabilities = np.asarray(made.task.probabilities(predictor.outputs(view), made.spec))
    return fit_temperature(probabilities, np.asarray(view.truths(), np.int64), view.groups())


def _checkpoint_step(run: RunFolder) -> int:
    from assay.training.state import Snapshot

    saved = Snapshot.read(run.checkpoint)
    return int(saved.facts["position"]["step"]) if saved else 0


def _collector(made: Made, run: RunFolder) -> Collector | None:
    """What asks a closed-loop task for new samples after an epoch; None for other tasks."""
    if not made.task.in_loop(made.spec):
        return None
    return Collector(made.task, made.spec, made.samples, run.checkpoint / "collected", made.plan.seed)


def _conclude(
    made: Made,
    run: RunFolder,
    predictor: Predictor,
    baseline: FittedBaseline | None,
    floor: FittedBaseline | None,
    progress: Progress,
    tuned: Callable[[Evaluation, int], Tuned] | None,
    mapper: Mapper,
) -> None:
    """Evaluate, find, and write samples, evidence, page and summary."""
    from assay.conclusion import write_conclusion

    progress.stage("Evaluating")
    samples, task = made.samples, made.task
    sides, no_likeness = _evaluated(made, run, predictor)
    context = Context(
        task,
        made.spec,
        samples,
        predictor,
        made.network,
        made.settings,
        made.plan,
        run.history(),
        fit_seconds(run),
        sides["test"],
        sides["validation"],
        sides["train"],
        baseline,
        floor,
        "" if baseline else _why_no_baseline(made),
        folder_bytes(run.model, deep=False),
        _peak_memory(),
        _side(made, run, progress, mapper),
        made.options.evidence == "full",
        last_known(run, "fit_memory_bytes"),
        made.kind.features(made.settings),
        tuned(sides["test"], _steps_taken(made, run)) if tuned and made.options.evidence != "none" else None,
        no_likeness,
    )
    write_conclusion(context, made, run, progress)


def _evaluated(made: Made, run: RunFolder, predictor: Predictor) -> tuple[dict[str, Evaluation], str]:
    """The answers on each side, from which it is learned, too, what is unlike the training data; or why it is not."""
    samples, task = made.samples, made.task
    learner = LikenessLearner(predictor, samples)
    sides = {"test": task.evaluate(predictor, samples.view(TEST))}
    judged = samples.view(VALIDATION)
    with learner.noting(judged, VALIDATION):
        sides["validation"] = task.evaluate(predictor, judged)
    least = len(sides["test"]) if task.in_loop(made.spec) else _LEAST_EVALUATED  # rollouts are few and slow
    count = train_units_to_evaluate(sides["test"], sides["validation"], fit_seconds(run), least)
    learned = replace(predictor, options={**predictor.options, **task.traits.of_learned})
    known = samples.view(TRAIN).sample(count)
    with learner.noting(known, TRAIN):
        sides["train"] = task.evaluate(learned, known)
    predictor.likeness = learner.learned()
    with writing(run.model):
        if predictor.likeness is not None:
            predictor.likeness.write(run.model)
        write_facts(run.model, predictor.likeness, learner.why)
    return sides, learner.why


def train_units_to_evaluate(
    test: Evaluation, validation: Evaluation, fit_s: float, least: int = _LEAST_EVALUATED
) -> int:
    """How many training units to evaluate: where answers are slow, as many as take about as long as the test side.

    Answers that are quick enough for all of them within a small share of the training's time are asked for all.

    Args:
        test: what the test side took; where it is empty the validation side is looked at.
        validation: what the validation side took.
        fit_s: seconds that training took.
        least: so many at least.
    """
    side = test if len(test) else validation
    if not len(side):
        return _MOST_EVALUATED
    allowed = max(side.seconds, _EVALUATED_SHARE * fit_s, _EVALUATED_LEAST_S)
    each = max(side.seconds / len(side), 1e-9)
    return int(np.clip(allowed / each, max(1, least), _MOST_EVALUATED))


def _why_no_baseline(made: Made) -> str:
    if made.options.evidence == "none":
        return "--evidence none was asked for"
    return made.task.why_no_baseline(made.spec) or f"no classical model is known for {made.task.name}"


def _side(made: Made, run: RunFolder, progress: Progress, mapper: Mapper) -> Side | None:
    """The side trainings that full evidence asks for; None where there are none."""
    if made.options.evidence != "full":
        return None
    plan = replace(made.plan, steps=_steps_taken(made, run), compile=False)  # too short for compiling
    return Side(
        made.task,
        made.spec,
        made.samples,
        made.kind,
        made.settings,
        plan,
        run.checkpoint / "side",
        lambda name: progress.say(f"Side training {name}"),
        mapper,
    )


def _steps_taken(made: Made, run: RunFolder) -> int:
    """The steps that the training took in the end."""
    return int(next((line["step"] for line in reversed(run.history()) if "fit_seconds" in line), made.plan.steps))


def _peak_memory() -> int:
    """The largest resident memory of this process, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if platform.system() == "Darwin" else peak * 1024)
