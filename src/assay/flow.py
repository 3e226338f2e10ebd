"""The stages in their order: source, records, samples, network, fit, evidence, report.

prepare   what is here: the task, the records, the split
train     all of it, into a run folder; every step that is done is on disk, so that `resume` goes on behind it
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.arrow import need_arrow
from assay.errors import DataError, SettingError, did_you_mean
from assay.progress import Progress
from assay.registry import load_task, load_tasks
from assay.run import RunFolder, owned, to_json
from assay.samples.near_duplicates import find_near_duplicates
from assay.samples.split import Split, check_sides, parse_shares, split
from assay.sources.records import Problem, ProblemLog, Records
from assay.sources.shards import read_shards
from assay.sources.source import DataOptions, Recognition, Source, open_source

if TYPE_CHECKING:
    from assay.task import Task
    from assay.workforce import Workforce


@dataclass(frozen=True)
class TrainOptions:
    """How the user asks for the training, by the options of `assay train`.

    Attributes:
        budget_s: seconds of fitting; None for the task's default, or where `epochs` is given.
        epochs: passes over the training samples, instead of a budget.
        network: the network's name; None for the task's default.
        settings: hyper-parameters as text, by name.
        seed: of weights, order and augmentation; never of the split.
        evidence: `full`, `quick` or `none`.
        device: `auto`, `cpu` or `cuda`: where the network is trained.
        devices: how many processes train it together, one a GPU.
        log: where the history goes besides, `tensorboard:FOLDER` or `mlflow:URI`; None for nowhere.
        cluster: the address of a Ray cluster, or `local`; None for this machine.
    """

    budget_s: float | None = None
    epochs: float | None = None
    network: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    evidence: str = "full"
    device: str = "auto"
    devices: int = 1
    log: str | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class Prepared:
    """What a source holds and how it will be split."""

    source: Source
    task: Task
    recognition: Recognition
    candidates: tuple[tuple[str, Recognition], ...]
    records: Records
    split: Split
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """What `assay inspect --json` prints."""
        candidates = [{"task": name, "score": found.score, "why": found.why} for name, found in self.candidates]
        return {
            "format": 1,
            "task": self.task.name,
            "why": self.recognition.why,
            "candidates": candidates,
            "counts": to_json(self.records.facts),
            "problems": [to_json(problem) for problem in self.problems],
            "split": {**self.split.counts(), "by": self.split.by},
        }


def prepare(source: Any, options: DataOptions, progress: Progress | None = None, task: Task | None = None) -> Prepared:
    """Recognise, read and split a source; raises `DataError` or `SettingError`.

    Args:
        source: a path, or data in memory.
        options: how it is to be read and split.
        progress: is told how far it is.
        task: an application that need not be registered; None to go by `options.task` and the data.
    """
    need_arrow("reading data to learn from")
    opened = open_source(source)
    if progress is not None:
        progress.stage("Reading the data")
    task, recognition, candidates = _asked(task, opened) if task else recognise(opened, options.task)
    _check_options(task, options)
    records = read(task, opened, options)
    log = ProblemLog()
    log.extend(records.problems)
    index = records.index()
    if not index.num_rows:
        raise DataError(
            "no usable sample was found", "assay inspect lists what was skipped and why.", file=opened.label
        )
    asked = None if records.sides_cut else options.split
    options = dataclasses.replace(options, split=asked)
    task.check(index, _fewer_sides(index, options))
    copies = None
    if not _split_given(index, options) and not _grouped(index):
        copies = find_near_duplicates(task, records, index, log, progress or Progress())
    if copies is not None:
        records = dataclasses.replace(records, facts={**records.facts, "near_duplicate_groups": copies.groups})
    pairs = None if copies is None else copies.pairs
    sides = split(index, options.split, options.split_seed, log, pairs, records.sides_cut)
    check_sides(sides, index, options.split, pairs, records.sides_cut)
    return Prepared(opened, task, recognition, candidates, records, sides, log.problems())


def read(task: Task, source: Source, options: DataOptions, spec: Any = None) -> Records:
    """The labelled samples of a source, be it the application's own data or shards of it.

    Args:
        task: the application.
        source: the data.
        options: how it is to be read.
        spec: of a trained network that is to be judged by them; else None.

    Raises:
        SettingError: the shards hold samples of another application.
        MissingExtraError: Arrow is not installed.
    """
    need_arrow("reading data with its labels")
    if source.shards is None:
        return task.read(source, options) if spec is None else task.read_like(source, options, spec)
    if source.shards.index.task != task.name:
        raise SettingError(
            f"these shards hold samples of {source.shards.index.task}, not of {task.name}",
            "Write shards of them with assay data shard SOURCE TARGET --task " + task.name,
        )
    return read_shards(source.shards, options)


def _asked(task: Task, source: Source) -> tuple[Task, Recognition, tuple[tuple[str, Recognition], ...]]:
    known = task.recognise(source) if source.shards is None else source.shards.recognition
    found = known or Recognition(0.0, "asked for by --task")
    return task, found, ((task.name, found),)


def _check_options(task: Task, options: DataOptions) -> None:
    known = task.traits.options
    for name in options.extra:
        if name not in known:
            shown = name.replace("_", "-")
            raise SettingError(f"{task.name} has no option --{shown}", did_you_mean(name, known).replace("_", "-"))


def recognise(source: Source, asked: str | None) -> tuple[Task, Recognition, tuple[tuple[str, Recognition], ...]]:
    """The task that a source's data is for; a tie is a `SettingError` that suggests `--task`."""
    if asked is not None:
        return _asked(load_task(asked), source)
    if source.shards is not None:
        return _asked(load_task(source.shards.index.task), source)
    fits = [(task, found) for task in load_tasks() if (found := task.recognise(source)) is not None and found.score > 0]
    fits.sort(key=lambda pair: -pair[1].score)
    if not fits:
        if source.has_files and not source.store.names:
            raise DataError("there is no file in it", "Give the folder that holds the data.", file=source.label)
        hint = "assay tasks lists the data that each one takes; --task NAME tells what that one cannot read."
        raise DataError("no application recognises this data", hint, file=source.label)
    if len(fits) > 1 and fits[0][1].score - fits[1][1].score < 1e-9:
        names = " or ".join(task.name for task, found in fits if found.score == fits[0][1].score)
        raise SettingError(f"{source.label} could be data for {names}", f"Say which: --task {fits[0][0].name}.")
    return fits[0][0], fits[0][1], tuple((task.name, found) for task, found in fits)


