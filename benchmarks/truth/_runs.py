"""Runs with a planted cause: images in memory on given sides, trained and asked for their findings."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Planted:
    """Images (N, H, W) or (N, H, W, 3) uint8 with labels (N,) and sides (N,): 0 train, 1 validation, 2 test."""

    images: Array
    labels: Array
    side: Array


@contextmanager
def own_cache() -> Iterator[Path]:
    """A folder in which nothing is decoded yet; it goes at the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASSAY_CACHE"] = str(Path(folder) / "cache")
        yield Path(folder)


def trained(planted: Planted, folder: Path, *, epochs: float, seed: int, network: str = "convnet",
            settings: dict[str, str] | None = None, findings: Sequence[str] = (),
            image_size: int | None = None) -> dict[str, Any]:  # fmt: skip
    """Train on planted data; gives the findings asked for (`evidence.json`) and the test accuracy.

    Args:
        planted: the data.
        folder: where the run goes.
        epochs: passes over the training side.
        seed: of the training.
        network: its name.
        settings: `--set`.
        findings: names of the findings to look for; none for a training without evidence.
        image_size: the side in pixels to which images are brought; None for what suits network and images.
    """
    from assay.evidence import evidence
    from assay.fitting import finish
    from assay.flow import TrainOptions, prepare
    from assay.planning import choose
    from assay.progress import Progress
    from assay.registry import load_task
    from assay.run import RunFolder
    from assay.samples.split import Split
    from assay.sources.source import DataOptions

    extra = {} if image_size is None else {"image_size": image_size}
    options = DataOptions("image-classification", network=network, extra=extra)
    task = load_task(options.task)
    # The sides are given: looking for copies that must not cross them would be for nothing.
    task.copied_rows = lambda records, progress: None
    prepared = prepare((planted.images, planted.labels.astype(str)), options, task=task)
    prepared = replace(prepared, split=Split(planted.side.astype(np.int8), "given"))
    how = TrainOptions(None, epochs, network, settings or {}, seed, "full" if findings else "none")
    run = RunFolder.create(folder)
    all_findings = dict(evidence.FINDINGS)
    try:
        for name in set(all_findings) - set(findings):
            evidence.FINDINGS.pop(name)
        finish(choose(prepared, options, how, run, Progress()), run, Progress(), threading.Event())
    finally:
        evidence.FINDINGS.clear()
        evidence.FINDINGS.update(all_findings)
    found = {one["name"]: one for one in run.read(run.evidence)["findings"]}
    return {"accuracy": run.read(run.summary)["metric"]["value"], "findings": found,
            "fit_s": run.read(run.summary)["seconds"]}  # fmt: skip
