"""The classical model and the dummy floor of a run, and what its history and folder tell of what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.baselines.baseline import Baseline
from assay.baselines.fit import Fit, Fitted
from assay.evidence.context import FittedBaseline
from assay.progress import Progress
from assay.run import RunFolder, writing
from assay.samples.split import TEST
from assay.serving.predictor import Classical
from assay.work import Mapper

if TYPE_CHECKING:
    from assay.planning import Made

#: The baseline's time as a share of the training's, with full and with quick evidence.
_FULL_SHARE, _QUICK_SHARE = 0.3, 0.045
#: What is known of a fitted classical model, in its folder; written when the model is there.
_NOTE = "fit.json"


def fit_baselines(
    made: Made, run: RunFolder, progress: Progress, mapper: Mapper
) -> tuple[FittedBaseline | None, FittedBaseline | None]:
    """The classical model and the dummy floor, fitted (or read back) and asked about the test side."""
    fit_s = fit_seconds(run)
    budget = fit_s * (_FULL_SHARE if made.options.evidence == "full" else _QUICK_SHARE)
    chosen: dict[bool, tuple[int, Baseline]] = {}
    for place, model in enumerate(made.task.baselines(made.spec)):
        chosen.setdefault(model.floor, (place, model))
    left = [place for floor, (place, _) in chosen.items() if not (_baseline_folder(run, floor) / _NOTE).exists()]
    fits = mapper(made.subject, [Fit(place, budget, made.plan.seed) for place in left])
    found: dict[bool, FittedBaseline] = {}
    for place, model in chosen.values():
        progress.stage(f"Classical baseline: {model.name}" if not model.floor else "The floor: guessing")
        folder = _baseline_folder(run, model.floor)
        if place in left:
            model = _fitted_baseline(next(fits), run, folder)
        else:
            model.load(folder)
        facts = run.read(folder / _NOTE)
        test = made.task.evaluate(Classical(made.task, made.spec, model), made.samples.view(TEST))
        found[model.floor] = FittedBaseline(
            model, test, facts["seconds"], facts["note"], folder_bytes(folder), facts.get("memory_bytes")
        )
    return found.get(False), found.get(True)


def _baseline_folder(run: RunFolder, floor: bool) -> Path:
    return run.model / ("floor" if floor else "baseline")


def _fitted_baseline(fitted: Fitted, run: RunFolder, folder: Path) -> Baseline:
    """Keep a classical model in its folder, the facts about it last."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        fitted.model.save(folder)
    facts = {"note": fitted.note, "seconds": fitted.seconds, "name": fitted.model.name}
    run.write(folder / _NOTE, {**facts, "memory_bytes": fitted.memory_bytes})
    return fitted.model


def fit_seconds(run: RunFolder) -> float:
    """What fitting took, from the history."""
    return float(last_known(run, "fit_seconds") or 0.0)


def last_known(run: RunFolder, name: str) -> Any:
    """The newest value of a name in the history; None where it is not there."""
    return next((line[name] for line in reversed(run.history()) if name in line), None)


def folder_bytes(folder: Path, deep: bool = True) -> int:
    """The bytes of a folder's files."""
    files = folder.rglob("*") if deep else folder.glob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