def _split_given(index: Any, options: DataOptions) -> bool:
    """Whether the data itself says which sample is on which side, and is not overruled."""
    given = "split" in index.column_names and index.column("split").null_count < index.num_rows
    return given and parse_shares(options.split) is None


def _grouped(index: Any) -> bool:
    """Whether the data says what belongs together."""
    return "group" in index.column_names and index.column("group").null_count < index.num_rows


def _fewer_sides(index: Any, options: DataOptions) -> bool:
    """Whether the split comes with the data, or has fewer than three sides."""
    shares = parse_shares(options.split)
    return _split_given(index, options) or (shares is not None and min(shares) == 0)


def train(
    source: Any,
    data: DataOptions,
    options: TrainOptions,
    out: Path | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> RunFolder:
    """Train on a source into a new run folder, by default the next free one in `runs/`.

    Raises:
        AssayError: data, settings or folder cannot be used.
        Interrupted: `stop` was set; `resume` finishes the run.
    """
    from assay.logs import check_log
    from assay.workforce import workforce

    if options.evidence not in ("full", "quick", "none"):
        raise SettingError(
            f"--evidence {options.evidence} is not possible", did_you_mean(options.evidence, ("full", "quick", "none"))
        )
    check_log(options.log)
    progress = progress or Progress()
    source = open_source(source)
    options = dataclasses.replace(options, network=_anywhere(options.network))
    with workforce(options.cluster) as force:
        return _train(source, data, options, out, progress, stop or threading.Event(), force)


def _train(
    source: Source,
    data: DataOptions,
    options: TrainOptions,
    out: Path | None,
    progress: Progress,
    stop: threading.Event,
    force: Workforce,
) -> RunFolder:
    """See `train`, whose options were looked at."""
    from assay.devices import check_devices
    from assay.fitting import finish
    from assay.planning import choose

    check_devices(options.device, options.devices, force.launcher)
    run = RunFolder.create(out or next_run_folder(source, data.task))
    try:
        with owned(run.checkpoint, make=True):
            data = dataclasses.replace(data, network=options.network)
            prepared = prepare(source, data, progress)
            made = choose(prepared, data, options, run, progress)
            finish(made, run, progress, stop, force=force)
    except BaseException:
        run.drop_if_empty()
        raise
    run.finish()
    return run


def next_run_folder(source: Any, asked: str | None = None) -> Path:
    """The next free folder in `runs/`, named after the source, or after the task where that is private.

    Raises:
        AssayError: no task takes the source, or several do.
    """
    opened = open_source(source)
    task = recognise(opened, asked)[0]
    return RunFolder.next_name(Path("runs"), task.name if task.traits.private else opened.stem)


def _anywhere(network: str | None) -> str | None:
    """A network's name whose argument is a local folder, with its whole path: `resume` may run elsewhere."""
    kind, slash, argument = (network or "").partition("/")
    return f"{kind}/{Path(argument).resolve()}" if slash and Path(argument).is_dir() else network


def resume(
    path: Path, progress: Progress | None = None, stop: threading.Event | None = None, cluster: str | None = None
) -> RunFolder:
    """Finish a run that was stopped, from its last checkpoint; a complete run is left as it is.

    Args:
        path: the run.
        progress: is told how far it is.
        stop: see `train`.
        cluster: another one than the run was begun with.
    """
    from assay.fitting import finish
    from assay.planning import reopen
    from assay.workforce import workforce

    if (path / "tuning" / "tuning.json").exists():
        from assay.tuning.flow import resume as resume_tuning
        from assay.tuning.options import need_optuna

        need_optuna()
        return resume_tuning(path, progress or Progress(), stop or threading.Event(), cluster=cluster)
    run = RunFolder.open(path)
    if run.summary.exists():
        return run
    progress = progress or Progress()
    made = reopen(run, progress)
    with owned(run.checkpoint, make=True), workforce(cluster or made.options.cluster) as force:
        finish(made, run, progress, stop or threading.Event(), force=force)
    run.finish()
    return run


def parse_duration(text: str) -> float:
    """Seconds out of `90`, `90s`, `5m`, `1.5h`; raises `SettingError`."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    unit = units.get(text[-1:].lower())
    try:
        value = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        value = math.nan
    if not value > 0 or math.isinf(value):
        raise SettingError(f"{text!r} is not a time", "Write it as 90s, 5m or 1h.")
    return value
