"""Training and loading from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import SettingError
from assay.flow import TrainOptions, parse_duration
from assay.flow import train as train_run
from assay.model import Model
from assay.progress import Progress
from assay.run import RunFolder
from assay.sources.source import DataOptions


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
    progress: Progress | None = None,
) -> Model:
    """Train a network on a source and find out what it is worth.

    Args:
        source: a path, or data in memory: a data frame, an Arrow table, a pair of arrays (X, y).
        task: the application; None to recognise it.
        target: the column to predict.
        group: the column whose values never cross the split.
        split: `80/10/10`, or the name of a column that gives each sample's side.
        split_seed: moves samples between the sides.
        data: options that the task adds, such as `{"image_size": 64}`.
        out: the run folder, which must not exist; by default the next free one in `runs/`.
        budget: time for fitting, in seconds or as `5m`.
        epochs: passes over the training samples, instead of a budget.
        network: the network's name, such as `convnet` or `timm/resnet18`.
        settings: hyper-parameters by name.
        seed: of weights, order and augmentation.
        evidence: `full`, `quick` or `none`.
        progress: is told how far it is.

    Returns:
        The trained model.

    Raises:
        AssayError: data, settings or folder cannot be used.
    """
    budget_s, epochs = fitting_time(budget, epochs)
    texts = {name: str(value) for name, value in (settings or {}).items()}
    options = TrainOptions(budget_s, epochs, network, texts, seed, evidence)
    chosen = DataOptions(task, target, group, split, split_seed, extra=dict(data or {}))
    return Model(train_run(source, chosen, options, Path(out) if out is not None else None, progress))


def fitting_time(budget: str | float | None, epochs: float | None) -> tuple[float | None, float | None]:
    """The seconds and the passes that are asked for, one of them at most; raises `SettingError`."""
    if budget is not None and epochs is not None:
        raise SettingError("--budget and --epochs are given both", "Give one of the two.")
    if epochs is not None and not 0 < epochs < 1e6:
        raise SettingError(f"--epochs {epochs:g} is not a number of passes", "Give a number above 0.")
    return None if budget is None else parse_duration(str(budget)), epochs


def load(path: str | Path) -> Model:
    """A trained model out of its run folder; raises `RunError`.

    Loading is safe whoever made the run: nothing in it is executed.
    """
    model = Model(RunFolder.open(Path(path)))
    model.check()
    return model
