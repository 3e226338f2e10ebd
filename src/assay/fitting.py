"""From prepared data to a finished run: each step leaves a file behind, and is skipped where that file is there."""

from __future__ import annotations

import dataclasses
import platform
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.errors import RunError, SettingError, did_you_mean
from assay.evidence.context import Context, FittedBaseline
from assay.flow import Prepared, Stop, TrainOptions, prepare
from assay.progress import Progress
from assay.run import RunFolder, to_json, writing
from assay.samples.draws import key_of
from assay.samples.samples import Samples, TrainStream, build_samples
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.serving.predictor import Classical, Predictor
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions
from assay.task import NetworkKind, Settings, Situation, Spec, Task
from assay.training.collecting import Collector
from assay.training.buffers import keep_buffers
from assay.training.loop import Job, fit, train_step
from assay.training.optimisers import build_optimizer
from assay.training.plan import Plan, apply_settings
from assay.training.state import State

FORMAT = 1
#: The share of a budget that planned steps fill; the rest is for what cannot be foreseen.
_FILL = 0.95
_MOST_TRAIN_EVALUATED = 5000


@dataclass(frozen=True)
class Made:
    """All that a training needs, planned."""

    prepared: Prepared
    data: DataOptions
    options: TrainOptions
    samples: Samples
    spec: Spec
    kind: NetworkKind
    network: str
    settings: Settings
    plan: Plan
    snapshot_every: int
    problems: ProblemLog

    @property
    def task(self) -> Task:
        """The application."""
        return self.prepared.task

    def build(self) -> nn.Module:
        """The network with its first weights, which follow from the seed alone."""
        torch.manual_seed(int(key_of(self.plan.seed, "weights")) >> 1)
        return build(self.kind, self.spec, self.settings)


def build(kind: NetworkKind, spec: Spec, settings: Settings) -> nn.Module:
    """A network; raises `SettingError` where PyTorch can make none of these settings."""
    try:
        return kind.build(spec, settings)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise SettingError(
            f"no network can be built with {settings} ({error})", "Change what --set asks for."
        ) from error


def choose(
    prepared: Prepared,
    data: DataOptions,
    options: TrainOptions,
    run: RunFolder,
    progress: Progress,
    decoded: Path | None = None,
) -> Made:
    """Decode the samples, choose network, hyper-parameters and number of steps, and write `plan.json`.

    Args:
        prepared: the data and its split.
        data: how it was asked to be read.
        options: how it was asked to be trained.
        run: where the plan goes.
        progress: is told how far it is.
        decoded: where the decoded samples go; None for the shared cache.
    """
    keep_buffers()
    samples, spec, problems = decode(prepared, data, progress, decoded)
    kind, settings = pick_network(prepared.task, spec, options.network)
    progress.stage("Planning")
    begun = time.perf_counter()
    count = len(samples.view(TRAIN).windows)
    budget = options.budget_s if options.budget_s or options.epochs else prepared.task.traits.default_budget_s
    measured = _Stopwatch(prepared.task, spec, samples, kind)
    situation = Situation(spec, count, budget, options.epochs, measured)
    given = dict(options.settings)
    proposed, plan = kind.recipe(situation)
    if kind.name.endswith("/"):
        first = dataclasses.fields(settings)[0].name
        proposed = replace(proposed, **{first: getattr(settings, first)})
    settings, plan = apply_settings(proposed, replace(plan, seed=options.seed), given)
    plan, every = _plan_steps(plan, settings, samples, measured, budget, options.epochs, time.perf_counter() - begun)
    made = Made(
        prepared, data, options, samples, spec, kind, options.network or kind.name, settings, plan, every, problems
    )
    run.write(run.plan, _plan_json(made, budget))
    return made


def decode(
    prepared: Prepared, data: DataOptions, progress: Progress, folder: Path | None = None
) -> tuple[Samples, Spec, ProblemLog]:
    """The spec, learned from the training rows, and the samples in that form; see `choose`."""
    progress.stage("Decoding the samples", prepared.split.side.size)
    log = ProblemLog()
    log.extend(prepared.problems)
    spec = prepared.task.fit_spec(prepared.records, prepared.split.side == TRAIN, data)
    samples = build_samples(prepared.task, prepared.records, spec, prepared.split.side, log, folder, progress)
    return samples, spec, log


def pick_network(task: Task, spec: Spec, name: str | None) -> tuple[NetworkKind, Settings]:
    """The network of that name (the task's first where None) with its default settings; raises `SettingError`."""
    kinds = task.networks(spec)
    if name is None:
        return kinds[0], kinds[0].settings()
    for kind in kinds:
        if kind.name == name:
            return kind, kind.settings()
        if kind.name.endswith("/") and name.startswith(kind.name):
            return kind, kind.settings(name.removeprefix(kind.name))
    raise SettingError(f"{task.name} has no network {name!r}", did_you_mean(name, [kind.name for kind in kinds]))


