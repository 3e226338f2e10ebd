"""A training under a time budget: it ends in time, and run again from its plan it gives the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from assay.flow import TrainOptions, resume, train
from assay.run import RunFolder
from assay.sources.source import DataOptions


def digits(folder: Path) -> Path:
    """scikit-learn's scanned digits as an npz file."""
    from sklearn.datasets import load_digits

    data = load_digits()
    file = folder / "digits.npz"
    np.savez(file, images=data.images.astype(np.uint8) * 15, labels=data.target)
    return file


def test_run_again_from_its_plan_it_gives_the_same_weights(tmp_path: Path) -> None:
    options = TrainOptions(budget_s=2.0, network="mlp", evidence="none")
    first = train(digits(tmp_path), DataOptions(), options, tmp_path / "first")
    plan = first.read(first.plan)
    assert len(plan["timing"]["revisions"]) > 3
    seconds = next(line["fit_seconds"] for line in first.history() if "fit_seconds" in line)
    assert 0.5 < seconds < 2.2

    (tmp_path / "again").mkdir()
    shutil.copy(first.plan, tmp_path / "again" / "plan.json")
    again = resume(tmp_path / "again")
    assert RunFolder(again.path).read(again.plan) == plan
    weights, others = (load_file(run.model / "model.safetensors") for run in (first, again))
    assert all(np.array_equal(value, others[name]) for name, value in weights.items())
