"""The trainings at the end of a search, and which of them becomes the run.

The best trial and the defaults are trained in full, each with half of the time that is left. What was good in a short
training may overfit in a long one, so the best trial is trained once more for as many steps as it had; the better of
its two lengths is what was found. The defaults are kept unless that is better by more than chance (`is_better`).
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from assay.fitting import fitted
from assay.flow import TrainOptions
from assay.pacing import Timing
from assay.planning import Made, planned, remade, write_plan
from assay.progress import Progress
from assay.run import writing
from assay.serving.predictor import Predictor
from assay.tuning.folder import Asked, Folder
from assay.tuning.plan import fixed_of, of_trial
from assay.tuning.score import Score, is_better
from assay.tuning.search import Search, best_of
from assay.workforce import Workforce

FOUND, BRIEF, DEFAULTS = "found", "brief", "defaults"
_TOLD = {
    FOUND: "The best trial in full",
    BRIEF: "The best trial for as many steps as it had",
    DEFAULTS: "The defaults for the same time",
}
#: A training in full gets this share of the time at least, even where trials took longer than they should.
_LEAST_SHARE = 0.15


def choose(folder: Folder, search: Search) -> None:
    """Write down which trial is the best now: others may tell better ones to a shared storage meanwhile."""
    found = search.trials()
    best = best_of(found)
    same = best.system_attrs.get("fixed_params") is not None and best.number == 0
    left_s = search.plan.total_s - search.spent(found)
    if not same:
        left_s = (left_s - search.plan.fidelity.trial_s) / 2
    left_s = max(left_s, _LEAST_SHARE * search.plan.total_s)
    folder.run.write(folder.chosen, {"best": best.number, "same": same, "seconds": left_s})


def train_finally(
    folder: Folder, asked: Asked, search: Search, progress: Progress, stop: threading.Event, force: Workforce
) -> None:
    """Train the best trial in both lengths and the defaults; write down which is best on the validation side."""
    chosen = folder.run.read(folder.chosen, "best", "same", "seconds")
    best = search.trial(chosen["best"])
    score = Score(search.task, asked.held[1], asked.held[0], None, search.several)
    errors: dict[str, Any] = {}
    for name in (DEFAULTS,) if chosen["same"] else (FOUND, BRIEF, DEFAULTS):
        made = _made(folder, name, asked, search, best, chosen["seconds"])
        if made is None:
            continue
        progress.say(_TOLD[name])
        predictor = fitted(made, folder.candidate(name), progress, stop, force=force)
        errors[name] = score.each(predictor.network, made.plan)
        asked.held[0].forget_appended(0)
    means = {name: float(np.nanmean(one)) for name, one in errors.items()}
    brief = BRIEF in means and means[BRIEF] < means[FOUND]
    found = BRIEF if brief else FOUND if FOUND in means else DEFAULTS
    kept = FOUND if is_better(errors[found], errors[DEFAULTS], score.groups) else DEFAULTS
    validation = [means[found], means[DEFAULTS]]
    folder.run.write(folder.kept, {"kept": kept, "brief": brief, **chosen, "validation": validation})


def _made(folder: Folder, name: str, asked: Asked, search: Search, best: FrozenTrial, seconds: float) -> Made | None:
    """One of the trainings, planned or as it was planned; None for a brief one that is no shorter than in full."""
    run = folder.candidate(name)
    if run.plan.exists():
        return remade(run, asked.prepared, asked.held)
    if name == BRIEF:
        made = remade(folder.candidate(FOUND), asked.prepared, asked.held)
        steps = int(best.user_attrs["steps"])
        if steps >= made.plan.steps:
            return None
        plan = of_trial(made.plan, steps, search.plan.fidelity.checks)
        made = replace(made, plan=plan, timing=Timing(min(steps, made.timing.snapshot_every)))
    else:
        made = _planned(asked, search, None if name == DEFAULTS else best, seconds)
    with writing(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
    write_plan(made, run)
    return made


def _planned(asked: Asked, search: Search, trial: FrozenTrial | None, seconds: float) -> Made:
    """The training in full of a trial, or of the first network as proposed."""
    branch = search.plan.branches[0]
    fixed = fixed_of(search.task, asked.held, asked.options, branch.network)
    options = TrainOptions(seconds, None, branch.network, fixed, asked.options.seed, asked.options.evidence)
    if trial is None:
        return planned(asked.prepared, asked.data, options, asked.held)
    branch = search.branch_of(trial)
    chosen = branch.with_values(branch.values(trial.params))
    options = replace(options, network=branch.network, settings={})
    return planned(asked.prepared, asked.data, options, asked.held, lambda settings, plan: chosen)


def become_run(folder: Folder, kept: Mapping[str, Any]) -> None:
    """The files of the best training become the run's own; the plan comes last, since it says that they are there."""
    _settle_length(folder, bool(kept.get("brief")))
    run, source = folder.run, folder.candidate(kept["kept"])
    left = folder.candidate(DEFAULTS if kept["kept"] == FOUND else FOUND)
    shutil.rmtree(left.checkpoint, ignore_errors=True)
    if run.plan.exists():
        shutil.rmtree(source.path, ignore_errors=True)
        return
    with writing(run.path):
        for name in ("model", "checkpoint"):
            if (source.path / name).exists():
                shutil.rmtree(run.path / name, ignore_errors=True)
                shutil.copytree(source.path / name, run.path / name)
        if source.metrics.exists():
            shutil.copyfile(source.metrics, run.metrics)
    run.write(run.plan, source.read(source.plan))
    shutil.rmtree(source.path, ignore_errors=True)


def _settle_length(folder: Folder, brief: bool) -> None:
    """Leave the better length of what was found, under its name."""
    full, short = folder.candidate(FOUND).path, folder.candidate(BRIEF).path
    if brief and short.exists():
        with writing(folder.path):
            shutil.rmtree(full, ignore_errors=True)
            short.rename(full)
    shutil.rmtree(short, ignore_errors=True)


def other(folder: Folder, asked: Asked, kept: Mapping[str, Any]) -> Predictor | None:
    """The network that was not kept; None where there was one alone."""
    from assay.stored_network import read_network

    run = folder.candidate(DEFAULTS if kept["kept"] == FOUND else FOUND)
    if not (run.model / "model.json").exists():
        return None
    _, _, network, facts = read_network(run.model, asked.prepared.task)
    return Predictor(asked.prepared.task, asked.held[1], network, temperature=facts["temperature"],
                     settled=facts["settled"])  # fmt: skip