class _Stopwatch:
    """Measures training steps of fresh networks; see `Situation.seconds_per_sample`."""

    def __init__(self, task: Task, spec: Spec, samples: Samples, kind: NetworkKind) -> None:
        self._task, self._spec, self._samples, self._kind = task, spec, samples, kind
        self._known: dict[str, float] = {}

    def __call__(self, settings: Settings, plan: Plan) -> float:
        key = repr((settings, replace(plan, steps=0)))
        if key not in self._known:
            self._known[key] = self._measure(settings, plan)
        return self._known[key]

    def _measure(self, settings: Settings, plan: Plan) -> float:
        with torch.random.fork_rng(devices=[]):
            network = build(self._kind, self._spec, settings)
            job = Job(self._task, self._spec, self._samples, replace(plan, steps=1000, warmup=1.0))
            state = State(network, build_optimizer(network, job.plan))
            stream = TrainStream(self._samples.view(TRAIN), plan.batch_size, plan.seed)
            network.train()
            taken: list[float] = []
            while len(taken) < 3 or (sum(taken) < 0.5 and len(taken) < 30):
                begun = time.perf_counter()
                train_step(state, job, stream)
                taken.append(time.perf_counter() - begun)
                state.position.step += 1
        settled = sorted(taken[1:])
        return settled[len(settled) // 2] / stream.batch_size


def _plan_steps(
    plan: Plan,
    settings: Settings,
    samples: Samples,
    measured: _Stopwatch,
    budget_s: float | None,
    epochs: float | None,
    spent_s: float,
) -> tuple[Plan, int]:
    """The plan with its number of steps, and how many steps lie between snapshots (some ten seconds)."""
    stream = TrainStream(samples.view(TRAIN), plan.batch_size, plan.seed)
    most = plan.steps or None
    if epochs is not None:
        steps = max(1, round(epochs * stream.steps_per_epoch))
        return replace(plan, steps=steps, checks=min(plan.checks, steps)), max(1, min(steps, 50))
    each = measured(settings, plan)
    step_s = each * stream.batch_size
    looked_at = min(5000, len(samples.view(VALIDATION)))
    check_s = each / 2.5 * (looked_at + min(2000, max(100, looked_at)))
    left = max(0.0, (budget_s or 0.0) * _FILL - spent_s)
    checks = max(1, min(plan.checks, int(0.1 * left / max(check_s, 1e-9))))
    steps = max(1, int((left - checks * check_s) / step_s))
    steps = min(steps, most) if most else steps
    return replace(plan, steps=steps, checks=min(checks, steps)), max(1, min(steps, int(10 / step_s)))


def _plan_json(made: Made, budget_s: float | None) -> dict[str, Any]:
    """Everything needed to run it again."""
    data, options = to_json(made.data), to_json(made.options)
    path = made.prepared.source.path
    return {
        "format": FORMAT,
        "task": made.task.name,
        "source": str(path.resolve()) if path else None,
        "fingerprint": made.prepared.records.fingerprint,
        "data": data,
        "options": {**options, "budget_s": None if options["epochs"] else budget_s},
        "seed": made.plan.seed,
        "network": {"name": made.network, "settings": to_json(made.settings)},
        "plan": to_json(made.plan),
        "snapshot_every": made.snapshot_every,
        "versions": _versions(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("assay", "torch", "numpy", "scikit-learn", "lightgbm", "timm", "pillow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def reopen(run: RunFolder, progress: Progress) -> Made:
    """What `choose` planned, read back from `plan.json`; raises `RunError` where the data has changed."""
    keep_buffers()
    plan_json = run.read(
        run.plan, "source", "data", "task", "fingerprint", "network", "options", "plan", "snapshot_every"
    )
    if plan_json["source"] is None:
        raise RunError(f"{run.path} was trained on data in memory, which is gone", "Train again.")
    data, options, plan = _written(run, plan_json)
    prepared = prepare(plan_json["source"], replace(data, task=plan_json["task"]), progress)
    if prepared.records.fingerprint != plan_json["fingerprint"]:
        raise RunError(
            f"the data in {plan_json['source']} has changed since the run began", "Train again into a new folder."
        )
    samples, spec, problems = decode(prepared, data, progress)
    kind, _ = pick_network(prepared.task, spec, plan_json["network"]["name"])
    settings = kind.settings(**plan_json["network"]["settings"])
    return Made(
        prepared,
        data,
        options,
        samples,
        spec,
        kind,
        plan_json["network"]["name"],
        settings,
        plan,
        plan_json["snapshot_every"],
        problems,
    )


def _written(run: RunFolder, plan_json: dict[str, Any]) -> tuple[DataOptions, TrainOptions, Plan]:
    try:
        return DataOptions(**plan_json["data"]), TrainOptions(**plan_json["options"]), Plan(**plan_json["plan"])
    except TypeError as error:
        raise RunError(f"{run.plan} is damaged ({error})", "Restore it from a copy, or train again.") from error


def finish(made: Made, run: RunFolder, progress: Progress, stop: threading.Event) -> RunFolder:
    """Fit, compare, find out and tell, each unless it is done already."""
    network = fitted(made, run, progress, stop)
    predictor = Predictor(made.task, made.spec, network)
    baseline = floor = None
    if made.options.evidence != "none":
        baseline, floor = _baselines(made, run, progress)
    _conclude(made, run, predictor, baseline, floor, progress)
    run.finish()
    return run


def fitted(made: Made, run: RunFolder, progress: Progress, stop: threading.Event) -> nn.Module:
    """The trained network, from `model/` where it is there already."""
    from assay.model import read_network, write_network

    collect = _collector(made, run)
    if (run.model / "model.json").exists():
        if collect is not None:
            collect.restore(None)
        return read_network(run.model, made.task)[2]
    progress.stage(f"Training {made.network}", made.plan.steps)
    network = made.build()
    if made.kind.prepare is not None and not (run.checkpoint / "state.safetensors").exists():
        made.kind.prepare(network, made.samples, made.plan)
    run.forget_after(_checkpoint_step(run))
    job = Job(
        made.task, made.spec, made.samples, made.plan, run.checkpoint, run.record, made.snapshot_every, stop, progress
    )
    job.collect = collect
    with writing(run.checkpoint), stop.awaited() if isinstance(stop, Stop) else nullcontext():
        state = fit(network, job)
    run.record({"step": state.position.step, "fit_seconds": state.position.seconds})
    portable = made.kind.portable(made.settings)
    with writing(run.model):
        write_network(run.model, made.task, made.spec, made.network, portable, network)
    return network


def _checkpoint_step(run: RunFolder) -> int:
    from assay.training.state import Snapshot

    saved = Snapshot.read(run.checkpoint)
    return int(saved.facts["position"]["step"]) if saved else 0


def _collector(made: Made, run: RunFolder) -> Collector | None:
    """What asks a closed-loop task for new samples after an epoch; None for other tasks."""
    if not made.task.traits.closed_loop:
        return None
    return Collector(made.task, made.spec, made.samples, run.path / "collected", made.plan.seed)


def _baselines(made: Made, run: RunFolder, progress: Progress) -> tuple[FittedBaseline | None, FittedBaseline | None]:
    """The classical model and the dummy floor, fitted (or read back) and asked about the test side."""
    fit_s = fit_seconds(run)
    budget = fit_s * (0.6 if made.options.evidence == "full" else 0.06)
    found: dict[bool, FittedBaseline] = {}
    for model in made.task.baselines(made.spec):
        if model.floor in found:
            continue
        progress.stage(f"Classical baseline: {model.name}" if not model.floor else "The floor: guessing")
        folder = run.model / ("floor" if model.floor else "baseline")
        note_file = folder / "fit.json"
        if note_file.exists():
            model.load(folder)
            facts = run.read(note_file)
        else:
            begun = time.perf_counter()
            note = model.fit(made.samples.view(TRAIN), made.samples.view(VALIDATION), budget, made.plan.seed)
            facts = {"note": note, "seconds": time.perf_counter() - begun, "name": model.name}
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                model.save(folder)
            run.write(note_file, facts)
        test = made.task.evaluate(Classical(made.task, made.spec, model), made.samples.view(TEST))
        found[model.floor] = FittedBaseline(model, test, facts["seconds"], facts["note"], folder_bytes(folder))
    return found.get(False), found.get(True)


def _conclude(
    made: Made,
    run: RunFolder,
    predictor: Predictor,
    baseline: FittedBaseline | None,
    floor: FittedBaseline | None,
    progress: Progress,
) -> None:
    """Evaluate, find, and write samples, evidence, page and summary."""
    from assay.conclusion import write_conclusion

    progress.stage("Evaluating")
    samples, task = made.samples, made.task
    sides = {
        "test": task.evaluate(predictor, samples.view(TEST)),
        "validation": task.evaluate(predictor, samples.view(VALIDATION)),
        "train": task.evaluate(predictor, samples.view(TRAIN).sample(_MOST_TRAIN_EVALUATED)),
    }
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
        "" if baseline else "--evidence none was asked for",
        folder_bytes(run.model, deep=False),
        _peak_memory(),
    )
    write_conclusion(context, made, run, progress)


def fit_seconds(run: RunFolder) -> float:
    """What fitting took, from the history."""
    return float(next((line["fit_seconds"] for line in reversed(run.history()) if "fit_seconds" in line), 0.0))


def folder_bytes(folder: Path, deep: bool = True) -> int:
    """The bytes of a folder's files."""
    files = folder.rglob("*") if deep else folder.glob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _peak_memory() -> int:
    """The largest resident memory of this process, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if platform.system() == "Darwin" else peak * 1024)
