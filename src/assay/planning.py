"""From prepared data to a plan: samples, network, hyper-parameters and steps, written down in `plan.json`."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Mapping
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
from assay.versions import versions
from assay.work import Subject

FORMAT = 1
_FROM_FILES = (
    "Save the data to a file, such as images and labels with numpy.savez, a table with to_parquet, and train on that."
)
#: Decoded samples, what a sample is, and what was wrong with them.
Held = tuple[Samples, Spec, ProblemLog]


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

    @property
    def subject(self) -> Subject:
        """What the small trainings beside this one are about."""
        return Subject(self.task, self.spec, self.samples, self.kind, self.settings, self.plan)

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
    held = decode(prepared, data, progress, decoded)
    progress.stage("Planning")
    made = planned(prepared, data, options, held)
    write_plan(made, run)
    return made


def planned(
    prepared: Prepared,
    data: DataOptions,
    options: TrainOptions,
    held: Held,
    changed: Callable[[Settings, Plan], tuple[Settings, Plan]] = lambda settings, plan: (settings, plan),
) -> Made:
    """Network, hyper-parameters and number of steps, by the network's recipe; `changed` has the last word on them."""
    begun = time.perf_counter()
    samples, spec, problems = held
    budget = budget_of(options, prepared.task)
    kind, settings, plan, measured = proposed(prepared.task, held, options, budget)
    settings, plan = changed(settings, plan)
    check_batch(options.devices, plan.accumulate, min(plan.batch_size, len(samples.view(TRAIN).windows)))
    useful = replace(plan, shards=_shards(kind, spec, settings, plan, options))
    plan, timing = plan_steps(useful, settings, samples, measured, budget, options.epochs, begun)
    forced = "compile" in options.settings
    if choose_compiling(plan, settings, measured, timing.loop_s, options.devices, forced) != plan.compile:
        useful = replace(useful, compile=True)
        plan, timing = plan_steps(useful, settings, samples, measured, budget, options.epochs, begun)
    name = options.network or kind.name
    return Made(prepared, data, options, samples, spec, kind, name, settings, plan, timing, problems)


def proposed(
    task: Task, held: Held, options: TrainOptions, budget: float | None
) -> tuple[NetworkKind, Settings, Plan, Stopwatch]:
    """The network asked for, what its recipe proposes with what the user set by hand, and what measures its steps."""
    samples, spec, _ = held
    kind, settings = pick_network(task, spec, options.network)
    measured = Stopwatch(task, spec, samples, kind, budget)
    proposal, plan = kind.recipe(Situation(spec, len(samples.view(TRAIN).windows), budget, options.epochs, measured))
    if kind.name.endswith("/"):
        first = dataclasses.fields(settings)[0].name
        proposal = replace(proposal, **{first: getattr(settings, first)})
    settings, plan = apply_settings(proposal, replace(plan, seed=options.seed), dict(options.settings))
    return kind, settings, plan, measured


def budget_of(options: TrainOptions, task: Task) -> float | None:
    """Seconds for fitting; None where passes are given instead."""
    return options.budget_s if options.budget_s or options.epochs else task.traits.default_budget_s


def _shards(kind: NetworkKind, spec: Spec, settings: Settings, plan: Plan, options: TrainOptions) -> bool:
    """Whether the weights are divided among the processes: where it is asked for, and where they do not fit in one."""
    if options.devices == 1:
        return False
    from assay.training.shards import is_too_large

    divided = plan.shards or is_too_large(build(kind, spec, settings), options.device, options.devices)
    if divided and plan.optimizer == "muon":
        raise SettingError("muon needs whole matrices, which shards divide", "Use --set optimizer=adamw.")
    return divided


def decode(prepared: Prepared, data: DataOptions, progress: Progress, folder: Path | None = None) -> Held:
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


def write_plan(made: Made, run: RunFolder) -> None:
    """Write `plan.json`."""
    run.write(run.plan, _plan_json(made, budget_of(made.options, made.task)))


def named_source(prepared: Prepared) -> str | None:
    """How a run names its source; None where that was in memory."""
    path, address = prepared.source.path, prepared.source.address
    if path is not None and prepared.task.traits.private:
        return hidden_source(path)
    return address if path is None or address is not None else str(path.resolve())


def _plan_json(made: Made, budget_s: float | None) -> dict[str, Any]:
    """Everything needed to run it again."""
    data, options = to_json(made.data), to_json(made.options)
    return {
        "format": FORMAT,
        "task": made.task.name,
        "source": named_source(made.prepared),
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


def reopen(run: RunFolder, progress: Progress) -> Made:
    """What `choose` planned, read back from `plan.json`; raises `RunError` where the data has changed."""
    keep_buffers()
    plan_json = run.read(run.plan, "source", "data", "task", "fingerprint", "network", "options", "plan", "timing")
    data, _, _, _ = written_plan(run, plan_json)
    prepared = prepare_again(run, plan_json, data, progress)
    return remade(run, prepared, decode(prepared, data, progress))


def prepare_again(run: RunFolder, written: Mapping[str, Any], data: DataOptions, progress: Progress) -> Prepared:
    """The data of a run that was begun, by the task, source and fingerprint that were written down.

    Raises:
        RunError: the data has changed, or was in memory.
    """
    if written["source"] is None:
        raise RunError(f"{run.path} was made from data in memory, which is gone", _FROM_FILES)
    source = found_source(written["source"])
    prepared = prepare(source, replace(data, task=written["task"]), progress)
    if prepared.records.fingerprint != written["fingerprint"]:
        raise RunError(f"the data in {source} has changed since the run began", "Train again into a new folder.")
    return prepared


def samples_again(run: RunFolder, task: Task, spec: Spec, progress: Progress) -> Samples:
    """The samples of a run that is complete, in the form that its network learned from; raises as `prepare_again`."""
    plan_json = run.read(run.plan, "source", "data", "task", "fingerprint")
    with reading(run.plan):
        data = DataOptions(**plan_json["data"])
    prepared = prepare_again(run, plan_json, data, progress)
    return build_samples(task, prepared.records, spec, prepared.split.side, progress=progress)


def remade(run: RunFolder, prepared: Prepared, held: Held) -> Made:
    """What was planned for a run, read back from its `plan.json`, on samples that are at hand."""
    plan_json = run.read(run.plan, "data", "network", "options", "plan", "timing")
    data, options, plan, timing = written_plan(run, plan_json)
    samples, spec, problems = held
    with reading(run.plan):
        name = plan_json["network"]["name"]
        kind, _ = pick_network(prepared.task, spec, name)
        settings = kind.settings(**plan_json["network"]["settings"])
    return Made(prepared, data, options, samples, spec, kind, name, settings, plan, timing, problems)


def written_plan(run: RunFolder, plan_json: dict[str, Any]) -> tuple[DataOptions, TrainOptions, Plan, Timing]:
    """What a run's `plan.json` says of data, training, hyper-parameters and timing."""
    with reading(run.plan):
        return (
            DataOptions(**plan_json["data"]),
            TrainOptions(**plan_json["options"]),
            Plan(**plan_json["plan"]),
            Timing(**plan_json["timing"]),
        )
