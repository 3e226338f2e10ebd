"""From a source to a tuned run: search, train the best trial and the defaults in full, keep the better, find out.

Each step leaves a file behind, and is skipped where that file is there, so that a search that was killed goes on:

    RUN/tuning/tuning.json    what is searched, where, and for how long
    RUN/tuning/journal.jsonl  the trials, unless --storage keeps them elsewhere
    RUN/tuning/chosen.json    which trial is the best, and how long the trainings in full are
    RUN/tuning/found/         the training in full of the best trial, a run without page
    RUN/tuning/brief/         a training of the best trial that is as long as the trial was
    RUN/tuning/defaults/      that of the network as proposed, with the same time as the first
    RUN/tuning/kept.json      which is better on the validation side; its files move into RUN
    RUN/plan.json, model/, …  from there on it is a run like any other
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.cluster.copies import sent
from assay.errors import RunError
from assay.fitting import finish
from assay.flow import next_run_folder, prepare
from assay.planning import decode, named_source, prepare_again, remade
from assay.progress import Progress
from assay.run import RunFolder, owned, reading, to_json, writing
from assay.sources.privacy import privacy_key, pseudonym
from assay.sources.source import DataOptions, Source, open_source
from assay.training.buffers import keep_buffers
from assay.tuning.facts import tuned_facts
from assay.tuning.finals import become_run, choose, other, train_finally
from assay.tuning.folder import Asked, Folder
from assay.tuning.options import TuneOptions
from assay.tuning.plan import SearchPlan, make_plan
from assay.tuning.search import Origin, Search, open_study
from assay.tuning.storage import open_storage
from assay.versions import versions
from assay.workforce import Workforce, workforce

FORMAT = 1


def tune(
    source: Any,
    data: DataOptions,
    options: TuneOptions,
    out: Path | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> RunFolder:
    """Search hyper-parameters for a source within a time, and make the best a run.

    A folder in which the same search was stopped is gone on with.

    Raises:
        AssayError: data, settings, storage or folder cannot be used, or all trials fail.
        Interrupted: `stop` was set; `resume` goes on.
    """
    options.check()
    progress, stop = progress or Progress(), stop or threading.Event()
    opened = open_source(source)
    data = replace(data, network=options.networks[0] if options.networks else None)
    folder = Folder(RunFolder(out or run_folder(opened, data, options)))
    if folder.request.exists():
        _check_same(folder, opened, data, options)
        return resume(folder.run.path, progress, stop, options.storage, options.cluster)
    RunFolder.create(folder.run.path)
    try:
        with writing(folder.path):
            folder.path.mkdir(exist_ok=True)
        with owned(folder.path), workforce(options.cluster) as force:
            if options.storage is not None:
                open_storage(options.storage, folder.journal)  # one out of reach is told before anything is read
            asked = _begin(folder, opened, data, options, progress)
            return _go_on(folder, asked, progress, stop, force)
    except BaseException:
        _drop_if_unused(folder)
        raise


def resume(
    path: Path,
    progress: Progress,
    stop: threading.Event,
    storage: str | None = None,
    cluster: str | None = None,
) -> RunFolder:
    """Go on with a search that was stopped.

    Args:
        path: the run's folder.
        progress: is told how far it is.
        stop: see `tune`.
        storage: its address where that was not written down.
        cluster: another one than the search was begun with.
    """
    folder = Folder(RunFolder(path))
    if folder.run.summary.exists():
        return folder.run
    with owned(folder.path):
        asked = _reopened(folder, progress, storage)
        with workforce(cluster or asked.options.cluster) as force:
            return _go_on(folder, asked, progress, stop, force)


def run_folder(source: Source, data: DataOptions, options: TuneOptions) -> Path:
    """Where the same search was stopped in `runs/`, or the next free folder there."""
    free = next_run_folder(source, data.task)
    if source.path is None and source.address is None:
        return free  # data in memory is gone with its process
    stem = free.name.rpartition("-")[0]
    for path in sorted(Path("runs").glob(f"{stem}-*"), key=lambda one: one.stat().st_mtime, reverse=True):
        folder = Folder(RunFolder(path))
        if folder.request.exists() and not folder.run.summary.exists():
            written = folder.run.read(folder.request)
            if written.get("asked") == _request(source, data, options):
                return path
    return free


def _request(source: Source, data: DataOptions, options: TuneOptions) -> dict[str, Any]:
    """What tells one search from another."""
    path = source.path
    named = source.address if path is None else pseudonym(privacy_key(), "source", str(path.resolve()))
    shown = replace(options, storage=options.shown_storage, cluster=None)
    asked: dict[str, Any] = to_json({"source": named, "data": data, "options": shown})
    return asked


def _check_same(folder: Folder, source: Source, data: DataOptions, options: TuneOptions) -> None:
    if folder.run.read(folder.request, "asked")["asked"] != _request(source, data, options):
        path = folder.run.path
        raise RunError(f"{path} holds another search", f"assay resume {path} goes on with it; or choose another --out.")


def _drop_if_unused(folder: Folder) -> None:
    """Remove a new folder in which no search was begun."""
    if not folder.request.exists():
        shutil.rmtree(folder.path, ignore_errors=True)
        if folder.run.path.is_dir() and not any(folder.run.path.iterdir()):
            folder.run.path.rmdir()


def _begin(folder: Folder, source: Source, data: DataOptions, options: TuneOptions, progress: Progress) -> Asked:
    keep_buffers()
    prepared = prepare(source, data, progress)
    held = decode(prepared, data, progress)
    progress.stage("Planning")
    plan = make_plan(prepared.task, held, options)
    asked = Asked(prepared, data, options, held, uuid.uuid4().hex, plan)
    written = {
        "format": FORMAT,
        "task": prepared.task.name,
        "source": named_source(prepared),
        "fingerprint": prepared.records.fingerprint,
        "data": data,
        "options": {**to_json(options), "storage": options.shown_storage},
        "asked": _request(source, data, options),
        "owner": asked.owner,
        "plan": plan.to_json(),
        "times": plan.times,
        "versions": versions(),
    }
    folder.run.write(folder.request, written)
    return asked


def _reopened(folder: Folder, progress: Progress, storage: str | None) -> Asked:
    """What was asked, read back; raises `RunError` where the data has changed or is gone."""
    keep_buffers()
    needed = ("task", "source", "fingerprint", "data", "options", "owner", "plan", "times")
    written = folder.run.read(folder.request, *needed)
    with reading(folder.request):
        data = DataOptions(**written["data"])
        kept = {**written["options"], "networks": tuple(written["options"]["networks"])}
        options = TuneOptions(**{**kept, "storage": _address(folder, kept["storage"], storage)})
    prepared = prepare_again(folder.run, written, data, progress)
    held = decode(prepared, data, progress)
    with reading(folder.request):
        plan = SearchPlan.read(written["plan"], written["times"], prepared.task, held, options)
    return Asked(prepared, data, options, held, written["owner"], plan)


def _address(folder: Folder, written: str | None, given: str | None) -> str | None:
    """The storage's address: passwords are not written down, so that such a one has to be told again."""
    if written is None:
        return None
    address = given or os.environ.get("ASSAY_STORAGE") or written
    if address != written or "://" not in written or "…" not in written:
        return address
    raise RunError(
        f"{folder.run.path} does not hold the password of {written}",
        "Give the address in the variable ASSAY_STORAGE, or as --storage with the same command.",
    )


def _go_on(folder: Folder, asked: Asked, progress: Progress, stop: threading.Event, force: Workforce) -> RunFolder:
    """Everything that is not done yet."""
    search = _search(folder, asked)
    if not folder.kept.exists():
        if not folder.chosen.exists():
            force.search(search, progress, stop)
            choose(folder, search)
        train_finally(folder, asked, search, progress, stop, force)
    kept = folder.run.read(folder.kept, "kept", "same", "validation", "best")
    become_run(folder, kept)
    made = remade(folder.run, asked.prepared, asked.held)
    return finish(made, folder.run, progress, stop, tuned_facts(search, kept, other(folder, asked, kept)), force)


def _search(folder: Folder, asked: Asked) -> Search:
    storage = open_storage(asked.options.storage, folder.journal)
    task = asked.prepared.task
    study, plan = open_study(asked.study, storage, asked.plan, asked.options, task, asked.held)
    origin, shared = Origin(asked.prepared, asked.data, folder.journal), asked.options.storage is not None
    told = sent(folder.run.path, folder.path.name)
    return Search(task, asked.held, asked.options, plan, study, asked.owner, shared, origin, after=told)


__all__ = ["Folder", "resume", "run_folder", "tune"]
