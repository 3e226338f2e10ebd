"""What `assay drive` does: let a policy drive in its simulator, and tell how it went."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.run import to_json
from assay.shell import print_json, say

if TYPE_CHECKING:
    from assay.model import Model
    from assay.task import Rollout

#: What `Traits.takes` names, in words.
_INPUTS = {
    "picture": "pictures", "video": "videos", "scan": "scans", "sound": "sounds", "text": "texts",
    "question": "questions", "row": "tables", "log": "logs of drives",
}  # fmt: skip


def drive_and_tell(
    path: Path, episodes: int, seed: int | None, video: Path | None, baseline: bool, as_json: bool
) -> None:
    """Drive some tracks, a line each, then every metric over all of them.

    Args:
        path: the run.
        episodes: how many tracks.
        seed: the number of the first one; None for the first of those that the run was tested on.
        video: a file for what was seen; None for none.
        baseline: let the classical model drive instead.
        as_json: one JSON object at the end instead of lines.
    """
    from assay.loading import load_to_answer

    if video is not None:
        from assay.serving.video_file import check_writable

        check_writable(video)
    model = load_to_answer(path)
    if not model.task.in_loop(model.spec):
        raise SettingError(f"{path} was not learned in a simulator", _instead(model, path))
    found: list[Rollout] = []
    rides = _told(model, model.rollouts(episodes, seed, pictured=video is not None, baseline=baseline), found, as_json)
    if video is None:
        for _ in rides:
            pass
    else:
        _film(rides, video)
    metrics = _metrics(model, found)
    if as_json:
        rows = [{"id": one.id, **to_json(model.task.answer(one.output, model.spec))} for one in found]
        told = {name: vars(value) for name, value in metrics.items()}
        driver = "baseline" if baseline else "network"
        about = {"format": 1, "task": model.task.name, "run": str(path), "driver": driver}
        print_json({**about, "episodes": rows, "metrics": told, "video": None if video is None else str(video)})
        return
    from assay.evidence.words import spread, title

    for metric in model.task.metrics(model.spec):
        say(f"  {title(metric)}: {spread(metric, metrics[metric.name])}")


def _instead(model: Model, path: Path) -> str:
    """What a run that cannot drive answers."""
    names = [_INPUTS.get(name, name) for name in model.task.traits.takes] or ["files"]
    return f"It is of {model.task.name}: assay predict {path} INPUT answers {' and '.join(names)}."


def _told(model: Model, rides: Iterator[Rollout], found: list[Rollout], as_json: bool) -> Iterator[Rollout]:
    """The rides as they end, each told in a line, and kept without its frames."""
    from dataclasses import replace

    for one in rides:
        line = f"{one.id}\t{model.task.words(one.output, model.spec)}"
        if as_json:
            sys.stderr.write(line + "\n")
        else:
            say(line)
            sys.stdout.flush()
        found.append(replace(one, frames=None))
        yield one


def _film(rides: Iterator[Rollout], video: Path) -> None:
    """All rides one after the other in a video."""
    from assay.serving.video_file import write_video

    first = next(rides)

    def frames() -> Iterator[Any]:
        yield from first.frames if first.frames is not None else ()
        for one in rides:
            yield from one.frames if one.frames is not None else ()

    count = write_video(frames(), video, first.rate_hz)
    sys.stderr.write(f"{count:,} frames in {video}\n")


def _metrics(model: Model, found: list[Rollout]) -> dict[str, Any]:
    from assay.evaluation.intervals import estimate

    outputs, groups = [one.output for one in found], np.arange(len(found))
    truths: list[dict[str, Any]] = [{} for _ in found]
    return {metric.name: estimate(metric, outputs, truths, groups) for metric in model.task.metrics(model.spec)}
