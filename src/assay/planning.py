"""From prepared data to a plan: samples, network, hyper-parameters and steps, written down in `plan.json`."""

from __future__ import annotations

import dataclasses
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.devices import check_batch
from assay.errors import RunError, SettingError, did_you_mean
from assay.flow import Prepared, TrainOptions, prepare
from assay.pacing import Stopwatch, Timing, build, choose_compiling, plan_steps
from assay.progress import Progress
from assay.run import RunFolder, reading, to_json
from assay.samples.draws import key_of
from assay.samples.samples import Samples, build_samples
from assay.samples.split import TRAIN
from assay.sources.privacy import found_source, hidden_source
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions
from assay.task import NetworkKind, Settings, Situation, Spec, Task
from assay.training.buffers import keep_buffers
from assay.training.loop import Job
from assay.training.plan import Plan, apply_settings

FORMAT = 1


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
    timing: Timing
    problems: ProblemLog

    @property
    def task(self) -> Task:
        """The application."""
        return self.prepared.task

    def build(self) -> nn.Module:
        """The network with its first weights, which follow from the seed alone."""
        torch.manual_seed(int(key_of(self.plan.seed, "weights")) >> 1)
        return build(self.kind, self.spec, self.settings)

    def job(self, run: RunFolder) -> Job:
        """The training as planned, whose checkpoints, history and revisions go into the run's folder."""
        job = Job(self.task, self.spec, self.samples, self.plan)
        return in_folder(job, run, self.timing, self.options.devices)


def in_folder(job: Job, run: RunFolder, timing: Timing, devices: int) -> Job:
    """The training, whose first process writes checkpoints, history and revisions of the plan into a run's folder."""

    def keep(step: int, end: int) -> None:
        if not job.ranks.first:
            return
        written = run.read(run.plan, "timing")
        written["timing"]["revisions"].append([step, end])
        run.write(run.plan, written)

    job.folder, job.snapshot_every, job.pace = run.checkpoint, timing.snapshot_every, timing.pace(keep, devices)
    if job.ranks.first:
        job.record = run.record
    return job


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
    measured = Stopwatch(prepared.task, spec, samples, kind, budget)
    situation = Situation(spec, count, budget, options.epochs, measured)
    given = dict(options.settings)
    proposed, plan = kind.recipe(situation)
    if kind.name.endswith("/"):
        first = dataclasses.fields(settings)[0].name
        proposed = replace(proposed, **{first: getattr(settings, first)})
    settings, plan = apply_settings(proposed, replace(plan, seed=options.seed), given)
    check_batch(options.devices, plan.accumulate, min(plan.batch_size, count))
    plan = replace(plan, shards=_shards(kind, spec, settings, plan, options))
    useful = plan
    plan, timing = plan_steps(useful, settings, samples, measured, budget, options.epochs, begun)
    if choose_compiling(plan, settings, measured, timing.loop_s, options.devices, "compile" in given) != plan.compile:
        useful = replace(useful, compile=True)
        plan, timing = plan_steps(useful, settings, samples, measured, budget, options.epochs, begun)
    made = Made(
        prepared, data, options, samples, spec, kind, options.network or kind.name, settings, plan, timing, problems
    )
    run.write(run.plan, _plan_json(made, budget))
    return made


def _shards(kind: NetworkKind, spec: Spec, settings: Settings, plan: Plan, options: TrainOptions) -> bool:
    """Whether the weights are divided among the processes: where it is asked for, and where they do not fit in one."""
    if options.devices == 1:
        return False
    from assay.training.shards import is_too_large

    divided = plan.shards or is_too_large(build(kind, spec, settings), options.device, options.devices)
    if divided and plan.optimizer == "muon":
        raise SettingError("muon needs whole matrices, which shards divide", "Use --set optimizer=adamw.")
    return divided


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


def _plan_json(made: Made, budget_s: float | None) -> dict[str, Any]:
    """Everything needed to run it again."""
    data, options = to_json(made.data), to_json(made.options)
    path, address = made.prepared.source.path, made.prepared.source.address
    return {
        "format": FORMAT,
        "task": made.task.name,
        "source": address if path is None else hidden_source(path) if made.task.traits.private else str(path.resolve()),
        "fingerprint": made.prepared.records.fingerprint,
        "data": data,
        "options": {**options, "budget_s": None if options["epochs"] else budget_s},
        "seed": made.plan.seed,
        "network": {"name": made.network, "settings": to_json(made.settings)},
        "plan": to_json(made.plan),
        "timing": to_json(made.timing),
        "versions": versions(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
    }


def versions() -> dict[str, str]:
    """Of Python, Assay and the libraries on which a training depends."""
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
    plan_json = run.read(run.plan, "source", "data", "task", "fingerprint", "network", "options", "plan", "timing")
    if plan_json["source"] is None:
        raise RunError(f"{run.path} was trained on data in memory, which is gone", "Train again.")
    data, options, plan, timing = written_plan(run, plan_json)
    source = found_source(plan_json["source"])
    prepared = prepare(source, replace(data, task=plan_json["task"]), progress)
    if prepared.records.fingerprint != plan_json["fingerprint"]:
        raise RunError(f"the data in {source} has changed since the run began", "Train again into a new folder.")
    samples, spec, problems = decode(prepared, data, progress)
    with reading(run.plan):
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
        timing,
        problems,
    )


def written_plan(run: RunFolder, plan_json: dict[str, Any]) -> tuple[DataOptions, TrainOptions, Plan, Timing]:
    """What a run's `plan.json` says of data, training, hyper-parameters and timing."""
    with reading(run.plan):
        return (
            DataOptions(**plan_json["data"]),
            TrainOptions(**plan_json["options"]),
            Plan(**plan_json["plan"]),
            Timing(**plan_json["timing"]),
        )
