"""Training from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from assay.cluster.copies import placed
from assay.errors import SettingError
from assay.flow import TrainOptions, parse_duration
from assay.flow import train as train_run
from assay.model import Model
from assay.progress import Progress
from assay.sources.source import DataOptions
from assay.tuning.options import TuneOptions, need_optuna


def train(
    source: Any,
    *,
    task: str | None = None,
    target: str | None = None,
    group: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    data: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    budget: str | float | None = None,
    epochs: float | None = None,
    network: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    evidence: str = "full",
    device: str = "auto",
    devices: int = 1,
    log: str | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Model:
    """Train a network on a source and find out what it is worth.

    Args:
        source: a path, a URL such as s3://bucket/shards, or data in memory: a data frame, an Arrow table, a pair of
            arrays (X, y).
        task: the application; None to recognise it.
        target: the column to predict.
        group: the column whose values never cross the split.
        split: `80/10/10`, or the name of a column that gives each sample's side.
        split_seed: moves samples between the sides.
        data: options that the task adds, such as `{"image_size": 64}`.
        out: the run folder, which must not exist, or a URL; by default the next free one in `runs/`.
        budget: time for fitting, in seconds or as `5m`.
        epochs: passes over the training samples, instead of a budget.
        network: the network's name, such as `convnet` or `timm/resnet18`.
        settings: hyper-parameters by name.
        seed: of weights, order and augmentation.
        evidence: `full`, `quick` or `none`.
        device: `auto`, `cpu` or `cuda`: where the network is trained.
        devices: how many processes train it together, one a GPU.
        log: where the history goes besides, `tensorboard:FOLDER` or `mlflow:URI`.
        cluster: the address of a Ray cluster, or `local` for one of its own; None for this machine.
        progress: is told how far it is.

    Returns:
        The trained model.

    Raises:
        AssayError: data, settings or folder cannot be used.
    """
    budget_s, epochs = fitting_time(budget, epochs)
    texts = _as_texts(settings)
    options = TrainOptions(budget_s, epochs, network, texts, seed, evidence, device, devices, log, cluster)
    chosen = DataOptions(task, target, group, split, split_seed, extra=dict(data or {}))
    with _placed(out) as folder:
        run = train_run(source, chosen, options, folder, progress)
    return Model(run)


def tune(
    source: Any,
    *,
    task: str | None = None,
    target: str | None = None,
    group: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    data: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    trials: int | None = None,
    budget: str | float | None = None,
    storage: str | None = None,
    networks: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    search: Sequence[str] | Mapping[str, str] = (),
    seed: int = 0,
    evidence: str = "full",
    sampler: str = "tpe",
    pruning: bool = True,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Model:
    """Search hyper-parameters on the validation side, and make the best a trained model.

    Args:
        source: as `train` takes it, and so the other options of data; what is in memory cannot be resumed.
        task: the application; None to recognise it.
        target: the column to predict.
        group: the column whose values never cross the split.
        split: `80/10/10`, or the name of a column that gives each sample's side.
        split_seed: moves samples between the sides.
        data: options that the task adds.
        out: the run folder; one in which the same search was stopped is gone on with.
        trials: how many trials in all; as many as fit into the time by default.
        budget: time for all trainings together, in seconds or as `30m`.
        storage: where trials are kept, to share them: `sqlite:///FILE`, `postgresql://…`, or a journal file.
        networks: those among which is chosen; the task's default where none is named.
        settings: hyper-parameters that are held fixed, by name.
        search: those that are searched, all by default; a mapping gives ranges: `{"learning_rate": "0.001..0.1"}`.
        seed: of the search and of all trainings.
        evidence: `full`, `quick` or `none`.
        sampler: `tpe`, or `random` for comparison.
        pruning: stop trials early that are behind.
        cluster: the address of a Ray cluster, or `local`: as many trials at a time as it has cores.
        progress: is told how far it is.

    Returns:
        The trained model, whose evidence has a finding `tuning`.

    Raises:
        AssayError: data, settings, storage or folder cannot be used, or all trials fail.
    """
    budget_s, texts, names = fitting_time(budget, None)[0], _as_texts(settings), tuple(networks)
    ranges = dict(search) if isinstance(search, Mapping) else dict.fromkeys(search, "")
    options = TuneOptions(trials, budget_s, storage, names, texts, ranges, seed, evidence, sampler, pruning, cluster)
    chosen = DataOptions(task, target, group, split, split_seed, extra=dict(data or {}))
    return _tuned(source, chosen, options, out, progress)


def _tuned(
    source: Any, data: DataOptions, options: TuneOptions, out: str | Path | None, progress: Progress | None
) -> Model:
    """See `tune`; what a search needs is loaded here, for most who import this never search."""
    need_optuna()
    from assay.tuning.flow import tune as tune_run

    with _placed(out) as folder:
        run = tune_run(source, data, options, folder, progress)
    return Model(run)


def _as_texts(settings: Mapping[str, Any] | None) -> dict[str, str]:
    """Hyper-parameters as the command line gives them."""
    return {name: str(value) for name, value in (settings or {}).items()}


def _placed(out: str | Path | None) -> AbstractContextManager[Path | None]:
    """The folder in which a run works: a URL has one below the cache."""
    return nullcontext() if out is None else placed(Path(out))


def fitting_time(budget: str | float | None, epochs: float | None) -> tuple[float | None, float | None]:
    """The seconds and the passes that are asked for, one of them at most; raises `SettingError`."""
    if budget is not None and epochs is not None:
        raise SettingError("--budget and --epochs are given both", "Give one of the two.")
    if epochs is not None and not 0 < epochs < 1e6:
        raise SettingError(f"--epochs {epochs:g} is not a number of passes", "Give a number above 0.")
    return None if budget is None else parse_duration(str(budget)), epochs
